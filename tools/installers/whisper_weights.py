"""Give CTranslate2's Whisper weights the names that Hugging Face's Whisper has."""

from __future__ import annotations

import numpy as np
from ctranslate2_file import ModelFile

# Hugging Face's name of each part of a layer; decoder layers also attend to the encoder.
NORMS = {
    "self_attention": "self_attn_layer_norm",
    "attention": "encoder_attn_layer_norm",
    "ffn": "final_layer_norm",
}
TOP_LEVEL = {
    "encoder": {
        "conv1.weight": "conv1/weight",
        "conv1.bias": "conv1/bias",
        "conv2.weight": "conv2/weight",
        "conv2.bias": "conv2/bias",
        "embed_positions.weight": "position_encodings/encodings",
    },
    "decoder": {
        "embed_tokens.weight": "embeddings/weight",
        "embed_positions.weight": "position_encodings/encodings",
    },
}


def norm_weights(variables: dict, source: str, target: str) -> dict[str, np.ndarray]:
    """A layer norm: gamma is the weight, beta the bias."""
    return {
        f"{target}.weight": variables[f"{source}/layer_norm/gamma"],
        f"{target}.bias": variables[f"{source}/layer_norm/beta"],
    }


def linear_weights(variables: dict, source: str, targets: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Split one stacked CTranslate2 projection into Hugging Face's single ones.

    Whisper's key projection has no bias; CTranslate2 stores zeros in its place.
    """
    weights = np.split(variables[f"{source}/weight"], len(targets))
    biases = np.split(variables[f"{source}/bias"], len(targets))
    state = {}
    for target, weight, bias in zip(targets, weights, biases, strict=True):
        state[f"{target}.weight"] = weight
        if not target.endswith(".k_proj"):
            state[f"{target}.bias"] = bias
        elif np.any(bias):
            raise ValueError(f"{source}: the key projection has a bias, Whisper's has none")
    return state


def layer_weights(variables: dict, source: str, target: str) -> dict[str, np.ndarray]:
    """All weights of one encoder or decoder layer."""
    projections: dict[str, tuple[str, ...]] = {
        "self_attention/linear_0": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
        "self_attention/linear_1": ("self_attn.out_proj",),
        "attention/linear_0": ("encoder_attn.q_proj",),
        "attention/linear_1": ("encoder_attn.k_proj", "encoder_attn.v_proj"),
        "attention/linear_2": ("encoder_attn.out_proj",),
        "ffn/linear_0": ("fc1",),
        "ffn/linear_1": ("fc2",),
    }
    has_cross_attention = f"{source}/attention/linear_0/weight" in variables
    state = {}
    for part, names in projections.items():
        if has_cross_attention or not part.startswith("attention/"):
            targets = tuple(f"{target}.{name}" for name in names)
            state.update(linear_weights(variables, f"{source}/{part}", targets))
    for part, name in NORMS.items():
        if has_cross_attention or part != "attention":
            state.update(norm_weights(variables, f"{source}/{part}", f"{target}.{name}"))
    return state


def count_layers(variables: dict, side: str) -> int:
    """The number of layers of the encoder or the decoder."""
    prefix = f"{side}/layer_"
    return len(
        {
            name.split("/")[1]
            for name in variables
            if name.startswith(prefix) and name[len(prefix)].isdigit()
        }
    )


def hugging_face_weights(model_file: ModelFile) -> dict[str, np.ndarray]:
    """The state dict of a ``WhisperForConditionalGeneration`` (its output layer is tied)."""
    variables = model_file.variables
    state = {}
    for side in ("encoder", "decoder"):
        for target, source in TOP_LEVEL[side].items():
            state[f"model.{side}.{target}"] = variables[f"{side}/{source}"]
        state.update(norm_weights(variables, side, f"model.{side}.layer_norm"))
        for i in range(count_layers(variables, side)):
            source, target = f"{side}/layer_{i}", f"model.{side}.layers.{i}"
            state.update(layer_weights(variables, source, target))
    return {name: np.asarray(array, dtype=np.float32) for name, array in state.items()}


def config_values(variables: dict) -> dict:
    """``WhisperConfig`` arguments, read off the shapes of the weights."""
    width, mels = variables["encoder/conv1/weight"].shape[:2]
    vocabulary = variables["decoder/embeddings/weight"].shape[0]
    values = {
        "d_model": width,
        "num_mel_bins": mels,
        "vocab_size": vocabulary,
        "max_source_positions": variables["encoder/position_encodings/encodings"].shape[0],
        "max_target_positions": variables["decoder/position_encodings/encodings"].shape[0],
    }
    for side in ("encoder", "decoder"):
        values[f"{side}_layers"] = count_layers(variables, side)
        values[f"{side}_attention_heads"] = int(variables[f"{side}/num_heads"])
        values[f"{side}_ffn_dim"] = variables[f"{side}/layer_0/ffn/linear_0/weight"].shape[0]
    return values
