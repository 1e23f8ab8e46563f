"""What was trained and evaluated: the folders below ``exp/``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import yaml

from espnet_ssr.data.shapes import read_shapes
from espnet_ssr.environment import read_environment

TRAINED = {"distill": "distilled", "lm": "through the LLM", "finetune": "fine-tuned"}
"""Prefix of an experiment's folder -> how the connector was trained."""

SAMPLE_RATE = 16000  # of all audio that is encoded

SUFFIXES = ("_textless", "_llm", "_retention")
"""Of folders of results: one for each way of using the same inference config."""


@dataclass
class Experiment:
    """One trained model on one test set.

    Attributes:
        name: of the model, without what says how it was trained.
        trained: one of the values of ``TRAINED``.
        inference: name of the inference config, or its tag.
        test_set: the set's name.
        config: of the training.
        result: content of a ``result.json``, with the key ``figures`` (its vectors against tokens
            one by one), ``textless`` (vectors whose number need not be right), both, ``llm`` (in
            front of the LLM) or ``retention`` (text without speech, before and after fine-tuning).
        commit: of the code that trained it.
    """

    name: str
    trained: str
    inference: str
    test_set: str
    config: dict
    result: dict
    commit: str


def collect(expdir: Path) -> list[Experiment]:
    """The results of all experiments ``expdir/{distill,lm,finetune}_*``, by folder.

    Raises:
        FileNotFoundError: there is none.
    """
    folders = [folder for kind in TRAINED for folder in sorted(expdir.glob(f"{kind}_*"))]
    found = [experiment for folder in folders for experiment in read_experiments(folder)]
    if not found:
        raise FileNotFoundError(f"{expdir}: nothing was evaluated yet: run stage 10")
    return found


def read_experiments(folder: Path) -> list[Experiment]:
    """Every ``<inference>/<set>/result.json`` of one trained model."""
    return [_read(file) for file in sorted(folder.glob("*/*/result.json"))]


def _read(file: Path) -> Experiment:
    folder = file.parents[2]
    kind, _, name = folder.name.partition("_")
    if kind not in TRAINED:
        raise ValueError(f"{folder}: its name should begin with one of {', '.join(TRAINED)} and _")
    inference = file.parents[1].name
    for suffix in SUFFIXES:
        inference = inference.removesuffix(suffix)
    return Experiment(
        name if inference == "decode" else f"{name} ({inference})",
        TRAINED[kind],
        inference,
        file.parent.name,
        yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8")),
        json.loads(file.read_text(encoding="utf-8")),
        read_environment(folder / "env.txt").get("espnet_ssr", "unknown"),
    )


def training_hours(config: dict) -> dict[str, float]:
    """``hours`` of speech that a model was trained on, copies counted; empty if the files that
    tell the lengths (stage 7) are gone."""
    file = Path(config.get("train_shape_file", ["-"])[0])
    rate = SAMPLE_RATE if file.name == "speech_shape" else config.get("frame_rate")
    if not file.is_file() or not rate:
        return {}
    return {"hours": int(read_shapes(file).lengths.sum()) / rate / 3600}


def read_cascades(expdir: Path) -> dict[str, dict[str, dict]]:
    """Test set -> recogniser -> content of its ``asr_<model>/<set>/result.json``."""
    found: dict[str, dict[str, dict]] = {}
    for file in sorted(expdir.glob("asr_*/*/result.json")):
        result = json.loads(file.read_text(encoding="utf-8"))
        found.setdefault(file.parent.name, {})[result["model"]] = result["asr"]
    return found


def split_common_suffix(names: list[str]) -> tuple[list[str], str]:
    """Cut what all names end with, at an underscore, off them: it is said once, above the table."""
    words = [name.split("_") for name in names]
    common = 0
    while len(set(names)) > 1 and all(len(w) > common + 1 for w in words):
        if len({w[-common - 1] for w in words}) > 1:
            break
        common += 1
    cut = len(words[0]) - common
    return ["_".join(w[: len(w) - common]) for w in words], "_".join(words[0][cut:])
