"""Stage 10 without transcripts: vectors of segments that an aligner or the connector itself found.

There may be more segments than tokens, or fewer. Figures that compare vectors with tokens one by
one are taken over the utterances whose number of segments is right; the others come from aligning
the nearest tokens with the right ones by edit distance.
"""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import PreTrainedTokenizerBase

from espnet_ssr.evaluate.embedding import Utterance, text_figures
from espnet_ssr.evaluate.files import write_hypotheses, write_result
from espnet_ssr.llm.embedding import EmbeddingSpace
from espnet_ssr.model.distill import SSRDistillModel


def evaluate_textless(
    model: SSRDistillModel,
    utterances: list[Utterance],
    missing: dict[str, list[int]],
    tokenizer: PreTrainedTokenizerBase,
    output_dir: Path,
) -> dict:
    """Score a connector on segments that the aligner cut without transcripts.

    Args:
        utterances: ``token_end`` are the segments' last frames, ``token_id`` the right tokens.
        missing: right tokens of the utterances that have no segments: they count as deleted.

    Returns:
        the content of ``result.json``, which is written to ``output_dir`` with ``text`` and
        ``token_int``.
    """
    vectors = [model.connect_one(u.feats, u.token_end) for u in utterances]
    space = model.embedding.cpu()
    figures = score_textless(vectors, utterances, missing, space, tokenizer, output_dir)
    result = {
        "textless": figures,
        "utterances": len(utterances) + len(missing),
        "missing": len(missing),
    }
    write_result(output_dir, result)
    return result


def score_textless(
    vectors: list[torch.Tensor],
    utterances: list[Utterance],
    missing: dict[str, list[int]],
    space: EmbeddingSpace,
    tokenizer: PreTrainedTokenizerBase,
    output_dir: Path,
) -> dict[str, float]:
    """Figures of vectors ``(N, H)`` an utterance, ``N`` not always its number of tokens.

    Writes ``text`` and ``token_int``; ``missing`` as above.
    """
    heard = len(utterances)
    references = [u.token_id for u in utterances] + [torch.tensor(i) for i in missing.values()]
    nearest = [space.nearest(v) for v in vectors]
    nearest += [torch.zeros(0, dtype=torch.long)] * len(missing)
    figures, texts = text_figures(references, nearest, tokenizer)
    write_hypotheses(output_dir, utterances, nearest[:heard], texts[:heard])
    figures |= segment_figures(references, nearest)
    right = [n for n, u in enumerate(utterances) if len(vectors[n]) == len(u.token_id)]
    if right:
        ids = torch.cat([utterances[n].token_id for n in right])
        fidelity = space.fidelity(torch.cat([vectors[n] for n in right]), ids)
        figures |= {f"{k}_of_exact": v.mean().item() for k, v in fidelity.items()}
    return figures


def segment_figures(
    references: list[torch.Tensor], segments: list[torch.Tensor]
) -> dict[str, float]:
    """Shares of utterances whose number of segments is that of their tokens, exactly and within
    one, and the mean surplus of segments a token."""
    surplus = [len(s) - len(r) for s, r in zip(segments, references, strict=True)]
    return {
        "segments_exact": sum(n == 0 for n in surplus) / len(surplus),
        "segments_within_one": sum(abs(n) <= 1 for n in surplus) / len(surplus),
        "segment_surplus": sum(surplus) / sum(map(len, references)),
    }
