"""Self-supervised encoders from Hugging Face with the front end of wav2vec 2.0: wav2vec 2.0
(arXiv 2006.11477), HuBERT (2106.07447), WavLM (2110.13900) and models of their classes.

Their convolutions run on one utterance at a time: those of the base models normalise over time, so
that in a batch the padding would change the features, and the others lose nothing, as there is
enough to do in one utterance. The Transformer runs on the batch, masked. Long audio is encoded in
windows that overlap.
"""

from __future__ import annotations

import torch
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, PretrainedConfig

from espnet_ssr.encoder.abs import AbsEncoder, check_layer
from espnet_ssr.pretrained import resolve_model
from espnet_ssr.tensors import length_mask
from espnet_ssr.windows import Windows, encode_in_batches

# Padded frames that the Transformer takes at once. A CPU gains nothing from more.
BATCH_FRAMES = {"cpu": 1500, "cuda": 24000}


def measure_front_end(config: PretrainedConfig) -> tuple[int, int]:
    """Samples from one frame to the next, and samples that a frame sees, of the convolutions of
    wav2vec 2.0 and its like."""
    stride, receptive_field = 1, 1
    for kernel_size, step in zip(config.conv_kernel, config.conv_stride, strict=True):
        receptive_field += (kernel_size - 1) * stride
        stride *= step
    return stride, receptive_field


class HFEncoder(AbsEncoder):
    """A self-supervised encoder of Hugging Face, frozen.

    An utterance of ``N`` samples has ``(N - 400) // 320 + 1`` frames of 25 ms, 20 ms apart.

    Args:
        model: a local folder, a folder's name below ``$SSR_MODELS``, or a hub id.
        pretrained: False builds the architecture with random weights (for tests).
        layer: give the output of this layer, counted from 1, instead of the last one's (in large
            models, the normalised output). Later layers are not computed.
    """

    def __init__(
        self,
        model: str = "microsoft/wavlm-large",
        pretrained: bool = True,
        layer: int | None = None,
        window: float = 30.0,
        context: float = 2.0,
    ):
        super().__init__()
        path = resolve_model(model)
        self.extractor = AutoFeatureExtractor.from_pretrained(path)
        if pretrained:
            network = AutoModel.from_pretrained(path, dtype=torch.float32)
        else:
            network = AutoModel.from_config(AutoConfig.from_pretrained(path))
        if not hasattr(network, "feature_projection"):
            raise ValueError(f"{model}: {type(network).__name__} is not like wav2vec 2.0")
        self.network = network.eval().requires_grad_(False)
        self._keep_layers(layer, model)
        self.sample_rate = self.extractor.sampling_rate
        stride, receptive_field = measure_front_end(network.config)
        self.shortest = receptive_field
        self.frame_rate = self.sample_rate / stride
        self.windows = Windows(
            round(window * self.frame_rate),
            round(context * self.frame_rate),
            stride,
            receptive_field - stride,
        )

    def _keep_layers(self, layer: int | None, model: str) -> None:
        encoder = self.network.encoder
        num_layers = len(encoder.layers)
        if layer is None:
            return
        check_layer(layer, num_layers, model)
        del encoder.layers[layer:]
        if layer < num_layers and self.network.config.do_stable_layer_norm:
            encoder.layer_norm = torch.nn.Identity()  # it belongs to the last layer

    def train(self, mode: bool = True):
        """Stay in evaluation mode: the encoder is frozen, its dropout would only add noise."""
        return super().train(False)

    def output_size(self) -> int:
        return self.network.config.hidden_size

    @torch.no_grad()
    def forward(self, speech, speech_lengths):
        signals = [
            self._normalize(x[:n]) for x, n in zip(speech, speech_lengths.tolist(), strict=True)
        ]
        sizes = [(len(x) - self.windows.overhang) // self.windows.hop for x in signals]
        feats = self.windows.encode(self._encode, signals, sizes)
        lengths = torch.tensor(sizes, device=speech.device)
        return torch.nn.utils.rnn.pad_sequence(feats, batch_first=True), lengths

    def _normalize(self, samples: torch.Tensor) -> torch.Tensor:
        """An utterance as the model wants it, of one frame at least."""
        samples = torch.nn.functional.pad(samples, (0, max(0, self.shortest - len(samples))))
        if self.extractor.do_normalize:
            samples = (samples - samples.mean()) / torch.sqrt(samples.var(correction=0) + 1e-7)
        return samples

    def _encode(self, signals: list[torch.Tensor]) -> list[torch.Tensor]:
        """Features ``(T, D)`` of windows."""
        frames = [self._convolve(x) for x in signals]
        batch_frames = BATCH_FRAMES.get(frames[0].device.type, BATCH_FRAMES["cuda"])
        return encode_in_batches(self._transform, frames, batch_frames)

    def _convolve(self, samples: torch.Tensor) -> torch.Tensor:
        """What the Transformer takes of one window, ``(T, D)``."""
        convolved = self.network.feature_extractor(samples[None]).transpose(1, 2)
        projected = self.network.feature_projection(convolved)
        # HuBERT's gives the projection alone, the others' also what was projected.
        return (projected[0] if isinstance(projected, tuple) else projected)[0]

    def _transform(self, frames: list[torch.Tensor]) -> list[torch.Tensor]:
        sizes = [len(x) for x in frames]
        hidden = torch.nn.utils.rnn.pad_sequence(frames, batch_first=True)
        mask = length_mask(torch.tensor(sizes, device=hidden.device), hidden.size(1))
        hidden = self.network.encoder(hidden, attention_mask=mask).last_hidden_state
        return [x[:n] for x, n in zip(hidden, sizes, strict=True)]
