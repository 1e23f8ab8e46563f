"""Pretrained CTC models: tiny random ones with group norm and with layer norm."""

import json

import numpy as np
import pytest
import torch
from transformers import (
    Wav2Vec2Config,
    Wav2Vec2CTCTokenizer,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
)

from espnet_ssr.align.abs import AlignUtterance
from espnet_ssr.encoder.hf_ctc import character_columns, load_hf_ctc_aligner

RATE = 16000
VOCABULARY = ["<unk>", "<s>", "</s>", "|", "B", "<pad>", "A", "'"]  # in no order


def save_tokenizer(folder, vocabulary=VOCABULARY):
    content = json.dumps({token: i for i, token in enumerate(vocabulary)})
    (folder / "vocab.json").write_text(content)
    tokenizer = Wav2Vec2CTCTokenizer(str(folder / "vocab.json"))
    tokenizer.save_pretrained(folder)
    return tokenizer


@pytest.fixture(scope="module", params=["group", "layer"])
def folder(request, tmp_path_factory):
    """A model of 40 ms frames of 25 ms and two narrow layers."""
    folder = tmp_path_factory.mktemp(request.param)
    save_tokenizer(folder)
    Wav2Vec2FeatureExtractor(
        sampling_rate=RATE, do_normalize=True, return_attention_mask=request.param == "layer"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = Wav2Vec2Config(
        vocab_size=len(VOCABULARY), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=16, conv_dim=[8, 8], conv_kernel=[400, 4], conv_stride=[160, 2],
        num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=2, pad_token_id=5,
        feat_extract_norm=request.param, conv_bias=request.param == "layer",
        do_stable_layer_norm=request.param == "layer", initializer_range=0.5,
    )  # fmt: skip
    model = Wav2Vec2ForCTC(config)
    model.lm_head.bias.data[[4, 6]] = 10.0  # it is to hear letters
    model.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def aligner(folder):
    return load_hf_ctc_aligner(folder)


def noise(seconds, seed=0):
    samples = np.random.default_rng(seed).normal(0, 0.1, round(seconds * RATE))
    return samples.astype(np.float32)


def test_frames(aligner):
    assert (aligner.input, aligner.sample_rate) == ("speech", RATE)
    posteriors = aligner.posteriors
    assert posteriors.frame_rate == RATE / 320
    # A frame sees 400 + 3 * 160 samples.
    assert posteriors.frame_offset == pytest.approx((880 - 320) / 2 / RATE)
    log_probs, lengths = posteriors([noise(1.0)])
    assert lengths.tolist() == [(RATE - 880) // 320 + 1]
    torch.testing.assert_close(log_probs.exp().sum(-1), torch.ones(1, lengths[0]))


def test_a_batch_is_what_its_utterances_are(aligner):
    signals = [noise(1.0, 1), noise(0.4, 2), 0.01 * noise(0.73, 3)]
    together, lengths = aligner.posteriors(signals)
    for row, size, signal in zip(together, lengths, signals, strict=True):
        (alone,), _ = aligner.posteriors([signal])
        torch.testing.assert_close(row[:size], alone, rtol=1e-3, atol=1e-4)
    assert together.std() > 0.1


def test_long_recordings_are_heard_in_windows(aligner):
    recording = noise(40.0)
    (found,), lengths = aligner.posteriors([recording])
    assert lengths.tolist() == [len(found)] == [(len(recording) - 880) // 320 + 1]
    # The second of two windows ends with the recording: 1500 frames, the first 100 of context.
    begin = len(found) - 1500
    (last,), _ = aligner.posteriors([recording[begin * 320 :]])
    assert len(last) == 1500
    torch.testing.assert_close(found[1400:], last[1400 - begin :], rtol=1e-3, atol=1e-4)


def test_model_alone_gives_the_same(aligner, folder):
    """The columns are the right ones, renormalised without those that are no letters."""
    signal = noise(0.5)
    inputs = Wav2Vec2FeatureExtractor.from_pretrained(folder)(
        signal, sampling_rate=RATE, return_tensors="pt"
    )
    with torch.inference_mode():
        logits = Wav2Vec2ForCTC.from_pretrained(folder).eval()(inputs.input_values).logits[0]
    order = [VOCABULARY.index(token) for token in ("<pad>", "|", "'", "A", "B")]
    (found,), _ = aligner.posteriors([signal])
    expected = logits[:, order].log_softmax(-1)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def test_forced_and_textless(aligner):
    speech = noise(2.0)
    batch = [AlignUtterance("a", speech, "ab A, bä"), AlignUtterance("b", speech)]
    forced, guess = aligner.align_batch(batch)
    assert [span.label for span in forced["word"].spans] == ["ab", "A,", "bä"]
    assert [span.label for span in forced["char"].spans] == [*"abAbä"]
    words = [span.label for span in guess["word"].spans]
    assert words
    assert set("".join(words)) <= set("ab'")
    assert all(0 <= s.start <= s.end <= 2.0 for s in forced["word"].spans + guess["word"].spans)


def test_utterances_that_are_too_short(aligner):
    batch = [
        AlignUtterance("none", noise(0), "a"),
        AlignUtterance("sample", noise(1 / RATE), "a b"),
        AlignUtterance("short", noise(0.1), "ab ab ab ab ab"),
        AlignUtterance("empty", noise(0.1), ""),
        AlignUtterance("good", noise(1.0), "ab"),
    ]
    *_, good = results = aligner.align_batch(batch)
    # Of no samples there is still a frame, of silence, which is enough for a letter.
    assert [span.label for span in results[0]["word"].spans] == ["a"]
    assert [r.cause for r in results[1:4]] == ["too_short", "too_short", "empty_text"]
    assert [span.label for span in good["word"].spans] == ["ab"]


def test_capitals_are_lowered_where_there_are_no_others(tmp_path):
    tokenizer = save_tokenizer(tmp_path)
    assert character_columns(tokenizer, 5) == (["<blank>", " ", "'", "a", "b"], [5, 3, 7, 6, 4])


def test_letters_of_both_cases_are_kept(tmp_path):
    tokenizer = save_tokenizer(tmp_path, [*VOCABULARY, "a", " "])
    names, columns = character_columns(tokenizer, 5)
    assert names == ["<blank>", " ", "'", "A", "B", "a"]
    assert columns == [5, 3, 7, 6, 4, 8]


def test_a_tokenizer_of_another_kind_is_refused():
    class Tokenizer:
        def get_vocab(self):
            return {"a": 0, "b": 1}

    with pytest.raises(ValueError, match="no word delimiter"):
        character_columns(Tokenizer(), 0)
