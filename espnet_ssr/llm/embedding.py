"""The LLM's token embeddings, read without building the LLM, and distances in their space."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import safe_open
from torch.nn.functional import cosine_similarity, normalize

from espnet_ssr.pretrained import resolve_model

# Names of the input embedding in the families that transformers knows.
_MATRIX_NAMES = (
    "embed_tokens.weight",  # Llama, Mistral, Qwen, Gemma, Phi, OPT, SmolLM
    "wte.weight",  # GPT-2, GPT-J
    "embed_in.weight",  # GPT-NeoX, Pythia
    "word_embeddings.weight",  # Falcon, BLOOM
)


def load_embedding_matrix(model: str) -> torch.Tensor:
    """Read the input embedding ``(V, H)``, float32, of a safetensors model.

    Only the file that holds it is opened (and fetched, for a hub id), and of that file only the
    matrix.

    Args:
        model: see ``espnet_ssr.pretrained.resolve_model``.

    Raises:
        FileNotFoundError: there is no safetensors file.
        KeyError: no tensor has the name of an input embedding.
    """
    path = resolve_model(model)
    index = _find_file(path, "model.safetensors.index.json")
    if index is not None:
        weight_map = json.loads(Path(index).read_text())["weight_map"]
        key = _matrix_key(weight_map, model)
        file = _find_file(path, weight_map[key])
    else:
        key, file = None, _find_file(path, "model.safetensors")
    if file is None:
        raise FileNotFoundError(
            f"{model}: no model.safetensors; save the model with transformers' save_pretrained"
        )
    with safe_open(file, framework="pt") as tensors:
        return tensors.get_tensor(key or _matrix_key(tensors.keys(), model)).float()


def _find_file(path: str, name: str) -> str | None:
    """A file of a model folder, or of a hub repository (fetched into the hub's cache)."""
    if Path(path).is_dir():
        file = Path(path) / name
        return str(file) if file.is_file() else None
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    try:
        return hf_hub_download(path, name)
    except EntryNotFoundError:
        return None


def _matrix_key(keys, model: str) -> str:
    for name in _MATRIX_NAMES:
        found = [key for key in keys if key.endswith(name)]
        if len(found) == 1:
            return found[0]
    raise KeyError(f"{model}: found no input embedding; looked for {', '.join(_MATRIX_NAMES)}")


class EmbeddingSpace(torch.nn.Module):
    """A frozen embedding matrix with what is needed to compare vectors with it.

    Raw cosine is flattered by the mean that all embeddings share, so everything here that
    decides is measured after subtracting it ("centred", as in ACIF, "Align, Integrate, and Fire").

    Args:
        matrix: ``(V, H)``.
    """

    def __init__(self, matrix: torch.Tensor):
        super().__init__()
        mean = matrix.mean(0)
        squares = (matrix - mean).square().sum(1)
        # Not persistent: the LLM's own file holds the matrix, checkpoints need not.
        self.register_buffer("matrix", matrix, persistent=False)
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("inverse_norm", squares.clamp(min=1e-12).rsqrt(), persistent=False)
        self.register_buffer("variance", squares.mean(), persistent=False)

    @property
    def width(self) -> int:
        return self.matrix.size(1)

    @property
    def deviation(self) -> torch.Tensor:
        """Standard deviation of the embeddings in one dimension."""
        return (self.variance / self.width).sqrt()

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Embeddings ``(..., H)`` of token ids ``(...)``."""
        return self.matrix[ids]

    def fidelity(self, vectors: torch.Tensor, ids: torch.Tensor) -> dict[str, torch.Tensor]:
        """How close vectors ``(S, H)`` are to the embeddings of tokens ``(S,)``, each ``(S,)``.

        ``cosine``, ``centred_cosine`` and ``mse``: squared distance over the mean squared
        distance of embeddings from their mean (1 = no better than predicting the mean).
        """
        target = self(ids)
        return {
            "cosine": cosine_similarity(vectors, target, dim=-1),
            "centred_cosine": cosine_similarity(vectors - self.mean, target - self.mean, dim=-1),
            "mse": (vectors - target).square().sum(-1) / self.variance,
        }

    def nearest(self, vectors: torch.Tensor, chunk: int = 1024) -> torch.Tensor:
        """Token id ``(S,)`` of the embedding with the largest centred cosine to each vector."""
        ids = [self.centred_cosines(part).argmax(-1) for part in vectors.split(chunk)]
        return torch.cat(ids) if ids else vectors.new_zeros(0, dtype=torch.long)

    def centred_cosines(
        self, vectors: torch.Tensor, ids: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Centred cosines of vectors ``(S, H)`` with all embeddings ``(S, V)``, or with those of
        tokens ``(C,)`` only; without a centred copy of the matrix in memory."""
        matrix, inverse_norm = self.matrix, self.inverse_norm
        if ids is not None:
            matrix, inverse_norm = matrix[ids], inverse_norm[ids]
        centred = normalize(vectors - self.mean, dim=-1)
        return (centred @ matrix.T - (centred @ self.mean)[:, None]) * inverse_norm
