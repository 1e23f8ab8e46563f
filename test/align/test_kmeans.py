"""Units of frames in clear clusters, and the command."""

import sys

import kaldiio
import numpy as np
import pytest

from espnet_ssr.align.kmeans import sample_frames, train_units, write_centroids
from espnet_ssr.bin import ssr_kmeans

CENTERS = np.array([[0, 0], [10, 0], [0, 10], [10, 10]], np.float32)


def clouds(num_frames, seed=0):
    """Frames around four points, 0.1 off in each direction."""
    rng = np.random.default_rng(seed)
    frames = CENTERS[rng.integers(0, 4, num_frames)]
    return (frames + rng.choice([-0.1, 0.1], frames.shape)).astype(np.float32)


@pytest.fixture
def feats_scp(tmp_path):
    """Ten utterances of 30 frames."""
    utterances = {f"utt{i}": clouds(30, seed=i) for i in range(10)}
    kaldiio.save_ark(str(tmp_path / "feats.ark"), utterances, scp=str(tmp_path / "feats.scp"))
    return tmp_path / "feats.scp"


def test_clusters_are_found():
    units = train_units(clouds(400), 4)
    assert units.centroids.dtype == np.float32
    found = units.centroids[np.lexsort(units.centroids.round().T)]
    np.testing.assert_allclose(found, CENTERS, atol=0.1)
    assert units.inertia == pytest.approx(0.02, rel=0.05)
    assert units.unused == 0


def test_same_seed_same_units():
    frames = clouds(400)
    np.testing.assert_array_equal(*(train_units(frames, 8, seed=3).centroids for _ in range(2)))


def test_too_few_frames():
    with pytest.raises(ValueError, match="8 units need as many frames, there are 5: lower"):
        train_units(clouds(5), 8)


def test_sample(feats_scp):
    everything = sample_frames(feats_scp, 1000)
    assert everything.shape == (300, 2)
    some = sample_frames(feats_scp, 70, seed=1)
    assert some.shape == (70, 2)
    assert {tuple(frame) for frame in some} <= {tuple(frame) for frame in everything}
    np.testing.assert_array_equal(some, sample_frames(feats_scp, 70, seed=1))
    # Not the first utterances of the list.
    assert not np.array_equal(some, sample_frames(feats_scp, 70, seed=2))


def test_no_utterances(tmp_path):
    (tmp_path / "feats.scp").touch()
    with pytest.raises(ValueError, match="feats.scp: no utterances"):
        sample_frames(tmp_path / "feats.scp", 10)


def test_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "centroids.npy"
    write_centroids(path, CENTERS)
    monkeypatch.setattr("os.replace", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_centroids(path, np.zeros((1, 2)))
    np.testing.assert_array_equal(np.load(path), CENTERS)
    assert list(tmp_path.iterdir()) == [path]


def test_command(feats_scp, tmp_path, monkeypatch, capsys):
    output = tmp_path / "units" / "centroids.npy"
    arguments = ["--feats_scp", feats_scp, "--num_units", "4", "--output", output]
    monkeypatch.setattr(sys, "argv", ["ssr_kmeans", *map(str, arguments)])
    ssr_kmeans.main()
    assert np.load(output).shape == (4, 2)
    said = capsys.readouterr().out
    assert "4 units of 300 frames, inertia 0.020 a frame, 0.0 % of the units unused" in said
