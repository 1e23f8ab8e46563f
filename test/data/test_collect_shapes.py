"""Shapes are those of what a training reads, though nothing of it is read for them."""

import kaldiio
import numpy as np
import pytest

from espnet_ssr.data.collect_shapes import Inputs, write_shapes
from espnet_ssr.data.preprocess import PrepareExample
from espnet_ssr.datadir import read_keyed, write_keyed

RATES = {"feats": 50.0, "speech": 16000.0}


@pytest.fixture
def tables(tmp_path):
    rng = np.random.default_rng(0)
    feats = {f"u{i}": rng.normal(size=(90 + i, 3)).astype("float32") for i in range(6)}
    kaldiio.save_ark(str(tmp_path / "feats.ark"), feats, scp=str(tmp_path / "feats.scp"))
    write_keyed(tmp_path / "utt2num_frames", {u: str(len(f)) for u, f in feats.items()})
    write_keyed(tmp_path / "utt2num_samples", {u: str(len(f) * 320 + 7) for u, f in feats.items()})
    # Fewer utterances than there are features of.
    write_keyed(tmp_path / "token_id", {f"u{i}": " ".join("7" * i) for i in range(1, 6, 2)})
    cuts = ["0.0 0.0", "0.113 0.5", "0.0 0.211 1.001 1.333"]
    write_keyed(tmp_path / "pause", dict(zip(("u1", "u3", "u5"), cuts, strict=True)))
    return tmp_path, feats


@pytest.mark.parametrize("pause", [False, True], ids=["", "pauses"])
@pytest.mark.parametrize("name", ["feats", "speech"])
def test_shapes_are_those_of_prepared_examples(tables, name, pause):
    folder, feats = tables
    file, width = ("utt2num_frames", 3) if name == "feats" else ("utt2num_samples", None)
    inputs = Inputs(name, folder / file, RATES[name], width)
    pauses = folder / "pause" if pause else None
    write_shapes(folder / "stats", folder / "token_id", inputs, pauses, 50.0)
    assert read_keyed(folder / "stats" / "token_id_shape") == {"u1": "1", "u3": "3", "u5": "5"}
    prepare = PrepareExample(50.0, 16000)
    expected = {}
    for utt_id in ("u1", "u3", "u5"):
        frames = feats[utt_id]
        value = frames if name == "feats" else np.zeros(len(frames) * 320 + 7, "float32")
        data = {name: value, "token_end": np.array([0.3])}
        if pause:
            cuts = read_keyed(folder / "pause")[utt_id].split()
            data["pause"] = np.array(cuts, float)
        shape = prepare(utt_id, data)[name].shape
        expected[utt_id] = ",".join(map(str, shape))
    assert read_keyed(folder / "stats" / f"{name}_shape") == expected


def test_an_utterance_without_a_length_is_named(tables):
    folder, _ = tables
    write_keyed(folder / "utt2num_frames", {"u1": "90", "u5": "90"})
    inputs = Inputs("feats", folder / "utt2num_frames", 50.0, 3)
    with pytest.raises(KeyError, match="utt2num_frames: no line of u3"):
        write_shapes(folder / "stats", folder / "token_id", inputs)
    assert not (folder / "stats" / "feats_shape").exists()
