"""From a configuration and an LLM's tokenizer to the head of a connector."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from espnet_ssr.align.pronounce import pronounce
from espnet_ssr.conf import build_from_conf
from espnet_ssr.connector.abs import AbsConnector
from espnet_ssr.connector.heads import HullHead
from espnet_ssr.connector.keys import ComputedKeys, TokenSymbols
from espnet_ssr.llm.spelling import pronounced_tokens, spoken_tokens
from espnet_ssr.llm.tokenizer import load_tokenizer

HEADS = ("linear", "hull")
INFERENCE_OPTIONS = ("sharpness", "prior_weight", "top_k")
LEAST = {
    **dict.fromkeys(("key_size", "symbol_size", "channels"), 1),
    **dict.fromkeys(("free_keys", "negatives", "top_k"), 0),
}
"""Options that are whole numbers, and how large they are at least."""

KEYS = {"spelling": ("spelling",), "pronunciation": ("pronunciation",)}
KEYS["both"] = KEYS["spelling"] + KEYS["pronunciation"]


def change_head(config: dict[str, Any], conf: dict[str, Any]) -> None:
    """Set options of the head in the options of a training otherwise, for inference.

    Raises:
        ValueError: the head is linear, or weights depend on an option.
    """
    if conf and config.get("head", "linear") == "linear":
        raise ValueError("head_conf: the model has a linear head, which has no options")
    if unknown := sorted(set(conf) - set(INFERENCE_OPTIONS)):
        raise ValueError(
            f"head_conf: inference can change {', '.join(INFERENCE_OPTIONS)}, not {unknown[0]!r}"
        )
    if conf:
        config["head_conf"] = {**config["head_conf"], **conf}


def set_head(connector: AbsConnector, head: str, conf: dict[str, Any], llm: str) -> None:
    """Give a connector, which is built with a linear head, the head of a configuration.

    Args:
        head: one of ``HEADS``.
        conf: its options: of ``linear`` none, of ``hull`` those of ``hull_head``.
        llm: folder, name or hub id; its tokenizer is loaded for a hull head.

    Raises:
        ValueError: an option is not known, or a value is wrong.
    """
    if head not in HEADS:
        raise ValueError(f"head: {', '.join(HEADS)}, not {head!r}")
    if head == "linear":
        if conf:
            raise ValueError(
                f"head_conf: the linear head has no options: leave out {', '.join(conf)}"
            )
        return
    if not isinstance(connector.output, torch.nn.Linear):
        raise ValueError(f"head: {type(connector).__name__} has one of its own: leave out {head}")
    _check_numbers(conf)
    connector.output = build_from_conf(
        hull_head,
        conf,
        "head_conf",
        in_features=connector.output.in_features,
        out_features=connector.output.out_features,
        tokenizer=load_tokenizer(llm),
    )


def _check_numbers(conf: dict[str, Any]) -> None:
    """Raises:
    ValueError: an option is no number, or out of its range.
    """
    for name, least in LEAST.items():
        value = conf.get(name, least)
        if type(value) is not int or value < least:
            raise ValueError(f"head_conf: {name}: a whole number from {least}, not {value!r}")
    for name in ("sharpness", "prior_weight"):
        value = conf.get(name, 1.0)
        if type(value) not in (int, float) or not math.isfinite(value):
            # YAML reads 1e1, which has no dot, as text.
            raise ValueError(f"head_conf: {name}: a number such as 1.5, not {value!r}")
    if conf.get("sharpness", 1.0) <= 0:
        raise ValueError(f"head_conf: sharpness: above 0, not {conf['sharpness']}")


def hull_head(
    in_features: int,
    out_features: int,
    tokenizer: PreTrainedTokenizerBase,
    keys: str = "spelling",
    dictionary: str | None = None,
    key_size: int = 256,
    symbol_size: int = 64,
    channels: int = 128,
    free_keys: int = 0,
    negatives: int = 1500,
    top_k: int = 32,
    sharpness: float = 1.0,
    prior_weight: float = 0.0,
) -> HullHead:
    """A hull head for the tokens that can be spoken.

    Args:
        in_features, out_features: see ``HullHead``.
        keys: computed from the ``spelling``, from the ``pronunciation``, or from ``both``.
        dictionary: file of pronunciations, ``word PHONE PHONE ...`` a line; None: PocketSphinx's of
            US English. Words that it lacks are pronounced by ``align.pronounce``.
        key_size, symbol_size, channels, free_keys: see ``ComputedKeys``.
        negatives, top_k, sharpness, prior_weight: see ``HullHead``.

    Raises:
        ValueError: ``keys`` is none of these, or the dictionary cannot be read.
    """
    if keys not in KEYS:
        raise ValueError(f"head_conf: keys: {', '.join(KEYS)}, not {keys!r}")
    tokens = spoken_tokens(tokenizer)
    sources = {}
    if "spelling" in KEYS[keys]:
        sources["spelling"] = TokenSymbols.build(tokens)
    if "pronunciation" in KEYS[keys]:
        lookup = partial(_phones, read_dictionary(dictionary))
        sources["pronunciation"] = TokenSymbols.build(pronounced_tokens(tokens, lookup))
    computed = ComputedKeys(sources, key_size, symbol_size, channels, free_keys)
    return HullHead(in_features, out_features, computed, negatives, top_k, sharpness, prior_weight)


def _phones(known: dict[str, str], word: str) -> str | None:
    if not word.isascii() or not word.replace("'", "").isalpha():
        return known.get(word)
    found = pronounce(word, known.get)
    return found and found[0]


def read_dictionary(path: str | None) -> dict[str, str]:
    """Word -> phones, the first pronunciation of each.

    Raises:
        ValueError: names the file, and a line that has no phones.
    """
    if path is None:
        import pocketsphinx

        path = pocketsphinx.get_model_path("en-us/cmudict-en-us.dict")
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"head_conf: dictionary: {path}: {error}") from None
    known: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        word, _, phones = line.strip().partition(" ")
        if word and not phones.strip():
            raise ValueError(f"head_conf: dictionary: {path}:{number}: {word!r} has no phones")
        if word and not word.endswith(")"):  # "word(2)" is another pronunciation
            known.setdefault(word.lower(), " ".join(phones.split()))
    return known
