"""Likelihoods by a plain loop of transformers, and a system that hears perfectly."""

import torch
from plain_loop import plain_log_likelihoods

from espnet_ssr.evaluate.choice.answer import make_answer
from espnet_ssr.evaluate.choice.scorers import RowScorer
from espnet_ssr.evaluate.choice.scorers.rows import Read


class TrueEmbeddings(RowScorer):
    """A stand-in for a connector: its vectors are the embeddings of what is said."""

    def hear(self, parts):
        ids = [torch.tensor(spell(self, part.text)) for part in parts]
        return [Read(self.llm.embed(i).float().cpu(), i) for i in ids]


def spell(scorer, said):
    return scorer.tokenizer(said, add_special_tokens=False).input_ids


@torch.no_grad()
def expected(scorer, context, continuation, ids):
    """Log-likelihoods of tokens, one unbatched call each; texts and vectors in both arguments."""

    def vectors(parts):
        rows = [scorer.llm.embed(spell(scorer, p)) if isinstance(p, str) else p for p in parts]
        return torch.cat([scorer.llm.embed([]), *rows])

    start = scorer.llm.embed([scorer.tokenizer.bos_token_id])
    inputs = torch.cat([start, vectors(context), vectors(continuation)])
    return plain_log_likelihoods(scorer.llm, inputs, ids)


def check(scorer, score, context, continuation, ids):
    """A score is what the plain loop gives."""
    assert score.token_id.tolist() == list(ids)
    wanted = expected(scorer, context, continuation, ids)
    torch.testing.assert_close(score.per_token, wanted, atol=1e-4, rtol=0)


def score_all(scorer, items):
    return scorer.score([(item.context, parts) for item in items for parts in item.candidates])


def answer_all(scorer, items):
    scores = iter(score_all(scorer, items))
    return [make_answer(item, [next(scores) for _ in item.candidates]) for item in items]
