"""Whisper's word times: structure with a tiny random model, accuracy with the real one."""

from itertools import pairwise

import numpy as np
import pytest
import soundfile
import torch
from tokenizers import AddedToken
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperTokenizer,
)

from espnet_ssr.align.abs import AlignError, AlignUtterance
from espnet_ssr.datadir import read_keyed
from espnet_ssr.encoder.whisper_align import WhisperAligner, sharpest_heads

RATE = 16000
POSITIONS = 40
# Whisper knows its languages by their place after the start token.
SPECIAL = [
    "<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|zh|>", "<|de|>", "<|transcribe|>",
    "<|notimestamps|>",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> str:
    """A Whisper of two narrow layers with random weights; pieces are bytes and " a" to " z"."""
    folder = tmp_path_factory.mktemp("whisper")
    merges = [("Ġ", letter) for letter in "abcdefghijklmnopqrstuvwxyz"]
    tokens = sorted(ByteLevel.alphabet()) + ["".join(pair) for pair in merges]
    tokenizer = WhisperTokenizer(vocab={t: i for i, t in enumerate(tokens)}, merges=merges)
    tokenizer.add_tokens([AddedToken(t, special=True) for t in SPECIAL])
    tokenizer.save_pretrained(folder)
    WhisperFeatureExtractor().save_pretrained(folder)
    torch.manual_seed(0)
    config = WhisperConfig(
        vocab_size=len(tokenizer), d_model=16, encoder_layers=2, encoder_attention_heads=2,
        encoder_ffn_dim=24, decoder_layers=2, decoder_attention_heads=2, decoder_ffn_dim=24,
        max_target_positions=POSITIONS, init_std=0.3, dropout=0.5, pad_token_id=0,
        bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
    )  # fmt: skip
    WhisperForConditionalGeneration(config).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def aligner(folder):
    return WhisperAligner(folder)


def noise(seconds, seed=0):
    samples = np.random.default_rng(seed).normal(0, 0.1, round(seconds * RATE))
    return samples.astype(np.float32)


def align(aligner, speech, text):
    """The levels of one utterance; raises what ``align_batch`` reports."""
    (result,) = aligner.align_batch([AlignUtterance("utt", speech, text)])
    if isinstance(result, AlignError):
        raise result
    return result


@pytest.mark.parametrize(
    "text", ["hello there", "  it's  Über 42, - one!", "a", "x" * 20, "naïve 你好 x-y"]
)
def test_words_and_letters_lie_in_order_inside_the_audio(aligner, text):
    levels = align(aligner, noise(1.234), text)
    labels = [word for word in text.split() if any(c.isalnum() for c in word)]
    assert [span.label for span in levels["word"].spans] == labels
    assert [s.label for s in levels["char"].spans] == [c for c in text if c.isalnum()]
    for alignment in levels.values():
        spans = alignment.spans
        assert all(span.end - span.start >= 0.02 - 1e-9 for span in spans)  # a frame
        assert all(a.end <= b.start + 1e-9 for a, b in pairwise(spans))
        assert spans[-1].end <= 1.234
        assert all(-20 < span.score < 0 for span in spans)


def test_letters_make_up_their_words(aligner):
    levels = align(aligner, noise(2), "one (two) x-ray")
    letters = iter(levels["char"].spans)
    for word in levels["word"].spans:
        inside = [next(letters) for c in word.label if c.isalnum()]
        assert (word.start, word.end) == (inside[0].start, inside[-1].end)
        assert all(span.score == pytest.approx(word.score) for span in inside)


def test_score_is_the_log_probability_of_the_word(folder, aligner):
    speech, text = noise(1), "one two"
    tokenizer = WhisperTokenizer.from_pretrained(folder)
    model = WhisperForConditionalGeneration.from_pretrained(folder).eval()
    tokens = tokenizer(f" {text}").input_ids[:-1]  # without the end of text
    prefix = 2
    feats, _ = aligner._encode(speech)
    with torch.no_grad():
        logits = model(encoder_outputs=(feats,), decoder_input_ids=torch.tensor([tokens])).logits[0]
    log_probs = logits.log_softmax(-1)
    by_token = [float(log_probs[i - 1, t]) for i, t in enumerate(tokens)][prefix:]
    # Pieces: " o" n e, " t" w o.
    expected = [np.mean(by_token[:3]), np.mean(by_token[3:])]
    scores = [span.score for span in align(aligner, speech, text)["word"].spans]
    assert scores == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("speech", "text", "cause"),
    [
        (noise(1), "", "empty_text"),
        (noise(1), " - ... ", "empty_text"),
        (noise(0), "hello", "empty_audio"),
        (noise(1 / RATE), "hello", "too_short"),
        (noise(0.1), "hello", "too_short"),
        (noise(30.01), "hello", "too_long"),
        (noise(5), "x" * (POSITIONS - 1), "long_text"),
        (np.full(RATE, np.nan, np.float32), "hello", "no_path"),
    ],
)
def test_failures_have_a_cause(aligner, speech, text, cause):
    with pytest.raises(AlignError) as error:
        align(aligner, speech, text)
    assert error.value.cause == cause
    assert "\n" not in str(error.value)


def test_limits_are_included(aligner):
    assert len(align(aligner, noise(5), "x" * (POSITIONS - 2))["char"].spans) == POSITIONS - 2
    align(aligner, noise(30), "hello")
    # 5 letters and two silences in 7 frames.
    assert len(align(aligner, noise(0.14), "hello")["char"].spans) == 5


def test_a_failure_leaves_the_rest_of_the_batch_as_it_is(aligner):
    utterances = [
        AlignUtterance("a", noise(1), "one two"),
        AlignUtterance("b", noise(1), ""),
        AlignUtterance("c", noise(2, seed=1), "three"),
    ]
    first, failed, last = aligner.align_batch(utterances)
    assert isinstance(failed, AlignError)
    assert [first] == aligner.align_batch(utterances[:1])
    assert [last] == aligner.align_batch(utterances[2:])


def test_language_of_a_multilingual_model(folder, aligner):
    german = WhisperAligner(folder, language="german")
    names = german._tokenizer.convert_ids_to_tokens(german._tokenizer.prefix_tokens)
    assert names == ["<|startoftranscript|>", "<|de|>", "<|transcribe|>", "<|notimestamps|>"]
    assert align(german, noise(1), "eins zwei") != align(aligner, noise(1), "eins zwei")


def test_sharpest_heads_are_those_that_look_like_a_path():
    frames, tokens = 12, 4
    path = torch.zeros(tokens, frames)
    path[torch.arange(frames) * tokens // frames, torch.arange(frames)] = 1 / 3
    flat = torch.full((tokens, frames), 1 / frames)
    stuck = torch.zeros(tokens, frames)
    stuck[:, 5] = 1
    heads = torch.stack([flat, path, stuck, 0.5 * path + 0.5 * flat])
    chosen = sharpest_heads(heads, 2)
    torch.testing.assert_close(chosen, heads[[1, 3]])
    assert len(sharpest_heads(heads, 10)) == 4


@pytest.fixture(scope="module")
def real_aligner(installed_model):
    return WhisperAligner(installed_model("whisper-tiny.en"))


@pytest.fixture(scope="module")
def prompt(asterisk_data):
    """A recorded sentence of 3.3 s."""
    for name in ("train", "valid", "test"):
        if path := read_keyed(asterisk_data / name / "wav.scp").get("allison-agent-pass"):
            return soundfile.read(path, dtype="float32")[0]


def test_real_prompt_agrees_with_the_hmm(real_aligner, prompt):
    hmm = pytest.importorskip("espnet_ssr.align.hmm").HMMAligner()
    text = "please enter your password followed by the pound key"
    words = align(real_aligner, prompt, text)["word"].spans
    others = align(hmm, prompt, text)["word"].spans
    errors = [abs(a.end - b.end) for a, b in zip(words, others, strict=True)]
    assert np.mean(errors) < 0.08


def test_text_of_other_audio_has_a_low_score(real_aligner, prompt):
    right = align(real_aligner, prompt, "please enter your password followed by the pound key")
    wrong = align(real_aligner, prompt, "the person you are calling is not available right now")
    assert np.mean([span.score for span in right["word"].spans]) > -1
    assert np.mean([span.score for span in wrong["word"].spans]) < -4
