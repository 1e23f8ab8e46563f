"""Pretrained CTC models of Hugging Face (wav2vec 2.0, HuBERT, MMS, ...) as aligners.

Windows of long recordings are normalised one by one, as the training's utterances were.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from transformers import AutoFeatureExtractor, AutoModelForCTC, AutoTokenizer

from espnet_ssr.align.ctc import CTCAligner, posterior_windows, windowed_posteriors
from espnet_ssr.align.labels import BLANK, DELIMITER, CharLabels
from espnet_ssr.encoder.hf import measure_front_end
from espnet_ssr.pretrained import resolve_model


def load_hf_ctc_aligner(model: str, device: str = "cpu", language: str | None = None) -> CTCAligner:
    """Build the aligner of a CTC model with a vocabulary of characters.

    Args:
        model: see ``espnet_ssr.pretrained.resolve_model``.
        device: a torch device.
        language: of MMS, whose adapter is loaded (``eng``).
    """
    path = resolve_model(model)
    options = {} if language is None else {"target_lang": language}
    tokenizer = AutoTokenizer.from_pretrained(path, **options)
    if language is not None:
        options["ignore_mismatched_sizes"] = True  # the adapter brings an output layer of its own
    network = AutoModelForCTC.from_pretrained(path, dtype=torch.float32, **options)
    names, columns = character_columns(tokenizer, network.config.pad_token_id)
    extractor = AutoFeatureExtractor.from_pretrained(path)
    posteriors = HFPosteriors(network.to(device).eval(), extractor, columns)
    aligner = CTCAligner(
        posteriors,
        CharLabels(names),
        posteriors.frame_rate,
        posteriors.frame_offset,
        input="speech",
    )
    aligner.sample_rate = extractor.sampling_rate
    return aligner


def character_columns(tokenizer, blank: int) -> tuple[list[str], list[int]]:
    """The labels of ``CharLabels`` and the model's column of each; other columns are not used.

    Letters are lower case where the model knows capitals only.

    Raises:
        ValueError: the tokenizer has no word delimiter.
    """
    vocabulary = tokenizer.get_vocab()
    delimiter = getattr(tokenizer, "word_delimiter_token", None)
    if delimiter not in vocabulary:
        raise ValueError("the model's tokenizer has no word delimiter, so words cannot be told")
    letters = {
        c: i
        for c, i in vocabulary.items()
        if len(c.strip()) == len(c) == 1 and c != delimiter and i != blank
    }
    if not any(c.islower() for c in letters):
        letters = {c.lower(): i for c, i in letters.items()}
    names = [BLANK, DELIMITER, *sorted(letters)]
    return names, [blank, vocabulary[delimiter], *(letters[c] for c in names[2:])]


class HFPosteriors:
    """A CTC model as what ``CTCAligner`` asks for.

    Args:
        network: with a convolutional front end as wav2vec 2.0's.
        extractor: its feature extractor.
        columns: which of its outputs to use.
    """

    def __init__(self, network: torch.nn.Module, extractor, columns: Sequence[int]):
        self._network, self._extractor, self._columns = network, extractor, list(columns)
        stride, receptive_field = measure_front_end(network.config)
        rate = extractor.sampling_rate
        self._shortest = receptive_field
        self.frame_rate = rate / stride
        self._windows = posterior_windows(self.frame_rate, stride, receptive_field - stride)
        # A frame is the middle of what its convolutions see.
        self.frame_offset = (receptive_field - stride) / 2 / rate

    @torch.inference_mode()
    def __call__(self, signals: Sequence[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
        num_frames = [self._num_frames(len(x)) for x in signals]
        return windowed_posteriors(self._encode_all, self._windows, signals, num_frames)

    def _num_frames(self, num_samples: int) -> int:
        return (max(num_samples, self._shortest) - self._windows.overhang) // self._windows.hop

    def _encode_all(self, signals: Sequence[np.ndarray]) -> list[torch.Tensor]:
        # Group norm looks at the whole of its input: there a batch would change with its padding.
        is_alone = self._network.config.feat_extract_norm == "group"
        batches = [[x] for x in signals] if is_alone else [signals]
        return [row for batch in batches for row in self._encode(batch)]

    def _encode(self, signals: Sequence[np.ndarray]) -> list[torch.Tensor]:
        padded = [np.pad(x, (0, max(0, self._shortest - len(x)))) for x in signals]
        device = self._network.device
        inputs = self._extractor(
            padded,
            sampling_rate=self._extractor.sampling_rate,
            padding=True,
            return_attention_mask=True,
            return_tensors="pt",
        ).to(device)
        logits = self._network(**inputs).logits[..., self._columns]
        log_probs = logits.log_softmax(dim=-1)
        return [x[: self._num_frames(len(y))] for x, y in zip(log_probs, padded, strict=True)]
