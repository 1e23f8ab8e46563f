"""The HMM aligner on noise, and on a real prompt where the Asterisk recipe has fetched it."""

import numpy as np
import pytest
import soundfile

from espnet_ssr.align.abs import AlignError, AlignUtterance
from espnet_ssr.align.alignment import Alignment, Span
from espnet_ssr.datadir import read_keyed

pytest.importorskip("pocketsphinx", reason="extra 'hmm' is not installed")
from espnet_ssr.align.hmm import HMMAligner, _to_span, measure_match

TEXT = "please enter your password followed by the pound key"
RATE = HMMAligner.sample_rate


@pytest.fixture(scope="module")
def aligner():
    """One for all tests: what was aligned before must not matter."""
    return HMMAligner()


def align(aligner, utt_id, speech, text):
    return aligner.align(AlignUtterance(utt_id, speech, text))


@pytest.fixture(scope="module")
def prompt(asterisk_data):
    """A recorded sentence of 3.3 s."""
    for name in ("train", "valid", "test"):
        if path := read_keyed(asterisk_data / name / "wav.scp").get("allison-agent-pass"):
            return soundfile.read(path, dtype="float32")[0]


def noise(seconds, seed=0, amplitude=0.1):
    """White noise."""
    samples = np.random.default_rng(seed).normal(0, amplitude, round(seconds * RATE))
    return samples.astype(np.float32)


def synthetic_vowels(seconds=1.2):
    """Buzz through two resonances with rests: something that a path of words can go through."""
    rng = np.random.default_rng(0)
    time = np.arange(round(seconds * RATE)) / RATE
    pitch = 120 + 10 * np.sin(4 * time)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    vowel = sum(np.sin(k * phase) * np.exp(-(((k * 120 - 600) / 400) ** 2)) for k in range(1, 25))
    envelope = np.clip(np.sin(2 * np.pi * 2.5 * time), 0, 1)
    return (0.2 * vowel * envelope + rng.normal(0, 1e-3, len(time))).astype(np.float32)


@pytest.mark.parametrize(
    ("speech", "text", "cause"),
    [
        (noise(0.5), "", "empty_text"),
        (noise(0.5), " … — ! ", "empty_text"),
        (noise(0), "hello", "empty_audio"),
        (noise(0.5), "hello 你好", "unpronounceable"),
        (np.zeros(RATE // 2, np.float32), "hello world", "poor_match"),
        (noise(1 / RATE), "hello", "no_path"),
        (noise(0.1), "one two three four five six seven", "no_path"),
    ],
)
def test_failures_have_a_cause(aligner, speech, text, cause):
    with pytest.raises(AlignError) as error:
        align(aligner, "utt", speech, text)
    assert error.value.cause == cause
    assert "\n" not in str(error.value)


def test_no_path_says_how_long_and_how_many(aligner):
    with pytest.raises(AlignError, match="7 words in 0.10 s"):
        align(aligner, "utt", noise(0.1), "one two three four five six seven")


def test_a_search_without_a_path_is_repeated():
    aligner, speech = HMMAligner(beam="1e-2"), synthetic_vowels()  # text: as YAML reads it
    found = align(aligner, "utt", speech, "A ah!")
    assert aligner.retried == {"utt"}
    wide = align(HMMAligner(beam=1e-300), "utt", speech, "A ah!")
    assert [(s.start, s.end) for s in found["word"].spans] == [
        (s.start, s.end) for s in wide["word"].spans
    ]
    with pytest.raises(AlignError) as error:
        align(HMMAligner(beam=0.01, retry_beam=0.01), "utt", speech, "A ah!")
    assert error.value.cause == "no_path"


def test_what_does_not_match_is_refused():
    speech, text = synthetic_vowels(), "A ah oh!"
    match = measure_match(align(HMMAligner(min_match=float("-inf")), "utt", speech, text)["phone"])
    align(HMMAligner(min_match=match.total - 0.1), "utt", speech, text)
    with pytest.raises(AlignError, match=f"mean score {match.score:.1f} a frame") as error:
        align(HMMAligner(min_match=match.total + 0.1), "utt", speech, text)
    assert error.value.cause == "poor_match"


def test_match_is_measured_over_frames():
    times = [(0.0, 0.03, -10.0), (0.03, 0.1, -30.0), (0.5, 0.7, -20.0), (0.7, 0.7, -50.0)]
    phones = Alignment("utt", [Span("AA", *span) for span in times], "phone")
    match = measure_match(phones)
    assert match == pytest.approx(((-30 - 210 - 400 - 50) / 31, 0.5))
    assert match.total == pytest.approx(match.score - 30)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beam": 1}, "beam < 1"),
        ({"beam": 1e-50, "retry_beam": 1e-40}, "retry_beam <= beam"),
        ({"silprob": 0}, "silprob"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        HMMAligner(**options)


def test_unknown_words_are_noted():
    aligner = HMMAligner()
    for _ in range(2):  # the second time the decoder knows them
        with pytest.raises(AlignError):
            align(aligner, "utt", noise(0.1), "Hello Blorpt, pbx 500 it’s")
    assert aligner.out_of_vocabulary == {
        "blorpt": "rules: B L AO R P T",
        "pbx": "spelled: P IY B IY EH K S",
        "500": "number: F AY V HH AH N D R AH D",
    }


def test_words_are_pronounced_the_same_whatever_came_before(aligner):
    fresh = HMMAligner()
    for text in ("zorp", "zorplist"):  # not a compound of "zorp", now that it has phones
        with pytest.raises(AlignError):
            align(aligner, "utt", noise(0.1), text)
    with pytest.raises(AlignError):
        align(fresh, "utt", noise(0.1), "zorplist")
    assert aligner.out_of_vocabulary["zorplist"] == fresh.out_of_vocabulary["zorplist"]


def test_loud_audio_is_clipped(aligner):
    loud = 20 * synthetic_vowels()
    assert np.abs(loud).max() > 1
    clipped = align(aligner, "utt", np.clip(loud, -1, 1), "A ah!")
    assert align(aligner, "utt", loud, "A ah!") == clipped


@pytest.mark.parametrize(
    ("start", "frames", "times"),
    [(30, 20, (0.3, 0.5)), (90, 20, (0.9, 1.0)), (101, 3, (1.0, 1.0))],
)
def test_spans_end_with_the_audio(start, frames, times):
    span = _to_span("word", start, frames, -7 * frames, duration=1.0)
    assert (span.start, span.end) == pytest.approx(times)
    assert span.score == -7


def check_alignment(found, duration, labels):
    """Words in order within the audio, phones that fill each word."""
    assert set(found) == {"word", "phone"}
    words, phones = found["word"].spans, found["phone"].spans
    assert [word.label for word in words] == labels
    assert all(0 <= span.start <= span.end <= duration for span in words + phones)
    for word in words:
        inside = [p for p in phones if word.start <= (p.start + p.end) / 2 <= word.end]
        assert inside[0].start == pytest.approx(word.start)
        assert inside[-1].end == pytest.approx(word.end)


def test_order_of_utterances_does_not_matter(aligner):
    speech = synthetic_vowels()
    fresh = align(HMMAligner(), "utt", speech, "A ah!")
    check_alignment(fresh, len(speech) / RATE, ["A", "ah!"])
    for other in (noise(0.3, seed=1), noise(0.3, seed=2, amplitude=0.001)):
        with pytest.raises(AlignError):
            align(aligner, "other", other, "six unheardof words are too many")
        assert align(aligner, "utt", speech, "A ah!") == fresh


def test_prompt(aligner, prompt):
    found = align(aligner, "agent-pass", prompt, TEXT)
    check_alignment(found, len(prompt) / RATE, TEXT.split())
    spans = {span.label: span for span in found["word"].spans}
    starts = [span.start for span in found["word"].spans]
    assert all(a < b for a, b in zip(starts, starts[1:], strict=False))
    # Seen in the waveform: the word fades out until 1.55 s, silence, then "followed" at 1.72 s.
    assert spans["password"].end == pytest.approx(1.5, abs=0.1)
    assert spans["followed"].start == pytest.approx(1.72, abs=0.05)


def test_order_does_not_matter_for_speech(aligner, prompt):
    fresh = align(HMMAligner(), "agent-pass", prompt, TEXT)
    align(aligner, "loud", np.clip(prompt * 3, -1, 1), TEXT)
    with pytest.raises(AlignError):
        align(aligner, "short", prompt[:1600], TEXT)
    assert align(aligner, "agent-pass", prompt, TEXT) == fresh


def test_leading_silence_moves_all_times(aligner, prompt):
    plain = align(aligner, "a", prompt, TEXT)["word"].spans
    silence = noise(0.3, amplitude=1e-4)
    moved = align(aligner, "b", np.concatenate([silence, prompt]), TEXT)["word"].spans
    for left, right in zip(plain, moved, strict=True):
        assert right.end == pytest.approx(left.end + 0.3, abs=0.05)


def test_a_batch_goes_on_after_a_failure(aligner):
    speech = synthetic_vowels()
    batch = [AlignUtterance("a", noise(0.1), "six words are far too many here")]
    batch += [AlignUtterance("b", speech, "A ah!"), AlignUtterance("c", noise(0), "ah")]
    first, second, third = aligner.align_batch(batch)
    assert (first.cause, third.cause) == ("no_path", "empty_audio")
    assert second == align(aligner, "b", speech, "A ah!")


def test_recordings_that_would_not_fit_into_memory_are_refused(aligner):
    speech = np.zeros(600 * 16000, dtype=np.float32)
    (error,) = aligner.align_batch([AlignUtterance("u", speech, "go " * 1600)])
    assert error.cause == "too_long"
    assert "600 s with 1600 words" in str(error)
    assert "--aligner char_ctc" in str(error)
