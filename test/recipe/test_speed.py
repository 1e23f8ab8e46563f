"""Speed perturbation: stages 1 to 5 with copies of the training set, and nothing done twice."""

import json
import re

import pytest
import soundfile
from mini_recipe import ALIGN, SEG

from espnet_ssr.align.alignment import read_ctm
from espnet_ssr.datadir import read_keyed

pytestmark = pytest.mark.slow

SPEEDS = {"": 1.0, "sp0.9-": 0.9, "sp1.1-": 1.1}
OPTIONS = ("--speed_perturb_factors", "0.9 1.1", "--stop_stage", "5")


@pytest.fixture(scope="module")
def perturbed(recipe):
    """A recipe after stages 1 to 5, and what was printed."""
    clone = recipe.clone()
    return clone, clone.run(*OPTIONS).must_succeed()


def test_every_set_of_the_corpus_is_aligned_and_the_copies_are_segmented(perturbed):
    recipe, output = perturbed
    titles = re.findall(r"stage (\d+): ", output)
    assert titles == ["1", "2", "3", "4", "5"]
    written = re.findall(r"wrote (\S+)", output)
    assert written == [
        "data",
        "data/train_sp",
        *(f"dump/{name}" for name in ("train", "valid", "test", "train_sp")),
        *(f"dump/{name}/{ALIGN}" for name in ("train", "valid", "test", "train_sp")),
        *(f"dump/{name}/{SEG}" for name in ("train_sp", "valid", "test")),
    ]
    report = json.loads((recipe / f"dump/train_sp/{ALIGN}/report.json").read_text())
    assert (report["utterances"], report["coverage"], report["cost"]) == (48, 1.0, None)


def test_copies_have_the_text_and_rescaled_times_of_their_originals(perturbed):
    recipe, _ = perturbed
    folder = recipe / "dump/train_sp"
    texts = read_keyed(folder / "text")
    originals = read_keyed(recipe / "dump/train/text")
    assert texts == {f"{p}{u}": text for p in SPEEDS for u, text in originals.items()}
    audio = read_keyed(folder / "wav.scp")
    tokens, ends = (read_keyed(folder / SEG / name) for name in ("token_id", "token_end"))
    words = read_ctm(folder / ALIGN / "word.ctm")
    assert texts.keys() == audio.keys() == tokens.keys() == ends.keys() == words.keys()
    for prefix, speed in SPEEDS.items():
        for utt_id in originals:
            frames = soundfile.info(audio[utt_id]).frames
            assert soundfile.info(audio[prefix + utt_id]).frames == pytest.approx(
                frames / speed, abs=0.5
            )
            assert tokens[prefix + utt_id] == tokens[utt_id]
            expected = [float(end) / speed for end in ends[utt_id].split()]
            found = [float(end) for end in ends[prefix + utt_id].split()]
            assert found == pytest.approx(expected, abs=2e-3)


def test_a_second_run_does_nothing_and_other_factors_do_what_depends_on_them(perturbed):
    recipe = perturbed[0].clone()
    assert "wrote" not in recipe.run(*OPTIONS).must_succeed()
    output = recipe.run("--speed_perturb_factors", "1.0 1.2", *OPTIONS[2:]).must_succeed()
    assert "data/train_sp/.done: factors: 0.9 1.1 -> 1.0 1.2" in output
    assert re.findall(r"wrote (\S+)", output) == [
        "data/train_sp",
        *(f"dump/train_sp{folder}" for folder in ("", f"/{ALIGN}", f"/{SEG}")),
    ]
    assert len(read_keyed(recipe / f"dump/train_sp/{SEG}/token_id")) == 32


def test_copies_whose_original_is_too_long_are_counted(recipe):
    longest = max(
        soundfile.info(path).duration
        for path in read_keyed(recipe / "local/prompts/train/wav.scp").values()
    )
    clone = recipe.clone()
    options = ("--max_wav_duration", f"{longest / 1.05:.3f}", *OPTIONS[:2], "--stop_stage", "4")
    output = clone.run(*options).must_succeed()
    failed = read_keyed(clone / f"dump/train_sp/{ALIGN}/failed")
    assert failed
    assert all(u.startswith("sp1.1-") for u in failed)
    assert all(reason.startswith("original_too_long ") for reason in failed.values())
    assert f"dropped: {len(failed)} original_too_long" in output


def test_factors_that_are_no_speeds(new_recipe):
    options = ("--speed_perturb_factors", "0.9 fast", "--stop_stage", "2")
    new_recipe.run(*options).must_fail("a speed is a positive number", "'fast'", stage=2)
