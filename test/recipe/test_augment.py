"""Augmentation: stages 1 to 5 with copies of the training set in noise and rooms."""

import re

import numpy as np
import pytest
from mini_recipe import ALIGN, SEG

from espnet_ssr.align.alignment import read_ctm
from espnet_ssr.datadir import read_audio, read_keyed

pytestmark = pytest.mark.slow

OPTIONS = ("--augment", "speed=0.9,1.1 noise=5,20 room=0.2,0.6", "--stop_stage", "5")


def test_copies_are_made_and_have_the_times_of_their_originals(recipe):
    clone = recipe.clone()
    output = clone.run(*OPTIONS).must_succeed()
    written = re.findall(r"wrote (\S+)", output)
    assert written.count("data/train_aug") == 1
    assert {f"dump/train_aug{part}" for part in ("", f"/{ALIGN}", f"/{SEG}")} < set(written)
    folder = clone / "dump/train_aug"
    originals = read_keyed(clone / "dump/train/text")
    audio, words = read_keyed(folder / "wav.scp"), read_ctm(folder / ALIGN / "word.ctm")
    names = {f"{prefix}{u}" for prefix in ("", "aug1-") for u in originals}
    assert names == audio.keys() == words.keys() == read_keyed(folder / SEG / "token_end").keys()
    speeds, effects = read_keyed(folder / "utt2speed"), read_keyed(folder / "utt2effects")
    for utt_id in originals:
        speed = float(speeds[f"aug1-{utt_id}"])
        original, copy = (read_audio(audio[f"{p}{utt_id}"], 16000) for p in ("", "aug1-"))
        assert len(copy) == pytest.approx(len(original) / speed, abs=0.5)
        assert speed != 1 or not np.array_equal(original, copy)
        assert speed != 1 or f"aug1-{utt_id}" in effects
        ends = [span.end for span in words[utt_id].spans]
        found = [span.end for span in words[f"aug1-{utt_id}"].spans]
        assert found == pytest.approx([end / speed for end in ends], abs=2e-3)
    assert "wrote" not in clone.run(*OPTIONS).must_succeed()
    # Another set beside it.
    output = clone.run("--augment_tag", "loud", "--augment", "white=0", *OPTIONS[2:]).must_succeed()
    assert "data/train_loud: 32 utterances" in output
    assert (clone / "dump/train_loud" / SEG / "token_end").is_file()
    assert (folder / SEG / "token_end").is_file()


def test_mistakes_are_named(new_recipe):
    new_recipe.run("--augment", "music=5", "--stop_stage", "2").must_fail("'music=5'", stage=2)
