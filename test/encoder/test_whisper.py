"""Whisper without 30 s of padding: independent of the batch, equal to Hugging Face's at 30 s."""

import pytest
import torch
from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperModel

from espnet_ssr.encoder import WhisperEncoder

RATE = 16000
WINDOW = 30 * RATE


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> str:
    """A Whisper of two narrow layers with random weights."""
    folder = tmp_path_factory.mktemp("whisper")
    torch.manual_seed(0)
    config = WhisperConfig(
        vocab_size=8, d_model=16, encoder_layers=2, encoder_attention_heads=2, encoder_ffn_dim=24,
        decoder_layers=1, decoder_attention_heads=2, decoder_ffn_dim=8, dropout=0.5,
        pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1, init_std=0.3,
    )  # fmt: skip
    WhisperModel(config).save_pretrained(folder)
    WhisperFeatureExtractor().save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def encoder(folder):
    return WhisperEncoder(folder)


def make_audio(num_samples):
    """A falling tone in noise: no two frames are alike."""
    generator = torch.Generator().manual_seed(num_samples)
    time = torch.arange(num_samples) / RATE
    tone = 0.3 * torch.sin(2000 * torch.exp(-time) * time)
    return tone + 0.05 * torch.randn(num_samples, generator=generator)


def encode(encoder, *audio):
    speech = torch.nn.utils.rnn.pad_sequence(audio, batch_first=True)
    return encoder(speech, torch.tensor([len(x) for x in audio]))


def hugging_face(folder, audio):
    """The encoder as Hugging Face has it: padded to 30 s."""
    extractor = WhisperFeatureExtractor.from_pretrained(folder)
    features = extractor(audio.numpy(), sampling_rate=RATE, return_tensors="pt").input_features
    with torch.no_grad():
        return WhisperModel.from_pretrained(folder).eval().encoder(features).last_hidden_state[0]


def test_padded_batch_equals_single_utterances(encoder):
    # Odd and even numbers of mel frames, and less than one.
    audio = [make_audio(n) for n in (16000, 5280, 41117, 100, 16160)]
    feats, lengths = encode(encoder, *audio)
    assert feats.shape == (len(audio), lengths.max(), encoder.output_size())
    for x, row, n in zip(audio, feats, lengths.tolist(), strict=True):
        single, single_lengths = encode(encoder, x)
        assert single_lengths.tolist() == [n]
        torch.testing.assert_close(row[:n], single[0], rtol=1e-5, atol=1e-5)
        assert not row[n:].any()


def test_samples_after_the_end_are_not_heard(encoder):
    speech = make_audio(8000)[None]
    lengths = torch.tensor([6400])
    expected, _ = encoder(speech[:, :6400], lengths)
    torch.testing.assert_close(encoder(speech, lengths)[0], expected, rtol=1e-5, atol=1e-5)


def test_equals_hugging_face_at_30_s(folder, encoder):
    audio = make_audio(WINDOW)
    feats, lengths = encode(encoder, audio)
    assert lengths.tolist() == [1500]
    expected = hugging_face(folder, audio)
    assert expected.std(0).min() > 0.1  # else everything would be equal to everything
    torch.testing.assert_close(feats[0], expected, rtol=1e-4, atol=1e-4)


def test_real_whisper_equals_hugging_face_at_30_s(installed_model):
    folder = installed_model("whisper-tiny.en")
    audio = make_audio(WINDOW)
    feats, _ = encode(WhisperEncoder(folder), audio)
    torch.testing.assert_close(feats[0], hugging_face(folder, audio), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("num_samples", "frames"),
    [
        pytest.param(1, 1, id="one sample"),
        pytest.param(399, 1, id="less than a window of 25 ms"),
        pytest.param(16000, 50, id="one second"),
        pytest.param(WINDOW + 160, 1501, id="a frame over 30 s"),
        pytest.param(WINDOW + RATE, 1550, id="31 s"),
        pytest.param(2 * WINDOW + RATE // 2, 3025, id="60.5 s"),
    ],
)
def test_lengths(encoder, num_samples, frames):
    feats, lengths = encode(encoder, make_audio(num_samples))
    assert lengths.tolist() == [frames]
    assert feats.shape == (1, frames, encoder.output_size())
    assert feats.isfinite().all()


def test_windows_of_long_audio_are_encoded_by_themselves(encoder):
    # The second half repeats the first, so their mel spectrograms differ at the joint only.
    half = make_audio(WINDOW)
    feats, _ = encode(encoder, torch.cat([half, half]))
    alone, _ = encode(encoder, half)
    middle = slice(5, 1490)
    for start in (0, 1500):
        window = feats[0, start : start + 1500]
        torch.testing.assert_close(window[middle], alone[0, middle], rtol=0, atol=0.05)


def test_long_and_short_utterances_in_one_batch(encoder):
    audio = [make_audio(WINDOW + RATE), make_audio(3200)]
    feats, lengths = encode(encoder, *audio)
    assert lengths.tolist() == [1550, 10]
    single, _ = encode(encoder, audio[1])
    torch.testing.assert_close(feats[1, :10], single[0], rtol=1e-5, atol=1e-5)


def test_stays_frozen_in_evaluation_mode(folder):
    encoder = WhisperEncoder(folder).train()
    model = torch.nn.Sequential(encoder).train()
    assert model.training
    assert not any(module.training for module in encoder.modules())
    assert not any(p.requires_grad for p in encoder.parameters())
    audio = make_audio(3200)
    first, _ = encode(encoder, audio)
    assert not first.requires_grad
    torch.testing.assert_close(encode(encoder, audio)[0], first)  # there is dropout in the config


def test_rates_come_from_the_extractor(encoder):
    assert (encoder.sample_rate, encoder.frame_rate) == (16000, 50.0)


def test_random_weights_without_pretraining(folder, encoder):
    fresh = WhisperEncoder(folder, pretrained=False)
    assert fresh.output_size() == encoder.output_size()
    assert not torch.equal(fresh.encoder.conv1.weight, encoder.encoder.conv1.weight)
    assert not any(p.requires_grad for p in fresh.parameters())


def test_layers_are_counted_from_one(folder, encoder):
    audio = make_audio(RATE)
    feats, lengths = encode(encoder, audio)
    first, last = (encode(WhisperEncoder(folder, layer=n), audio) for n in (1, 2))
    torch.testing.assert_close(encoder.encoder.layer_norm(last[0]), feats)
    assert torch.equal(first[1], lengths)
    assert not torch.allclose(first[0], last[0])


@pytest.mark.parametrize("layer", [0, 3])
def test_layers_that_are_not_there(folder, layer):
    with pytest.raises(ValueError, match="between 1 and 2"):
        WhisperEncoder(folder, layer=layer)
