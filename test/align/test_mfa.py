"""Calling MFA, with a stand-in that goes wrong in the ways of the real one."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from espnet_ssr.align.alignment import read_ctm
from espnet_ssr.align.mfa import MFAOptions, align_mfa
from espnet_ssr.conf import build_from_conf
from espnet_ssr.datadir import read_keyed, write_keyed

REPO = Path(__file__).resolve().parents[2]
STANDIN = Path(__file__).parent / "standin_mfa.py"
PROGRAM = (sys.executable, str(STANDIN))
RATE = 16000
TEXTS = {"ann/1": "one two", "ann-1": "Two, THREE!", "bob.1": "pbx one"}


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """A folder with a data directory, a dictionary and a model, and a record of calls."""
    monkeypatch.setenv("STANDIN_MFA_RECORD", str(tmp_path / "calls"))
    monkeypatch.setenv("MFA_ROOT_DIR", str(tmp_path / "mfa_root"))
    (tmp_path / "one.dict").write_text("one W AH N\ntwo T UW\nthree TH R IY\n")
    (tmp_path / "model.zip").write_text("W AH N T UW TH R IY")
    (tmp_path / "data").mkdir()
    write_data(tmp_path, TEXTS)
    return tmp_path


def write_data(folder, texts, audio=None):
    """A data directory; ``audio`` has what is not a second of noise."""
    noise = np.random.default_rng(1).normal(0, 0.1, RATE)
    wav_scp = {}
    for n, utt_id in enumerate(texts):
        path = folder / f"{n}.wav"
        content = (audio or {}).get(utt_id, noise)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            soundfile.write(path, content, RATE)
        wav_scp[utt_id] = str(path)
    write_keyed(folder / "data" / "wav.scp", wav_scp)
    write_keyed(folder / "data" / "text", texts)
    write_keyed(folder / "data" / "utt2spk", {utt_id: f"{utt_id[:3]}/x" for utt_id in texts})


def options(corpus, **others):
    named = {"dictionary": "one.dict", "acoustic_model": "model.zip"}
    paths = {name: str(corpus / value) for name, value in named.items()}
    return MFAOptions(**{**paths, **others})


def align(corpus, output="align", program=PROGRAM, **others):
    summary = align_mfa(corpus / "data", corpus / output, options(corpus, **others), program, 2)
    return summary, corpus / output


def last_call(corpus):
    return json.loads((corpus / "calls").read_text().splitlines()[-1])


def test_alignment_folder(corpus):
    summary, output = align(corpus)
    assert summary == f"{output}: aligned 3 of 3 utterances, 1 words out of vocabulary"
    names = ["failed", "mfa.log", "out_of_vocabulary", "phone.ctm", "word.ctm"]
    assert sorted(p.name for p in output.iterdir()) == names
    words = read_ctm(output / "word.ctm")
    assert {u: [s.label for s in a.spans] for u, a in words.items()} == {
        utt_id: text.split() for utt_id, text in TEXTS.items()
    }
    assert [(s.start, s.end) for s in words["ann/1"].spans] == [(0.1, 0.5), (0.5, 0.9)]
    phones = read_ctm(output / "phone.ctm", "phone")
    assert [s.label for s in phones["bob.1"].spans] == ["spn", "W", "AH", "N"]
    assert (output / "out_of_vocabulary").read_text() == "pbx spn\n"
    assert "Done 3, errors on 0" in (output / "mfa.log").read_text()


def test_command(corpus):
    align(corpus)
    call = last_call(corpus)
    work = corpus / "align" / "mfa.tmp"
    assert " ".join(call["argv"]) == (
        f"align {work}/corpus {corpus}/one.dict {corpus}/model.zip {work}/output "
        f"--output_format json --clean --num_jobs 2 --temporary_directory {work}/temporary"
    )
    assert call["root"] == f"{work}/root"
    given = {"beam": 100, "retry_beam": 400, "single_speaker": True}
    align(corpus, **given, g2p_model="english_us_arpa", config_path="my.yaml")
    assert " ".join(last_call(corpus)["argv"][12:]) == (
        "--g2p_model_path english_us_arpa --config_path my.yaml --beam 100 --retry_beam 400 "
        "--single_speaker"
    )


def test_models_by_name_are_those_that_the_user_downloaded(corpus):
    for kind, name in (("dictionary", "one.dict"), ("acoustic", "model.zip")):
        folder = corpus / "mfa_root" / "pretrained_models" / kind
        folder.mkdir(parents=True)
        shutil.move(corpus / name, folder / name)
    summary, _ = align(corpus, dictionary="one.dict", acoustic_model="model.zip")
    assert "aligned 3 of 3" in summary
    assert (folder / "model.zip").is_file()


def test_train(corpus):
    write_data(corpus, {**TEXTS, "bob-2": "pbx pbx"})
    _, output = align(corpus, train=True)
    assert set(last_call(corpus)["argv"]) >= {"train", "--output_directory"}
    # Utterances of unknown words only are not even tried.
    message = "not_aligned MFA left it out: it knows none of the words, or cannot use the audio"
    assert read_keyed(output / "failed") == {"bob-2": message}
    model = str(output / "acoustic_model.zip")
    assert "aligned 4 of 4" in align(corpus, "again", acoustic_model=model)[0]


def test_every_input_has_a_result(corpus):
    """MFA ends with status 0 and says nothing of which files it did not align."""
    texts = {**TEXTS, "silent": "one", "short": "two", "wrong": "one " * 9, "no": "", "dot": "- ."}
    write_data(corpus, texts, {"silent": np.zeros(RATE), "short": np.full(RATE // 4, 0.1)})
    summary, output = align(corpus)
    assert summary.endswith(
        "aligned 3 of 8 utterances, 1 words out of vocabulary, 2 empty_text, 3 not_aligned"
    )
    failed = read_keyed(output / "failed")
    assert list(failed) == ["silent", "short", "wrong", "no", "dot"]
    assert failed["silent"].startswith("not_aligned MFA found no path: wrong text, silence")


@pytest.mark.parametrize("content", [b"", b"RIFF, but no sound", None])
def test_one_bad_file_does_not_end_the_run(corpus, content):
    bad = np.zeros(0) if content is None else content
    write_data(corpus, {**TEXTS, "bad": "one"}, {"bad": bad})
    summary, output = align(corpus)
    assert summary.endswith("aligned 3 of 4 utterances, 1 words out of vocabulary, 1 bad_audio")
    assert "3.wav" in read_keyed(output / "failed")["bad"]
    Path(read_keyed(corpus / "data" / "wav.scp")["bad"]).unlink()
    assert "1 bad_audio" in align(corpus)[0]


def test_the_standin_ends_at_one_bad_file(corpus):
    (corpus / "spk").mkdir()
    (corpus / "spk" / "bad.wav").write_bytes(b"")
    (corpus / "spk" / "bad.lab").write_text("one")
    command = [*PROGRAM, "align", "spk", "one.dict", "model.zip", "out"]
    assert subprocess.run(command, cwd=corpus, capture_output=True).returncode == 1
    assert not (corpus / "out").exists()


def test_a_dictionary_of_other_phones_is_refused(corpus):
    (corpus / "model.zip").write_text("wə n t u")
    with pytest.raises(
        ValueError, match="MFA did not know 6 of 6 words: the dictionary .*one.dict"
    ):
        align(corpus)
    assert [p.name for p in (corpus / "align").iterdir()] == ["mfa.log"]


def test_outputs_of_earlier_runs_are_not_read(corpus):
    align(corpus)
    left = corpus / "align" / "mfa.tmp" / "output" / "s0000000"
    left.mkdir(parents=True)
    write_data(corpus, {**TEXTS, "silent": "one"}, {"silent": np.zeros(RATE)})
    tiers = {"words": {"type": "interval", "entries": [[0, 1, "one"]]}}
    (left / "u0000003.json").write_text(json.dumps({"tiers": tiers}))
    summary, output = align(corpus)
    assert "aligned 3 of 4" in summary and "silent" not in read_ctm(output / "word.ctm")


def test_status_and_last_lines_of_mfa_are_shown(corpus):
    with pytest.raises(RuntimeError) as error:
        align(corpus, dictionary="nowhere.dict")
    lines = str(error.value).splitlines()
    assert lines[0].startswith("mfa failed with status 2; see ")
    assert lines[0].endswith("align/mfa.log, which ends:")
    assert lines[1:] == ["Could not find the dictionary"]
    assert not (corpus / "align" / "mfa.tmp").exists()


def test_nothing_aligned_is_an_error(corpus):
    write_data(corpus, {"a": "one"}, {"a": np.zeros(RATE)})
    with pytest.raises(
        RuntimeError, match=r"(?s)nothing \(a: MFA found no path.*Done 0, errors on 1"
    ):
        align(corpus)


def test_nothing_to_align_is_an_error(corpus):
    write_data(corpus, {"a": "", "b": "one"}, {"b": b""})
    with pytest.raises(ValueError, match="data: no utterance with text and readable audio"):
        align(corpus)
    assert not (corpus / "calls").exists()


def test_mfa_that_is_not_there(corpus):
    with pytest.raises(RuntimeError, match="cannot run no-mfa .*tools/installers/install_mfa.sh"):
        align(corpus, program=["no-mfa"])


def wait_for_a_call(corpus):
    while not (corpus / "calls").exists():
        time.sleep(0.02)


def start(folder, *arguments, **variables):
    environment = {**os.environ, "PYTHONPATH": str(REPO), **variables}
    # Where tests run in the background, Ctrl-C is ignored and children would inherit that.
    return subprocess.Popen(
        ["env", "--default-signal=INT", sys.executable, *arguments], cwd=folder, env=environment
    )


def test_runs_of_the_standin_that_share_a_temporary_folder_break(corpus):
    command = [str(STANDIN), "align", "data", "one.dict", "model.zip", "out"]
    first = start(corpus, *command, STANDIN_MFA_HOLD="go")
    wait_for_a_call(corpus)
    assert start(corpus, *command).wait() == 0
    (corpus / "go").touch()
    assert first.wait() == 1


def test_runs_beside_each_other(corpus):
    command = ["-m", "espnet_ssr.bin.ssr_align_mfa", "--data_dir", "data", "--output_dir", "first"]
    command += ["--mfa", " ".join(PROGRAM), "--mfa_options", "dictionary=one.dict"]
    first = start(corpus, *command, "acoustic_model=model.zip", STANDIN_MFA_HOLD=str(corpus / "go"))
    wait_for_a_call(corpus)
    assert "aligned 3 of 3" in align(corpus, "second")[0]
    (corpus / "go").touch()
    assert first.wait() == 0
    assert (corpus / "first" / "word.ctm").read_text() == (
        corpus / "second" / "word.ctm"
    ).read_text()


def test_interrupted_run_leaves_nothing_and_can_be_repeated(corpus):
    code = (
        "from pathlib import Path; from espnet_ssr.align.mfa import *;"
        f"align_mfa(Path('data'), Path('align'), MFAOptions('one.dict', 'model.zip'), {PROGRAM})"
    )
    run = start(corpus, "-c", code, STANDIN_MFA_HOLD="never")
    wait_for_a_call(corpus)
    run.send_signal(signal.SIGINT)
    assert run.wait(30) != 0
    assert [p.name for p in (corpus / "align").iterdir()] == ["mfa.log"]
    # A run that was killed could not clear up.
    left = corpus / "align" / "mfa.tmp" / "corpus" / "s0"
    left.mkdir(parents=True)
    (left / "bad.wav").touch()
    assert "aligned 3 of 3" in align(corpus)[0]


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({"dictonary": "a"}, "mfa_options: unknown option dictonary; MFAOptions takes dictionary,"),
        ({"beam": "wide"}, "mfa_options: beam=wide: expected int"),
        ({"beam": True}, "mfa_options: beam=True: expected int"),
        ({"train": 1}, "mfa_options: train=1: expected bool"),
        ({"dictionary": 1}, "mfa_options: dictionary=1: expected str"),
        ({"acoustic_model": None}, "mfa_options: acoustic_model may not be empty"),
    ],
)
def test_options_that_mfa_would_ignore_are_refused(conf, message):
    with pytest.raises(ValueError, match=message):
        build_from_conf(MFAOptions, conf, "mfa_options")


def test_texts_that_mfa_swaps_are_not_used(corpus):
    """With ``--include_original_text`` the real one swaps texts as soon as a file fails."""
    source = corpus / "align_me" / "spk"
    source.mkdir(parents=True)
    for name, text in {"a": "one", "b": "two", "c": "..."}.items():
        shutil.copy(corpus / "0.wav", source / f"{name}.wav")
        (source / f"{name}.lab").write_text(text)
    command = [*PROGRAM, "align", "align_me", "one.dict", "model.zip", "out"]
    command += ["--include_original_text", "--temporary_directory", str(corpus / "t")]
    subprocess.run(command, cwd=corpus, check=True, capture_output=True)
    assert '"two"' in (corpus / "out" / "spk" / "a.TextGrid").read_text()
    write_keyed(corpus / "data" / "text", {"a": "one", "b": "two"})
    given = ["-m", "espnet_ssr.bin.ssr_align_given", "--data_dir", "data"]
    given += ["--given", "out", "--output_dir", "align"]
    assert start(corpus, *given).wait() == 0
    words = read_ctm(corpus / "align" / "word.ctm")
    assert {u: [s.label for s in a.spans] for u, a in words.items()} == {"a": ["one"], "b": ["two"]}
