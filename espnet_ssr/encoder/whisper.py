"""Encoder of Whisper (arXiv 2212.04356) from Hugging Face, on unpadded audio.

Whisper was trained on audio padded to 30 s, and its Hugging Face class insists on it; padding a
2.5 s prompt costs over ten times its own encoding. Here an utterance keeps its length, batches
are padded to their longest, and masks after the first convolution and in self-attention make
the result independent of that padding. Audio over 30 s is encoded in windows of 30 s.
"""

from __future__ import annotations

import torch
from transformers import AutoFeatureExtractor, WhisperConfig, WhisperModel
from transformers.models.whisper.modeling_whisper import WhisperEncoder as WhisperEncoderModel

from espnet_ssr.encoder.abs import AbsEncoder
from espnet_ssr.pretrained import resolve_model
from espnet_ssr.tensors import length_mask

WINDOW_MEL_FRAMES = 3000  # 30 s, as many positions as Whisper knows


class WhisperEncoder(AbsEncoder):
    """Whisper's encoder, frozen.

    Args:
        model: a local folder, a folder's name below ``$SSR_MODELS``, or a hub id.
        pretrained: False builds the architecture with random weights (for tests).
        layer: give the output of this layer, counted from 1, instead of the normalised output of
            the last. Earlier layers are closer to the sound: boundaries are sharper in them.
    """

    def __init__(
        self, model: str = "whisper-tiny.en", pretrained: bool = True, layer: int | None = None
    ):
        super().__init__()
        path = resolve_model(model)
        self.extractor = AutoFeatureExtractor.from_pretrained(path)
        if pretrained:
            whisper = WhisperModel.from_pretrained(path, dtype=torch.float32)
        else:
            whisper = WhisperModel(WhisperConfig.from_pretrained(path))
        self.encoder = whisper.encoder.eval().requires_grad_(False)
        num_layers = len(self.encoder.layers)
        if layer is not None and not 1 <= layer <= num_layers:
            raise ValueError(f"layer must be between 1 and {num_layers} for {model}, not {layer}")
        self.layer = layer
        self.sample_rate = self.extractor.sampling_rate
        # The second convolution halves the rate of the mel spectrogram.
        self.frame_rate = self.sample_rate / self.extractor.hop_length / 2

    def train(self, mode: bool = True):
        """Stay in evaluation mode: the encoder is frozen, its dropout would only add noise."""
        return super().train(False)

    def output_size(self) -> int:
        return self.encoder.config.d_model

    @torch.no_grad()
    def forward(self, speech, speech_lengths):
        mels = [self._log_mel(x[:n]) for x, n in zip(speech, speech_lengths.tolist(), strict=True)]
        windows = [w for mel in mels for w in mel.split(WINDOW_MEL_FRAMES)]
        encoded = iter(encode_windows(self.encoder, windows, self.layer))
        feats = [torch.cat([next(encoded) for _ in mel.split(WINDOW_MEL_FRAMES)]) for mel in mels]
        lengths = torch.tensor([len(f) for f in feats], device=speech.device)
        return torch.nn.utils.rnn.pad_sequence(feats, batch_first=True), lengths

    def _log_mel(self, samples: torch.Tensor) -> torch.Tensor:
        """Log-mel spectrogram ``(frames, bins)`` of one unpadded utterance."""
        # At least one analysis window, else the reflecting pad of the STFT has nothing to reflect.
        shortest = self.extractor.n_fft
        samples = torch.nn.functional.pad(samples, (0, max(0, shortest - len(samples))))
        mel = self.extractor(
            samples.cpu().numpy(),
            sampling_rate=self.sample_rate,
            padding=False,
            truncation=False,
            return_tensors="pt",
        ).input_features[0]
        return mel.T.to(samples.device)


def encode_windows(
    encoder: WhisperEncoderModel, mels: list[torch.Tensor], layer: int | None = None
) -> list[torch.Tensor]:
    """Encode windows of at most 30 s as one batch.

    Args:
        encoder: of Hugging Face.
        mels: log-mel spectrograms ``(M, bins)`` of windows.
        layer: see `WhisperEncoder`.

    Returns:
        for each window ``(M / 2, D)``, rounded up.
    """
    gelu = torch.nn.functional.gelu
    mel_lengths = torch.tensor([len(m) for m in mels], device=mels[0].device)
    x = torch.nn.utils.rnn.pad_sequence(mels, batch_first=True).transpose(1, 2)
    # An unpadded utterance meets the convolution's own zeros at its end; so must this one.
    x = gelu(encoder.conv1(x)) * length_mask(mel_lengths, x.size(2))[:, None]
    x = gelu(encoder.conv2(x)).transpose(1, 2)
    lengths = (mel_lengths + 1) // 2
    x = x + encoder.embed_positions.weight[: x.size(1)]
    attention_mask = length_mask(lengths, x.size(1))[:, None, None]
    for block in encoder.layers[:layer]:
        x = block(x, attention_mask)
    if layer is None:
        x = encoder.layer_norm(x)
    return [frames[:n] for frames, n in zip(x, lengths.tolist(), strict=True)]
