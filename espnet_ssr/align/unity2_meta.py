"""Meta's released UnitY2 aligner (``nar_t2u_aligner`` of facebookresearch/seamless_communication).

Three files that a user has to have: the checkpoint, the centroids of its units
(``kmeans_10k.npy``) and its SentencePiece model of characters (``spm_char_lang38_tc.model``). The
features are those that the centroids were made from: XLS-R (``xlsr2_1b_v2``), layer 35, 50 Hz.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from sentencepiece import SentencePieceProcessor

from espnet_ssr.align.labels import AbsLabels, Encoded
from espnet_ssr.align.project import split_words
from espnet_ssr.align.unity2 import UnitY2Aligner, UnitY2Network

# Both vocabularies begin with <s> <pad> </s> <unk>; that of units ends with language symbols,
# two for each of 38 languages and two masks.
NUM_SPECIALS = 4
NUM_LANGUAGE_SYMBOLS = 78

WORD_START = "▁"

# Where the layers of ``nn.Sequential`` are among ours.
KEYS = {
    "label_input": "alignment_frontend.embed_text",
    "frame_input.embedding": "alignment_frontend.embed_unit",
    "label_convs.convs.0": "alignment_encoder.t_conv.1",
    "label_convs.convs.1": "alignment_encoder.t_conv.4",
    "frame_convs.convs.0": "alignment_encoder.f_conv.1",
    "frame_convs.convs.1": "alignment_encoder.f_conv.4",
    "frame_convs.convs.2": "alignment_encoder.f_conv.7",
}


class MetaCharLabels(AbsLabels):
    """The characters of a SentencePiece model, cased, with a delimiter around every word.

    Punctuation has labels, for the pauses that it goes with, but stands for no character.

    Args:
        model: path of the SentencePiece model.
    """

    kind = "unity2_meta"

    def __init__(self, model: str):
        self._model = model
        self._processor = SentencePieceProcessor(model_file=model)
        size = self._processor.get_piece_size()
        super().__init__([self._processor.id_to_piece(i) for i in range(size)])
        self._ids = {name: i for i, name in enumerate(self.names) if i >= NUM_SPECIALS}

    def encode(self, text: str) -> Encoded:
        ids, offsets = [], []
        for begin, end in split_words(text):
            known = [(i, self._lookup(text[i])) for i in range(begin, end)]
            known = [(i, label) for i, label in known if label is not None]
            if known:
                ids += [self._ids[WORD_START], *(label for _, label in known)]
                offsets += [(begin, begin), *((i, i + text[i].isalnum()) for i, _ in known)]
        if ids:
            ids.append(self._ids[WORD_START])
            offsets.append((len(text), len(text)))
        return ids, offsets

    def _lookup(self, character: str) -> int | None:
        """The label of a character as the model normalises it, else of its lower case."""
        normalized = self._processor.normalize(character).replace(WORD_START, "")
        return self._ids.get(normalized, self._ids.get(normalized.lower()))

    def conf(self) -> dict:
        return {"model": self._model}


def load_meta_aligner(
    checkpoint: str, centroids: str, char_model: str, frame_rate: float = 50.0, device: str = "cpu"
) -> UnitY2Aligner:
    """Build the aligner from Meta's files (paths).

    Raises:
        ValueError: the checkpoint has other parameters than that aligner, or they do not fit
            the centroids or the characters.
    """
    state, is_sorted = _read_checkpoint(checkpoint)
    labels = MetaCharLabels(char_model)
    hidden_size = state["alignment_frontend.embed_text.weight"].shape[1]
    input_size = np.load(centroids, mmap_mode="r").shape[1]
    network = UnitY2Network(input_size, len(labels), hidden_size, units=centroids)
    parameters = dict(network.named_parameters())
    for name, shape in _expected_shapes(parameters).items():
        if state[name].shape != shape:
            raise ValueError(
                f"{checkpoint}: {name} is {tuple(state[name].shape)}, but {tuple(shape)} would go "
                f"with {centroids} and {char_model}"
            )
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(_select_rows(name, state[_their_name(name)], labels, is_sorted))
    return UnitY2Aligner(network.to(device), labels, frame_rate)


def _read_checkpoint(path: str) -> tuple[dict[str, torch.Tensor], bool]:
    """Parameters by the names of fairseq2's module, and whether characters are sorted.

    The file either has these names, below ``model``, and characters in the order of their
    model; or it is the one of the training: three state dicts, and characters sorted.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(f"{path}: not a readable checkpoint ({error})") from error
    prefixes = {
        "model": "",
        "text_emb_state": "alignment_frontend.embed_text.",
        "unit_emb_state": "alignment_frontend.embed_unit.",
        "aligner_state": "alignment_encoder.",
    }
    state = {
        prefix + name: value
        for part, prefix in prefixes.items()
        for name, value in content.get(part, {}).items()
    }
    wanted = {f"{layer}.weight" for layer in KEYS.values()}
    wanted |= {f"{layer}.bias" for layer in KEYS.values() if "_conv." in layer}
    if missing := wanted - state.keys():
        raise ValueError(f"{path}: not a UnitY2 aligner, {', '.join(sorted(missing))} missing")
    if unknown := state.keys() - wanted:
        raise ValueError(f"{path}: another UnitY2 aligner, with {', '.join(sorted(unknown))}")
    return state, "model" not in content


def _their_name(name: str) -> str:
    layer, _, kind = name.rpartition(".")
    return f"{KEYS[layer]}.{kind}"


def _expected_shapes(parameters: Mapping[str, torch.Tensor]) -> dict[str, torch.Size]:
    """Shapes by Meta's names."""
    shapes = {_their_name(name): value.shape for name, value in parameters.items()}
    units, size = shapes["alignment_frontend.embed_unit.weight"]
    units += NUM_SPECIALS + NUM_LANGUAGE_SYMBOLS
    return shapes | {"alignment_frontend.embed_unit.weight": torch.Size((units, size))}


def _select_rows(
    name: str, value: torch.Tensor, labels: MetaCharLabels, is_sorted: bool
) -> torch.Tensor:
    """A parameter of Meta's as ours has it: units alone, characters in their model's order."""
    if name == "frame_input.embedding.weight":
        return value[NUM_SPECIALS:-NUM_LANGUAGE_SYMBOLS]
    if name == "label_input.weight" and is_sorted:
        characters = labels.names[NUM_SPECIALS:]
        place = {c: i for i, c in enumerate(sorted(characters), NUM_SPECIALS)}
        return value[[*range(NUM_SPECIALS), *(place[c] for c in characters)]]
    return value
