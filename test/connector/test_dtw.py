"""Batched dynamic time warping against a plain table, cell by cell."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.connector.dtw import dtw_path


def plain_path(cost):
    """Cells of the best path through one matrix, given as rows of numbers."""
    best, came_from = {}, {}
    for i, row in enumerate(cost):
        for j, value in enumerate(row):
            origins = [o for o in [(i - 1, j - 1), (i - 1, j), (i, j - 1)] if o in best]
            # The first of equally good ones.
            came_from[i, j] = min(origins, key=best.get, default=None)
            best[i, j] = value + best.get(came_from[i, j], 0)
    path, cell = [], (len(cost) - 1, len(cost[0]) - 1)
    while cell is not None:
        path.append(cell)
        cell = came_from[cell]
    return path[::-1]


def paths_of(cost, n_lengths, m_lengths):
    """The paths of a batch as lists of cells."""
    found = dtw_path(cost, torch.tensor(n_lengths), torch.tensor(m_lengths))
    paths = [[] for _ in n_lengths]
    for utterance, row, column in zip(*(x.tolist() for x in found), strict=True):
        paths[utterance].append((row, column))
    return paths


@given(
    sizes=st.lists(st.tuples(st.integers(1, 7), st.integers(1, 7)), min_size=1, max_size=4),
    values=st.sampled_from([2, 4, 1000]),
    seed=st.integers(0, 999),
)
def test_equals_plain_table(sizes, values, seed):
    # Few values make ties; whole numbers are added without rounding.
    generator = torch.Generator().manual_seed(seed)
    n_lengths, m_lengths = zip(*sizes, strict=True)
    shape = (len(sizes), max(n_lengths), max(m_lengths))
    cost = torch.randint(values, shape, generator=generator).float()
    expected = [plain_path(cost[b, :n, :m].tolist()) for b, (n, m) in enumerate(sizes)]
    assert paths_of(cost, n_lengths, m_lengths) == expected


def test_padding_is_not_looked_at():
    cost = torch.rand(2, 6, 5)
    padded = cost.clone()
    padded[1, 3:], padded[1, :, 2:] = torch.nan, torch.nan
    assert paths_of(padded, [6, 3], [5, 2]) == paths_of(cost, [6, 3], [5, 2])


def test_matrix_without_rows_or_columns_has_no_path():
    assert paths_of(torch.zeros(3, 2, 2), [2, 0, 2], [0, 2, 1]) == [[], [], [(0, 0), (1, 0)]]


def test_unknown_costs_stay_in_their_matrix():
    cost = torch.rand(2, 4, 5)
    alone = paths_of(cost[1:], [4], [5])
    cost[0] = torch.nan
    broken, sound = paths_of(cost, [4, 4], [5, 5])
    assert sound == alone[0]
    assert broken[0] == (0, 0) and broken[-1] == (3, 4)


def test_same_sequence_is_matched_one_to_one():
    points = torch.randn(9, 3)
    cost = torch.cdist(points, points)[None]
    assert paths_of(cost, [9], [9]) == [[(i, i) for i in range(9)]]
