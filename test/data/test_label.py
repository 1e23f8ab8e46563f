"""Transcripts as labels: what can be trained on, and what is said about the rest."""

import numpy as np
import pytest

from espnet_ssr.align.labels import CharLabels
from espnet_ssr.data.label import EncodeLabels, read_trainable, write_shapes
from espnet_ssr.datadir import read_keyed, write_keyed

LABELS = CharLabels.build(["abc"])


def test_encode_labels():
    feats = np.zeros((2, 3), np.float32)
    data = {"feats": feats, "text": "ab c"}
    found = EncodeLabels(LABELS)("utt", data)
    assert set(found) == {"feats", "label"}
    assert found["feats"] is feats
    assert (found["label"].dtype, found["label"].tolist()) == (np.int64, [2, 3, 1, 4])
    assert set(data) == {"feats", "text"}  # the reader's own is left alone


def test_features_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="utt: feats has NaN"):
        EncodeLabels(LABELS)("utt", {"feats": np.full((2, 3), np.nan), "text": "a"})


@pytest.mark.parametrize(
    ("text", "frames", "cause"),
    [
        ("abc", 3, None),
        ("abc", 2, "too_short"),
        ("aab", 4, None),
        ("aab", 3, "too_short"),  # a blank between equal neighbours
        ("a a", 3, None),
        ("", 9, "no_label"),
        ("ж", 9, "no_label"),
        ("a", None, "no_features"),
        ("a", 0, "too_short"),
    ],
)
def test_read_trainable(tmp_path, text, frames, cause):
    write_keyed(tmp_path / "text", {"u": text, "other": "abc"})
    num_frames = {"other": "7", "without_text": "5"}
    if frames is not None:
        num_frames["u"] = str(frames)
    write_keyed(tmp_path / "utt2num_frames", num_frames)
    found, skipped = read_trainable(tmp_path / "text", tmp_path / "feats.scp", LABELS)
    assert skipped == ({"u": cause} if cause else {})
    assert found == {**({} if cause else {"u": frames}), "other": 7}


def test_write_shapes(tmp_path, caplog):
    skipped = {"c": "too_short", "d": "no_label", "e": "too_short"}
    with caplog.at_level("INFO"):
        path = write_shapes(tmp_path, "train", {"b": 5, "a": 7}, skipped)
    assert path == str(tmp_path / "train_shape")
    assert read_keyed(path) == {"b": "5", "a": "7"}
    assert read_keyed(tmp_path / "train_skipped") == skipped
    assert "train: 2 utterances, left out 2 too_short, left out 1 no_label" in caplog.text


def test_nothing_to_train_on(tmp_path):
    with pytest.raises(ValueError, match="valid: no utterance can be trained on, left out 1 x"):
        write_shapes(tmp_path, "valid", {}, {"a": "x"})
    assert not list(tmp_path.iterdir())
