"""From the results of stage 10 to the figures of ``RESULTS.json``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from espnet_ssr.evaluate.fidelity_bands import accuracy_by_count

PERCENT = 100.0

FIDELITY = {
    "cosine": ("cosine", 1.0),
    "centred_cosine": ("centred_cosine", 1.0),
    "mse": ("mse", 1.0),
    "token_accuracy": ("token_accuracy", 1.0),
    "wer": ("wer", PERCENT),
    "cer": ("cer", PERCENT),
}
"""Figure -> key of a result, and what its value is multiplied by."""

TEXTLESS = {
    "textless_exact": ("segments_exact", 1.0),
    "textless_within_one": ("segments_within_one", 1.0),
    "textless_surplus": ("segment_surplus", 1.0),
    "tokens_found": ("tokens_found", 1.0),
    "centred_cosine": ("centred_cosine_of_exact", 1.0),
    "wer": ("wer", PERCENT),
    "cer": ("cer", PERCENT),
}
LLM = {
    "nats": ("llm.connector.nats_per_token", 1.0),
    "nats_text": ("llm.text.nats_per_token", 1.0),
    "nats_other": ("llm.other utterance.nats_per_token", 1.0),
    "nats_nothing": ("llm.nothing.nats_per_token", 1.0),
    "llm_token_accuracy": ("llm.connector.token_accuracy", 1.0),
    "llm_wer": ("llm.connector.wer", PERCENT),
    "llm_cer": ("llm.connector.cer", PERCENT),
    "llm_wer_text": ("llm.text.wer", PERCENT),
    "continuation_nats": ("continuation.connector.nats_per_token", 1.0),
    "continuation_nats_text": ("continuation.text.nats_per_token", 1.0),
    "M": ("continuation.connector.misalignment", 1.0),
    "dictation_nats": ("dictation.connector.nats_per_token", 1.0),
    "dictation_wer": ("dictation.connector.wer", PERCENT),
}
RETENTION = {
    "perplexity": ("after.perplexity", 1.0),
    "perplexity_change": ("change.perplexity", PERCENT),
    "F": ("change.forgetting", 1.0),
    "blimp": ("after.blimp", PERCENT),
    "blimp_change": ("change.blimp", PERCENT),
}
SIZES = {"parameters": ("parameters", 1e-6), "vectors_per_second": ("vectors_per_second", 1.0)}

CONTROL = "shuffled segments"
CONSTANT = "mean embedding"
ORIGINAL = "original LLM"
SHARED = (CONSTANT, ORIGINAL)
"""Controls that are the same for all models: models of their own."""

Figures = dict[str, dict[str, float]]
"""How a model was used (``forced``, ``textless``, ``own`` or nothing), or a control -> figures."""


def figures_of(result: Mapping) -> Figures:
    """All figures of a ``result.json`` of stage 10."""
    found: Figures = {}
    if "figures" in result:
        rows = result["figures"]
        by_count = accuracy_by_count(result.get("bands", {}).get("frequency", ()))
        # Beside what an alignment finds of textless tokens.
        tokens_found = _pick(rows["connector"], {"tokens_found": ("tokens_found", 1.0)})
        sizes = _pick(result, SIZES)
        found["forced"] = {**sizes, **_pick(rows["connector"], FIDELITY), **by_count}
        found["forced"] |= tokens_found
        found |= {name: _pick(rows[name], FIDELITY) for name in (CONTROL, CONSTANT) if name in rows}
    if "textless" in result:
        own = "own" if "figures" in result else "textless"
        found[own] = _pick(result["textless"], TEXTLESS)
    if "llm" in result:
        # Without a vector for each token there are no segments, forced or not.
        tag = "forced" if "continuation" in result else ""
        found.setdefault(tag, {}).update(_pick(result, SIZES) | _pick(result, LLM))
    if "retention" in result:
        found |= _retention(result["retention"])
    return found


def _retention(rows: Mapping[str, Mapping]) -> Figures:
    changed = _pick(rows, RETENTION)
    for end, value in zip(("low", "high"), rows["change"].get("blimp_interval", ()), strict=False):
        changed[f"blimp_change_{end}"] = PERCENT * value
    before = {name: RETENTION[name] for name in ("perplexity", "blimp")}
    before = {name: (key.replace("after", "before"), k) for name, (key, k) in before.items()}
    return {"": changed, ORIGINAL: _pick(rows, before)}


def _pick(node: Mapping, keys: Mapping[str, tuple[str, float]]) -> dict[str, float]:
    """The figures that are there; dots in keys lead further down."""
    values = {
        name: (reduce(_get, key.split("."), node), scale) for name, (key, scale) in keys.items()
    }
    return {name: scale * value for name, (value, scale) in values.items() if value is not None}


def _get(node: Mapping | None, key: str):
    return None if node is None else node.get(key)
