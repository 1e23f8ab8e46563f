"""Spans, alignments and their CTM files."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from espnet_ssr.align.alignment import LEVELS, Alignment, Span, read_ctm, write_ctm

# Whatever ``str.split`` makes of a transcript can be a label.
LABELS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(
    lambda label: label.split() == [label]
)
SCORES = st.none() | st.floats(-1e4, 1e4).map(lambda score: round(score, 4))


@st.composite
def alignments(draw, max_seconds=1000.0):
    """An alignment at any precision, whose neighbours may overlap as much as is tolerated."""
    edges = sorted(draw(st.lists(st.floats(0, max_seconds), max_size=12)))
    spans = []
    for start, end in zip(edges[::2], edges[1::2], strict=False):
        early = max(start - draw(st.sampled_from([0, 0, 4e-4])), 0.0)
        if spans and early < spans[-1].end - 4.5e-4:
            early = start
        spans.append(Span(draw(LABELS), early, end, draw(SCORES)))
    return Alignment(draw(st.sampled_from(["utt-1", "ä/b", "1"])), spans)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (-0.001, 1.0),
        (0.5, 0.4),
        (math.nan, 1.0),
        (0.0, math.nan),
        (0.0, math.inf),
        (-math.inf, 0.0),
    ],
)
def test_span_refuses_times(start, end):
    with pytest.raises(ValueError, match="span 'word'"):
        Span("word", start, end)


def test_span_may_be_empty():
    assert Span("word", 0.5, 0.5).score is None


def test_alignment_refuses_unknown_level():
    with pytest.raises(ValueError, match=f"one of .*{LEVELS[0]}.*, not 'words'"):
        Alignment("utt", [], "words")


@pytest.mark.parametrize(
    ("second_start", "is_overlap"), [(0.6, False), (0.5, False), (0.4996, False), (0.4994, True)]
)
def test_alignment_refuses_overlap_beyond_rounding(second_start, is_overlap):
    spans = [Span("a", 0.0, 0.5), Span("b", second_start, 1.0)]
    if not is_overlap:
        assert Alignment("utt", spans).spans == spans
        return
    with pytest.raises(ValueError, match="utt: span 'b' starts at 0.499 s, before 'a' ends"):
        Alignment("utt", spans)


def test_ctm_lines(tmp_path):
    spans = [Span("it’s", 0.1234, 0.3336, -12.34567), Span("5%", 0.4, 0.4)]
    write_ctm(tmp_path / "word.ctm", [Alignment("utt-1", spans), Alignment("utt-2", spans[1:])])
    assert (tmp_path / "word.ctm").read_text(encoding="utf-8").splitlines() == [
        "utt-1 1 0.123 0.211 it’s -12.3457",
        "utt-1 1 0.400 0.000 5%",
        "utt-2 1 0.400 0.000 5%",
    ]


# Rounding would make 1 ms of this overlap of 0.3 ms.
@example(Alignment("utt", [Span("a", 0, 1.0006), Span("b", 1.0003, 1.2)]), "phone")
@given(alignment=alignments(), level=st.sampled_from(LEVELS))
def test_ctm_round_trip(tmp_path_factory, alignment, level):
    path = tmp_path_factory.mktemp("ctm") / "a.ctm"
    write_ctm(path, [Alignment(alignment.utt_id, alignment.spans, level)])
    read = read_ctm(path, level)
    if not alignment.spans:
        assert read == {}
        return
    assert list(read) == [alignment.utt_id]
    assert read[alignment.utt_id].level == level
    spans = read[alignment.utt_id].spans
    assert [(s.label, s.score) for s in spans] == [(s.label, s.score) for s in alignment.spans]
    # Ends are what segments are cut at: they are the rounded ones exactly. A start may be moved
    # by a tolerated overlap on top.
    for found, span in zip(spans, alignment.spans, strict=True):
        assert found.end == round(span.end, 3)
        assert found.start == pytest.approx(span.start, abs=1.01e-3)
    # What has been rounded once does not change any more.
    content = path.read_bytes()
    write_ctm(path, read.values())
    assert path.read_bytes() == content


def test_read_ctm_keeps_order_and_skips_comments(tmp_path):
    path = tmp_path / "a.ctm"
    path.write_text(";; a comment\nb A 0 .5 x\n\na 1 0.1 0.2 y 0.9\nb A 1e0 0 z -inf\n")
    read = read_ctm(path)
    assert list(read) == ["b", "a"]
    assert read["b"].spans == [Span("x", 0.0, 0.5), Span("z", 1.0, 1.0, -math.inf)]
    assert read["a"].spans == [Span("y", 0.1, 0.3, 0.9)]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"utt 1 0.5 0.1", "expected 'utt channel start duration label"),
        (b"utt 1 0.5 0.1 new york 0.9 x", "expected 'utt channel start duration label"),
        (b"utt 1 0.5 0.1 new york", "could not convert string to float: 'york'"),
        (b"utt 1 zero 0.1 a", "could not convert string to float: 'zero'"),
        (b"utt 1 -0.5 0.1 a", "0 <= start <= end is violated"),
        (b"utt 1 0.5 -0.1 a", "0 <= start <= end is violated"),
        (b"utt 1 nan 0.1 a", "times must be finite"),
        (b"utt 1 0.5 inf a", "times must be finite"),
        (b"utt 1 0.5 0.1 \xff", "not UTF-8"),
    ],
)
def test_malformed_line_is_named(tmp_path, line, message):
    path = tmp_path / "a.ctm"
    path.write_bytes(b";; comment\nutt 1 0.0 0.1 a\n" + line + b"\n")
    with pytest.raises(ValueError) as error:
        read_ctm(path)
    assert str(error.value).startswith(f"{path}:3: ")
    assert message in str(error.value)


def test_overlap_in_a_file_is_named(tmp_path):
    path = tmp_path / "a.ctm"
    path.write_text("utt 1 0.0 0.5 a\nutt 1 0.4 0.5 b\n")
    with pytest.raises(ValueError, match="a.ctm: utt: span 'b' starts at 0.400 s"):
        read_ctm(path)


@pytest.mark.parametrize("label", ["", " ", "new york", "a\n", "\N{NO-BREAK SPACE}"])
def test_write_refuses_label_that_would_not_read_back(tmp_path, label):
    with pytest.raises(ValueError, match="utt: CTM has no room for the label"):
        write_ctm(tmp_path / "a.ctm", [Alignment("utt", [Span(label, 0.0, 1.0, -1.0)])])


def test_failed_write_leaves_old_file(tmp_path):
    path = tmp_path / "a.ctm"
    write_ctm(path, [Alignment("old", [Span("a", 0, 1)])])
    before = path.read_bytes()

    def broken():
        yield Alignment("new", [Span("b", 0, 2)])
        raise RuntimeError("aligner died")

    with pytest.raises(RuntimeError, match="aligner died"):
        write_ctm(path, broken())
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.ctm"]
