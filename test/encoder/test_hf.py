"""Self-supervised encoders: tiny random ones, equal to Hugging Face's and independent of the
batch."""

import pytest
import torch
from transformers import (
    HubertConfig,
    HubertModel,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2Model,
    WavLMConfig,
    WavLMModel,
    WhisperConfig,
)

from espnet_ssr.encoder.hf import HFEncoder

RATE = 16000
WHOLE_FRAMES = 880 + 320 * 47  # samples of 48 frames, with none left over
MODELS = {
    "wav2vec2": (Wav2Vec2Config, Wav2Vec2Model),
    "hubert": (HubertConfig, HubertModel),
    "wavlm": (WavLMConfig, WavLMModel),
}
SHAPE = dict(
    vocab_size=8, hidden_size=16, num_hidden_layers=3, num_attention_heads=2,
    intermediate_size=16, conv_dim=[8, 8], conv_kernel=[400, 4], conv_stride=[160, 2],
    num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=2, initializer_range=0.5,
    num_feat_extract_layers=2,
)  # fmt: skip


@pytest.fixture(
    scope="module",
    params=[(name, norm) for name in MODELS for norm in ("group", "layer")],
    ids="-".join,
)
def folder(request, tmp_path_factory):
    """A model in the style of the base (group norm) or large (layer norm) ones."""
    name, norm = request.param
    folder = tmp_path_factory.mktemp(f"{name}-{norm}")
    is_large = norm == "layer"
    config_class, model_class = MODELS[name]
    torch.manual_seed(0)
    config = config_class(
        **SHAPE, feat_extract_norm=norm, conv_bias=is_large, do_stable_layer_norm=is_large
    )
    model_class(config).save_pretrained(folder)
    extractor = Wav2Vec2FeatureExtractor(
        do_normalize=is_large or name != "wavlm", return_attention_mask=is_large
    )
    extractor.save_pretrained(folder)
    return str(folder)


def make_audio(num_samples):
    generator = torch.Generator().manual_seed(num_samples)
    time = torch.arange(num_samples) / RATE
    return 0.3 * torch.sin(2000 * time) + 0.1 * torch.randn(num_samples, generator=generator) + 0.1


def encode(encoder, *audio):
    speech = torch.nn.utils.rnn.pad_sequence(audio, batch_first=True)
    return encoder(speech, torch.tensor([len(x) for x in audio]))


def hugging_face(folder, audio):
    """Outputs of all layers, from the input of the first on, of one utterance."""
    from transformers import AutoFeatureExtractor, AutoModel

    extractor = AutoFeatureExtractor.from_pretrained(folder)
    inputs = extractor(audio.numpy(), sampling_rate=RATE, return_tensors="pt").input_values
    model = AutoModel.from_pretrained(folder).eval()
    with torch.no_grad():
        output = model(inputs, output_hidden_states=True)
    return output.last_hidden_state[0], [hidden[0] for hidden in output.hidden_states]


def test_equals_hugging_face(folder):
    audio = make_audio(WHOLE_FRAMES)
    last, _ = hugging_face(folder, audio)
    encoder = HFEncoder(folder)
    feats, lengths = encode(encoder, audio)
    assert lengths.tolist() == [len(last)]
    assert feats.shape[2] == encoder.output_size() == 16
    assert encoder.frame_rate == 50
    torch.testing.assert_close(feats[0], last, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("layer", [1, 2])
def test_layer(folder, layer):
    audio = make_audio(WHOLE_FRAMES)
    _, layers = hugging_face(folder, audio)
    feats, _ = encode(HFEncoder(folder, layer=layer), audio)
    torch.testing.assert_close(feats[0], layers[layer], atol=1e-4, rtol=1e-4)


def test_neighbours_and_padding_do_not_matter(folder):
    encoder = HFEncoder(folder)
    audio = [make_audio(n) for n in (16000, 5280, 31117, 100, 16160)]
    feats, lengths = encode(encoder, *audio)
    assert feats.shape == (len(audio), lengths.max(), encoder.output_size())
    for x, row, n in zip(audio, feats, lengths.tolist(), strict=True):
        single, single_lengths = encode(encoder, x)
        assert single_lengths.tolist() == [n]
        torch.testing.assert_close(row[:n], single[0], atol=1e-4, rtol=1e-4)
        assert not row[n:].any()


def test_long_audio_in_windows(folder):
    """There are as many frames as in the whole, and short audio beside it is as it was."""
    audio = make_audio(5 * RATE + 77)
    whole, lengths = encode(HFEncoder(folder), audio)
    encoder = HFEncoder(folder, window=2.0, context=0.5)
    feats, window_lengths = encode(encoder, audio, make_audio(9000))
    assert window_lengths[0] == lengths[0] == whole.shape[1]
    assert torch.isfinite(feats).all() and (feats[0] != 0).any(dim=1).all()
    short, _ = encode(HFEncoder(folder), make_audio(9000))
    torch.testing.assert_close(feats[1, : short.shape[1]], short[0], atol=1e-4, rtol=1e-4)


def test_frozen_without_dropout(folder):
    encoder = HFEncoder(folder).train()
    assert not encoder.training and not any(x.requires_grad for x in encoder.parameters())
    audio = make_audio(8000)
    assert torch.equal(encode(encoder, audio)[0], encode(encoder, audio)[0])


def test_random_weights(folder):
    audio = make_audio(8000)
    random, _ = encode(HFEncoder(folder, pretrained=False), audio)
    pretrained, _ = encode(HFEncoder(folder), audio)
    assert random.shape == pretrained.shape and not torch.allclose(random, pretrained)


def test_no_such_layer(folder):
    with pytest.raises(ValueError, match="layer must be between 1 and 3 .* not 4"):
        HFEncoder(folder, layer=4)


def test_model_of_another_kind(tmp_path):
    WhisperConfig(
        d_model=8, encoder_layers=1, decoder_layers=1, encoder_ffn_dim=8, decoder_ffn_dim=8,
        encoder_attention_heads=1, decoder_attention_heads=1, vocab_size=8, pad_token_id=0,
        decoder_start_token_id=1,
    ).save_pretrained(tmp_path)  # fmt: skip
    Wav2Vec2FeatureExtractor().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="WhisperModel is not like wav2vec 2.0"):
        HFEncoder(str(tmp_path), pretrained=False)
