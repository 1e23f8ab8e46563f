"""How far apart the predictions of an LLM are that reads speech or text, or that was fine-tuned.

Both are of SALAD (arXiv 2510.13632), in nats a token, over held-out texts:

- misalignment **M** = KL(the LLM given text || the same LLM given speech),
- forgetting **F** = KL(the LLM before fine-tuning, given text || after it, given the same text).

The paper's speech is of tokens of its own; here, each token is predicted from a connector's vectors
of the tokens before it, so that both distributions are of the same position.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from espnet_ssr.llm.cross_entropy import Logits, TokenScores, score_tokens
from espnet_ssr.llm.language_model import LanguageModel
from espnet_ssr.llm.prompt import Row, predicting_states


class Predictions(NamedTuple):
    """Of the next token at S positions: the softmax of ``logits(states)``.

    Attributes:
        states: ``(S, H)``.
        logits: of the LLM that the states are of.
    """

    states: torch.Tensor
    logits: Logits


def predict(rows: Sequence[Row], llm: LanguageModel) -> Predictions:
    """What an LLM predicts the targets of all rows from, S in sum."""
    return Predictions(predicting_states(rows, llm), llm.logits)


def score_predictions(
    found: Predictions, ids: torch.Tensor, wanted: Predictions | None = None
) -> TokenScores:
    """Scores of the tokens ``(S,)``, S at least 1.

    Args:
        wanted: of the same positions; ``divergence`` is KL(wanted || found), exact over the whole
            vocabulary.
    """
    return score_tokens(found.logits, found.states, ids, wanted)
