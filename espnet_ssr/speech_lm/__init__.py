"""``SpeechLM``: a trained connector and its LLM, for use in Python.

``audio`` (checks, windows) -> ``segments`` -> ``listener`` (vectors) -> ``sequence`` (rows of texts
and speech) -> ``score``, ``generate``; ``folder`` and ``load`` find and build the model; ``api`` is
what users call.
"""

from espnet_ssr.connector.heads import Posteriors
from espnet_ssr.speech_lm.api import SpeechLM
from espnet_ssr.speech_lm.audio import Speech
from espnet_ssr.speech_lm.folder import ModelFiles, find_model, pack
from espnet_ssr.speech_lm.score import Score
from espnet_ssr.speech_lm.segments import Segments

__all__ = [
    "ModelFiles",
    "Posteriors",
    "Score",
    "Segments",
    "Speech",
    "SpeechLM",
    "find_model",
    "pack",
]
