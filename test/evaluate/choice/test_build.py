"""Scorers by configuration."""

import pytest
import torch

from espnet_ssr.evaluate.choice.scorers.build import build_scorer, describe_scorer


def test_mistakes_are_named(causal_lm):
    with pytest.raises(ValueError, match="scorer: 'ear' is none of chance, mean"):
        build_scorer("ear", {})
    with pytest.raises(ValueError, match="scorer text: unknown option model"):
        build_scorer("text", {"llm": causal_lm, "model": "x"})
    with pytest.raises(ValueError, match="scorer cascade: _cascade needs transcriber, cache_dir"):
        build_scorer("cascade", {"llm": causal_lm})
    with pytest.raises(ValueError, match="transcript: 'spelled' is none of written, normalised"):
        build_scorer("forced", {"model": "x", "transcript": "spelled"})


@pytest.mark.parametrize("kind", ["mean", "permuted", "text", "words"])
def test_of_an_llm(causal_lm, kind):
    assert build_scorer(kind, {"llm": causal_lm}).llm.width == 16


@pytest.mark.parametrize("kind", ["forced", "textless", "vectors"])
def test_of_a_checkpoint_with_options(make_experiment, kind):
    checkpoint = make_experiment("--encoder", "tiny", "--encoder_conf", "output_size=8")
    conf = {"model": str(checkpoint)}
    built = build_scorer(kind, {**conf, "model_conf": {"dtype": "bfloat16"}})
    assert built.llm.dtype == torch.bfloat16
    with pytest.raises(ValueError, match="unknown option alligner"):
        build_scorer(kind, {**conf, "model_conf": {"alligner": "hmm"}})


def test_another_model_in_the_same_place_is_another(tmp_path):
    (tmp_path / "model.pth").write_text("a")
    file = str(tmp_path / "model.pth")
    confs = [{"model": file}, {"model": str(tmp_path)}]
    confs.append({"model": "elsewhere", "model_conf": {"aligner": file}})
    before = [describe_scorer("forced", conf) for conf in confs]
    assert before == [describe_scorer("forced", conf) for conf in confs]
    (tmp_path / "model.pth").write_text("bc")
    after = [describe_scorer("forced", conf) for conf in confs]
    assert all(a != b for a, b in zip(before, after, strict=True))
