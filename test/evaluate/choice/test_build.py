"""Scorers by configuration."""

import pytest

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


@pytest.mark.parametrize("kind", ["mean", "permuted", "text"])
def test_of_an_llm(causal_lm, kind):
    assert build_scorer(kind, {"llm": causal_lm}).llm.width == 16


def test_another_model_in_the_same_place_is_another(tmp_path):
    (tmp_path / "model.pth").write_text("a")
    of_file, of_folder = {"model": str(tmp_path / "model.pth")}, {"model": str(tmp_path)}
    before = [describe_scorer("forced", conf) for conf in (of_file, of_folder)]
    assert before == [describe_scorer("forced", conf) for conf in (of_file, of_folder)]
    (tmp_path / "model.pth").write_text("bc")
    after = [describe_scorer("forced", conf) for conf in (of_file, of_folder)]
    assert all(a != b for a, b in zip(before, after, strict=True))
