"""Recipes of large corpora, through their run.sh, on miniature trees in the corpora's layouts."""

from __future__ import annotations

import os
import subprocess

import pytest
from mini_corpora import write_commonvoice, write_librispeech, write_mls
from mini_recipe import Output, Recipe, Run, copy_recipe

from espnet_ssr.data.validate import check_data_dir
from espnet_ssr.datadir import read_keyed

pytestmark = pytest.mark.slow

PARTS = ("train-clean-100", "train-clean-360", "dev-clean", "dev-other", "test-clean", "test-other")


def run_script(recipe: Recipe, *command: str) -> Output:
    log = recipe.folder.with_name("script.log")
    return Run([*command], log, recipe.folder).wait()


@pytest.fixture
def librispeech(tmp_path):
    """Two training parts, dev and test parts; one file of train-clean-360 is cut short."""
    for number, part in enumerate(PARTS):
        write_librispeech(tmp_path / "corpus", part, range(10 * number, 10 * number + 3))
    cut = next((tmp_path / "corpus").glob("LibriSpeech/train-clean-360/*/*/*-0001.flac"))
    cut.write_bytes(cut.read_bytes()[:5000])
    return tmp_path / "corpus"


def test_librispeech_makes_the_sets_that_are_asked_for(librispeech, tmp_path):
    recipe = copy_recipe("librispeech", tmp_path / "recipe", LIBRISPEECH=librispeech)
    options = ("--train_set=train_460", "--stop_stage", "3")
    recipe.run(*options).must_succeed()
    counts = {"train_460": 11, "dev": 12, "test_clean": 6, "test_other": 6}
    for name, count in counts.items():
        assert len(read_keyed(recipe / f"data/{name}/text")) == count
        assert len(read_keyed(recipe / f"dump/{name}/text")) == count
        assert check_data_dir(recipe / f"dump/{name}", fs=16000) == []
    made = {path.name for path in (recipe / "data").iterdir() if path.is_dir()}
    parts = {"train_clean_100", "train_clean_360", "dev_clean", "dev_other"}
    assert made == counts.keys() | parts
    dropped = read_keyed(recipe / "data/train_clean_360/dropped")
    assert [why.split()[0] for why in dropped.values()] == ["truncated_audio"]
    again = recipe.run(*options).must_succeed()
    assert again.count("nothing to do") == 1 + len(counts)


def test_librispeech_without_a_part_that_is_wanted(librispeech, tmp_path):
    recipe = copy_recipe("librispeech", tmp_path / "recipe", LIBRISPEECH=librispeech)
    recipe.run("--train_set", "train_960", "--stop_stage", "1").must_fail(
        "no folder train-other-500", "only dev-clean dev-other", stage=1
    )


def test_archive_with_a_wrong_checksum_is_refused(librispeech, tmp_path):
    subprocess.run(
        ["tar", "-czf", tmp_path / "train-clean-100.tar.gz", "-C", librispeech, "LibriSpeech"],
        check=True,
    )
    recipe = copy_recipe("librispeech", tmp_path / "recipe")
    options = f"--mirror file://{tmp_path}"
    recipe.run("--local_data_opts", options, "--stop_stage", "1").must_fail(
        "its md5 is", "not 2a93770f6d5c6c964bc36631d331a522", "run again", stage=1
    )
    assert not list((recipe / "downloads").glob("*"))


def test_a_piece_of_librispeech_is_split_by_speakers(tmp_path):
    write_librispeech(tmp_path / "corpus", "train-clean-100", range(100, 120))
    recipe = copy_recipe("librispeech", tmp_path / "recipe")
    command = ("./run_mini.sh", os.path.relpath(tmp_path / "corpus", recipe.folder))
    run_script(recipe, *command, "--nj", "2", "--stop_stage", "3").must_succeed()
    speakers = {
        name: set(read_keyed(recipe / f"dump/{name}/spk2utt"))
        for name in ("train", "valid", "test")
    }
    assert [len(some) for some in speakers.values()] == [16, 2, 2]
    assert len(set.union(*speakers.values())) == 20
    again = run_script(recipe, *command, "--nj", "2", "--stop_stage", "3").must_succeed()
    assert again.count("nothing to do") == 4


def test_mls(tmp_path):
    corpus = tmp_path / "corpus" / "mls_english"
    for speaker, part in enumerate(("train", "dev", "test"), 10):
        write_mls(corpus / part, speaker)
    handles = corpus / "train" / "limited_supervision" / "9hr" / "handles.txt"
    handles.parent.mkdir(parents=True)
    handles.write_text("10_77_000000\n10_77_000002\n")
    (corpus / "dev/audio/11/77/11_77_000001.flac").write_bytes(b"fLaC")
    recipe = copy_recipe("mls", tmp_path / "recipe", MLS=corpus.parent)
    recipe.run("--stop_stage", "3").must_succeed()
    assert len(read_keyed(recipe / "dump/train/text")) == 3
    # No audio is opened in stage 1.
    assert len(read_keyed(recipe / "data/dev/text")) == 3
    dropped = read_keyed(recipe / "dump/dev/dropped")
    assert {key: why.split()[0] for key, why in dropped.items()} == {
        "11-77-000001": "unreadable_audio"
    }
    small = ("--train_set", "train_9hr", "--local_data_opts", "--sets train_9hr,dev,test")
    recipe.run(*small, "--stop_stage", "1").must_succeed()
    assert list(read_keyed(recipe / "data/train_9hr/text")) == ["10-77-000000", "10-77-000002"]


def test_commonvoice(tmp_path):
    recipe = copy_recipe(
        "commonvoice", tmp_path / "recipe", COMMONVOICE=write_commonvoice(tmp_path / "release")
    )
    recipe.run("--stop_stage", "3").must_succeed()
    assert list(read_keyed(recipe / "dump/test/text").values()) == ["well done", "well done"]
    assert check_data_dir(recipe / "dump/test", fs=16000) == []


def test_commonvoice_says_where_to_get_it(tmp_path):
    recipe = copy_recipe("commonvoice", tmp_path / "recipe")
    recipe.run("--stop_stage", "1").must_fail("set COMMONVOICE in db.sh", "get it at", stage=1)
