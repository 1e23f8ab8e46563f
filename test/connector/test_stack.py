"""The stacking connector against plain loops over groups, frames and taps."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet_ssr.connector.stack import StackConnector

WIDTH, OUTPUT = 3, 4


def make_connector(frames=5, kernel_size=0, seed=0):
    torch.manual_seed(seed)
    connector = StackConnector(WIDTH, OUTPUT, frames, kernel_size, hidden_size=7).double().eval()
    if kernel_size:  # untrained it would leave padding zero, trained it does not
        torch.nn.init.normal_(connector.convolution.norm.bias)
    return connector


def plain_vectors(connector, feats, frames):
    """Vectors of one utterance ``(T, D)`` without padding."""
    if connector.convolution is not None:
        feats = plain_convolution(connector.convolution, feats)
    zero = torch.zeros(WIDTH, dtype=feats.dtype)
    vectors = []
    for first in range(0, len(feats), frames):
        group = [feats[t] if t < len(feats) else zero for t in range(first, first + frames)]
        vectors.append(connector.output(connector.mlp(torch.cat(group))))
    return vectors


def plain_convolution(module, feats):
    taps = module.convolution.weight.unbind(-1)
    normed = [module.norm(frame) for frame in feats]
    convolved = []
    for t in range(len(feats)):
        value = module.convolution.bias
        for k, tap in enumerate(taps):
            s = t + k - len(taps) // 2
            if 0 <= s < len(feats):
                value = value + tap @ normed[s]
        convolved.append(torch.nn.functional.gelu(value))
    return torch.stack(convolved)


@settings(max_examples=20)
@given(
    sizes=st.lists(st.integers(0, 9), min_size=1, max_size=4).filter(any),
    frames=st.integers(1, 5),
    kernel_size=st.sampled_from([0, 1, 3, 5]),
    spare=st.integers(0, 6),
    seed=st.integers(0, 99),
)
def test_equals_plain_loops(sizes, frames, kernel_size, spare, seed):
    connector = make_connector(frames, kernel_size, seed)
    feats = torch.full((len(sizes), max(sizes) + spare, WIDTH), torch.nan, dtype=torch.float64)
    for row, size in zip(feats, sizes, strict=True):
        row[:size] = torch.randn(size, WIDTH)
    output = connector(feats, torch.tensor(sizes))
    assert output.lengths.tolist() == [-(-size // frames) for size in sizes]
    for b, size in enumerate(sizes):
        plain = plain_vectors(connector, feats[b, :size], frames) if size else []
        for found, expected in zip(output.embeds[b], plain, strict=False):
            torch.testing.assert_close(found, expected)
        assert (output.embeds[b, len(plain) :] == 0).all()
    output.embeds.square().sum().backward()
    assert all(p.grad.isfinite().all() for p in connector.parameters())


def test_even_kernels_are_refused():
    with pytest.raises(ValueError, match="kernel_size must be 0 or an odd number, not 4"):
        StackConnector(WIDTH, OUTPUT, kernel_size=4)
