"""The alignment command: what is refused, what is counted, what is done again."""

import sys

import kaldiio
import numpy as np
import pytest
import soundfile
import torch
import yaml

from espnet_ssr.align.labels import CharLabels
from espnet_ssr.align.trained import build_network
from espnet_ssr.bin import ssr_align
from espnet_ssr.command import run_command
from espnet_ssr.datadir import read_keyed, write_keyed

RATE = 16000
TEXTS = {"a": "ab", "b": "b a", "c": "a"}


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A data directory, features of all but ``b``, and a checkpoint of a tiny network."""
    monkeypatch.chdir(tmp_path)
    for utt_id in TEXTS:
        soundfile.write(f"{utt_id}.wav", np.zeros(RATE), RATE)
    write_keyed("wav.scp", {u: f"{u}.wav" for u in TEXTS})
    write_keyed("text", TEXTS)
    write_keyed("utt2num_samples", dict.fromkeys(TEXTS, str(RATE)))
    feats = {u: np.random.default_rng(0).normal(size=(50, 3)) for u in "ac"}
    kaldiio.save_ark("feats.ark", feats, scp="feats.scp")
    torch.manual_seed(0)
    conf = {"hidden_size": 8, "num_layers": 1, "num_heads": 2, "feedforward_size": 8}
    labels = CharLabels.build(["ab"])
    network = build_network("ctc", conf, 3, labels)
    config = {"aligner": "ctc", "aligner_conf": conf, "input_size": 3}
    config |= {"frame_rate": 50.0, "frame_offset": 0.0}
    (tmp_path / "exp").mkdir()
    (tmp_path / "exp" / "config.yaml").write_text(yaml.safe_dump(config))
    labels.save(tmp_path / "exp" / "labels.json")
    state = {f"network.{name}": value for name, value in network.state_dict().items()}
    torch.save(state, tmp_path / "exp" / "model.pth")
    return tmp_path


def call(monkeypatch, *options, aligner="trained"):
    given = ["--data_dir", ".", "--output_dir", "align", "--aligner", aligner]
    if aligner == "trained":
        given += ["--aligner_conf", "model=exp/model.pth"]
    monkeypatch.setattr(sys, "argv", ["ssr_align", *given, *options])
    run_command(ssr_align.main)


def shard(data):
    """The shard of the last run."""
    (name,) = (data / "align" / "shards" / "index.1").read_text().split()
    return data / "align" / "shards" / name


def test_an_utterance_without_features_is_counted(data, monkeypatch):
    call(monkeypatch, "--feats_scp", "feats.scp")
    failed = read_keyed(shard(data) / "failed")
    assert list(failed) == ["b"]
    assert failed["b"].startswith("no_features ")
    assert "b 1" not in (shard(data) / "word.ctm").read_text()


def test_a_new_checkpoint_is_not_taken_for_the_old_one(data, monkeypatch):
    call(monkeypatch, "--feats_scp", "feats.scp")
    first = shard(data)
    call(monkeypatch, "--feats_scp", "feats.scp")
    assert shard(data) == first
    state = torch.load(data / "exp" / "model.pth")
    torch.save({name: value + 1 for name, value in state.items()}, data / "exp" / "model.pth")
    call(monkeypatch, "--feats_scp", "feats.scp")
    assert shard(data) != first


def test_textless(data, monkeypatch):
    call(monkeypatch, "--feats_scp", "feats.scp", "--textless", "true")
    done = len(read_keyed(shard(data) / "failed")) + len(
        {line.split()[0] for line in (shard(data) / "word.ctm").read_text().splitlines()}
    )
    assert done == 3


@pytest.mark.parametrize(
    ("aligner", "options", "message"),
    [
        ("trained", [], "trained takes features: give --feats_scp"),
        ("trained", ["--feats_scp", "none.scp"], "none.scp"),
        ("hmm", ["--textless", "true"], "--textless true: hmm needs transcripts"),
        ("hmm", ["--aligner_conf", "x=1"], "aligner_conf: unknown option x"),
        ("hmm", ["--key_file", "keys"], "keys: no transcript of d"),
    ],
)
def test_what_is_refused(data, monkeypatch, capsys, aligner, options, message):
    if aligner == "hmm":
        pytest.importorskip("pocketsphinx", reason="extra 'hmm' is not installed")
    write_keyed("keys", {"a": "", "d": ""})
    with pytest.raises(SystemExit):
        call(monkeypatch, *options, aligner=aligner)
    error = capsys.readouterr().err
    assert error.startswith("ssr_align: error: ")
    assert message in error
    assert error.count("\n") == 1


def test_audio_that_cannot_be_read_is_named(data, monkeypatch, capsys):
    pytest.importorskip("pocketsphinx", reason="extra 'hmm' is not installed")
    (data / "b.wav").write_bytes(b"RIFF")
    with pytest.raises(SystemExit):
        call(monkeypatch, aligner="hmm")
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("ssr_align: error: ")
    assert "b.wav" in error
