"""Aligners: times for the words, characters or phones of a known transcript.

``ALIGNERS`` maps the name used by ``--aligner`` to ``module:class``; classes are imported
when asked for, so that one aligner's dependency is not everybody's.
"""

from __future__ import annotations

import importlib

from espnet_ssr.align.abs import AbsAligner

ALIGNERS = {"hmm": "espnet_ssr.align.hmm:HMMAligner"}


def aligner_class(name: str) -> type[AbsAligner]:
    """The class of the aligner registered as ``name``."""
    if name not in ALIGNERS:
        raise ValueError(f"unknown aligner {name!r}: choose from {', '.join(sorted(ALIGNERS))}")
    module, class_name = ALIGNERS[name].split(":")
    return getattr(importlib.import_module(module), class_name)
