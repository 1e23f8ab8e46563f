"""Stage 4 with aligners that are trained in it or read what is there; textless segments; pauses."""

import json
import shutil

import pytest
import yaml
from mini_recipe import ALIGN, LLM

from espnet_ssr.align.alignment import read_ctm
from espnet_ssr.datadir import read_keyed

pytestmark = pytest.mark.slow

# Large steps on a few utterances: it need not be good, only hear something.
CTC = {
    "aligner": "ctc",
    "aligner_conf": {"hidden_size": 64, "num_layers": 1, "dropout_rate": 0.0},
    "labels": "char",
    "frame_offset": -0.01,
    "optim": "adamw",
    "optim_conf": {"lr": 0.005},
    "max_epoch": 30,
    "batch_type": "numel",
    "batch_bins": 1000,
    "num_workers": 0,
    "best_model_criterion": [["valid", "loss", "min"]],
    "keep_nbest_models": 1,
    "seed": 0,
    "num_att_plot": 0,
}


@pytest.fixture(scope="module")
def textless(finished):
    """A recipe that trained a CTC aligner and used it with and without transcripts."""
    recipe = finished[0].clone()
    (recipe / "conf/tuning/align_mini.yaml").write_text(yaml.safe_dump(CTC))
    options = ("--aligner", "mini", "--textless", "true", "--skip_stages", "1 3")
    return recipe, options, recipe.run(*options).must_succeed()


def test_trained_aligner(textless):
    recipe, _, _ = textless
    for name in ("train", "valid", "test"):
        texts = read_keyed(recipe / f"dump/{name}/text")
        for level in ("word", "char"):
            assert list(read_ctm(recipe / f"dump/{name}/align_mini/{level}.ctm", level)) == list(
                texts
            )
    (folder,) = (recipe / "exp").glob("align_mini_*")
    assert len(read_keyed(folder / "train_shape")) == 16


def test_segments_without_transcripts(textless):
    recipe, _, _ = textless
    guess = read_keyed(recipe / f"dump/test/seg_mini_{LLM}_textless/token_end")
    assert guess
    (file,) = (recipe / "exp").glob("distill_mini_mini_*/decode_textless/test/result.json")
    result = json.loads(file.read_text())
    assert result["utterances"] == len(read_keyed(recipe / f"dump/test/seg_mini_{LLM}/token_id"))
    assert result["missing"] == result["utterances"] - len(guess)
    assert 0 <= result["textless"]["segments_exact"] <= result["textless"]["segments_within_one"]
    assert "segments without transcripts" in (recipe / "exp/RESULTS.md").read_text()


def test_nothing_is_done_twice(textless):
    recipe, options, _ = textless
    output = recipe.run(*options).must_succeed()
    assert "wrote dump" not in output
    assert "wrote exp/align" not in output


def test_given_alignments(finished):
    recipe = finished[0].clone()
    for name in ("train", "valid", "test"):
        shutil.copy(recipe / f"dump/{name}/{ALIGN}/word.ctm", recipe / f"{name}.ctm")
    merged = "".join((recipe / f"{n}.ctm").read_text() for n in ("train", "valid", "test"))
    first = merged.split()[0]
    (recipe / "all.ctm").write_text(
        "".join(f"{line}\n" for line in merged.splitlines() if not line.startswith(f"{first} "))
    )
    options = ("--aligner", "given", "--given", "all.ctm", "--stop_stage", "5")
    recipe.run(*options).must_succeed()
    assert read_keyed(recipe / "dump/train/align_given/failed")[first].startswith("missing")
    dropped = read_keyed(recipe / f"dump/train/seg_given_{LLM}/dropped")
    assert dropped[first].startswith("not_aligned")


def test_pauses_are_cut(finished):
    recipe = finished[0].clone()
    options = ("--max_pause", "0.05", "--skip_stages", "1 3 4", "--align_tag", "hmm")
    recipe.run(*options).must_succeed()
    cuts = read_keyed(recipe / f"dump/train/seg_hmm_{LLM}/pause")
    assert any(cut != "0.000 0.000" for cut in cuts.values())


@pytest.mark.parametrize(
    ("options", "phrase"),
    [
        (("--aligner", "nonsense"), "neither a name that --help lists"),
        (("--textless", "true"), "hmm needs transcripts"),
        (("--aligner", "given", "--given", "x.ctm"), "no such file or folder: --given 'x.ctm'"),
        (("--align_config", "conf/none.yaml"), "no such file: conf/none.yaml"),
    ],
)
def test_options_that_cannot_be(finished, options, phrase):
    finished[0].run(*options).must_fail(phrase)
