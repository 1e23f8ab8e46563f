"""Models that draw random numbers, as functions of a seed."""

import numpy as np
import pytest

from espnet_ssr.tts import noise
from espnet_ssr.tts.noise import NoiseSession


@pytest.fixture
def session(tmp_path, monkeypatch):
    """A model that gives its input, and noise of the input's shape twice."""
    pytest.importorskip("onnxruntime", reason="run 'make -C tools voices'")
    helper = pytest.importorskip("onnx", reason="run 'make -C tools voices'").helper
    monkeypatch.setattr(noise, "PERIOD", 8)
    nodes = [helper.make_node("RandomNormalLike", ["x"], [name], dtype=1) for name in "yz"]
    nodes.append(helper.make_node("Identity", ["x"], ["same"]))
    x, y, z, same = (
        helper.make_tensor_value_info(name, 1, [None, 3]) for name in ("x", "y", "z", "same")
    )
    graph = helper.make_graph(nodes, "noisy", [x], [y, z, same])
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 15)])
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    return NoiseSession(tmp_path / "model.onnx")


def run(session, rows):
    return session.run(None, {"x": np.ones((rows, 3), np.float32)})


def test_same_seed_same_noise(session):
    session.reseed("a")
    first, then = run(session, 2), run(session, 2)
    session.reseed("b")
    other = run(session, 2)
    session.reseed("a")
    again = run(session, 2)
    assert all(map(np.array_equal, first, again))
    assert np.array_equal(first[2], np.ones((2, 3)))
    draws = [first[0], first[1], then[0], other[0]]
    assert len({draw.tobytes() for draw in draws}) == 4


def test_noise_is_standard_normal_numbers_over_and_over(session):
    session.reseed("a")
    y, z, _ = run(session, 5)
    flat = y.reshape(-1)
    assert y.shape == z.shape == (5, 3)
    assert np.array_equal(flat[8:], flat[:7])
    assert 0.3 < flat[:8].std() < 3
