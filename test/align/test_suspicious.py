"""Transcripts that do not match the audio are found by score, on any scale."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from espnet_ssr.align.abs import AlignError, AlignUtterance
from espnet_ssr.align.alignment import Alignment, Span
from espnet_ssr.align.suspicious import (
    Limits,
    Suspect,
    find_suspicious,
    mean_scores,
    robust_z,
    write_suspicious,
)
from espnet_ssr.datadir import read_audio, read_keyed


def alignment(*scores, seconds=0.5, label="word"):
    spans = [Span(label, i * seconds, (i + 1) * seconds, x) for i, x in enumerate(scores)]
    return Alignment("u", spans)


@pytest.fixture
def usual():
    """Utterances with normally distributed mean scores around -10."""
    scores = np.random.default_rng(0).normal(-10, 1, 200)
    return {f"usual{i}": alignment(x, x) for i, x in enumerate(scores)}


def test_scores_are_means_of_the_words_that_have_one():
    words = {
        "a": alignment(-1.0, None, -3.0),
        "b": alignment(None),
        "c": alignment(float("nan"), -np.inf),
    }
    assert mean_scores(words) == {"a": -2.0}


def test_z_of_normal_scores_is_the_usual_one():
    values = np.random.default_rng(1).normal(-5, 2, 20000)
    z = robust_z(dict(enumerate(values)))
    assert [z[i] for i in range(100)] == pytest.approx((values[:100] + 5) / 2, abs=0.1)


def test_z_by_hand():
    # Median 4; below it are 1 and 3, 3 and 1 away: the deviation is 1.4826 * 2.
    z = robust_z({"a": 1.0, "b": 3.0, "c": 4.0, "d": 9.0, "e": 100.0})
    assert z == pytest.approx({k: (x - 4) / 2.9652 for k, x in zip("abcde", (1, 3, 4, 9, 100),
                                                                  strict=True)})  # fmt: skip


@given(
    st.lists(st.floats(-100, 0), min_size=1, max_size=30),
    st.floats(0.01, 100),
    st.floats(-1000, 1000),
)
def test_z_knows_no_scale(scores, factor, offset):
    z = robust_z(dict(enumerate(scores)))
    deviations = [x for x in z.values() if x < 0]
    assume(not deviations or max(deviations) < -1e-6)
    moved = robust_z({i: factor * x + offset for i, x in enumerate(scores)})
    assume(len(set(moved.values())) == len(set(z.values())))  # rounding made two scores one
    assert list(moved.values()) == pytest.approx(list(z.values()), rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("scores", [{}, {"a": -3.0}, dict.fromkeys("abc", 0.0)])
def test_equal_scores_accuse_nobody(scores):
    assert robust_z(scores) == dict.fromkeys(scores, 0.0)


@pytest.mark.parametrize("scale", [1, 1e-4, 1e4])
def test_low_scores(usual, scale):
    usual |= {"worst": alignment(-30.0), "bad": alignment(-20.0, -18.0)}
    words = {
        u: alignment(*(scale * span.score for span in a.spans)) for u, a in usual.items()
    }  # fmt: skip
    found = find_suspicious(words, {})
    assert list(found)[:2] == ["worst", "bad"]
    assert len(found) <= 3  # by chance: one in a thousand is three deviations off
    assert found["worst"].score == -30 * scale
    assert found["worst"].z == pytest.approx(-20, rel=0.1)
    assert list(found["bad"].causes) == ["low_score"]


def test_a_tenth_of_wrong_transcripts_does_not_hide_itself(usual):
    usual |= {f"bad{i}": alignment(-16.0) for i in range(20)}
    found = find_suspicious(usual, {})
    assert {f"bad{i}" for i in range(20)} <= set(found)


def test_aligners_without_scores_are_judged_by_shape():
    words = {"good": alignment(None), "long": alignment(None, None, seconds=2.5)}
    found = find_suspicious(words, {"good": 1.0})
    assert found == {"long": Suspect(None, None, {"long_word": "word takes 2.50 s"})}


@pytest.mark.parametrize(
    ("seconds", "rate"), [(1.0, None), (0.1, "40.00"), (20.0, "0.20"), (None, None), (0.0, None)]
)
def test_speaking_rate(seconds, rate):
    found = find_suspicious({"u": alignment(-1.0)}, {} if seconds is None else {"u": seconds})
    assert {u: s.causes for u, s in found.items()} == (
        {"u": {"speaking_rate": f"{rate} letters a second of audio"}} if rate else {}
    )


def test_limits_can_be_set():
    words = {"u": alignment(-1.0)}
    assert find_suspicious(words, {}, Limits(max_word_seconds=0.4))
    assert find_suspicious(words, {"u": 1.0}, Limits(min_rate=5))


def test_file(tmp_path):
    causes = {"low_score": "z -4.0", "long_word": "oh takes 3.00 s"}
    found = {"a": Suspect(-1.23456, -4.0, causes), "b": Suspect(None, None, {"long_word": ""})}
    write_suspicious(tmp_path / "suspicious", found)
    lines = (tmp_path / "suspicious").read_text().splitlines()
    assert lines == ["a -1.235 -4.000 low_score,long_word", "b - - long_word"]


def test_swapped_prompts_are_found(asterisk_data):
    """Real speech, the HMM aligner: of 8 swapped transcripts among 48 most are found."""
    hmm = pytest.importorskip("espnet_ssr.align.hmm", reason="extra 'hmm' is not installed")
    wav_scp, texts = (read_keyed(asterisk_data / "train" / name) for name in ("wav.scp", "text"))
    chosen = [u for u, text in texts.items() if 4 <= len(text.split()) <= 7][:48]
    swapped = chosen[::6]
    texts |= dict(zip(swapped, [texts[u] for u in swapped[1:] + swapped[:1]], strict=True))
    utterances = [AlignUtterance(u, read_audio(wav_scp[u], 16000), texts[u]) for u in chosen]
    results = dict(zip(chosen, hmm.HMMAligner().align_batch(utterances), strict=True))
    words = {u: r["word"] for u, r in results.items() if not isinstance(r, AlignError)}
    suspects = find_suspicious(words, {u.utt_id: len(u.signal) / 16000 for u in utterances})
    found = {u for u in chosen if u not in words or u in suspects}
    assert len(found.intersection(swapped)) >= 7
    assert len(found.difference(swapped)) <= 2
