"""TextGrids and MFA's JSON: what Praat and MFA write is read, all else is refused by name."""

import json
import struct
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from espnet_ssr.align.alignment import Span
from espnet_ssr.align.textgrid import is_silence, read_mfa_json, read_textgrid

MFA = Path(__file__).resolve().parents[3] / "shared" / "data" / "mfa_asterisk"
needs_mfa = pytest.mark.skipif(not MFA.is_dir(), reason="no real output of MFA (shared/data)")

WORDS = [(0.0, 0.1, ""), (0.1, 0.5, "it's"), (0.5, 0.7, "<eps>"), (0.7, 1.0, "so")]
PHONES = [(0.1, 0.3, "IH1"), (0.3, 0.5, "TS"), (0.5, 0.7, "sil"), (0.7, 1.0, "spn")]
TIERS = [("words", WORDS), ("phones", PHONES)]


def quote(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def textgrid(tiers, long=True, end=1.0) -> str:
    """A TextGrid as Praat writes it; ``long`` with the names of the numbers."""

    def line(name, value, depth=0):
        return " " * 4 * depth + f"{name} = {value} " if long else str(value)

    def title(text, depth):
        return [" " * 4 * depth + text] if long else []

    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", line("xmin", 0)]
    lines += [line("xmax", end), "tiers? <exists> " if long else "<exists>"]
    lines += [line("size", len(tiers)), *title("item []: ", 0)]
    for n, (name, intervals) in enumerate(tiers, 1):
        lines += [*title(f"item [{n}]:", 1), line("class", '"IntervalTier"', 2)]
        lines += [line("name", quote(name), 2), line("xmin", 0, 2), line("xmax", end, 2)]
        lines += [f"        intervals: size = {len(intervals)} " if long else f"{len(intervals)}"]
        for m, (start, stop, label) in enumerate(intervals, 1):
            lines += [*title(f"intervals [{m}]:", 2), line("xmin", start, 3)]
            lines += [line("xmax", stop, 3), line("text", quote(label), 3)]
    return "\n".join(lines) + "\n"


def mfa_json(tiers, kind="interval") -> str:
    entries = {name: {"type": kind, "entries": intervals} for name, intervals in tiers}
    return json.dumps({"start": 0, "end": 1.0, "tiers": entries})


@pytest.fixture
def read(tmp_path):
    """A function that writes a text (or bytes) and reads it back."""

    def call(content, name="utt.TextGrid", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        reader = read_mfa_json if name.endswith(".json") else read_textgrid
        return reader(path, "utt")

    return call


def check(levels):
    assert {a.utt_id for a in levels.values()} == {"utt"}
    assert levels["word"].spans == [Span("it's", 0.1, 0.5), Span("so", 0.7, 1.0)]
    assert [s.label for s in levels["phone"].spans] == ["IH1", "TS", "spn"]
    assert levels["phone"].level == "phone"


@pytest.mark.parametrize("long", [True, False])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_formats_and_encodings(read, long, encoding, newline):
    text = textgrid([("words", [(0, 1, "é“x”")])], long).replace("\n", newline)
    if encoding == "utf-16-be":
        text = f"\N{BYTE ORDER MARK}{text}"
    assert read(text, encoding=encoding)["word"].spans == [Span("é“x”", 0, 1)]


@pytest.mark.parametrize("kind", ["interval", "IntervalTier"])
@pytest.mark.parametrize("names", ["words phones", "Words PHONES", "ann - words/ann - phones"])
def test_names_of_tiers(read, kind, names):
    first, second = names.split("/" if "/" in names else None)
    other = ("utterances", [(0.0, 1.0, "it's so")])
    tiers = [other, (second, PHONES), (first, WORDS)]
    check(read(textgrid(tiers)))
    check(read(mfa_json(tiers, kind), "utt.json"))


def test_words_alone(read):
    assert list(read(textgrid([("words", WORDS)]))) == ["word"]


def test_point_tiers_and_comments_are_ignored(read):
    points = '"TextTier" "events" 0 1 2\n0.2 "words" 0.4 ""\n'
    head, rest = textgrid(TIERS, long=False).split("2\n", 1)
    check(read(f'{head}3 ! "of" 3\n{points}{rest}'))


@pytest.mark.parametrize(
    ("label", "silent"),
    [("", True), (" ", True), ("<eps>", True), ("SIL", True), ("sp", True), ("spn", False)],
)
def test_silence(label, silent):
    assert is_silence(label) == silent


LABELS = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(
    ['"', '""', "<exists>", "! no", "1.5", "a\nb", 'xmin = 0 "', "intervals [1]:"]
)


@st.composite
def tiers(draw):
    edges = sorted(draw(st.lists(st.floats(0, 1e4), max_size=8)))
    pairs = zip(edges[::2], edges[1::2], strict=False)
    return [("words", [(start, end, draw(LABELS)) for start, end in pairs])]


@given(tiers=tiers(), long=st.booleans(), encoding=st.sampled_from(["utf-8", "utf-16"]))
def test_round_trip(tmp_path_factory, tiers, long, encoding):
    path = tmp_path_factory.mktemp("textgrid") / "utt.TextGrid"
    path.write_bytes(textgrid(tiers, long, end=1e4).encode(encoding))
    wanted = [Span(label.strip(), *times) for *times, label in tiers[0][1]]
    found = read_textgrid(path, "utt")["word"].spans
    assert found == [span for span in wanted if not is_silence(span.label)]


@given(tiers=tiers(), cut=st.floats(0, 1, exclude_max=True))
def test_a_file_that_is_cut_short_is_refused(tmp_path_factory, tiers, cut):
    path = tmp_path_factory.mktemp("textgrid") / "utt.TextGrid"
    content = textgrid(tiers).rstrip()
    kept = content[: int(cut * len(content))]
    # A quote as a label is written as four; the first two of them are an empty label.
    assume(not kept.endswith('""'))
    if tiers[0][1]:
        path.write_text(kept, encoding="utf-8")
        with pytest.raises(ValueError, match="utt.TextGrid"):
            read_textgrid(path, "utt")


@given(content=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
@pytest.mark.parametrize("name", ["utt.TextGrid", "utt.json"])
def test_anything_else_is_a_value_error(tmp_path_factory, name, content):
    path = tmp_path_factory.mktemp("textgrid") / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=name):
        (read_mfa_json if name.endswith(".json") else read_textgrid)(path, "utt")


LONG = textgrid(TIERS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "utt.TextGrid: not a TextGrid"),
        ("xmin = \n", "utt.TextGrid: not a TextGrid"),
        ('File type = "ooBinaryFile"\n', "not a TextGrid in a text format"),
        (LONG.replace("TextGrid", "Pitch"), "not a TextGrid, but another object"),
        (LONG.replace('"phones"', '"phon'), ":44: expected a number"),
        (LONG[: LONG.index("so") + 1], ":30: a string that begins here has no end"),
        (LONG[: LONG.index("intervals [3]")], ":22: the file ends here, before the begin of an"),
        (LONG.replace("size = 2", "size = -2"), ":7: number of tiers: -2"),
        (LONG.replace("size = 2", "size = 2.5"), ":7: number of tiers: 2.5"),
        (LONG.replace("size = 2", "size = two"), ":10: expected a number, the number of tiers"),
        (LONG.replace("IntervalTier", "SpectrumTier"), ":10: unknown class of tier 'SpectrumTier'"),
        (LONG.replace("xmax = 0.5", "xmax = 0.05"), ":20: span .*start <= end is violated"),
        (LONG.replace("xmin = 0.7", "xmin = 0.4"), "tier 'words': utt: span 'so' starts at 0.400"),
        (LONG.replace("xmin = 0.1", "xmin = -0.1"), ":20: span .*0 <= start"),
        (LONG.replace('"words"', '"word tier"'), "no tier 'words' .*only: word tier, phones"),
        (
            LONG.replace('"phones"', '"ann - words"'),
            "two tiers of words, 'words' and 'ann - words'",
        ),
        (LONG.replace('"TS"', '"T S"'), "a phone with a space in it: 'T S'"),
        (LONG.replace("it's", "ça").encode("latin-1"), ":22: neither UTF-8 nor UTF-16"),
        (LONG.encode("utf-16")[:-1], "neither UTF-8 nor UTF-16"),
        (LONG.encode("utf-16-le"), "not a TextGrid"),
    ],
)
def test_bad_textgrid_is_named(read, content, message):
    with pytest.raises(ValueError, match=message):
        read(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "utt.json:1: not JSON"),
        (mfa_json(TIERS)[:-9], "utt.json:1: not JSON"),
        ("[1, 2]", "utt.json: not MFA's JSON"),
        ('{"tiers": 1}', "not MFA's JSON"),
        ('{"tiers": {"words": {"entries": []}}}', "not MFA's JSON"),
        (mfa_json(TIERS[1:]), "no tier 'words' with intervals, only: phones"),
        (mfa_json(TIERS, "point"), "no tier 'words' with intervals, only: none"),
        (mfa_json([("words", [[0, 1]])]), r"expected \[begin, end, label\], got \[0, 1\]"),
        (mfa_json([("words", [[0, "x", "a"]])]), r"expected \[begin, end, label\], got"),
        (mfa_json([("words", [[0, 1, 5]])]), r"expected \[begin, end, label\], got"),
        (
            mfa_json([("words", [[0, float("nan"), "a"]])]),
            "entry 1: span 'a': times must be finite",
        ),
        (mfa_json([("words", [[0, 1, ""], [2, 1, "a"]])]), "entry 2: span 'a': 0 <= start"),
        (mfa_json([("words", [[0, 1, "a"], [0.5, 2, "b"]])]), "'b' starts at 0.500 s, before 'a'"),
        (b'{"tiers": "\xff"}', "utt.json:1: neither UTF-8 nor"),
    ],
)
def test_bad_json_is_named(read, content, message):
    with pytest.raises(ValueError, match=message):
        read(content, "utt.json")


@given(st.integers(0, 78000))
def test_float32_times_are_undone(tmp_path_factory, frames):
    """Times are multiples of 10 ms that were rounded to float32, up to 13 minutes."""
    seconds = round(frames / 100, 2)
    (widened,) = struct.unpack("f", struct.pack("f", seconds))
    path = tmp_path_factory.mktemp("json") / "utt.json"
    path.write_text(mfa_json([("words", [(0, widened, "a")])]))
    assert read_mfa_json(path, "utt")["word"].spans == [Span("a", 0.0, seconds)]


@needs_mfa
def test_both_formats_of_mfa_agree():
    paths = sorted((MFA / "textgrid").rglob("*.TextGrid"))
    assert len(paths) == 551
    for path in paths:
        first = read_textgrid(path, path.stem)
        second = read_mfa_json(MFA / "json" / "allison" / f"{path.stem}.json", path.stem)
        assert list(first) == list(second) == ["word", "phone"]
        for level, alignment in first.items():
            assert len(alignment.spans) == len(second[level].spans)
            for a, b in zip(alignment.spans, second[level].spans, strict=True):
                assert a.label == b.label
                assert (a.start, a.end) == pytest.approx((b.start, b.end), abs=6e-5)


@needs_mfa
def test_difficult_files_of_mfa():
    """MFA aligned nine of sixteen; with silence kept the JSON has the words of the TextGrid."""
    paths = sorted((MFA / "edge_textgrid").rglob("*.TextGrid"))
    assert len(paths) == 9
    for path in paths:
        beside = MFA / "edge_json_nocleanup" / path.relative_to(MFA / "edge_textgrid")
        found = read_mfa_json(beside.with_suffix(".json"), path.stem)
        for level, alignment in read_textgrid(path, path.stem).items():
            assert [s.label for s in found[level].spans] == [s.label for s in alignment.spans]


@needs_mfa
def test_align_one_of_mfa():
    levels = read_mfa_json(MFA / "align_one" / "oov.json", "oov")
    assert [s.label for s in levels["word"].spans][:4] == ["that", "<unk>", "is", "already"]
    assert "sil" not in {s.label for s in levels["phone"].spans}
