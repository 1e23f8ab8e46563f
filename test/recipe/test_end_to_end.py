"""A recipe from data preparation to RESULTS.md with real prompts, a real encoder and a real LLM."""

import json
import os
import re
import subprocess

import kaldiio
import pytest
from mini_recipe import (
    ALIGN,
    FEATS,
    MODEL,
    SEG,
    STATS,
    TEMPLATE,
    WEIGHTS,
    assert_same_weights,
)

from espnet_ssr.datadir import read_keyed

pytestmark = pytest.mark.slow

SETS = ("train", "valid", "test")
PNG = b"\x89PNG\r\n\x1a\n"
# Stage 11 makes its table anew each time; locks and logs are not results.
UNRECORDED = re.compile(r"exp/RESULTS\.(md|json)|exp/images/.*|.*\.lock|.*\.log|.*/logs/.*")


def list_times(recipe) -> dict[str, int]:
    """When each result was written."""
    files = {
        os.path.relpath(os.path.join(folder, name), recipe.folder)
        for part in ("data", "dump", "exp")
        for folder, _, names in os.walk(recipe / part)
        for name in names
    }
    return {f: os.stat(recipe / f).st_mtime_ns for f in files if not UNRECORDED.fullmatch(f)}


def results_of(recipe, model: str) -> dict:
    return json.loads((recipe / f"exp/{model}/decode/test/result.json").read_text())


def test_every_stage_announces_itself_and_what_it_wrote(finished):
    _, output = finished
    titles = [line for line in output.messages() if re.match(r"stage \d+: ", line)]
    assert [int(title.split()[1][:-1]) for title in titles] == [1, 3, 4, 5, 6, 7, 8, 10, 11]
    written = re.findall(r"wrote (\S+)", output)
    for folder in (*(f"dump/{name}/{ALIGN}" for name in SETS), f"exp/{MODEL}/decode/test"):
        assert folder in written


def test_results_have_the_model_and_its_controls(finished):
    recipe, _ = finished
    table = (recipe / "exp/RESULTS.md").read_text()
    rows = {row.split("|")[1].strip() for row in table.splitlines() if row.startswith("| ")}
    name = MODEL.removeprefix("distill_")
    assert {f"{name}, forced", f"{name}, shuffled segments", "mean embedding"} <= rows
    assert "- command: `./ssr.sh --train_set train --valid_set valid --test_sets test" in table
    assert "## test\n\n4 utterances" in table
    figures = results_of(recipe, MODEL)["figures"]
    assert figures.keys() == {"connector", "shuffled segments", "mean embedding"}
    for row in figures.values():
        assert -1 <= row["centred_cosine"] <= 1
        assert 0 <= row["token_accuracy"] <= 1
    hypotheses = read_keyed(recipe / f"exp/{MODEL}/decode/test/text")
    assert list(hypotheses) == list(read_keyed(recipe / "dump/test/text"))


@pytest.mark.parametrize("name", SETS)
def test_files_of_a_set_agree(finished, name):
    recipe, _ = finished
    folder = recipe / "dump" / name
    texts = read_keyed(folder / "text")
    assert len(texts) == {"train": 16, "valid": 4, "test": 4}[name]
    assert texts == read_keyed(recipe / f"data/{name}/text")
    report = json.loads((folder / ALIGN / "report.json").read_text())
    assert (report["utterances"], report["coverage"]) == (len(texts), 1.0)
    words: dict[str, list[str]] = {}
    for line in (folder / ALIGN / "word.ctm").read_text().splitlines():
        utt_id, _, start, duration, word, _ = line.split()
        assert float(start) >= 0
        assert float(duration) > 0
        words.setdefault(utt_id, []).append(word)
    assert {utt_id: " ".join(spoken) for utt_id, spoken in words.items()} == texts

    token_id, token_end = (read_keyed(folder / SEG / f) for f in ("token_id", "token_end"))
    num_samples = read_keyed(folder / "utt2num_samples")
    feats = kaldiio.load_scp(str(folder / FEATS / "feats.scp"))
    num_frames = read_keyed(folder / FEATS / "utt2num_frames")
    assert list(token_id) == list(token_end) == list(feats) == list(texts)
    for utt_id in texts:
        ends = [float(end) for end in token_end[utt_id].split()]
        assert len(ends) == len(token_id[utt_id].split())
        assert ends == sorted(ends)
        assert 0 < ends[0] <= ends[-1] <= int(num_samples[utt_id]) / 16000 + 1e-3
        assert feats[utt_id].shape == (int(num_frames[utt_id]), 384)
        assert feats[utt_id].dtype == "float32"
        assert abs(int(num_frames[utt_id]) - int(num_samples[utt_id]) / 320) <= 1


def test_pictures_and_the_environment_are_there(finished):
    recipe, _ = finished
    pictures = [path for path in recipe.folder.rglob("*.png") if path.is_file()]
    assert all(path.read_bytes().startswith(PNG) for path in pictures)
    folders = {os.path.relpath(path.parent, recipe.folder) for path in pictures}
    assert {f"dump/train/{ALIGN}", f"dump/train/{SEG}", "exp/images"} <= folders
    environment = dict(
        line.split(": ", 1) for line in (recipe / f"exp/{MODEL}/env.txt").read_text().splitlines()
    )
    assert {"python", "torch", "espnet", "machine", "seed", "command"} <= environment.keys()


def test_a_second_run_does_nothing_from_anywhere(clone, tmp_path):
    before = list_times(clone)
    output = clone.run(cwd=tmp_path).must_succeed()
    results = [line for line in output.messages() if line.endswith(": nothing to do")]
    folders = [line.removesuffix(": nothing to do") for line in results]
    assert folders == [
        "data",
        *(f"dump/{name}" for name in SETS),
        *(f"dump/{name}/{kind}" for kind in (ALIGN, SEG, FEATS) for name in SETS),
        f"exp/{STATS}_extracted",
        f"exp/{MODEL}",
        f"exp/{MODEL}/decode/test",
    ]
    assert list_times(clone) == before
    assert list(tmp_path.iterdir()) == []


def test_naming_a_stage_does_it_again(clone, finished):
    weights = clone / f"exp/{MODEL}/{WEIGHTS}"
    before = list_times(clone)
    output = clone.run("--stage", "8", "--stop_stage", "8").must_succeed()
    assert f"wrote exp/{MODEL} in" in output
    after = list_times(clone)
    assert after[f"exp/{MODEL}/{WEIGHTS}"] > before[f"exp/{MODEL}/{WEIGHTS}"]
    assert after[f"exp/{MODEL}/checkpoint.pth"] > before[f"exp/{MODEL}/checkpoint.pth"]
    assert_same_weights(weights, finished[0] / f"exp/{MODEL}/{WEIGHTS}")
    # Only that stage, and nothing of it was left from before.
    changed = {file for file in after if after[file] != before.get(file)}
    assert all(file.startswith(f"exp/{MODEL}/") for file in changed)
    assert "1epoch" in (clone / f"exp/{MODEL}/train.log").read_text()
    # The same weights again: inference has nothing to do.
    output = clone.run("--stop_stage", "10").must_succeed()
    assert f"exp/{MODEL}/decode/test: nothing to do" in output


def test_a_changed_option_redoes_what_depends_on_it(clone):
    num_samples = read_keyed(clone / "dump/valid/utt2num_samples")
    second, longest = sorted(int(n) / 16000 for n in num_samples.values())[-2:]
    limit = f"{(longest + second) / 2:.3f}"
    sets = ("--train_set", "valid", "--test_sets", "valid")
    output = clone.run("--max_wav_duration", limit, "--stop_stage", "5", *sets).must_succeed()
    assert f"dump/valid/.done: max: 120 -> {limit}" in output
    assert "kept 3 of 4 utterances" in output
    assert "dropped: 1 too_long" in output
    assert f"dump/valid/{ALIGN}/.done: dump/valid/text changed; dump/valid/wav.scp ch" in output
    written = re.findall(r"wrote (\S+) in", output)
    assert written == ["dump/valid", f"dump/valid/{ALIGN}", f"dump/valid/{SEG}"]
    kept = list(read_keyed(clone / "dump/valid/wav.scp"))
    assert len(kept) == 3
    assert list(read_keyed(clone / f"dump/valid/{SEG}/token_id")) == kept


def test_raw_audio_gives_the_figures_of_extracted_features(clone):
    output = clone.run("--feats_type", "raw", "--stop_stage", "10").must_succeed()
    assert "stage 6" not in output
    extracted, raw = (results_of(clone, model)["figures"] for model in (MODEL, f"{MODEL}_raw"))
    for row, figures in extracted.items():
        assert raw[row] == pytest.approx(figures, abs=1e-3), row


def test_help_explains_every_option():
    source = (TEMPLATE / "ssr.sh").read_text().split("\nhelp_message=")[0]
    defined = re.findall(r"^(\w+)=", source, re.MULTILINE)
    assert len(defined) > 35
    output = subprocess.run(
        [TEMPLATE / "ssr.sh", "--help"], capture_output=True, text=True, check=True, cwd=TEMPLATE
    ).stdout
    explained = re.findall(r"^    --(\w+) \(.*\)  ?(\S.*)$", output, re.MULTILINE)
    assert [name for name, _ in explained] == defined
    for number in range(1, 14):
        assert re.search(rf"\b{number} \w", output.split("Options")[0])


@pytest.mark.parametrize("option", ["--stop-stage", "--stop_stage", "--stop-stage="])
def test_stages_can_be_left_out(clone, option):
    last = [f"{option}6"] if option.endswith("=") else [option, "6"]
    output = clone.run("--skip_stages", "3 5", *last).must_succeed()
    assert re.findall(r"stage (\d+):", output) == ["1", "4", "6"]


def test_skip_data_prep_train_and_eval(clone):
    stages = {
        "--skip_data_prep": ["7", "8", "10", "11"],
        "--skip_train": ["1", "3", "4", "5", "6", "10", "11"],
        "--skip-eval": ["1", "3", "4", "5", "6", "7", "8"],
    }
    for option, expected in stages.items():
        assert re.findall(r"stage (\d+):", clone.run(option, "true").must_succeed()) == expected


def test_setup_keeps_what_a_recipe_has_and_adds_what_it_lacks(recipe, new_recipe):
    for name in ("ssr.sh", "path.sh", "cmd.sh"):
        assert (recipe / name).is_symlink()
        assert (recipe / name).resolve() == (TEMPLATE / name).resolve()
    assert not (recipe / "run.sh").is_symlink()
    (new_recipe / "run.sh").write_text("# mine\n")
    (new_recipe / "conf/decode.yaml").unlink()
    subprocess.run(
        [TEMPLATE / "setup.sh", new_recipe.folder], check=True, stdout=subprocess.DEVNULL
    )
    assert (new_recipe / "run.sh").read_text() == "# mine\n"
    assert (new_recipe / "conf/decode.yaml").read_text() == (
        TEMPLATE / "conf/decode.yaml"
    ).read_text()
