"""Alignments of other programs become those of a data directory; what does not fit is counted."""

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.align.abs import AlignError
from espnet_ssr.align.alignment import Alignment, Span, read_ctm, write_ctm
from espnet_ssr.align.given import align_given, match_words
from espnet_ssr.datadir import read_keyed

REPO = Path(__file__).resolve().parents[2]
MFA = REPO.parent / "shared" / "data" / "mfa_asterisk"
needs_mfa = pytest.mark.skipif(not MFA.is_dir(), reason="no real output of MFA (shared/data)")


def seconds_each(words, level="word"):
    """An alignment in which everything lasts one second."""
    spans = [Span(word, float(n), n + 1.0) for n, word in enumerate(words)]
    return Alignment("utt", spans, level)


def match(text, words, phones=None):
    levels = {"word": seconds_each(words.split())}
    if phones:
        levels["phone"] = seconds_each(phones.split(), "phone")
    return match_words(text, levels)


def spans_of(matched):
    return [(s.label, s.start, s.end) for s in matched.levels["word"].spans]


def test_labels_are_those_of_the_transcript():
    matched = match("It’s “So”, - CAFE\N{COMBINING ACUTE ACCENT}!", "it's so café")
    words = ["It’s", "“So”,", "CAFE\N{COMBINING ACUTE ACCENT}!"]
    assert spans_of(matched) == [(word, n, n + 1) for n, word in enumerate(words)]
    assert matched.unknown == []


@pytest.mark.parametrize("stand_in", ["<unk>", "spn", "[bracketed]", "<UNK>"])
def test_stand_ins_are_any_word(stand_in):
    matched = match("a pbx is here", f"a {stand_in} is here")
    assert [s.label for s in matched.levels["word"].spans] == ["a", "pbx", "is", "here"]
    assert matched.unknown == ["pbx"]


def test_a_word_with_the_phone_spn_is_unknown():
    assert match("a pbx a", "a pbx a", "AH0 spn AH0").unknown == ["pbx"]


@pytest.mark.parametrize(
    ("text", "words", "wanted"),
    [
        ("re entered", "re-entered", [("re", 0, 2 / 9), ("entered", 2 / 9, 1)]),
        ("re-entered", "re entered", [("re-entered", 0, 2)]),
        ("waldo's car", "waldo 's car", [("waldo's", 0, 2), ("car", 2, 3)]),
        ("abcd e", "ab cde", [("abcd", 0, 1 + 2 / 3), ("e", 1 + 2 / 3, 2)]),
        ("a b", "- a ... b", [("a", 1, 2), ("b", 3, 4)]),
        ("ＡＢ, ™ straße", "ab strasse", [("ＡＢ,", 0, 1), ("straße", 1, 2)]),
    ],
)
def test_words_that_are_split_otherwise_share_time_by_letters(text, words, wanted):
    found = spans_of(match(text, words))
    assert [s[0] for s in found] == [s[0] for s in wanted]
    assert [s[1:] for s in found] == [pytest.approx(s[1:]) for s in wanted]


@pytest.mark.parametrize(
    ("text", "words", "message"),
    [
        ("a b c", "a x c", "word 2: the transcript has 'b', the alignment 'x'"),
        ("a b c", "a b", "word 3: the transcript has 'c', the alignment nothing more"),
        ("a b", "a b c", "word 3: the transcript has nothing more, the alignment 'c'"),
        ("a", "<unk> <unk>", "word 2: the transcript has nothing more, the alignment '<unk>'"),
        ("unmute it", "umute it", "word 1: the transcript has 'unmute', the alignment 'umute'"),
        ("re enter", "re-ente", "word 1: the transcript has 're', the alignment 're-ente'"),
        ("500", "five hundred", "word 1: the transcript has '500', the alignment 'five'"),
        ("a", "", "word 1: the transcript has 'a', the alignment nothing more"),
    ],
)
def test_other_words_are_a_mismatch(text, words, message):
    with pytest.raises(AlignError) as error:
        match(text, words)
    assert error.value.cause == "mismatch"
    assert str(error.value) == message


@pytest.mark.parametrize("text", ["", " ", "... -"])
def test_empty_text(text):
    with pytest.raises(AlignError) as error:
        match(text, "a")
    assert error.value.cause == "empty_text"


@given(words=st.lists(st.text("abcé", min_size=1, max_size=4), min_size=1), data=st.data())
def test_any_cut_of_the_same_letters_matches(words, data):
    letters = "".join(words)
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(letters) - 1)))))
    pieces = [letters[a:b] for a, b in zip([0, *cuts], [*cuts, None], strict=True)]
    pieces = [piece for piece in pieces if piece]
    spans = match(" ".join(words), " ".join(pieces)).levels["word"].spans
    assert [span.label for span in spans] == words
    assert spans[0].start == 0 and spans[-1].end == len(pieces)
    for left, right in zip(spans, spans[1:], strict=False):
        assert left.end == pytest.approx(right.start)
    # A word of its own in both keeps its times to the last bit.
    for n, piece in enumerate(pieces):
        starts = [len("".join(words[:i])) for i in range(len(words))]
        begin = len("".join(pieces[:n]))
        if begin in starts and words[starts.index(begin)] == piece:
            assert (spans[starts.index(begin)].start, spans[starts.index(begin)].end) == (n, n + 1)


def json_text(words, phones=None):
    tiers = {"words": words} if phones is None else {"words": words, "phones": phones}
    entries = {
        name: {"type": "interval", "entries": [[n, n + 1, w] for n, w in enumerate(labels.split())]}
        for name, labels in tiers.items()
    }
    return json.dumps({"start": 0, "end": 9, "tiers": entries})


@pytest.fixture
def folders(tmp_path):
    """A data directory of three utterances and a folder with alignments of two."""
    (tmp_path / "data").mkdir()
    text = "ann-a hello PBX\nbob-a one two\nbob-b good bye\n"
    (tmp_path / "data" / "text").write_text(text)
    for name, content in {
        "deep/ann/a": json_text("hello pbx", "HH spn"),
        "deep/bob-b": json_text("good bye", "G B"),
    }.items():
        path = tmp_path / "given" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path


def run(folders, given="given"):
    output = folders / "dump" / "align_given"
    return align_given(folders / "data", folders / given, output), output


def test_alignment_folder(folders):
    summary, output = run(folders)
    assert summary.endswith("aligned 2 of 3 utterances, 1 words out of vocabulary, 1 missing")
    words = read_ctm(output / "word.ctm")
    assert list(words) == ["ann-a", "bob-b"]
    assert [s.label for s in words["ann-a"].spans] == ["hello", "PBX"]
    assert [s.label for s in read_ctm(output / "phone.ctm", "phone")["bob-b"].spans] == ["G", "B"]
    missing = f"missing no TextGrid or JSON file below {folders / 'given'}"
    assert read_keyed(output / "failed") == {"bob-a": missing}
    assert (output / "out_of_vocabulary").read_text() == "PBX spn\n"


def test_utterances_that_do_not_fit_are_counted(folders):
    (folders / "given" / "bob-a.json").write_text(json_text("one three"))
    (folders / "given" / "deep" / "bob-b.json").write_text("{")
    summary, output = run(folders)
    assert summary.endswith(", 1 mismatch, 1 unreadable")
    failed = read_keyed(output / "failed")
    assert failed["bob-a"].startswith("mismatch word 2: the transcript has 'two', the")
    assert failed["bob-b"].startswith("unreadable ")
    assert "bob-b.json:1: not JSON" in failed["bob-b"]


def test_without_phones_there_is_no_phone_ctm(folders):
    run(folders)
    shutil.rmtree(folders / "given" / "deep")
    (folders / "given" / "bob-a.json").write_text(json_text("one two"))
    _, output = run(folders)
    assert sorted(p.name for p in output.iterdir()) == ["failed", "out_of_vocabulary", "word.ctm"]


@pytest.mark.parametrize("name", ["ann-a.TextGrid", "ann_a.json", "ann/a.json", "x/ann-a.json"])
def test_layouts(folders, name):
    """Flat, by speaker, or at any depth; two files for one utterance are refused."""
    path = folders / "other" / name
    path.parent.mkdir(parents=True)
    content = json_text("hello pbx")
    if name.endswith(".TextGrid"):
        content = (
            '"ooTextFile" "TextGrid" 0 9 <exists> 1 '
            '"IntervalTier" "words" 0 9 2 0 1 "hello" 1 9 "pbx"'
        )
    path.write_text(content)
    if name == "ann_a.json":
        (folders / "data" / "text").write_text("ann_a hello pbx\n")
    assert "aligned 1 of" in run(folders, "other")[0]
    shutil.copytree(folders / "other", folders / "given", dirs_exist_ok=True)
    if name != "ann_a.json":
        with pytest.raises(ValueError, match="ann-a: both .* and .* may be its alignment"):
            run(folders)


def test_ctm(folders):
    _, output = run(folders)
    first = {name: (output / name).read_text() for name in ("word.ctm", "phone.ctm")}
    shutil.move(output, folders / "mine")
    summary, output = run(folders, "mine/word.ctm")
    assert summary.endswith("aligned 2 of 3 utterances, 1 words out of vocabulary, 1 missing")
    assert {name: (output / name).read_text() for name in first} == first


def test_silence_in_a_ctm_is_left_out_and_scores_stay(folders):
    spans = [Span("<eps>", 0, 1), Span("one", 1, 2, -1.5), Span("sil", 2, 3), Span("two", 3, 4)]
    write_ctm(folders / "mine.ctm", [Alignment("bob-a", spans)])
    _, output = run(folders, "mine.ctm")
    assert read_ctm(output / "word.ctm")["bob-a"].spans == [spans[1], spans[3]]
    assert not (output / "phone.ctm").exists()


def test_nothing_found_says_what_was_looked_for(folders):
    (folders / "data" / "text").write_text("zoe-1 a\n")
    with pytest.raises(ValueError, match=r"nothing for .*data .*given.*e\.g\..*wanted e.g. zoe-1"):
        run(folders)
    (folders / "mine.ctm").write_text("")
    with pytest.raises(ValueError, match=r"nothing for .* in .*mine.ctm .*no utterance"):
        run(folders, "mine.ctm")
    with pytest.raises(ValueError, match="--given: no such file or folder: .*nowhere"):
        run(folders, "nowhere")


def test_command(folders):
    command = [sys.executable, "-m", "espnet_ssr.bin.ssr_align_given", "--data_dir", "data"]
    command += ["--given", "given", "--output_dir", "dump"]
    path = {"PYTHONPATH": str(REPO)}
    result = subprocess.run(command, cwd=folders, env=path, capture_output=True, text=True)
    assert result.stdout == (
        "dump: aligned 2 of 3 utterances, 1 words out of vocabulary, 1 missing\n"
    ), result.stderr


@needs_mfa
@pytest.mark.parametrize("kind", ["textgrid", "json"])
def test_real_output_of_mfa(asterisk_data, tmp_path, kind):
    """All 551 prompts have a file; nine have another text since the recipe corrects typing errors
    and says bracketed words."""
    failed = {}
    for name in ("train", "valid", "test"):
        align_given(asterisk_data / name, MFA / kind, tmp_path / name)
        assert len(read_ctm(tmp_path / name / "phone.ctm", "phone")) > 20
        failed |= read_keyed(tmp_path / name / "failed")
    assert Counter(value.split()[0] for value in failed.values()) == {"mismatch": 9}
    assert "'unmute', the alignment 'umute'" in failed["allison-conf-adminmenu-menu8"]
    unknown = read_keyed(tmp_path / "train" / "out_of_vocabulary")
    assert unknown["pbx"] == "spn" and "agent" not in unknown


@needs_mfa
def test_words_that_the_real_mfa_did_not_know(tmp_path):
    (tmp_path / "data").mkdir()
    text = (
        "that blorptastic is already logged on [noise] 3 xyzzy's please enter your agent number "
        "{x} the pound key"
    )
    (tmp_path / "data" / "text").write_text(f"spkA-oov {text}\n")
    align_given(tmp_path / "data", MFA / "edge_textgrid", tmp_path / "align")
    assert set(read_keyed(tmp_path / "align" / "out_of_vocabulary")) == {
        "blorptastic", "[noise]", "3", "xyzzy's", "{x}",
    }  # fmt: skip
