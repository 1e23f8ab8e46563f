"""SpeechLM on a data directory: answers in order, failures by cause, killed runs, processes."""

import json
import os
import signal
import sys
from dataclasses import replace
from functools import partialmethod

import numpy as np
import pytest
import soundfile
from experiments import RATE

from espnet_ssr import SpeechLM
from espnet_ssr.bin import ssr_inference
from espnet_ssr.datadir import read_keyed, write_keyed
from espnet_ssr.speech_lm import data_dir as module
from espnet_ssr.speech_lm.data_dir import Machine, Request, answer_data_dir, find_prompt, summarize
from espnet_ssr.speech_lm.folder import find_model
from espnet_ssr.speech_lm.load import load_model

PROMPT = "Hear <speech> and say:"
UTTERANCES = {"u3": (0, 0.5), "u1": (0.5, 1.3), "u2": (1.3, 2.0), "u5": (2, 2.5), "u4": (2.5, 3)}
"""Start and end in seconds, in the order of the files."""


@pytest.fixture
def files(on_features, encoder, ctc_checkpoint):
    return find_model(on_features, aligner=ctc_checkpoint, **encoder)


@pytest.fixture
def data(tmp_path, sound, monkeypatch):
    """A data directory with segments, in shards of two."""
    monkeypatch.setattr(module, "SHARD_SIZE", 2)
    folder = tmp_path / "data"
    folder.mkdir()
    soundfile.write(folder / "r.wav", sound(3, (0.1, 0.4), (0.7, 1.2), (1.5, 1.8), (2, 3)), RATE)
    write_keyed(folder / "wav.scp", {"r": str(folder / "r.wav")})
    write_keyed(folder / "segments", {u: f"r {b} {e}" for u, (b, e) in UTTERANCES.items()})
    write_keyed(folder / "text", dict.fromkeys(UTTERANCES, "hi"))
    return folder


def add(data, utt_id, samples, rate=RATE):
    """Another recording, of a single utterance, in a directory without segments."""
    path = data / f"{utt_id}.wav"
    soundfile.write(path, samples, rate, subtype="FLOAT")
    with open(data / "wav.scp", "a") as file:
        file.write(f"{utt_id} {path}\n")
    return path


def answer(files, data, output_dir, request=None, **machine):
    request = request or Request(PROMPT, max_tokens=4)
    return answer_data_dir(files, data, output_dir, request, Machine(**machine))


def shards(folder):
    return {f.name: f.stat().st_mtime_ns for f in (folder / "shards").glob("shard.*")}


def test_answers_are_those_of_speech_lm(files, data, tmp_path):
    result = answer(files, data, tmp_path / "out", batch_size=3)
    assert (result["answered"], result["failed"], result["scored"]) == (5, {}, 5)
    assert json.loads((tmp_path / "out" / "result.json").read_text()) == {
        "model": str(files.model_file),
        "prompt": PROMPT,
        "forced": False,
        "max_tokens": 4,
        **result,
    }
    found = read_keyed(tmp_path / "out" / "text")
    assert list(found) == list(UTTERANCES)
    lm = SpeechLM(load_model(files), files)
    samples, _ = soundfile.read(data / "r.wav", dtype="float32")
    for utt_id, (begin, end) in UTTERANCES.items():
        part = samples[round(begin * RATE) : round(end * RATE)]
        expected = lm.generate(PROMPT, [part], max_tokens=4)
        assert found[utt_id] == " ".join(expected.split())


def test_transcripts_cut_the_speech(files, data, tmp_path):
    request = Request(PROMPT, forced=True, max_tokens=4)
    write_keyed(data / "text", {**dict.fromkeys(UTTERANCES, "hi"), "u5": "", "u4": "..."})
    result = answer(files, data, tmp_path / "out", request)
    # What is wrong with one of a batch is not the others' fault.
    assert result["failed"] == {"empty_text": 1, "not_answered": 1}
    failed = read_keyed(tmp_path / "out" / "failed")
    assert failed["u4"] == "not_answered speech[0]: the transcript '...' has no words"
    assert list(read_keyed(tmp_path / "out" / "text")) == ["u3", "u1", "u2"]
    assert result["scored"] == 3


def test_bad_audio_is_counted_by_cause(files, data, tmp_path):
    (data / "segments").unlink()
    (data / "text").unlink()
    add(data, "v0", np.zeros(0), rate=8000)
    add(data, "v1", np.zeros(0))
    add(data, "v2", np.full(RATE, np.nan, dtype="float32"))
    add(data, "v3", np.zeros(RATE)).unlink()
    add(data, "v4", np.zeros(RATE)).write_bytes(b"no audio")
    result = answer(files, data, tmp_path / "out")
    assert result["answered"] == 1
    assert result["failed"] == {"empty_audio": 2, "not_finite": 1, "unreadable_audio": 2}
    failed = read_keyed(tmp_path / "out" / "failed")
    assert failed["v1"] == f"empty_audio {data / 'v1.wav'}"
    assert list(failed) == ["v0", "v1", "v2", "v3", "v4"]


def test_figures_count_failures_as_empty_answers(tmp_path):
    write_keyed(tmp_path / "text", {"a": "One, two.", "b": "three", "c": "-", "d": "four"})
    out = tmp_path / "out"
    out.mkdir()
    write_keyed(out / "text", {"a": "one too", "c": "five", "d": "four"})
    write_keyed(out / "failed", {"b": "empty_audio b.wav"})
    result = summarize(tmp_path, out)
    assert result["wer"] == 2 / 4
    assert (result["answered"], result["scored"]) == (3, 3)
    (tmp_path / "text").unlink()
    assert summarize(tmp_path, out) == {"answered": 3, "failed": {"empty_audio": 1}}


def test_killed(files, data, tmp_path, monkeypatch):
    answer(files, data, tmp_path / "whole")
    calls = []

    def generate(self, *args, kill_at=None):
        calls.append(args)
        if len(calls) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(self, *args)

    whole = SpeechLM.generate
    monkeypatch.setattr(SpeechLM, "generate", partialmethod(generate, kill_at=2))
    out = tmp_path / "out"
    pid = os.fork()
    if pid == 0:
        answer(files, data, out)
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
    before = shards(out)
    assert len(before) == 1
    monkeypatch.setattr(SpeechLM, "generate", generate)
    answer(files, data, out)
    assert len(calls) == 2
    assert before.items() <= shards(out).items()
    for name in ("text", "failed", "result.json"):
        assert (out / name).read_text() == (tmp_path / "whole" / name).read_text()
    # Another prompt, audio or model is another run.
    answer(files, data, out, Request(PROMPT, max_tokens=5))
    assert len(calls) == 5
    os.utime(files.model_file, ns=(1, 1))
    answer(files, data, out, Request(PROMPT, max_tokens=5))
    assert len(calls) == 8
    os.utime(data / "r.wav", ns=(1, 1))
    answer(files, data, out, Request(PROMPT, max_tokens=5))
    assert len(calls) == 11


def test_errors(files, data, tmp_path):
    with pytest.raises(ValueError, match="prompt 'Hear': it needs one <speech>"):
        Request("Hear")
    with pytest.raises(ValueError, match="no task 'sing': choose from .*transcribe"):
        find_prompt(files, "sing")
    nobody = replace(files, aligner=None)
    with pytest.raises(ValueError, match="no utterance could be answered; u3: .* need an aligner"):
        answer(nobody, data, tmp_path / "out")
    with open(data / "segments", "a") as file:
        file.write("u9 nowhere 0 1\n")
    with pytest.raises(ValueError, match="segments: 'nowhere' is not in wav.scp"):
        answer(files, data, tmp_path / "out")


def test_command(files, data, tmp_path, monkeypatch, capsys):
    options = {"--model_file": files.model_file, "--data_dir": data, "--output_dir": tmp_path / "o"}
    options |= {"--encoder": "tiny", "--encoder_conf": "output_size=8", "--max_new_tokens": 3}
    options |= {"--aligner": files.aligner, "--task": "transcribe"}
    command = [str(part) for option in options.items() for part in option]
    monkeypatch.setattr(sys, "argv", ["ssr_inference", *command])
    ssr_inference.main()
    printed = capsys.readouterr().out
    assert "5 answered, failed: none" in printed
    assert "of 5 utterances" in printed
    result = json.loads((tmp_path / "o" / "result.json").read_text())
    assert result["prompt"] == find_prompt(files, "transcribe")
    for wrong in (["--nj", "0"], ["--task", "sing", "--prompt", "<speech>"]):
        monkeypatch.setattr(sys, "argv", ["ssr_inference", *command, *wrong])
        with pytest.raises(SystemExit):
            ssr_inference.main()


@pytest.mark.slow
def test_processes(files, data, tmp_path, monkeypatch):
    monkeypatch.undo()  # other processes have shards of 32
    (data / "segments").unlink()
    (data / "text").unlink()
    for number in range(32):
        add(data, f"v{number:02d}", np.zeros(RATE))
    for nj in (1, 2, 9):
        answer(files, data, tmp_path / str(nj), nj=nj)
    assert list(read_keyed(tmp_path / "2" / "text")) == list(read_keyed(data / "wav.scp"))
    for name in ("text", "result.json"):
        assert len({(tmp_path / nj / name).read_text() for nj in "129"}) == 1
    assert len(list((tmp_path / "9" / "shards").glob("index.*"))) == 2
