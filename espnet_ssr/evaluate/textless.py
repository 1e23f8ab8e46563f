"""Stage 10 with textless segments: the connector's vectors without a transcript to cut them by.

There may be more segments than tokens, or fewer. Figures that compare vectors with tokens one by
one are taken over the utterances whose number of segments is right; the others come from aligning
the nearest tokens with the right ones by edit distance.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerBase

from espnet_ssr.datadir import write_lines
from espnet_ssr.evaluate.distill import write_hypotheses
from espnet_ssr.evaluate.embedding import Utterance, error_rates, token_figures
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
    space = model.embedding.cpu()
    vectors = [model.connect_one(u.feats, u.token_end) for u in utterances]
    nearest = [space.nearest(v) for v in vectors]
    hypotheses = [tokenizer.decode(i, skip_special_tokens=True).strip() for i in nearest]
    write_hypotheses(output_dir, utterances, nearest, hypotheses)
    empty = torch.zeros(0, dtype=torch.long)
    references = [u.token_id for u in utterances] + [torch.tensor(i) for i in missing.values()]
    nearest += [empty] * len(missing)
    texts = [tokenizer.decode(i).strip() for i in references]
    figures = token_figures(references, nearest)
    figures |= error_rates(texts, hypotheses + [""] * len(missing))
    figures |= segment_figures(references, nearest)
    right = [n for n, u in enumerate(utterances) if len(u.token_end) == len(u.token_id)]
    if right:
        ids = torch.cat([utterances[n].token_id for n in right])
        fidelity = space.fidelity(torch.cat([vectors[n] for n in right]), ids)
        figures |= {f"{k}_of_exact": v.mean().item() for k, v in fidelity.items()}
    result = {"textless": figures, "utterances": len(references), "missing": len(missing)}
    write_lines(output_dir / "result.json", [json.dumps(result, indent=1)])
    return result


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
