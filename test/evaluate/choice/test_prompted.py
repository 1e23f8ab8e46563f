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
    draw_shots,
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
    found = score_prompted(texts, utterances)
    assert found == {"wer": 0.25, "cer": pytest.approx(4 / 12), "utterances": 3, "cut": 0}
    found = score_prompted(texts | {"1": "Yes,", "2": "deaf " * 99}, utterances)
    assert (found["wer"], found["cut"]) == (11 / 4, 1)  # 12 words are kept of 99


def test_a_model_is_prompted_as_by_itself(lm, beeps):
    utterance = Part(" ab c", True, beeps(2))
    texts, refused = transcribe(SpeechLMScorer(lm, forced=False), {"1": utterance}, max_tokens=4)
    prompt = lm.prompts["transcribe"]
    assert texts == {"1": lm.generate(prompt, [Path(utterance.audio)], 4)}
    assert not refused


def test_command(causal_lm, beeps, tmp_path, monkeypatch, capsys):
    systems = {"our own": {"scorer": "text"}, "chance": {"scorer": "chance"}}
    (tmp_path / "choice.yaml").write_text(yaml.safe_dump({"tasks": {}, "systems": systems}))
    (tmp_path / "wav.scp").write_text(f"1 {beeps(1)}\n2 {beeps(2)}\n3 {beeps(2)}\n")
    (tmp_path / "text").write_text("1 ab\n2 c d\n3 e f\n")
    options = {"config": tmp_path / "choice.yaml", "data_dir": tmp_path, "limit": 2}
    options["llm"] = causal_lm
    options |= {"shots": 1, "shots_dir": tmp_path, "output_dir": tmp_path / "out"}
    command = [part for k, v in options.items() for part in (f"--{k}", str(v))]
    monkeypatch.setattr(sys, "argv", ["ssr_prompted_asr", *command, "--max_new_tokens", "3"])
    ssr_prompted_asr.main()
    result = json.loads((tmp_path / "out" / "our_own" / "result.json").read_text())
    assert (result["utterances"], result["failed"], result["shots"]) == (2, 0, 1)
    assert set(read_keyed(tmp_path / "out" / "our_own" / "text")) == {"1", "2"}
    assert "chance: wer 1, cer 1, utterances 2, cut 0, shots 1, failed 0" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["ssr_prompted_asr", *command, "--systems", "ours"])
    with pytest.raises(ValueError, match="--systems ours: there are chance, our own"):
        ssr_prompted_asr.main()


def test_shots_are_others(tmp_path):
    (tmp_path / "wav.scp").write_text("".join(f"{n} {n}.wav\n" for n in "abcd"))
    (tmp_path / "text").write_text("".join(f"{n} {n}\n" for n in "abcd"))
    drawn = [draw_shots(tmp_path, 2, seed, asked={"b"}) for seed in range(20)]
    assert {part.text for parts in drawn for part in parts} == {" a", " c", " d"}
    assert all(len(set(parts)) == 2 for parts in drawn)
    assert draw_shots(tmp_path, 2, 3, {"b"}) == drawn[3]
    with pytest.raises(ValueError, match="4 shots are wanted, there are 3 others"):
        draw_shots(tmp_path, 4, asked={"b"})


def test_all_have_transcripts(tmp_path):
    (tmp_path / "wav.scp").write_text("1 a.wav\n2 b.wav\n")
    (tmp_path / "text").write_text("1 ab\n")
    with pytest.raises(ValueError, match="text: no transcript of 2"):
        read_spoken(tmp_path)
