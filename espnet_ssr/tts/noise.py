"""ONNX models that draw random numbers, as functions of their inputs and a seed alone.

onnxruntime's generators go on from call to call, so what a model gives depends on all it was asked
before, and a clip made again would be another one. Here the numbers are an input of the model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from espnet_ssr.tts.voice import open_session

if TYPE_CHECKING:
    import onnx

# Numbers that are drawn for each node; one that needs more takes them over again. In piper it is
# 16 s of a voice's 192 channels at 86 Hz.
PERIOD = 1 << 18
PREFIX = "noise_of_"


class NoiseSession:
    """An onnxruntime session of ``model``, whose ``RandomNormalLike`` nodes draw from a generator
    of numpy's; what it gives after `reseed` depends on the seed and the inputs since then."""

    def __init__(self, model: Path):
        import onnx

        proto = onnx.load(str(model))
        take_noise_as_inputs(proto.graph)
        self._session = open_session(proto.SerializeToString())
        inputs = (tensor.name for tensor in self._session.get_inputs())
        self._noises = [name for name in inputs if name.startswith(PREFIX)]
        self.get_outputs = self._session.get_outputs
        self.reseed("")

    def reseed(self, seed: str) -> None:
        """Draw from the beginning again."""
        digest = hashlib.sha256(seed.encode()).digest()
        self._generator = np.random.default_rng(int.from_bytes(digest, "big"))

    def run(self, outputs: Sequence[str] | None, inputs: Mapping[str, np.ndarray]) -> list:
        """As `onnxruntime.InferenceSession.run`, without the noise in ``inputs``."""
        draw = self._generator.standard_normal
        noises = {name: draw(PERIOD, np.float32) for name in self._noises}
        return self._session.run(outputs, {**inputs, **noises})


def take_noise_as_inputs(graph: onnx.GraphProto) -> None:
    """Put in place of each ``RandomNormalLike`` node (float, standard normal) numbers of an input
    ``(PERIOD,)`` of its own."""
    from onnx import TensorProto, helper

    for number, node in enumerate(graph.node):
        if node.op_type != "RandomNormalLike":
            continue
        noise = f"{PREFIX}{len(graph.input)}"
        graph.input.append(helper.make_tensor_value_info(noise, TensorProto.FLOAT, [PERIOD]))
        nodes = repeat_in_shape(noise, node.input[0], node.output[0])
        del graph.node[number]
        for step, new in enumerate(nodes):
            graph.node.insert(number + step, new)


def repeat_in_shape(values: str, like: str, output: str) -> list[onnx.NodeProto]:
    """Nodes for ``output``: ``values`` over and over, in the shape of ``like``."""
    from onnx import TensorProto, helper

    def constant(name: str, value: int) -> onnx.NodeProto:
        tensor = helper.make_tensor(name, TensorProto.INT64, [], [value])
        return helper.make_node("Constant", [], [f"{output}.{name}"], value=tensor)

    def node(kind: str, inputs: Sequence[str], name: str, **attributes) -> onnx.NodeProto:
        return helper.make_node(kind, list(inputs), [name], **attributes)

    shape, size, places, wrapped, flat = (
        f"{output}.{name}" for name in ("shape", "size", "places", "wrapped", "flat")
    )
    return [
        constant("zero", 0),
        constant("one", 1),
        constant("period", PERIOD),
        node("Shape", [like], shape),
        node("Size", [like], size),
        node("Range", [f"{output}.zero", size, f"{output}.one"], places),
        node("Mod", [places, f"{output}.period"], wrapped),
        node("Gather", [values, wrapped], flat),
        node("Reshape", [flat, shape], output),
    ]
