"""Prompts for transcripts, and what comes of them."""

import json
import sys
from pathlib import Path

import pytest
import yaml

from espnet_ssr.bin import ssr_prompted_asr
from espnet_ssr.datadir import read_keyed
from espnet_ssr.evaluate.choice.item import Part
from espnet_ssr.evaluate.choice.prompted import (
    make_prompt,
    read_spoken,
    score_prompted,
    transcribe,
)
from espnet_ssr.evaluate.choice.scorers import SpeechLMScorer


def spoken(text):
    return Part(f" {text}", True, f"{text}.wav")


class Repeats:
    """Repeats all in capitals, but cannot hear one."""

    def generate(self, prompts, max_tokens):
        if any("deaf" in part.text for prompt in prompts for part in prompt):
            raise ValueError("not heard")
        return [[p for p in prompt if p.spoken][-1].text.upper() for prompt in prompts]


def test_prompts():
    template = "She said:<speech>\nHe repeated:<text>\n"
    assert make_prompt(spoken("a"), template=template) == (
        Part("She said:"),
        spoken("a"),
        Part("\nHe repeated:"),
    )
    found = make_prompt(spoken("a"), [spoken("b c")], template)
    assert "".join(part.text for part in found) == (
        "She said: b c\nHe repeated: b c\nShe said: a\nHe repeated:"
    )
    assert [part.spoken for part in found] == [False, True] + [False] * 4 + [True, False]


def test_transcripts_are_scored():
    utterances = {"1": spoken("yes"), "2": spoken("deaf"), "3": spoken("no no")}
    texts, refused = transcribe(Repeats(), utterances)
    assert texts == {"1": " YES", "3": " NO NO"}
    assert refused == {"2": "not heard"}
    assert score_prompted(texts, utterances) == {"wer": 0, "cer": 0, "utterances": 2}
    assert score_prompted(texts | {"1": "no"}, utterances)["wer"] == pytest.approx(1 / 3)


def test_a_model_is_prompted_as_by_itself(lm, beeps):
    utterance = Part(" ab c", True, beeps(2))
    texts, refused = transcribe(SpeechLMScorer(lm, forced=False), {"1": utterance}, max_tokens=4)
    prompt = lm.prompts["transcribe"]
    assert texts == {"1": lm.generate(prompt, [Path(utterance.audio)], 4)}
    assert not refused


def test_command(causal_lm, beeps, tmp_path, monkeypatch, capsys):
    systems = {"ours": {"scorer": "text", "llm": causal_lm}}
    (tmp_path / "choice.yaml").write_text(yaml.safe_dump({"tasks": {}, "systems": systems}))
    (tmp_path / "wav.scp").write_text(f"1 {beeps(1)}\n2 {beeps(2)}\n3 {beeps(2)}\n")
    (tmp_path / "text").write_text("1 ab\n2 c d\n")
    options = {"config": tmp_path / "choice.yaml", "system": "ours", "data_dir": tmp_path}
    options |= {"limit": 2, "shots": 1, "shots_dir": tmp_path, "output_dir": tmp_path / "out"}
    command = [part for k, v in options.items() for part in (f"--{k}", str(v))]
    monkeypatch.setattr(sys, "argv", ["ssr_prompted_asr", *command, "--max_new_tokens", "3"])
    ssr_prompted_asr.main()
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert (result["utterances"], result["failed"], result["shots"]) == (2, 0, 1)
    assert set(read_keyed(tmp_path / "out" / "text")) == {"1", "2"}
    with pytest.raises(ValueError, match="text: no transcript of 3"):
        read_spoken(tmp_path)
