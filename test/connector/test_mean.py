"""The mean-pool connector against plain loops over segments, parts and neighbours."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.connector.mean import MeanConnector

WIDTH = 4


def plain_input(feats, token_end, parts, neighbours):
    """What the MLP sees of each segment of one utterance."""
    segments, start = [], 0
    for end in token_end:
        start = min(start, end)  # an empty segment holds the frame at its end
        size = end - start + 1
        row = []
        for part in range(parts):
            first = start + size * part // parts
            stop = max(start + size * (part + 1) // parts, first + 1)
            row += [sum(column) / (stop - first) for column in zip(*feats[first:stop], strict=True)]
        segments.append([*row, math.log(size)])
        start = end + 1
    nothing = [0.0] * (WIDTH * parts + 1)
    padded = [nothing] * neighbours + segments + [nothing] * neighbours
    windows = [padded[j : j + 2 * neighbours + 1] for j in range(len(segments))]
    return torch.tensor([[value for row in window for value in row] for window in windows])


@pytest.mark.parametrize("neighbours", [0, 1, 2])
@pytest.mark.parametrize("parts", [1, 3])
@given(
    sizes=st.lists(
        st.lists(st.integers(0, 8), max_size=4).map(lambda rest: [1, *rest]),
        min_size=1,
        max_size=3,
    ),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_equals_plain_loops(parts, neighbours, sizes, seed):
    torch.manual_seed(seed)
    connector = MeanConnector(WIDTH, 6, parts, neighbours, hidden_size=7).eval()
    frames = [sum(s) for s in sizes]
    feats = torch.randn(len(sizes), max(frames), WIDTH)
    ends = [torch.tensor(s).cumsum(0) - 1 for s in sizes]
    token_end = torch.nn.utils.rnn.pad_sequence(ends, batch_first=True)
    token_lengths = torch.tensor([len(s) for s in sizes])
    output = connector(feats, torch.tensor(frames), token_end, token_lengths)
    for b, end in enumerate(ends):
        heard = plain_input(feats[b].tolist(), end.tolist(), parts, neighbours)
        expected = connector.output(connector.mlp(heard))
        torch.testing.assert_close(output.embeds[b, : len(end)], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("num_layers", [0, 1, 3])
def test_number_of_hidden_layers(num_layers):
    connector = MeanConnector(WIDTH, 6, hidden_size=7, num_layers=num_layers)
    hidden = [m for m in connector.mlp if isinstance(m, torch.nn.Linear)]
    assert [layer.out_features for layer in hidden] == [7] * num_layers
    assert connector.output_size() == 6


def test_the_default_has_as_many_parameters_as_the_other_connectors():
    connector = MeanConnector(384, 576)
    assert sum(p.numel() for p in connector.parameters()) == pytest.approx(4.7e6, rel=0.1)
