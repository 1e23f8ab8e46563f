"""Choice tasks in a recipe: a benchmark of two pairs, and a program that has them spoken."""

import json
import sys

import pytest
import yaml
from mini_recipe import LLM, MODEL

from espnet_ssr.datadir import read_keyed

pytestmark = pytest.mark.slow

CONFIG = "conf/choice_tiny.yaml"
FOLDER = f"choice_tiny_{LLM}"
ROW = MODEL.removesuffix(f"_{LLM}")
MODES = {
    f"exp/{FOLDER}/chance": {"T": 2, "S": 2},
    f"exp/{FOLDER}/text": {"T": 2},
    f"exp/{MODEL}/{FOLDER}/{ROW}_forced": {"S": 2},
}
VOICE = """\
import shutil, sys
wavs, texts = (dict(line.rstrip().split(" ", 1) for line in open(f"dump/test/{name}"))
               for name in ("wav.scp", "text"))
said = open(sys.argv[1], encoding="utf-8").read().strip()
(wav,) = [wavs[utt_id] for utt_id, text in texts.items() if text == said]
shutil.copyfile(wav, sys.argv[2])
"""


@pytest.fixture
def prepared(clone):
    """A finished recipe with a configuration of choice tasks, but without the benchmark."""
    (clone / "voice.py").write_text(VOICE)
    voice = f"command: {sys.executable} voice.py {{text_file}} {{wav_file}}"
    content = {
        "speech": {"voices": [voice], "cache_dir": "dump/choice", "recognizer": None},
        "tasks": {"blimp": {"path": "downloads/eval/blimp/data"}},
        "systems": {
            "chance": {"scorer": "chance"},
            "text": {"scorer": "text", "modes": ["T"]},
            "forced": {"scorer": "forced", "modes": ["S"]},
        },
    }
    (clone / CONFIG).write_text(yaml.safe_dump(content))
    return clone


def write_blimp(recipe):
    """Which of two prompts is the better one."""
    folder = recipe / "downloads/eval/blimp/data"
    folder.mkdir(parents=True)
    texts = list(read_keyed(recipe / "dump/test/text").values())
    rows = [
        {"sentence_good": good, "sentence_bad": bad, "UID": "prompts", "pairID": good}
        for good, bad in (texts[:2], texts[2:])
    ]
    (folder / "prompts.jsonl").write_text("\n".join(map(json.dumps, rows)))


def test_asked_and_reported(prepared):
    options = ["--choice_config", CONFIG]
    prepared.run(*options).must_fail(
        f"{CONFIG}: tasks: blimp: no downloads/eval/blimp/data: local/eval_data.sh", stage=10
    )
    write_blimp(prepared)
    prepared.run(*options).must_succeed()
    for row in MODES:
        result = json.loads((prepared / row / "blimp/result.json").read_text())
        assert {mode: f["items"] for mode, f in result["modes"].items()} == MODES[row]
    report = prepared / f"exp/{FOLDER}/report"
    assert f"| blimp | S | {ROW} forced | 2 |" in (report / "RESULTS.md").read_text()
    assert "Fidelity by frequency" in (report / "report.html").read_text()
    assert f"[page]({FOLDER}/report/report.html)" in (prepared / "exp/RESULTS.md").read_text()

    before = [(prepared / row / "blimp/result.json").stat().st_mtime_ns for row in MODES]
    again = prepared.run(*options).must_succeed()
    for folder in (f"exp/{FOLDER}", f"exp/{MODEL}/{FOLDER}", f"exp/{FOLDER}/report"):
        assert f"{folder}: nothing to do" in again
    assert before == [(prepared / row / "blimp/result.json").stat().st_mtime_ns for row in MODES]

    # Another selection is asked of what was answered; rows that are not asked any more go.
    fewer = prepared.run(*options, "--choice_args=--systems text forced --limit 1").must_succeed()
    assert f"exp/{FOLDER}/report: nothing to do" not in fewer
    results = (prepared / f"exp/{FOLDER}").glob("*/*/result.json")
    assert [str(file.parent.relative_to(prepared.folder)) for file in results] == [
        f"exp/{FOLDER}/text/blimp_limit1"
    ]


def test_options_without_a_configuration(prepared):
    prepared.run("--choice_args", "--limit 1").must_fail("--choice_args needs --choice_config")
    prepared.run("--choice_config", "conf/no.yaml").must_fail("no such file: conf/no.yaml")
