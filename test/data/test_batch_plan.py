"""Batches are ESPnet's where ESPnet has them, and within both limits where it has not."""

import numpy as np
import pytest
from espnet2.samplers.build_batch_sampler import build_batch_sampler
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.data import batch_plan
from espnet_ssr.data.batch_plan import plan_batches, plan_of_bins_and_tokens
from espnet_ssr.data.shapes import read_matching_shapes

LENGTHS = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 20)), min_size=1, max_size=40)


@pytest.fixture(scope="module")
def write_shapes(tmp_path_factory):
    """A function that writes two shape files and gives their paths."""
    folder = tmp_path_factory.mktemp("shapes")

    def write(lengths, width=3):
        paths = [folder / "feats_shape", folder / "token_id_shape"]
        for place, (path, more) in enumerate(zip(paths, [f",{width}", ""], strict=True)):
            rows = enumerate(lengths)
            path.write_text("".join(f"u{i:02} {row[place]}{more}\n" for i, row in rows))
        return [str(path) for path in paths]

    return write


def names(plan, shapes):
    return [[shapes[0].utt_id(row) for row in plan[b]] for b in range(len(plan))]


@given(
    lengths=LENGTHS,
    batch_type=st.sampled_from(["numel", "length", "unsorted"]),
    limit=st.integers(1, 900),
    min_size=st.integers(1, 5),
)
def test_batches_of_espnet(write_shapes, lengths, batch_type, limit, min_size):
    paths = write_shapes(lengths)
    options = {"batch_size": limit % 7 + 1, "batch_bins": limit}
    expected = build_batch_sampler(
        type=batch_type,
        shape_files=paths,
        min_batch_size=min_size,
        sort_batch="descending",
        **options,
    )
    shapes = read_matching_shapes(paths)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch_plan, "CHUNK", 5)
        plan = plan_batches(shapes, batch_type, min_size=min_size, **options)
    assert names(plan, shapes) == [list(batch) for batch in expected]


@given(
    lengths=LENGTHS,
    max_cost=st.integers(1, 900),
    max_tokens=st.integers(1, 100),
    min_size=st.integers(1, 4),
)
def test_both_limits_hold(lengths, max_cost, max_tokens, min_size):
    frames, tokens = np.array(lengths).T
    plan = plan_of_bins_and_tokens(frames, frames * 3, max_cost, tokens, max_tokens, min_size)
    assert sorted(plan.rows.tolist()) == list(range(len(lengths)))
    assert plan.edges[0] == 0
    assert plan.edges[-1] == len(lengths)
    sizes = np.diff(plan.edges)
    assert sizes.min() >= min(min_size, len(lengths))
    # A rest of fewer than min_size is shared out among the longest batches, which come first.
    for batch in range(len(plan)):
        rows = plan[batch]
        within = len(rows) * frames[rows].max() * 3 <= max_cost
        within &= len(rows) * tokens[rows].max() <= max_tokens
        assert within or len(rows) <= min_size or batch < min_size - 1


def padding(plan, values):
    padded = sum(len(plan[b]) * values[plan[b]].max() for b in range(len(plan)))
    return padded / values.sum() - 1


def test_little_of_tokens_and_of_frames_is_padding(write_shapes):
    rng = np.random.default_rng(0)
    frames = rng.integers(500, 1000, 5000)
    tokens = np.maximum(1, (frames * rng.normal(0.055, 0.01, 5000)).astype(int))
    shapes = read_matching_shapes(write_shapes(np.stack([frames, tokens], axis=1).tolist()))
    options = {"batch_size": 1, "batch_bins": 60000}
    by_frames = plan_batches(shapes, "numel", **options)
    by_both = plan_batches(shapes, "numel", **options, batch_tokens=1500)
    assert padding(by_frames, tokens) > 0.25
    assert padding(by_both, tokens) < 0.05
    assert padding(by_both, frames) < 0.1


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("folded", {}, "batch_type: folded: must be numel, length or unsorted"),
        ("numel", {"batch_tokens": 9}, "batch_tokens: there is no token_id_shape"),
    ],
)
def test_what_cannot_be_planned_is_refused(write_shapes, kind, options, message):
    shapes = read_matching_shapes(write_shapes([(3, 1)]))[:1]
    with pytest.raises(ValueError, match=message):
        plan_batches(shapes, kind, batch_size=1, batch_bins=1, **options)
    with pytest.raises(ValueError, match="give --train_shape_file"):
        plan_batches([], kind, batch_size=1, batch_bins=1)
