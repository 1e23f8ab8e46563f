"""The pooling connector against plain loops over groups and frames."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.connector.pool import PoolConnector

WIDTH, OUTPUT = 3, 4


def make_connector(frames=2, seed=0):
    torch.manual_seed(seed)
    return PoolConnector(WIDTH, OUTPUT, frames, hidden_size=7, num_layers=1).double().eval()


def plain_vectors(connector, feats, frames):
    """Vectors of one utterance, a list of lists."""
    vectors = []
    for first in range(0, len(feats), frames):
        group = feats[first : first + frames]
        mean = [sum(column) / len(group) for column in zip(*group, strict=True)]
        mean = torch.tensor(mean, dtype=torch.float64)
        vectors.append(connector.output(connector.mlp(mean)))
    return vectors


@given(
    sizes=st.lists(st.integers(0, 9), min_size=1, max_size=4).filter(any),
    frames=st.integers(1, 5),
    spare=st.integers(0, 6),
    seed=st.integers(0, 99),
)
def test_equals_plain_loops(sizes, frames, spare, seed):
    connector = make_connector(frames, seed)
    feats = torch.full((len(sizes), max(sizes) + spare, WIDTH), torch.nan, dtype=torch.float64)
    for row, size in zip(feats, sizes, strict=True):
        row[:size] = torch.randn(size, WIDTH)
    output = connector(feats, torch.tensor(sizes))
    assert output.lengths.tolist() == [-(-size // frames) for size in sizes]
    for b, size in enumerate(sizes):
        plain = plain_vectors(connector, feats[b, :size].tolist(), frames)
        for found, expected in zip(output.embeds[b], plain, strict=False):
            torch.testing.assert_close(found, expected)
        assert (output.embeds[b, len(plain) :] == 0).all()
    output.embeds.square().sum().backward()
    assert all(p.grad.isfinite().all() for p in connector.parameters())
