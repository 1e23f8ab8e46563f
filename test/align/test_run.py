"""Aligning a data directory: failures are counted, never fatal; other errors are."""

import kaldiio
import numpy as np
import pytest
import soundfile

from espnet_ssr.align import ALIGNERS, aligner_factory
from espnet_ssr.align.abs import AbsAligner, AlignError, align_each
from espnet_ssr.align.alignment import Alignment, Span, read_ctm
from espnet_ssr.align.run import align_utterances
from espnet_ssr.datadir import read_keyed
from espnet_ssr.progress import Progress

RATE = 16000


class EqualShares(AbsAligner):
    """Every word gets an equal share of the audio; "?" cannot be aligned."""

    levels = ("word", "char")

    def align_batch(self, utterances):
        self.sizes = [*getattr(self, "sizes", []), len(utterances)]
        return align_each(self.align, utterances)

    def align(self, utterance):
        utt_id, speech, text = utterance
        text = "hm" if text is None else text
        if "?" in text:
            raise AlignError("no_path", f"nothing found in {utt_id}")
        step = len(speech) / self.sample_rate / len(text.split())
        spans = [Span(w, i * step, (i + 1) * step) for i, w in enumerate(text.split())]
        return {level: Alignment(utt_id, spans, level) for level in self.levels}


class WithUnknownWords(EqualShares):
    out_of_vocabulary = {"zzz": "spelled: Z Z Z", "aaa": "rules: AE"}


@pytest.fixture
def run(tmp_path):
    """A function that aligns texts of one second each."""
    texts = {"b": "one two", "a": "?", "c": "one two three four"}
    for utt_id in texts:
        soundfile.write(tmp_path / f"{utt_id}.wav", np.zeros(RATE), RATE)
    wav_scp = {utt_id: str(tmp_path / f"{utt_id}.wav") for utt_id in texts}

    def call(aligner, utt_ids=tuple(texts), textless=False, **signals):
        progress = Progress(len(utt_ids), "aligning")
        folder = tmp_path / "shard"
        folder.mkdir()
        align_utterances(
            utt_ids,
            folder,
            folder,
            progress,
            aligner,
            signals={**wav_scp, **signals},
            texts=None if textless else texts,
            num_samples=dict.fromkeys(texts, str(RATE)),
            batch_seconds=2.0,
        )
        assert progress.done == len(utt_ids)
        return folder

    return call


def test_shard(run):
    folder = run(EqualShares())
    for level in ("word", "char"):
        found = read_ctm(folder / f"{level}.ctm", level)
        assert list(found) == ["b", "c"]
        assert found["c"].spans[-1] == Span("four", 0.75, 1.0)
    assert (folder / "failed").read_text() == "a no_path nothing found in a\n"
    assert (folder / "out_of_vocabulary").read_text() == ""


def test_unknown_words_are_written_in_order(run):
    assert list(read_keyed(run(WithUnknownWords(), ["b"]) / "out_of_vocabulary").items()) == [
        ("aaa", "rules: AE"),
        ("zzz", "spelled: Z Z Z"),
    ]


class SearchesAgain(EqualShares):
    retried = {"c", "a", "of_another_shard"}


def test_retried_are_written_with_their_outcome(run):
    folder = run(SearchesAgain())
    assert (folder / "retried").read_text() == "a no_path\nc aligned\n"


def test_aligners_that_search_once_write_no_retried(run):
    assert not (run(EqualShares()) / "retried").exists()


def test_all_files_are_there_when_all_fail(run):
    folder = run(EqualShares(), ["a"])
    assert read_ctm(folder / "word.ctm") == {}
    assert (folder / "char.ctm").read_text() == ""


def test_wrong_rate_is_fatal(run):
    aligner = EqualShares()
    aligner.sample_rate = 8000
    with pytest.raises(ValueError, match=r"a.wav: 16000 Hz .* expected 8000 Hz mono: run stage 3"):
        run(aligner)


def test_unknown_aligner_is_refused():
    with pytest.raises(ValueError, match="unknown aligner 'hmmm': choose from .*hmm"):
        aligner_factory("hmmm")


@pytest.mark.parametrize("name", sorted(ALIGNERS))
def test_registered_aligners(name):
    try:
        assert callable(aligner_factory(name))
    except ImportError as error:
        pytest.skip(f"the dependency of aligner {name} is not installed: {error}")


def test_textless(run):
    folder = run(EqualShares(), ["b", "a"], textless=True)
    found = read_ctm(folder / "word.ctm")
    assert [[span.label for span in found[u].spans] for u in "ba"] == [["hm"], ["hm"]]


def test_batches_and_cost(run):
    aligner = EqualShares()
    folder = run(aligner)
    assert aligner.sizes == [2, 1]  # of 2 s
    seconds, work = map(float, (folder / "cost").read_text().split())
    assert seconds == 3
    assert work > 0


class OfFeatures(EqualShares):
    input = "feats"
    sample_rate = 50


@pytest.fixture
def feats(tmp_path):
    """``feats.scp`` of three utterances."""
    matrices = {u: np.zeros((50, 2), np.float32) for u in "abc"}
    matrices["c"][7, 1] = np.nan
    kaldiio.save_ark(str(tmp_path / "feats.ark"), matrices, scp=str(tmp_path / "feats.scp"))
    return read_keyed(tmp_path / "feats.scp")


def test_utterances_without_features_or_with_nan_are_counted(tmp_path, feats):
    texts = {"a": "one two", "b": "?", "c": "one", "d": "one"}
    del feats["a"]
    aligner, keys = OfFeatures(), ["c", "a", "d", "b"]
    num_samples = dict.fromkeys(texts, "50")
    folder = tmp_path / "shard"
    folder.mkdir()
    progress = Progress(4, "aligning")
    align_utterances(keys, folder, folder, progress, aligner, feats, texts, num_samples, 60)
    failed = {u: line.split()[0] for u, line in read_keyed(folder / "failed").items()}
    assert failed == {"c": "nan", "a": "no_features", "d": "no_features", "b": "no_path"}
    assert aligner.sizes == [1]  # the aligner sees what can be read
    assert progress.done == 4


def test_audio_that_cannot_be_read_is_fatal_and_named(run, tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    with pytest.raises(RuntimeError, match=r"broken\.wav"):
        run(EqualShares(), b=str(tmp_path / "broken.wav"))


def test_audio_with_nan_is_counted(run, tmp_path):
    soundfile.write(tmp_path / "nan.wav", np.full(RATE, np.nan), RATE, subtype="FLOAT")
    folder = run(EqualShares(), b=str(tmp_path / "nan.wav"))
    assert (folder / "failed").read_text().startswith("b nan ")
    assert list(read_ctm(folder / "word.ctm")) == ["c"]
