"""Packed models: ESPnet's tools unpack them, SpeechLM reads folder and zip; their cards."""

import json
import shutil

import pytest
import torch
import yaml
from espnet2.main_funcs.pack_funcs import unpack
from experiments import HULL, make_sound, save_ctc_aligner

from espnet_ssr import SpeechLM
from espnet_ssr.export.packed import pack_model
from espnet_ssr.speech_lm.folder import find_model

TINY = {"encoder": "tiny", "encoder_conf": {"output_size": 8}}
WAV = make_sound(1.2, (0.2, 0.4), (0.6, 1.0))


@pytest.fixture
def experiment(make_experiment, tmp_path):
    """A checkpoint with what a run leaves beside it, and an aligner."""
    exp = tmp_path / "exp"
    exp.mkdir()
    checkpoint = make_experiment("--input_size", "8")
    for name in ("model.pth", "config.yaml"):
        shutil.copy(checkpoint.with_name(name), exp)
    config = yaml.safe_load((exp / "config.yaml").read_text())
    data = [["dump/train_small/seg_hmm_tiny/token_id", "token_id", "text_int"]]
    config["train_data_path_and_name_and_type"] = data
    (exp / "config.yaml").write_text(yaml.safe_dump(config))
    (exp / "env.txt").write_text("torch: 9.9\nseed: 5\ncommand: /somewhere/secret --ngpu 0\n")
    (exp / "decode" / "test_a").mkdir(parents=True)
    figures = {"connector": {"wer": 0.207, "cosine": 0.8312}, "mean embedding": {"wer": 1.0}}
    (exp / "decode" / "test_a" / "result.json").write_text(json.dumps({"figures": figures}))
    (tmp_path / "aligner").mkdir()
    return exp / "model.pth", save_ctc_aligner(tmp_path / "aligner")


@pytest.fixture
def packed(experiment, tmp_path):
    checkpoint, aligner = experiment
    files = find_model(checkpoint, aligner=aligner, max_pause=0.2, **TINY)
    pack_model(files, tmp_path / "packed" / "speech_lm", tmp_path / "packed" / "espnet.zip")
    return files, tmp_path / "packed"


def outputs(model):
    lm = SpeechLM.from_pretrained(model)
    return lm.embed(WAV, "hi hi").tolist(), lm.generate("Say:<speech>", [WAV], max_tokens=8)


def test_espnet_unpacks_what_speech_lm_reads(packed, tmp_path):
    files, folder = packed
    expected = outputs(folder / "speech_lm")
    found = unpack(folder / "espnet.zip", tmp_path / "unpacked")
    assert found == {
        "model_file": str(tmp_path / "unpacked" / "model.pth"),
        "train_config": str(tmp_path / "unpacked" / "config.yaml"),
    }
    assert outputs(tmp_path / "unpacked") == expected
    assert find_model(tmp_path / "unpacked").max_pause == 0.2
    names = [
        sorted(str(p.relative_to(f)) for p in f.rglob("*") if p.is_file())
        for f in (tmp_path / "unpacked", folder / "speech_lm")
    ]
    assert names[0] == names[1]
    assert {"README.md", "meta.yaml", "aligner/model.pth"} < set(names[0])
    # Again, in place of the first.
    pack_model(files, folder / "speech_lm", folder / "espnet.zip")
    assert outputs(folder / "speech_lm") == expected
    assert sorted(p.name for p in folder.iterdir()) == ["espnet.zip", "speech_lm"]


def test_the_zip_itself(packed, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    archive = packed[1] / "espnet.zip"
    expected = outputs(packed[1] / "speech_lm")
    shutil.rmtree(packed[1] / "speech_lm")
    assert outputs(archive) == expected
    (unpacked,) = (tmp_path / "cache" / "espnet_ssr").iterdir()
    before = (unpacked / "model.pth").stat().st_mtime_ns
    assert find_model(str(archive)).model_file == unpacked / "model.pth"
    assert (unpacked / "model.pth").stat().st_mtime_ns == before
    archive.write_bytes(archive.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"espnet\.zip: no zip file, or a damaged one"):
        find_model(archive)


def test_a_hull_head_is_packed_with_its_dictionary(experiment, make_experiment, tmp_path):
    dictionary = tmp_path / "my.dict"
    dictionary.write_text("a AH\nb B IY\nh HH\n")
    options = ["--head_conf", "keys=both", "--head_conf", f"dictionary={dictionary}"]
    checkpoint = make_experiment("--input_size", "8", *HULL, *options)
    files = find_model(checkpoint, aligner=experiment[1], **TINY)
    lm = SpeechLM.from_pretrained(checkpoint, aligner=experiment[1], **TINY)
    expected = lm.embed(WAV, "hi hi", nbest=2)
    pack_model(files, tmp_path / "packed", tmp_path / "espnet.zip")
    dictionary.unlink()
    unpack(tmp_path / "espnet.zip", tmp_path / "unpacked")
    for folder in (tmp_path / "packed", tmp_path / "unpacked"):
        found = SpeechLM.from_pretrained(folder).embed(WAV, "hi hi", nbest=2)
        torch.testing.assert_close(found, expected)
    card = (tmp_path / "packed" / "README.md").read_text()
    assert "head: hull (channels 8, dictionary my.dict, key_size 8, keys both)" in card
    pack_model(find_model(tmp_path / "packed"), tmp_path / "again", tmp_path / "again.zip")
    assert (tmp_path / "again" / "pronunciations.dict").is_file()


def test_the_card(packed):
    card = (packed[1] / "speech_lm" / "README.md").read_text()
    assert "SpeechLM.from_pretrained" in card
    assert "connector: mean (hidden_size 8)" in card
    assert "head: linear\n" in card
    assert "LLM: causal_lm" in card
    assert "segments: by aligner" in card
    assert "train: train_small, segments seg_hmm_tiny" in card
    assert "**test_a** (decode, figures)" in card
    assert "| connector | 20.7 | 0.831 |" in card
    assert "| mean embedding | 100.0 | - |" in card
    assert "- torch: 9.9" in card
    assert "- seed: 5" in card
    assert "TODO" in card
    assert "secret" not in card
    assert str(packed[1].parent) not in card


def test_without_an_encoder_nothing_is_packed(experiment, tmp_path):
    with pytest.raises(ValueError, match="say of which encoder.*--encoder_conf model="):
        pack_model(find_model(experiment[0]), tmp_path / "packed", tmp_path / "packed.zip")
    assert not (tmp_path / "packed").exists()
