"""Sets with copies: speeds of utterances, and alignments rescaled instead of made anew."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.align.alignment import Alignment, Span, read_ctm, write_ctm
from espnet_ssr.align.report import write_report
from espnet_ssr.data.copies import Copy, read_speeds, rescale, rescale_align_dir
from espnet_ssr.datadir import read_keyed, write_keyed, write_lines

SPEEDS = st.floats(0.5, 2.0)


def test_read_speeds(tmp_path):
    assert read_speeds(tmp_path, ["a"]) == {"a": 1.0}
    write_keyed(tmp_path / "utt2speed", {"a": "1.0", "b": "0.9", "c": "quick"})
    assert read_speeds(tmp_path, ["b", "a"]) == {"b": 0.9, "a": 1.0}
    with pytest.raises(ValueError, match=r"utt2speed: c: a speed is .*, not 'quick'"):
        read_speeds(tmp_path, ["c"])
    with pytest.raises(ValueError, match="utt2speed: no line of d"):
        read_speeds(tmp_path, ["a", "d"])


@st.composite
def alignments(draw):
    """Alignments of a few utterances, with times in milliseconds and pauses, as in a CTM."""
    result = {}
    for utt_id in draw(st.lists(st.sampled_from("abcd"), unique=True)):
        times = sorted(draw(st.lists(st.integers(0, 60000), min_size=2, max_size=12)))
        pairs = zip(times[::2], times[1::2], strict=False)
        spans = [Span(f"w{i}", s / 1000, e / 1000, -0.5 * i) for i, (s, e) in enumerate(pairs)]
        result[utt_id] = Alignment(utt_id, spans)
    return result


@given(alignments(), SPEEDS)
def test_rescaled_times_keep_their_order_and_nothing_is_lost(words, speed):
    copies = {f"{u}{i}": Copy(u, s) for u in "abcd" for i, s in enumerate((1.0, speed))}
    rescaled = {alignment.utt_id: alignment for alignment in rescale(words, copies)}
    assert rescaled.keys() == {f"{u}{i}" for u in words for i in (0, 1)}
    for utt_id, alignment in words.items():
        assert rescaled[f"{utt_id}0"].spans == alignment.spans
        spans = rescaled[f"{utt_id}1"].spans
        assert len(spans) == len(alignment.spans)
        for span, original in zip(spans, alignment.spans, strict=True):
            assert (span.label, span.score) == (original.label, original.score)
            assert span.start == pytest.approx(original.start / speed)
            assert span.end == pytest.approx(original.end / speed)
        times = [time for span in spans for time in (span.start, span.end)]
        assert times == sorted(times)


@given(alignments(), SPEEDS)
def test_rescaled_ctm_is_right_to_a_millisecond(tmp_path_factory, words, speed):
    path = tmp_path_factory.mktemp("ctm") / "word.ctm"
    write_ctm(path, rescale(words, {u: Copy(u, speed) for u in words}))
    for utt_id, alignment in read_ctm(path).items():
        for span, original in zip(alignment.spans, words[utt_id].spans, strict=True):
            assert span.start == pytest.approx(original.start / speed, abs=0.51e-3)
            assert span.end == pytest.approx(original.end / speed, abs=0.51e-3)


def test_tolerated_overlaps_do_not_grow():
    words = {"a": Alignment("a", [Span("x", 0.0, 0.5), Span("y", 0.4996, 0.8)])}
    (slow,) = rescale(words, {"sp0.5-a": Copy("a", 0.5)})
    assert slow.spans == [Span("x", 0.0, 1.0), Span("y", 1.0, 1.6)]


@pytest.fixture
def aligned(tmp_path):
    """``train`` with an alignment folder, and ``train_sp`` at 0.9 and 2, both formatted. The
    originals of ``long`` and ``lost`` are not there."""
    train, train_sp, align = tmp_path / "train", tmp_path / "train_sp", tmp_path / "train/align"
    align.mkdir(parents=True)
    train_sp.mkdir()
    (tmp_path / "align_sp").mkdir()
    write_keyed(train / "wav.scp", {"good": "/g", "bad": "/b"})
    write_lines(train / "dropped", ["long too_long 121.00 s > 120.0 s"])
    spans = [Span("one", 0.18, 0.5, -1.0), Span("two", 0.72, 0.9, -2.0)]
    write_ctm(align / "word.ctm", [Alignment("good", spans)])
    letters = [Span(letter, 0.18 + 0.09 * i, 0.27 + 0.09 * i) for i, letter in enumerate("one")]
    write_ctm(align / "char.ctm", [Alignment("good", letters, "char")])
    write_lines(align / "failed", ["bad mismatch word 1: no match"])
    write_lines(align / "out_of_vocabulary", ["two guessed"])
    copies = {"bad": ("bad", 1.0), "good": ("good", 1.0)}
    copies |= {f"sp0.9-{u}": (u, 0.9) for u in ("bad", "good")}
    copies |= {f"sp2-{u}": (u, 2.0) for u in ("bad", "good", "long", "lost")}
    write_keyed(train_sp / "wav.scp", dict.fromkeys(copies, "/x"))
    write_keyed(train_sp / "utt2uniq", {u: original for u, (original, _) in copies.items()})
    write_keyed(train_sp / "utt2speed", {u: str(speed) for u, (_, speed) in copies.items()})
    return train_sp, train, align, tmp_path / "align_sp"


def test_rescaled_align_dir(aligned):
    rescale_align_dir(*aligned)
    folder = aligned[-1]
    words, letters = (read_ctm(folder / f"{level}.ctm", level) for level in ("word", "char"))
    assert list(words) == list(letters) == ["good", "sp0.9-good", "sp2-good"]
    assert words["good"] == read_ctm(aligned[2] / "word.ctm")["good"]
    assert words["sp0.9-good"].spans == [Span("one", 0.2, 0.556, -1.0), Span("two", 0.8, 1.0, -2.0)]
    assert [span.end for span in letters["sp2-good"].spans] == [0.135, 0.18, 0.225]
    assert (folder / "out_of_vocabulary").read_text() == "two guessed\n"
    assert not (folder / "phone.ctm").exists()


def test_copies_without_an_alignment_are_counted_by_cause(aligned):
    rescale_align_dir(*aligned)
    assert read_keyed(aligned[-1] / "failed") == {
        **dict.fromkeys(["bad", "sp0.9-bad", "sp2-bad"], "mismatch word 1: no match"),
        "sp2-long": "original_too_long 121.00 s > 120.0 s",
        "sp2-lost": f"no_original it is not in {aligned[1]}: run stages 3 and 4 again",
    }


def test_report_of_a_rescaled_folder(aligned):
    rescale_align_dir(*aligned)
    data_dir, _, _, folder = aligned
    report = write_report(data_dir, folder, num_pictures=0)
    assert (report["aligned"], report["utterances"], report["cost"]) == (3, 8, None)
    assert report["failed"] == {"mismatch": 3, "no_original": 1, "original_too_long": 1}
    assert report["out_of_vocabulary"] == {"two": "guessed"}


def test_copies_of_what_was_searched_twice_are_marked(aligned):
    write_lines(aligned[2] / "retried", ["bad no_path", "good aligned"])
    rescale_align_dir(*aligned)
    assert read_keyed(aligned[-1] / "retried") == {
        **dict.fromkeys(["bad", "sp0.9-bad", "sp2-bad"], "no_path"),
        **dict.fromkeys(["good", "sp0.9-good", "sp2-good"], "aligned"),
    }
    (aligned[2] / "retried").unlink()
    rescale_align_dir(*aligned)
    assert not (aligned[-1] / "retried").exists()


def test_levels_of_a_former_run_go(aligned):
    (aligned[-1] / "phone.ctm").write_text("old 1 0.0 0.1 AH\n")
    rescale_align_dir(*aligned)
    assert sorted(path.name for path in aligned[-1].iterdir()) == [
        "char.ctm",
        "failed",
        "out_of_vocabulary",
        "word.ctm",
    ]


def test_copy_without_a_name_of_its_original(aligned):
    write_keyed(aligned[0] / "utt2uniq", {"good": "good"})
    with pytest.raises(ValueError, match="utt2uniq: no line of bad"):
        rescale_align_dir(*aligned)
