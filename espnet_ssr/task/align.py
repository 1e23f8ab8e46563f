"""Stage 4: training of an aligner's network on transcripts without times."""

from __future__ import annotations

import argparse
from pathlib import Path

from espnet2.train.class_choices import ClassChoices
from espnet2.utils.nested_dict_action import NestedDictAction

from espnet_ssr.align.labels import LABELS, AbsLabels, load_labels
from espnet_ssr.align.trained import LABELS_FILE, NETWORKS, build_network
from espnet_ssr.conf import build_from_conf
from espnet_ssr.data.label import EncodeLabels, read_trainable, write_shapes
from espnet_ssr.datadir import read_keyed
from espnet_ssr.model.align import SSRAlignModel
from espnet_ssr.task.abs import SSRTask

aligner_choices = ClassChoices("aligner", NETWORKS, default="ctc")


class SSRAlignTask(SSRTask):
    """Trains an aligner from features and transcripts.

    The labels are made from the training transcripts and kept beside the checkpoints. What cannot
    be trained on (no label, fewer frames than labels) is left out and counted, and the lists of
    what is left serve as ESPnet's shape files.
    """

    class_choices_list = [aligner_choices]

    @classmethod
    def add_task_arguments(cls, parser: argparse.ArgumentParser) -> None:
        group = parser.add_argument_group("Training of an aligner")
        group.add_argument("--input_size", type=int, required=True, help="Width of the features")
        group.add_argument("--frame_rate", type=float, default=50.0, help="Of features, in Hz")
        group.add_argument(
            "--frame_offset",
            type=float,
            default=0.0,
            help="Seconds from the start of the audio to that of the first frame",
        )
        group.add_argument(
            "--labels", choices=sorted(LABELS), default="char", help="What the network tells apart"
        )
        group.add_argument(
            "--labels_conf",
            action=NestedDictAction,
            default={},
            help="Options of the labels: outer_delimiters (char), vocab_size (sentencepiece), "
            "llm, min_count (token)",
        )
        for choices in cls.class_choices_list:
            choices.add_arguments(group)

    @classmethod
    def required_data_names(cls, train: bool = True, inference: bool = False):
        return ("feats", "text")

    @classmethod
    def optional_data_names(cls, train: bool = True, inference: bool = False):
        return ()

    @classmethod
    def main_worker(cls, args: argparse.Namespace) -> None:
        cls.prepare_training(args)
        super().main_worker(args)

    @classmethod
    def prepare_training(cls, args: argparse.Namespace) -> None:
        """Make labels and shape files, which depend on the training data."""
        folder = Path(args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        texts = read_keyed(_path_of(args.train_data_path_and_name_and_type, "text"))
        labels = build_from_conf(
            LABELS[args.labels].build, args.labels_conf, "labels_conf", texts=texts.values()
        )
        if args.resume and (folder / "checkpoint.pth").exists():
            _refuse_changed_labels(folder / LABELS_FILE, labels)
        labels.save(folder / LABELS_FILE)
        for part in ("train", "valid"):
            files = getattr(args, f"{part}_data_path_and_name_and_type")
            frames, skipped = read_trainable(
                _path_of(files, "text"), _path_of(files, "feats"), labels
            )
            setattr(args, f"{part}_shape_file", [write_shapes(folder, part, frames, skipped)])

    @classmethod
    def build_preprocess_fn(cls, args: argparse.Namespace, train: bool):
        return EncodeLabels(load_labels(Path(args.output_dir) / LABELS_FILE))

    @classmethod
    def build_model(cls, args: argparse.Namespace) -> SSRAlignModel:
        labels = load_labels(Path(args.output_dir) / LABELS_FILE)
        return SSRAlignModel(
            build_network(args.aligner, args.aligner_conf, args.input_size, labels)
        )


def _refuse_changed_labels(path: Path, labels: AbsLabels) -> None:
    """Stop before the labels of a checkpoint are replaced by others."""
    before = load_labels(path)
    if (before.kind, before.conf()) != (labels.kind, labels.conf()):
        raise ValueError(
            f"cannot resume: {path} is not what the transcripts give now. "
            "Give this run a tag of its own, or remove the folder."
        )


def _path_of(files: list[tuple[str, str, str]], name: str) -> Path:
    """The file given for ``name`` in ESPnet's ``(path, name, type)``."""
    found = [Path(path) for path, n, _ in files if n == name]
    if not found:
        raise ValueError(f"no {name} among the data: give 'FILE,{name},TYPE' for train and valid")
    return found[0]
