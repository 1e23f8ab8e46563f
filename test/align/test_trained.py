"""Aligners from checkpoints: built from what lies beside them, refused when it does not fit."""

import numpy as np
import pytest
import torch
import yaml

from espnet_ssr.align.abs import AlignUtterance
from espnet_ssr.align.ctc import CTCAligner
from espnet_ssr.align.labels import CharLabels
from espnet_ssr.align.trained import (
    LABELS_FILE,
    NetworkPosteriors,
    build_network,
    load_trained_aligner,
)
from espnet_ssr.align.unity2 import UnitY2Aligner

LABELS = CharLabels.build(["ab c"], outer_delimiters=True)
CONFS = {
    "ctc": {"hidden_size": 8, "num_layers": 1, "num_heads": 2, "feedforward_size": 8},
    "unity2": {"hidden_size": 8},
}
CLASSES = {"ctc": CTCAligner, "unity2": UnitY2Aligner}


@pytest.fixture(params=sorted(CONFS))
def checkpoint(request, tmp_path):
    """A checkpoint as a training leaves it; and its network."""
    torch.manual_seed(0)
    network = build_network(request.param, CONFS[request.param], 3, LABELS)
    config = {
        "aligner": request.param,
        "aligner_conf": CONFS[request.param],
        "input_size": 3,
        "frame_rate": 25.0,
        "frame_offset": -0.02,
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    LABELS.save(tmp_path / LABELS_FILE)
    state = {f"network.{name}": value for name, value in network.state_dict().items()}
    torch.save(state, tmp_path / "model.pth")
    return tmp_path / "model.pth", request.param


def feats(frames):
    return np.random.default_rng(frames).normal(size=(frames, 3)).astype(np.float32)


def test_aligns(checkpoint):
    path, name = checkpoint
    aligner = load_trained_aligner(str(path))
    assert type(aligner) is CLASSES[name]
    assert aligner.input == "feats"
    long = AlignUtterance("long", feats(40), "ab c")
    bad = feats(30)
    bad[3] = np.nan
    batch = [long, AlignUtterance("short", feats(3), "ab c"), AlignUtterance("nan", bad, "ab")]
    aligned, short, nan = aligner.align_batch(batch)
    assert [span.label for span in aligned["word"].spans] == ["ab", "c"]
    assert 0 <= aligned["word"].spans[0].start <= aligned["word"].spans[-1].end <= 40 / 25
    assert short.cause == "too_short"
    assert nan.cause in ("nan", "no_path")
    (alone,) = aligner.align_batch([long])
    assert aligned["word"].spans[0].end == pytest.approx(alone["word"].spans[0].end)


def test_posteriors_are_those_of_the_network():
    network = build_network("ctc", CONFS["ctc"], 3, LABELS).eval()
    rows = [feats(5), feats(9)]
    log_probs, lengths = NetworkPosteriors(network, 50.0)(rows)
    assert lengths.tolist() == [5, 9]
    for row, found in zip(rows, log_probs, strict=True):
        with torch.inference_mode():
            alone = network.scores(torch.from_numpy(row)[None], torch.tensor([len(row)]))[0]
        torch.testing.assert_close(found[: len(row)], alone, rtol=1e-4, atol=1e-5)


def test_long_recordings_are_heard_in_windows():
    network = build_network("ctc", CONFS["ctc"], 3, LABELS).eval()
    rows = [feats(60), feats(131)]
    # Windows of 60 frames with 4 of context; 30 s of frames at 2 Hz.
    log_probs, lengths = NetworkPosteriors(network, 2.0)(rows)
    assert lengths.tolist() == [60, 131]
    with torch.inference_mode():
        whole = network.scores(torch.from_numpy(rows[0])[None], torch.tensor([60]))[0]
        second = network.scores(torch.from_numpy(rows[1][52:112])[None], torch.tensor([60]))[0]
    torch.testing.assert_close(log_probs[0, :60], whole, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(log_probs[1, 56:108], second[4:-4], rtol=1e-4, atol=1e-5)


def test_a_damaged_checkpoint_is_named(checkpoint):
    path, _ = checkpoint
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(RuntimeError, match=r"model\.pth: not a readable checkpoint"):
        load_trained_aligner(str(path))


def test_a_checkpoint_of_another_size_is_refused_by_name(checkpoint):
    path, _ = checkpoint
    CharLabels.build(["ab"]).save(path.with_name(LABELS_FILE))
    with pytest.raises(RuntimeError, match=r"model\.pth: .*size mismatch"):
        load_trained_aligner(str(path))


def test_without_a_checkpoint(tmp_path):
    with pytest.raises(FileNotFoundError, match="no aligner .*: train it first"):
        load_trained_aligner(str(tmp_path / "model.pth"))


def test_unknown_options_are_refused():
    with pytest.raises(ValueError, match="aligner_conf: unknown option hiden_size; CTCNetwork"):
        build_network("ctc", {"hiden_size": 8}, 3, LABELS)


def test_units_are_in_the_checkpoint(tmp_path):
    centroids = tmp_path / "centroids.npy"
    np.save(centroids, np.eye(5, 3, dtype=np.float32))
    conf = {"hidden_size": 8, "units": str(centroids)}
    network = build_network("unity2", conf, 3, LABELS)
    config = {"aligner": "unity2", "aligner_conf": conf, "input_size": 3}
    config |= {"frame_rate": 25.0, "frame_offset": 0.0}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    LABELS.save(tmp_path / LABELS_FILE)
    state = {f"network.{name}": value for name, value in network.state_dict().items()}
    torch.save(state, tmp_path / "model.pth")
    centroids.unlink()
    (aligned,) = load_trained_aligner(str(tmp_path / "model.pth")).align_batch(
        [AlignUtterance("u", feats(40), "ab c")]
    )
    assert [span.label for span in aligned["word"].spans] == ["ab", "c"]
