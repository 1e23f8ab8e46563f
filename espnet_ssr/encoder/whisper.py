"""Encoder of Whisper (arXiv 2212.04356) from Hugging Face, on unpadded audio of any length.

Whisper was trained on audio padded to 30 s, and its Hugging Face class insists on it; padding a
2.5 s prompt costs over ten times its own encoding. Here an utterance keeps its length, batches
are padded to their longest, and masks after the first convolution and in self-attention make
the result independent of that padding. Whisper knows positions for 30 s: longer audio is encoded in
windows that overlap. Their log-mel spectrogram is that of the whole, so that the loudest sound of
an hour sets the floor for all of it, as in OpenAI's own transcription.
"""

from __future__ import annotations

import torch
from transformers import AutoFeatureExtractor, WhisperConfig, WhisperModel
from transformers.models.whisper.modeling_whisper import WhisperEncoder as WhisperEncoderModel

from espnet_ssr.encoder.abs import AbsEncoder, check_layer
from espnet_ssr.encoder.fused import run_layer
from espnet_ssr.pretrained import resolve_model
from espnet_ssr.tensors import length_mask
from espnet_ssr.windows import Windows, encode_in_batches

MEL_FRAMES_A_FRAME = 2  # the stride of the second convolution
MEL_BLOCK = 3000  # frames whose Fourier transform is in memory at once
# Padded frames that are encoded at once. A CPU gains nothing from batches, unless utterances are
# very short, and loses what is padding.
BATCH_FRAMES = {"cpu": 250, "cuda": 24000}


class WhisperEncoder(AbsEncoder):
    """Whisper's encoder, frozen.

    Args:
        model: a local folder, a folder's name below ``$SSR_MODELS``, or a hub id.
        pretrained: False builds the architecture with random weights (for tests).
        layer: give the output of this layer, counted from 1, instead of the normalised output of
            the last. Earlier layers are closer to the sound: boundaries are sharper in them.
        window: seconds of the longest audio that is encoded whole, and of a window of a longer one.
        context: seconds at either side of a window that are heard only.
    """

    def __init__(
        self,
        model: str = "whisper-tiny.en",
        pretrained: bool = True,
        layer: int | None = None,
        window: float = 30.0,
        context: float = 2.0,
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
        if layer is not None:
            check_layer(layer, num_layers, model)
        self.layer = layer
        self.sample_rate = self.extractor.sampling_rate
        self.frame_rate = self.sample_rate / self.extractor.hop_length / MEL_FRAMES_A_FRAME
        self.windows = self.make_windows(window, context)
        filters = torch.from_numpy(self.extractor.mel_filters).float().T.contiguous()
        self.register_buffer("mel_filters", filters, persistent=False)
        hann = torch.hann_window(self.extractor.n_fft)
        self.register_buffer("hann", hann, persistent=False)

    def make_windows(self, window: float, context: float) -> Windows:
        """How long audio is cut; raises a ValueError if Whisper does not know such long windows."""
        most = self.encoder.config.max_source_positions
        length = round(window * self.frame_rate)
        if length > most:
            raise ValueError(
                f"window: {window} s are {length} frames, but this Whisper knows {most} positions"
            )
        return Windows(length, round(context * self.frame_rate), MEL_FRAMES_A_FRAME)

    def train(self, mode: bool = True):
        """Stay in evaluation mode: the encoder is frozen, its dropout would only add noise."""
        return super().train(False)

    def output_size(self) -> int:
        return self.encoder.config.d_model

    @torch.no_grad()
    def forward(self, speech, speech_lengths):
        mels = [self.log_mel(x[:n]) for x, n in zip(speech, speech_lengths.tolist(), strict=True)]
        num_frames = [-(-len(mel) // MEL_FRAMES_A_FRAME) for mel in mels]
        feats = self.windows.encode(self._encode, mels, num_frames)
        lengths = torch.tensor(num_frames, device=speech.device)
        return torch.nn.utils.rnn.pad_sequence(feats, batch_first=True), lengths

    def _encode(self, mels: list[torch.Tensor]) -> list[torch.Tensor]:
        batch_frames = BATCH_FRAMES.get(mels[0].device.type, BATCH_FRAMES["cuda"])
        return encode_in_batches(
            lambda batch: encode_windows(self.encoder, batch, self.layer),
            mels,
            batch_frames * MEL_FRAMES_A_FRAME,
        )

    @torch.no_grad()
    def log_mel(self, samples: torch.Tensor) -> torch.Tensor:
        """Log-mel spectrogram ``(frames, bins)`` of an utterance ``(N,)``, unpadded.

        The numbers are those of Hugging Face's extractor, in blocks: the Fourier transform of an
        hour would take more memory than its features.
        """
        n_fft, hop = self.extractor.n_fft, self.extractor.hop_length
        # At least one analysis window, else the reflecting pad has nothing to reflect.
        samples = torch.nn.functional.pad(samples, (0, max(0, n_fft - len(samples))))
        padded = torch.nn.functional.pad(samples[None], (n_fft // 2, n_fft // 2), mode="reflect")[0]
        num_frames, blocks = len(samples) // hop, []
        for begin in range(0, num_frames, MEL_BLOCK):
            end = min(begin + MEL_BLOCK, num_frames)
            part = padded[begin * hop : (end - 1) * hop + n_fft]
            spectrum = torch.stft(
                part, n_fft, hop, window=self.hann, center=False, return_complex=True
            )
            power = spectrum.abs().square()
            blocks.append((self.mel_filters @ power).clamp(min=1e-10).log10().T)
        mel = torch.cat(blocks)
        return (torch.maximum(mel, mel.max() - 8.0) + 4.0) / 4.0


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
    sizes = [len(m) for m in mels]
    mel_lengths = torch.tensor(sizes, device=mels[0].device)
    x = torch.nn.utils.rnn.pad_sequence(mels, batch_first=True).transpose(1, 2)
    # An unpadded utterance meets the convolution's own zeros at its end; so must this one.
    x = gelu(encoder.conv1(x)) * length_mask(mel_lengths, x.size(2))[:, None]
    x = gelu(encoder.conv2(x)).transpose(1, 2)
    lengths = (mel_lengths + 1) // MEL_FRAMES_A_FRAME
    x = x + encoder.embed_positions.weight[: x.size(1)]
    is_padded = min(sizes) < max(sizes)
    attention_mask = length_mask(lengths, x.size(1))[:, None, None] if is_padded else None
    for block in encoder.layers[:layer]:
        x = run_layer(block, x, attention_mask)
    if layer is None:
        x = encoder.layer_norm(x)
    return [frames[:n] for frames, n in zip(x, lengths.tolist(), strict=True)]
