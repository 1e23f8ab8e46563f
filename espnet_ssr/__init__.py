"""Alignment-aware connectors between speech encoders and large language models.

Data flows one way through the sub-packages: ``align`` (times for a transcript) ->
``data`` (LLM tokens and their segments) -> ``encoder`` (frame features) -> ``connector``
(one vector a token) -> ``model`` / ``task`` / ``train`` (ESPnet) -> ``evaluate``, ``speech_lm``.
``align`` and ``connector`` import neither ESPnet nor transformers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from espnet_ssr.speech_lm import Speech, SpeechLM

__version__ = "0.1.0"
__all__ = ["Speech", "SpeechLM"]


def __getattr__(name: str):
    """What needs transformers and ESPnet, imported when it is asked for."""
    if name in __all__:
        import espnet_ssr.speech_lm

        return getattr(espnet_ssr.speech_lm, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
