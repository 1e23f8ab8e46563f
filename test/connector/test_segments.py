"""Segments: times to frames, packing, buckets and means against plain Python."""

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.connector.segments import (
    Rows,
    cumulative_frames,
    pack_groups,
    pack_segments,
    seconds_to_frames,
    segment_means,
    segment_starts,
    unpack_segments,
)
from espnet_ssr.tensors import length_mask


def plain_frames(milliseconds, num_frames, rate):
    """The docstring of seconds_to_frames for one utterance, in exact arithmetic."""
    frames = []
    for end in milliseconds:
        wanted = max(math.ceil(Fraction(end, 1000) * Fraction(rate)) - 1, 0)
        next_free = frames[-1] + 1 if frames else 0
        frames.append(max(wanted, next_free))
    still_to_come = range(len(frames) - 1, -1, -1)
    return [min(f, num_frames - 1 - n) for f, n in zip(frames, still_to_come, strict=True)]


def to_batch(rows, dtype=torch.long):
    tensors = [torch.tensor(row, dtype=dtype) for row in rows]
    lengths = torch.tensor([len(row) for row in rows])
    return torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True), lengths


# Up to 8 s with many ties, or anywhere in an hour.
END_TIMES = st.one_of(
    st.lists(st.integers(0, 8000).map(lambda ms: ms // 20 * 20), min_size=1, max_size=12),
    st.lists(st.integers(0, 3_600_000), min_size=1, max_size=12),
).map(sorted)
UTTERANCES = st.lists(
    st.tuples(END_TIMES, st.one_of(st.integers(0, 20), st.integers(0, 200_000))),
    min_size=1,
    max_size=4,
)


@given(utterances=UTTERANCES, rate=st.sampled_from([50.0, 25.0, 12.5]))
def test_seconds_to_frames_is_the_plain_rule(utterances, rate):
    ends, spare = zip(*utterances, strict=True)
    sizes = [len(e) + s for e, s in zip(ends, spare, strict=True)]
    seconds, token_lengths = to_batch([[ms / 1000 for ms in e] for e in ends], torch.float32)
    frames = seconds_to_frames(seconds, token_lengths, torch.tensor(sizes), rate)
    assert frames.dtype == torch.long
    for row, end, size in zip(frames.tolist(), ends, sizes, strict=True):
        found = row[: len(end)]
        assert found == plain_frames(end, size, rate)
        assert found[0] >= 0
        assert found[-1] < size
        assert all(a < b for a, b in zip(found, found[1:], strict=False))


@given(
    steps=st.lists(st.integers(20, 900), min_size=1, max_size=40), rate=st.sampled_from([50, 100])
)
def test_seconds_to_frames_is_exact_where_every_segment_has_a_frame(steps, rate):
    ends = [sum(steps[: i + 1]) for i in range(len(steps))]
    frames = [-(-end * rate // 1000) - 1 for end in ends]
    found = seconds_to_frames(
        torch.tensor([ends]) / 1000, torch.tensor([len(ends)]), torch.tensor([frames[-1] + 1]), rate
    )
    assert found.tolist() == [frames]


@pytest.mark.parametrize(
    ("seconds", "num_frames", "expected"),
    [
        pytest.param([0.34], 50, [16], id="an edge between two frames belongs to the first"),
        pytest.param([0.341], 50, [17], id="past the edge"),
        pytest.param([0.0], 50, [0], id="at zero"),
        pytest.param([0.1, 0.1, 0.1], 50, [4, 5, 6], id="ties take the next free frames"),
        pytest.param([0.1, 0.1, 0.14], 50, [4, 5, 6], id="a tie moves nobody needlessly"),
        pytest.param([0.5, 1.0, 1.0], 50, [24, 48, 49], id="a tie at the end moves back"),
        pytest.param([0.2, 0.4, 0.6], 3, [0, 1, 2], id="as many tokens as frames"),
        pytest.param([9.0], 50, [49], id="later than the last frame"),
    ],
)
def test_seconds_to_frames_examples(seconds, num_frames, expected):
    lengths = torch.tensor([len(seconds)]), torch.tensor([num_frames])
    assert seconds_to_frames(torch.tensor([seconds]), *lengths, 50.0).tolist() == [expected]


def test_every_edge_of_an_hour_survives_float32():
    frames = 3600 * 50
    seconds = (torch.arange(1, frames + 1, dtype=torch.float64) / 50).float()
    sizes = torch.tensor([frames])
    assert torch.equal(
        seconds_to_frames(seconds[None], sizes, sizes, 50.0)[0], torch.arange(frames)
    )


SEGMENT_SIZES = st.lists(
    st.lists(st.integers(1, 30), min_size=1, max_size=8), min_size=1, max_size=4
)


def test_an_empty_segment_holds_the_frame_at_its_end():
    ends, token_lengths = torch.tensor([[2, 2, 4], [0, 0, 0]]), torch.tensor([3, 2])
    assert segment_starts(ends).tolist() == [[0, 2, 3], [0, 0, 0]]
    first, lengths = pack_segments(ends, token_lengths, 10)
    assert first.tolist() == [0, 2, 3, 10, 10]
    assert lengths.tolist() == [3, 1, 2, 1, 1]


def test_rows():
    rows = Rows(torch.tensor([4, 0, 5]), torch.tensor([2, 0, 3]))
    index, row = rows.members()
    assert index.tolist() == [4, 5, 5, 6, 7]
    assert row.tolist() == [0, 0, 2, 2, 2]
    assert rows.take(torch.tensor([0, 2])).last.tolist() == [5, 7]
    assert Rows.packed(rows.lengths).first.tolist() == [0, 2, 2]
    index, valid = rows.take(torch.tensor([0, 2])).padded()
    assert index.tolist() == [[4, 5, 5], [5, 6, 7]]
    assert valid.tolist() == [[True, True, False], [True, True, True]]


def test_no_rows():
    rows = Rows.packed(torch.tensor([], dtype=torch.long))
    assert [x.tolist() for x in rows.members()] == [[], []]


@given(sizes=SEGMENT_SIZES, spare=st.integers(0, 5))
def test_pack_takes_every_segment_once(sizes, spare):
    ends, token_lengths = to_batch([torch.tensor(s).cumsum(0).sub(1).tolist() for s in sizes])
    num_frames = max(map(sum, sizes)) + spare
    first, lengths = pack_segments(ends, token_lengths, num_frames)
    assert lengths.tolist() == [size for utterance in sizes for size in utterance]
    covered = [f for a, n in zip(first.tolist(), lengths.tolist(), strict=True)
               for f in range(a, a + n)]  # fmt: skip
    assert covered == [b * num_frames + t for b, s in enumerate(sizes) for t in range(sum(s))]


def test_groups():
    feats = torch.arange(1.0, 9.0).reshape(2, 4, 1)
    groups, mask, counts = pack_groups(feats, torch.tensor([4, 1]), 3)
    assert groups.squeeze(-1).tolist() == [[1, 2, 3], [4, 0, 0], [5, 0, 0]]
    assert mask.int().tolist() == [[1, 1, 1], [1, 0, 0], [1, 0, 0]]
    assert counts.tolist() == [2, 1]


@given(sizes=SEGMENT_SIZES)
def test_unpack_undoes_the_order_of_pack(sizes):
    token_lengths = torch.tensor(list(map(len, sizes)))
    packed = torch.arange(1.0, int(token_lengths.sum()) + 1)[:, None].repeat(1, 3)
    unpacked = unpack_segments(packed, token_lengths)
    mask = length_mask(token_lengths, int(token_lengths.max()))
    assert torch.equal(unpacked[mask], packed)
    assert not unpacked[~mask].any()


@given(sizes=SEGMENT_SIZES, seed=st.integers(0, 99))
def test_segment_means_are_plain_means(sizes, seed):
    generator = torch.Generator().manual_seed(seed)
    feats = torch.randn(len(sizes), max(map(sum, sizes)), 3, generator=generator)
    end, token_lengths = to_batch([torch.tensor(s).cumsum(0).sub(1).tolist() for s in sizes])
    end = end.where(length_mask(token_lengths, end.size(1)), 0)
    start = torch.minimum(segment_starts(end), end)
    means = segment_means(cumulative_frames(feats), start, end)
    assert means.dtype == torch.float32
    for b, utterance in enumerate(sizes):
        frame = 0
        for j, size in enumerate(utterance):
            torch.testing.assert_close(means[b, j], feats[b, frame : frame + size].mean(0))
            frame += size


def test_what_is_not_finite_stays_in_its_utterance_and_behind():
    feats = torch.ones(2, 6, 1)
    feats[0, 4:] = torch.nan
    feats[1, 0] = torch.inf
    ends = torch.tensor([[1, 1, 3], [2, 3, 5]])
    means = segment_means(cumulative_frames(feats), segment_starts(ends), ends)
    assert means[0].tolist() == [[1.0]] * 3
    assert not means[1, 0].isfinite()


def test_segment_means_keep_their_digits_over_an_hour():
    frames = 3600 * 50
    generator = torch.Generator().manual_seed(0)
    feats = 100 + torch.randn(1, frames, 2, generator=generator)
    start = torch.tensor([[0, frames - 1, frames - 10]])
    end = torch.tensor([[4, frames - 1, frames - 1]])
    means = segment_means(cumulative_frames(feats), start, end)[0]
    expected = [feats[0, a : b + 1].mean(0) for a, b in zip(start[0], end[0], strict=True)]
    torch.testing.assert_close(means, torch.stack(expected), rtol=0, atol=2e-5)
