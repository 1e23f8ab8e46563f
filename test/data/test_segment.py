"""Stage 5: token ids and ends of a data directory, files, and why utterances are left out."""

import json

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from espnet_ssr.align.alignment import Alignment, Span, write_ctm
from espnet_ssr.data.segment import Segmentation, SegmentOptions, segment_data_dir
from espnet_ssr.datadir import read_keyed, write_keyed

RATE = 16000


@pytest.fixture(scope="module")
def tokenizer():
    """Byte-level BPE with three merges: "he", "llo" and nothing else is longer than a byte."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("h", "e"), ("l", "o"), ("l", "lo")]
    vocabulary = [*alphabet, *(left + right for left, right in merges)]
    model = models.BPE({token: i for i, token in enumerate(vocabulary)}, merges)
    inner = Tokenizer(model)
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return PreTrainedTokenizerFast(tokenizer_object=inner)


@pytest.fixture
def segment(tmp_path, tokenizer):
    """A function that segments texts of which each word takes 0.2 s after a pause of 0.1 s."""

    def call(texts, seconds=2.0, words=None, frame_rate=50.0, parts=None, **options):
        align_dir = tmp_path / "align"
        align_dir.mkdir(exist_ok=True)
        write_keyed(tmp_path / "text", texts)
        num_samples = str(round(seconds * RATE))
        write_keyed(tmp_path / "utt2num_samples", dict.fromkeys(texts, num_samples))
        words = texts if words is None else words
        alignments = []
        for utt_id, text in words.items():
            starts = [round(0.1 + 0.3 * i, 3) for i in range(len(text.split()))]
            spans = [Span(w, s, s + 0.2) for w, s in zip(text.split(), starts, strict=True)]
            alignments.append(Alignment(utt_id, spans))
        write_ctm(align_dir / "word.ctm", alignments)
        for level, alignment in (parts or {}).items():
            write_ctm(align_dir / f"{level}.ctm", [alignment])
        options = SegmentOptions(frame_rate, RATE, **options)
        return segment_data_dir(tmp_path, align_dir, tokenizer, options)

    return call


def test_segments(segment, tokenizer):
    result = segment({"b": "hello he", "a": "lo"})
    assert tokenizer.convert_ids_to_tokens(result.token_id["b"]) == ["Ġ", "he", "llo", "Ġ", "he"]
    # The pause belongs to what comes after it; a space alone has no time.
    assert result.token_end["b"] == pytest.approx([0.0, 0.18, 0.3, 0.3, 0.6])
    assert result.token_end["a"] == pytest.approx([0.0, 0.3])
    assert list(result.token_id) == list(result.token_end) == ["b", "a"]
    assert result.dropped == {}


def test_without_prefix_space(segment, tokenizer):
    result = segment({"a": "hello"}, prefix_space=False)
    assert tokenizer.convert_ids_to_tokens(result.token_id["a"]) == ["he", "llo"]
    assert result.token_end["a"] == pytest.approx([0.18, 0.3])


@pytest.mark.parametrize(
    ("levels", "end"), [((), 0.18), (("phone",), 0.26), (("char",), 0.2), (("char", "phone"), 0.2)]
)
def test_parts_give_times_inside_words(segment, levels, end):
    # "he" ends after 2 of 5 letters: 2/5 of 5 characters, or 4/5 of the first of 2 phones.
    edges = {"phone": [0.1, 0.3, 0.3], "char": [0.1, 0.15, 0.2, 0.25, 0.28, 0.3]}
    parts = {}
    for level in levels:
        pairs = zip(edges[level], edges[level][1:], strict=False)
        parts[level] = Alignment("a", [Span("x", s, e) for s, e in pairs], level)
    result = segment({"a": "hello"}, prefix_space=False, parts=parts)
    assert result.token_end["a"] == pytest.approx([end, 0.3])


def test_causes_of_drops(segment):
    texts = {"good": "he", "unaligned": "he", "differs": "he lo", "crowded": "abcdefghijklmn"}
    words = {key: text for key, text in texts.items() if key != "unaligned"} | {"differs": "he"}
    result = segment(texts, seconds=0.4, words=words, frame_rate=25.0)
    assert list(result.token_id) == list(result.token_end) == ["good"]
    assert {key: cause for key, (cause, _) in result.dropped.items()} == {
        "unaligned": "not_aligned",
        "differs": "mismatch",
        "crowded": "too_many_tokens",
    }
    assert result.dropped["crowded"][1] == "15 tokens, 9 frames"
    assert result.dropped["unaligned"][1].endswith("align/failed")
    assert "the text has 2 words, the alignment 1" in result.dropped["differs"][1]


@pytest.mark.parametrize(("seconds", "is_kept"), [(0.25, True), (0.241, True), (0.239, False)])
def test_a_frame_for_each_token_and_one_to_spare(segment, seconds, is_kept):
    result = segment({"a": "abcd"}, seconds=seconds, words={"a": "abcd"}, frame_rate=25.0)
    assert len(result.token_id.get("a", [])) == (5 if is_kept else 0)


@pytest.fixture
def segmentation():
    """Two segmented utterances and three dropped ones."""
    return Segmentation(
        token_id={"b": [5, 7, 5], "a": [9]},
        token_end={"b": [0.1, 0.10049, 1.5], "a": [2.0]},
        dropped={"c": ("mismatch", "2 words"), "d": ("mismatch", "x"), "e": ("not_aligned", "y")},
    )


def test_summary(segmentation):
    summary = segmentation.summary()
    assert summary.pop("hours") == pytest.approx(3.5 / 3600)
    assert summary.pop("tokens_per_second") == pytest.approx(4 / 3.5)
    assert summary == {
        "utterances": 5,
        "segmented": 2,
        "dropped": {"mismatch": 2, "not_aligned": 1},
        "tokens": 4,
        "distinct_tokens": 3,
    }
    assert segmentation.durations() == pytest.approx([0.1, 0.00049, 1.39951, 2.0])
    assert json.dumps(Segmentation().summary())  # of nothing


def test_files(segmentation, tmp_path):
    segmentation.write(tmp_path / "new" / "seg")
    contents = {p.name: p.read_text() for p in (tmp_path / "new" / "seg").iterdir()}
    assert contents == {
        "token_id": "b 5 7 5\na 9\n",
        "token_end": "b 0.100 0.100 1.500\na 2.000\n",
        "dropped": "c mismatch 2 words\nd mismatch x\ne not_aligned y\n",
    }
    assert list(read_keyed(tmp_path / "new" / "seg" / "token_id")) == ["b", "a"]


def test_textless_segments_the_guess(segment, tokenizer):
    result = segment({"a": "something else", "b": "lo"}, words={"a": "hello he"}, textless=True)
    assert result.token_id["a"] == []
    assert result.token_end["a"] == pytest.approx([0.0, 0.18, 0.3, 0.3, 0.6])
    assert result.dropped["b"][0] == "not_aligned"


def test_textless_segments_of_words(segment, tmp_path):
    texts = {"a": "something else"}
    result = segment(texts, words={"a": "hello he"}, textless=True, word_segments=True)
    assert result.token_end["a"] == pytest.approx([0.3, 0.6])
    result.write(tmp_path / "seg")
    assert not (tmp_path / "seg" / "token_id").exists()
    assert read_keyed(tmp_path / "seg" / "token_end") == {"a": "0.300 0.600"}


def test_long_tokens_are_left_out(segment):
    texts = {"a": "lo", "b": "lo he"}
    result = segment(texts, max_token_duration=0.29, prefix_space=False)
    assert result.dropped == {k: ("long_token", "0.30 s") for k in texts}


def test_pauses_that_are_cut_make_no_token_long(segment):
    result = segment({"a": "lo he"}, max_token_duration=0.29, prefix_space=False, max_pause=0.05)
    assert result.dropped == {}
    assert result.token_end["a"] == pytest.approx([0.3, 0.3, 0.6])  # of the audio as it is
    assert result.pause["a"] == pytest.approx([0.0, 0.05, 0.3, 0.35, 0.65, 2.0])


def test_tokens_need_frames_that_are_left(segment):
    texts = {"a": "abcdefghijklmnopqrstuvwxyz"}
    assert segment(texts, frame_rate=25.0).dropped == {}
    kept = 0.2 + 2 * 0.05
    result = segment(texts, frame_rate=25.0, max_pause=0.05)
    assert result.dropped["a"] == ("too_many_tokens", f"27 tokens, {int(kept * 25) - 1} frames")
    assert result.pause == {}


@pytest.mark.parametrize(
    ("scores", "is_kept"),
    [((-1.0, -2.0), True), ((-1.0, -2.1), False), ((None, None), True), ((-9.0, None), False)],
)
def test_low_scores_are_left_out(tmp_path, tokenizer, scores, is_kept):
    write_keyed(tmp_path / "text", {"a": "he lo"})
    write_keyed(tmp_path / "utt2num_samples", {"a": str(RATE)})
    spans = [
        Span(w, i / 4, i / 4 + 0.2, s) for i, (w, s) in enumerate(zip("xy", scores, strict=True))
    ]
    write_ctm(tmp_path / "word.ctm", [Alignment("a", spans)])
    options = SegmentOptions(50.0, min_score=-1.5)
    result = segment_data_dir(tmp_path, tmp_path, tokenizer, options)
    assert ("a" in result.token_id) is is_kept
    assert is_kept or result.dropped["a"][0] == "low_score"


def test_cuts_are_written_and_removed(segmentation, tmp_path):
    segmentation.pause = {"b": [0.0, 0.25], "a": [0.0, 0.0]}
    segmentation.write(tmp_path)
    assert (tmp_path / "pause").read_text() == "b 0.000 0.250\na 0.000 0.000\n"
    segmentation.pause = {}
    segmentation.write(tmp_path)
    assert not (tmp_path / "pause").exists()
