"""Scoring segments that were cut without transcripts."""

import json

import pytest
import torch

from espnet_ssr.connector import AbsConnector, ConnectorOutput
from espnet_ssr.datadir import read_keyed
from espnet_ssr.evaluate.embedding import Utterance
from espnet_ssr.evaluate.textless import evaluate_textless, segment_figures
from espnet_ssr.llm.embedding import EmbeddingSpace
from espnet_ssr.model.distill import SSRDistillModel

RIGHT = {"a": [3, 1, 7], "b": [5, 6], "c": [9, 0]}
HEARD = {"a": [3, 1, 7], "b": [5, 2, 6], "c": [9]}


class Oracle(AbsConnector):
    """Its features are embeddings; it repeats that of each segment's last frame."""

    def __init__(self, width):
        super().__init__()
        self.output = torch.nn.Linear(width, width)

    def forward(self, feats, feats_lengths, token_end=None, token_lengths=None):
        index = token_end[..., None].expand(-1, -1, feats.size(-1))
        return ConnectorOutput(feats.gather(1, index), token_lengths)


class Spelling:
    """A tokenizer with a word a token."""

    def decode(self, ids, skip_special_tokens=False):
        return " " + " ".join(f"w{int(i)}" for i in ids)


@pytest.fixture
def score(embedding_matrix, tmp_path):
    """A function that scores segments that sound like the tokens of ``heard``."""
    space = EmbeddingSpace(embedding_matrix)
    model = SSRDistillModel(Oracle(space.width), space, encoder=None, frame_rate=50.0).eval()

    def call(heard, missing):
        utterances = [
            Utterance(u, embedding_matrix[i], torch.tensor(RIGHT[u]), torch.arange(len(i)))
            for u, i in heard.items()
        ]
        with torch.inference_mode():
            return evaluate_textless(model, utterances, missing, Spelling(), tmp_path / "out")

    return call


def test_figures(score):
    result = score(HEARD, {"d": [4, 4, 4]})
    figures = result["textless"]
    assert (result["utterances"], result["missing"]) == (4, 1)
    assert figures["tokens_found"] == pytest.approx(6 / 10)
    # One insertion, one deletion, three tokens of what was not heard at all.
    assert figures["token_error_rate"] == figures["wer"] == pytest.approx(5 / 10)
    assert figures["segments_exact"] == 1 / 4
    assert figures["segments_within_one"] == 3 / 4
    assert figures["segment_surplus"] == pytest.approx((1 - 1 - 3) / 10)
    assert figures["centred_cosine_of_exact"] == pytest.approx(1)
    assert figures["mse_of_exact"] == pytest.approx(0, abs=1e-6)


def test_files_hold_what_was_heard(score, tmp_path):
    result = score(HEARD, {"d": [4]})
    folder = tmp_path / "out"
    assert json.loads((folder / "result.json").read_text()) == result
    assert read_keyed(folder / "token_int") == {"a": "3 1 7", "b": "5 2 6", "c": "9"}
    assert read_keyed(folder / "text")["c"] == "w9"


def test_no_utterance_with_the_right_number(score):
    figures = score({"c": [9]}, {})["textless"]
    assert figures["segments_exact"] == 0
    assert not [name for name in figures if name.endswith("_of_exact")]


def test_all_missing_count_as_deleted(score):
    figures = score({}, {"a": [1, 2], "b": [3]})["textless"]
    assert figures["tokens_found"] == 0
    assert figures["wer"] == figures["cer"] == 1
    assert figures["segment_surplus"] == -1


@pytest.mark.parametrize(
    ("sizes", "exact", "within_one", "surplus"),
    [([(3, 3)], 1, 1, 0), ([(3, 5), (2, 1)], 0, 0.5, 1 / 5), ([(4, 0)], 0, 0, -1)],
)
def test_segment_figures(sizes, exact, within_one, surplus):
    references, segments = ([torch.zeros(n) for n in column] for column in zip(*sizes, strict=True))
    assert segment_figures(references, segments) == pytest.approx(
        {"segments_exact": exact, "segments_within_one": within_one, "segment_surplus": surplus}
    )
