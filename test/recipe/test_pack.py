"""Packing in a recipe: what is loaded writes the same; without a hub, what would be sent."""

import json

import pytest
from mini_recipe import ENCODER, MODEL, WEIGHTS

from espnet_ssr import Speech, SpeechLM
from espnet_ssr.datadir import read_keyed

pytestmark = pytest.mark.slow

EVERYTHING = ["--skip_data_prep", "true", "--skip_packing", "false"]
EVERYTHING += ["--skip_upload", "false", "--hf_repo", "somebody/ssr"]


def transcribe(model, clone, **options):
    """What the LLM writes after each test utterance."""
    lm = SpeechLM.from_pretrained(model, **options)
    texts = read_keyed(clone / "dump/test/text")
    wavs = read_keyed(clone / "dump/test/wav.scp")
    speech = [[Speech(clone / wav, text=texts[utt_id])] for utt_id, wav in wavs.items()]
    prompts = [lm.prompts["transcribe"]] * len(speech)
    # On over the end: this connector was trained for seconds, and many transcripts are empty.
    return lm.generate(prompts, speech, max_tokens=12, stop_at_newline=False)


def test_packed_and_loaded(clone, monkeypatch, installed_model, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    output = clone.run(*EVERYTHING).must_succeed()
    packed = clone / "exp" / MODEL / "packed"
    assert f"wrote exp/{MODEL}/packed/speech_lm and exp/{MODEL}/packed/espnet.zip" in output
    assert "dry run, nothing was sent: HF_HUB_OFFLINE is set" in output
    plan = json.loads((packed / "upload_speech_lm.json").read_text())
    assert plan["repo"] == "somebody/ssr"
    assert {f["path"] for f in plan["files"]} == {
        *("README.md", "config.yaml", "meta.yaml", "model.pth", "speech_lm.yaml")
    }

    monkeypatch.setenv("SSR_MODELS", str(installed_model(ENCODER)).removesuffix(f"/{ENCODER}"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    encoder = {"encoder": "whisper", "encoder_conf": {"model": ENCODER}}
    before = transcribe(clone / "exp" / MODEL / WEIGHTS, clone, aligner="hmm", **encoder)
    assert all(before)
    assert transcribe(packed / "speech_lm", clone) == before
    assert transcribe(packed / "espnet.zip", clone) == before
    card = (packed / "speech_lm" / "README.md").read_text()
    assert "**test** (decode, figures)" in card

    again = clone.run(*EVERYTHING).must_succeed()
    assert "packed: nothing to do" in again


def test_one_repository_is_for_one_model(clone):
    twice = ["--distill_config", "conf/distill.yaml conf/distill.yaml"]
    clone.run(*EVERYTHING, *twice).must_fail("--hf_repo somebody/ssr is for one model")
