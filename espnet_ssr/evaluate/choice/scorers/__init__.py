"""Who answers: each a ``Scorer``."""

from espnet_ssr.evaluate.choice.scorers.cascade import CascadeScorer
from espnet_ssr.evaluate.choice.scorers.controls import (
    Chance,
    MeanEmbeddingScorer,
    permute_embeddings,
)
from espnet_ssr.evaluate.choice.scorers.rival import VectorsScorer
from espnet_ssr.evaluate.choice.scorers.rows import RowScorer
from espnet_ssr.evaluate.choice.scorers.speech import SpeechLMScorer
from espnet_ssr.evaluate.choice.scorers.text import TextScorer

__all__ = [
    "CascadeScorer",
    "Chance",
    "MeanEmbeddingScorer",
    "RowScorer",
    "SpeechLMScorer",
    "TextScorer",
    "VectorsScorer",
    "permute_embeddings",
]
