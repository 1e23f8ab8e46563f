"""Aligning a data directory: failures are counted, never fatal; other errors are."""

import numpy as np
import pytest
import soundfile

from espnet_ssr.align import ALIGNERS, aligner_class
from espnet_ssr.align.abs import AbsAligner, AlignError
from espnet_ssr.align.alignment import Alignment, Span, read_ctm
from espnet_ssr.align.run import align_utterances
from espnet_ssr.datadir import read_keyed
from espnet_ssr.progress import Progress

RATE = 16000


class EqualShares(AbsAligner):
    """Every word gets an equal share of the audio; "?" cannot be aligned."""

    levels = ("word", "char")

    def align(self, utt_id, speech, text):
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

    def call(aligner, utt_ids=tuple(texts)):
        progress = Progress(len(utt_ids), "aligning")
        folder = tmp_path / "shard"
        folder.mkdir()
        align_utterances(utt_ids, folder, folder, progress, aligner, wav_scp, texts)
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


def test_all_files_are_there_when_all_fail(run):
    folder = run(EqualShares(), ["a"])
    assert read_ctm(folder / "word.ctm") == {}
    assert (folder / "char.ctm").read_text() == ""


def test_wrong_rate_is_fatal(run):
    aligner = EqualShares()
    aligner.sample_rate = 8000
    with pytest.raises(ValueError, match=r"b.wav: 16000 Hz .* expected 8000 Hz mono: run stage 3"):
        run(aligner)


def test_unknown_aligner_is_refused():
    with pytest.raises(ValueError, match="unknown aligner 'hmmm': choose from .*hmm"):
        aligner_class("hmmm")


@pytest.mark.parametrize("name", sorted(ALIGNERS))
def test_registered_aligners(name):
    try:
        found = aligner_class(name)
    except ImportError as error:
        pytest.skip(f"the dependency of aligner {name} is not installed: {error}")
    assert issubclass(found, AbsAligner)
    assert "word" in found.levels
