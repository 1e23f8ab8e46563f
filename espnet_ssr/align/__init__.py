"""Aligners: times for the words, characters or phones of a transcript, or of the aligner's guess.

``ALIGNERS`` maps the name used by ``ssr_align --aligner`` to ``module:name`` of what builds the
aligner from its options. It is imported when asked for, so that one aligner's dependency is not
everybody's; those that need a model of transformers live outside this package.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

from espnet_ssr.align.abs import AbsAligner

ALIGNERS = {
    "hmm": "espnet_ssr.align.hmm:HMMAligner",
    "trained": "espnet_ssr.align.trained:load_trained_aligner",
    "hf_ctc": "espnet_ssr.encoder.hf_ctc:load_hf_ctc_aligner",
    "whisper": "espnet_ssr.encoder.whisper_align:WhisperAligner",
    "unity2_meta": "espnet_ssr.align.unity2_meta:load_meta_aligner",
}


def aligner_factory(name: str) -> Callable[..., AbsAligner]:
    """What builds the aligner registered as ``name``."""
    if name not in ALIGNERS:
        raise ValueError(f"unknown aligner {name!r}: choose from {', '.join(sorted(ALIGNERS))}")
    module, attribute = ALIGNERS[name].split(":")
    return getattr(importlib.import_module(module), attribute)
