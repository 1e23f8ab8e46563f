"""Whisper as a recogniser: short and long audio, scores regardless of case and punctuation."""

import numpy as np
import pytest

from espnet_ssr.datadir import read_audio, read_keyed
from espnet_ssr.evaluate.asr import WhisperTranscriber, score_texts, transcribe_shard
from espnet_ssr.progress import Progress
from espnet_ssr.text import plain

PROMPTS = {
    "allison-vm-login": "comedian mail mailbox",
    "allison-conf-full": "that conference is full",
}


@pytest.fixture(scope="module")
def transcriber(installed_model):
    return WhisperTranscriber(installed_model("whisper-tiny.en"))


@pytest.fixture(scope="module")
def wav_scp(asterisk_data):
    wav_scp = read_keyed(asterisk_data / "test" / "wav.scp")
    return {utt_id: wav_scp[utt_id] for utt_id in PROMPTS}


@pytest.mark.slow
def test_a_shard_of_prompts(transcriber, wav_scp, tmp_path):
    transcribe_shard(list(PROMPTS), tmp_path, tmp_path, Progress(2, ""), transcriber, wav_scp, 1)
    texts = read_keyed(tmp_path / "text")
    assert list(texts) == list(PROMPTS)
    assert plain(texts["allison-conf-full"]) == PROMPTS["allison-conf-full"]
    assert "mail" in plain(texts["allison-vm-login"])


@pytest.mark.slow
def test_what_comes_after_30_seconds_is_heard(transcriber, wav_scp):
    prompt = read_audio(wav_scp["allison-conf-full"], transcriber.sample_rate)
    pause = np.zeros(31 * transcriber.sample_rate, np.float32)
    (text,) = transcriber.transcribe([np.concatenate([prompt, pause, prompt])])
    assert plain(text).count("conference is full") == 2


def test_scores_ignore_case_and_punctuation():
    hypotheses = {"a": "Call forward, on!", "b": "Yes."}
    figures = score_texts(hypotheses, {"a": "call forward on", "b": "no"})
    assert figures["wer"] == 0.25
    assert figures["utterances"] == 2


def test_what_is_missing_is_named():
    with pytest.raises(ValueError, match="1 utterances have no transcript: b"):
        score_texts({"a": "yes"}, {"a": "yes", "b": "no"})


@pytest.mark.slow
def test_short_windows_hear_the_same_and_circles_are_heard_again(
    installed_model, transcriber, wav_scp, monkeypatch
):
    model = installed_model("whisper-tiny.en")
    quick = WhisperTranscriber(model, dtype="bfloat16", window_seconds=10.0)
    clips = [read_audio(wav_scp[utt_id], quick.sample_rate) for utt_id in PROMPTS]
    wanted = list(map(plain, transcriber.transcribe(clips)))
    assert list(map(plain, quick.transcribe(clips))) == wanted
    monkeypatch.setattr("espnet_ssr.evaluate.asr.MAX_TOKENS_A_SECOND", 0)  # nobody says anything
    padded = []
    monkeypatch.setattr(quick, "_decode", lambda audio: padded.append(len(audio)) or ["", ""])
    assert quick.transcribe(clips) == ["", ""] and padded == [2]
