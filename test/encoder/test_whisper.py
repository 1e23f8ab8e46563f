"""Whisper without 30 s of padding: independent of the batch, equal to Hugging Face's at 30 s."""

import pytest
import torch
from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperModel

from espnet_ssr.data.format import Recording, read_recording
from espnet_ssr.datadir import read_keyed
from espnet_ssr.encoder import WhisperEncoder, fused
from espnet_ssr.encoder.whisper import encode_windows

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


def test_fused_layers_equal_plain_ones(encoder, monkeypatch):
    audio = [make_audio(16000), make_audio(9000)]
    expected, _ = encode(encoder, *audio)
    monkeypatch.setattr(fused, "HAS_ONEDNN", False)
    found, _ = encode(encoder, *audio)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_real_whisper_equals_hugging_face_at_30_s(installed_model):
    folder = installed_model("whisper-tiny.en")
    audio = make_audio(WINDOW)
    feats, _ = encode(WhisperEncoder(folder), audio)
    expected = hugging_face(folder, audio)
    # Some dimensions are a hundred times larger than others: errors are those of frames.
    assert (relative_error(feats[0], expected) < 1e-4).all()


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


def relative_error(found, expected):
    """Of each frame ``(T,)``."""
    return (found - expected).norm(dim=1) / expected.norm(dim=1)


def test_log_mel_is_that_of_hugging_face(encoder):
    audio = make_audio(4 * WINDOW // 3)  # the second block is not a whole one
    expected = encoder.extractor(
        audio.numpy(), sampling_rate=RATE, padding=False, truncation=False, return_tensors="pt"
    ).input_features[0]
    torch.testing.assert_close(encoder.log_mel(audio).T, expected, rtol=0, atol=1e-6)


def test_windows_hear_their_context_alone(encoder):
    # Every window is encoded as if it were an utterance, with the spectrogram of the whole.
    audio = make_audio(2 * WINDOW)
    feats, _ = encode(encoder, audio)
    mel = encoder.log_mel(audio)
    windows = encoder.windows.cut(3000)
    assert [(w.begin, w.begin + w.kept.start) for w in windows] == [
        (0, 0), (1300, 1400), (1500, 2700),
    ]  # fmt: skip
    for window in windows:
        alone = encode_windows(encoder.encoder, [mel[2 * window.begin : 2 * window.end]])[0]
        found = feats[0, window.begin :][window.kept]
        torch.testing.assert_close(found, alone[window.kept], rtol=1e-4, atol=1e-4)


def test_audio_of_a_window_is_encoded_whole(folder, encoder):
    audio = make_audio(10 * RATE)
    expected, _ = encode(encoder, audio)
    found, _ = encode(WhisperEncoder(folder, window=10), audio)
    assert torch.equal(found, expected)


@pytest.mark.parametrize("seconds", [10.02, 23, 47.99])
def test_as_many_frames_as_without_windows(folder, seconds):
    audio = make_audio(round(seconds * RATE))
    num_frames = -(-(len(audio) // 160) // 2)
    feats, lengths = encode(WhisperEncoder(folder, window=10, context=3), audio)
    assert lengths.tolist() == [num_frames]
    assert feats.shape[1] == num_frames


def test_context_heals_the_seams_of_the_real_whisper(installed_model, asterisk_data):
    encoder = WhisperEncoder(installed_model("whisper-tiny.en"))
    paths = list(read_keyed(asterisk_data / "test" / "wav.scp").values())[:8]
    recording = torch.cat([torch.from_numpy(read_recording(Recording(p), RATE)) for p in paths])
    mel = encoder.log_mel(recording[: 20 * RATE])
    whole = encode_windows(encoder.encoder, [mel])[0]
    centred = (whole - whole.mean(0)).norm(dim=1)
    error = {}
    for context in (0, 2):
        found, at_seam = [], torch.zeros(len(whole), dtype=torch.bool)
        for window in encoder.make_windows(5 + context, context).cut(len(whole)):
            part = encode_at(encoder, encoder.windows.read(mel, window), window.begin)
            found.append(part[window.kept])
            seam = window.begin + window.kept.start
            at_seam[max(seam - 10, 0) : seam + 10] = True
        at_seam[:10] = False  # the recording begins there
        relative = (torch.cat(found) - whole).norm(dim=1) / centred
        error[context] = relative[at_seam].median()
    assert error[0] > 0.3
    assert error[2] < 0.2


def encode_at(encoder, mel, begin):
    """Encode a window as the whole counts its positions."""
    positions = encoder.encoder.embed_positions.weight
    all_positions, positions.data = positions.data, positions.data[begin:]
    try:
        return encode_windows(encoder.encoder, [mel])[0]
    finally:
        positions.data = all_positions


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 31}, "31 s are 1550 frames, but this Whisper knows 1500 positions"),
        ({"window": 10, "context": 5}, "less than half"),
    ],
)
def test_windows_that_cannot_be(folder, options, message):
    with pytest.raises(ValueError, match=message):
        WhisperEncoder(folder, **options)


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
