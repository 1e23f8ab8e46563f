"""Windows: every frame once and in order; where the context suffices they equal the whole."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.windows import Windows, encode_in_batches


@st.composite
def windows(draw):
    length = draw(st.integers(1, 30))
    context = draw(st.integers(0, (length - 1) // 2))
    return Windows(length, context, draw(st.integers(1, 4)), draw(st.integers(0, 5)))


@given(windows(), st.integers(0, 200))
def test_kept_frames_are_those_of_the_whole(windows, num_frames):
    kept = []
    for window in windows.cut(num_frames):
        assert 0 <= window.kept.start <= window.kept.stop <= window.end - window.begin
        kept += range(window.begin, window.end)[window.kept]
    assert kept == list(range(num_frames))


@given(windows(), st.integers(1, 200))
def test_windows_are_of_one_length_and_have_their_context(windows, num_frames):
    cut = windows.cut(num_frames)
    assert {w.end - w.begin for w in cut} == {min(windows.length, num_frames)}
    for window in cut:
        begin, stop = window.begin + window.kept.start, window.begin + window.kept.stop
        assert begin == 0 or begin - window.begin >= windows.context
        assert stop == num_frames or window.end - stop >= windows.context


def moving_average(reach, hop, overhang):
    """An encoder whose frames see ``reach`` neighbours on either side, and zeros beyond the end."""

    def encode(signals):
        frames = []
        for signal in signals:
            own = signal.unfold(0, hop + overhang, hop).mean(1)
            padded = torch.nn.functional.pad(own, (reach, reach))
            frames.append(padded.unfold(0, 2 * reach + 1, 1).mean(1))
        return frames

    return encode


@given(windows(), st.integers(1, 120), st.data())
def test_equals_the_whole_if_the_context_is_all_that_a_frame_sees(windows, num_frames, data):
    reach = data.draw(st.integers(0, windows.context))
    encode = moving_average(reach, windows.hop, windows.overhang)
    # As many samples as give these frames, and up to a hop more.
    size = num_frames * windows.hop + windows.overhang + data.draw(st.integers(0, windows.hop - 1))
    signals = [
        torch.rand(size, dtype=torch.float64),
        torch.rand(windows.hop + windows.overhang).double(),
    ]
    found = windows.encode(encode, signals, [num_frames, 1])
    for part, whole in zip(found, encode(signals), strict=True):
        torch.testing.assert_close(part, whole, rtol=0, atol=1e-12)


def test_signals_of_a_window_are_encoded_whole():
    seen = []

    def encode(signals):
        seen.extend(signals)
        return signals

    signals = [torch.arange(10), torch.arange(11)]
    Windows(10, 2).encode(encode, signals, [10, 11])
    assert seen[0] is signals[0] or torch.equal(seen[0], signals[0])
    assert [len(x) for x in seen] == [10, 10, 10]


@pytest.mark.parametrize(("length", "context"), [(4, 2), (3, -1), (0, 0)])
def test_nothing_between_the_contexts(length, context):
    with pytest.raises(ValueError, match="less than half"):
        Windows(length, context)


@given(st.lists(st.integers(0, 20), max_size=12), st.integers(1, 40))
def test_batches_give_every_signal_its_own_frames(sizes, max_size):
    def encode(batch):
        assert len(batch) == 1 or max(map(len, batch)) * len(batch) <= max_size
        return [-x for x in batch]

    signals = [torch.full((n,), float(i)) for i, n in enumerate(sizes)]
    found = encode_in_batches(encode, signals, max_size)
    assert len(found) == len(signals)
    for x, frames in zip(signals, found, strict=True):
        assert torch.equal(frames, -x)
