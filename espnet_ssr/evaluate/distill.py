"""Stage 10 for a distilled connector: vectors, nearest tokens and figures of a test set."""

from __future__ import annotations

from pathlib import Path

import torch
from espnet2.torch_utils.device_funcs import to_device
from torch.utils.data import DataLoader
from transformers import PreTrainedTokenizerBase

from espnet_ssr.connector.heads import HullHead
from espnet_ssr.connector.segments import seconds_to_frames
from espnet_ssr.data.copies import UTT2UNIQ
from espnet_ssr.datadir import read_keyed
from espnet_ssr.evaluate.embedding import (
    Utterance,
    connect_all,
    fidelity,
    shuffle_segments,
    text_figures,
    token_accuracy,
)
from espnet_ssr.evaluate.fidelity_bands import fidelity_by_band
from espnet_ssr.evaluate.files import read_token_ids, write_hypotheses, write_result
from espnet_ssr.evaluate.textless import score_textless
from espnet_ssr.model.distill import SSRDistillModel
from espnet_ssr.progress import Progress


def load_utterances(
    model: SSRDistillModel, loader: DataLoader, references: dict[str, list[int]]
) -> list[Utterance]:
    """Encode, on the model's device, what a loader gives in batches of one utterance.

    The results are on the CPU, where everything but encoder and connector is computed.

    Args:
        loader: gives ``token_end`` and features or audio.
        references: right token ids by utterance; those without are left out.
    """
    utterances = []
    device = str(model.connector.device)
    progress = Progress(len(loader), "inference")
    for utt_ids, batch in loader:
        progress.update()
        if utt_ids[0] not in references:
            continue
        feats, feats_lengths = (x.cpu() for x in model.encode(**to_device(batch, device)))
        frames = seconds_to_frames(
            batch["token_end"], batch["token_end_lengths"], feats_lengths, model.frame_rate
        )
        token_id = torch.tensor(references[utt_ids[0]])
        utterances.append(Utterance(utt_ids[0], feats[0], token_id, frames[0]))
    return utterances


def evaluate(
    model: SSRDistillModel,
    utterances: list[Utterance],
    tokenizer: PreTrainedTokenizerBase,
    train_token_id: Path,
    output_dir: Path,
    seed: int = 0,
) -> dict:
    """Score the connector and its controls; write ``text``, ``token_int`` and ``result.json``.

    A connector that can decide by itself how many vectors it gives is scored on those, too: in
    ``textless``, both of the result and of ``output_dir``. Of a hull head there are figures of its
    ``posterior``, too.

    Args:
        train_token_id: the training set's ``token_id``, to tell seen from unseen tokens and
            for the mean of the training tokens' embeddings, the best constant prediction.
        seed: of the shuffled control.

    Returns:
        the content of ``result.json``.
    """
    space = model.embedding.cpu()
    token_id = torch.cat([u.token_id for u in utterances])
    counts = count_tokens(train_token_id, len(space.matrix))
    train_mean = counts.to(space.matrix.dtype) @ space.matrix / counts.sum()
    rows = {
        "connector": connect_all(utterances, model.connect_one),
        "shuffled segments": connect_all(shuffle_segments(utterances, seed), model.connect_one),
        "mean embedding": train_mean.expand(len(token_id), -1),
    }
    figures = {}
    for row, vectors in rows.items():
        figures[row], ids, texts = _score(vectors, utterances, space, counts > 0, tokenizer)
        if row == "connector":
            write_hypotheses(output_dir, utterances, ids, texts)
    lengths = [len(u.token_id) for u in utterances]
    result = {
        "figures": figures,
        "bands": fidelity_by_band(rows["connector"], lengths, token_id, counts, space),
        "parameters": sum(p.numel() for p in model.connector.parameters()),
        "seen_share": (counts > 0)[token_id].float().mean().item(),
        **rates(utterances, model.frame_rate),
    }
    if isinstance(model.connector.output, HullHead):
        result["posterior"] = posterior_figures(model, utterances, counts > 0)
    if not model.connector.needs_segmentation:
        freely = [model.connect_one(u.feats) for u in utterances]
        folder = output_dir / "textless"
        result["textless"] = score_textless(freely, utterances, {}, space, tokenizer, folder)
    write_result(output_dir, result)
    return result


def _score(vectors, utterances, space, seen, tokenizer) -> tuple[dict, list, list[str]]:
    """Figures of one vector a token ``(S, H)``; nearest tokens and their text by utterance."""
    token_ids = [u.token_id for u in utterances]
    figures, nearest = fidelity(vectors, torch.cat(token_ids), space, seen)
    ids = nearest.split([len(i) for i in token_ids])
    of_text, texts = text_figures(token_ids, ids, tokenizer)
    return figures | of_text, ids, texts


def posterior_figures(
    model: SSRDistillModel, utterances: list[Utterance], seen: torch.Tensor
) -> dict[str, float | None]:
    """Of a hull head.

    Args:
        seen: ``(V,)`` bool, the tokens that occur in the training set.

    Returns:
        ``entropy`` (mean, nats), ``token_accuracy`` of the most likely tokens, and that for seen
        and unseen tokens.
    """
    found = []
    for utterance in utterances:
        states = model.output_of_one(utterance.feats, utterance.token_end).states
        ids, _, entropy = model.connector.output.posteriors(states, 1)
        found.append((ids[:, 0].cpu(), entropy.cpu()))
    ids, entropy = (torch.cat(part) for part in zip(*found, strict=True))
    token_id = torch.cat([u.token_id for u in utterances])
    return {"entropy": entropy.mean().item(), **token_accuracy(ids, token_id, seen)}


def count_tokens(token_id_file: Path, vocabulary_size: int) -> torch.Tensor:
    """How often ``(V,)`` each token occurs in a set's ``token_id`` file; what the set has copies of
    counts once."""
    originals = token_id_file.parents[1] / UTT2UNIQ
    of = read_keyed(originals) if originals.exists() else {}
    rows = read_token_ids(token_id_file).items()
    ids = [i for utt_id, row in rows if of.get(utt_id, utt_id) == utt_id for i in row]
    return torch.bincount(torch.tensor(ids), minlength=vocabulary_size)


def rates(utterances: list[Utterance], frame_rate: float) -> dict[str, float]:
    """Vectors a second of speech, and frames a vector."""
    frames = sum(len(u.feats) for u in utterances)
    tokens = sum(len(u.token_id) for u in utterances)
    return {
        "utterances": len(utterances),
        "tokens": tokens,
        "seconds": frames / frame_rate,
        "vectors_per_second": tokens / frames * frame_rate,
        "frames_per_vector": frames / tokens,
    }
