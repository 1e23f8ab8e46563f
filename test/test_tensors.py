"""Checkpoint files, masks and positions."""

import math

import pytest
import torch

from espnet_ssr.tensors import length_mask, read_tensors, sinusoids


def test_read_tensors(tmp_path):
    path = tmp_path / "model.pth"
    torch.save({"a": torch.ones(2)}, path)
    assert torch.equal(read_tensors(path)["a"], torch.ones(2))
    path.write_bytes(path.read_bytes()[:20])
    for bad in (path, tmp_path / "none.pth"):
        with pytest.raises(RuntimeError, match=f"{bad}: not a readable checkpoint"):
            read_tensors(bad)


def test_length_mask():
    mask = length_mask(torch.tensor([2, 0, 3]), 3)
    assert mask.tolist() == [[True, True, False], [False] * 3, [True] * 3]


@pytest.mark.parametrize("size", [1, 2, 5, 8])
def test_sinusoids(size):
    found = sinusoids(7, size, dtype=torch.double)
    half = (size + 1) // 2
    for t in range(7):
        angles = [t / 10000 ** (2 * i / size) for i in range(half)]
        expected = [math.sin(a) for a in angles] + [math.cos(a) for a in angles]
        torch.testing.assert_close(
            found[t], torch.tensor(expected[:size], dtype=torch.double), rtol=1e-4, atol=1e-5
        )


def test_sinusoids_take_the_type_that_is_asked_for():
    assert sinusoids(3, 4).dtype == torch.float32
    assert sinusoids(3, 4, dtype=torch.bfloat16).dtype == torch.bfloat16
    assert sinusoids(0, 4).shape == (0, 4)
