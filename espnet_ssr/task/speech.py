"""What the tasks that train a connector share: its options, the encoder's and the masks'."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from espnet2.asr.specaug.specaug import SpecAug
from espnet2.train.class_choices import ClassChoices
from espnet2.utils.nested_dict_action import NestedDictAction
from torch.utils.data import DataLoader

from espnet_ssr.conf import build_from_conf
from espnet_ssr.connector import CONNECTORS, AbsConnector
from espnet_ssr.data.preprocess import PrepareExample
from espnet_ssr.encoder import ENCODERS, AbsEncoder
from espnet_ssr.model.head import HEADS, set_head
from espnet_ssr.task.abs import SSRTask

encoder_choices = ClassChoices("encoder", ENCODERS, type_check=AbsEncoder, default="whisper")
connector_choices = ClassChoices("connector", CONNECTORS, type_check=AbsConnector, default="ssr")


class SpeechTask(SSRTask):
    """Base of the tasks with an encoder, a connector and an LLM."""

    class_choices_list = [encoder_choices, connector_choices]

    @classmethod
    def add_task_arguments(cls, parser: argparse.ArgumentParser) -> None:
        group = parser.add_argument_group("SSR")
        group.add_argument(
            "--llm",
            default="SmolLM2-135M-Instruct-q4_1",
            help="Language model: a folder, a folder's name below $SSR_MODELS, or a hub id",
        )
        group.add_argument(
            "--input_size",
            type=int,
            help="Width of extracted features; unset: speech is encoded on the fly",
        )
        group.add_argument(
            "--frame_rate", type=float, default=50.0, help="Of extracted features, in Hz"
        )
        group.add_argument(
            "--head",
            choices=HEADS,
            default="linear",
            help="From a state to a vector: a linear layer, or posteriors of the LLM's tokens",
        )
        group.add_argument(
            "--head_conf",
            action=NestedDictAction,
            default={},
            help="Options of the head hull, see espnet_ssr/model/head.py",
        )
        group.add_argument(
            "--specaug_conf",
            action=NestedDictAction,
            default={},
            help="Masks on features in training (options of espnet2's SpecAug); unset: none",
        )
        group.add_argument(
            "--jitter",
            type=float,
            default=0.0,
            help="Standard deviation in seconds by which ends of segments are moved in training",
        )
        group.add_argument(
            "--trainable_parameters",
            type=int,
            help="How many there must be, to within 1 %%; unset: any number",
        )
        group.add_argument(
            "--model_conf", action=NestedDictAction, default={}, help=cls.model_options
        )
        for choices in cls.class_choices_list:
            choices.add_arguments(group)

    @classmethod
    def build_preprocess_fn(cls, args: argparse.Namespace, train: bool):
        sample_rate = encoder_choices.get_class(args.encoder).sample_rate
        return PrepareExample(args.frame_rate, sample_rate, args.jitter if train else 0.0)

    @classmethod
    def optional_data_names(cls, train: bool = True, inference: bool = False):
        return ("feats", "speech", "pause")

    @classmethod
    def build_test_iterator(
        cls,
        args: argparse.Namespace,
        seg_dir: Path | None,
        feats_scp: Path | None = None,
        wav_scp: Path | None = None,
    ) -> DataLoader:
        """Utterances of a test set, one a batch.

        Args:
            args: of the training.
            seg_dir: has ``token_end``, and ``pause`` if pauses were cut; None: no segments.
            feats_scp, wav_scp: extracted features, or audio.
        """
        inputs = [(str(feats_scp), "feats", "kaldi_ark")]
        if feats_scp is None:
            inputs = [(str(wav_scp), "speech", "sound")]
        if seg_dir is not None:
            # The first file decides which utterances there are.
            inputs.insert(0, (str(seg_dir / "token_end"), "token_end", "text_float"))
            if (seg_dir / "pause").exists():
                inputs.append((str(seg_dir / "pause"), "pause", "text_float"))
        return cls.build_streaming_iterator(
            inputs,
            preprocess_fn=cls.build_preprocess_fn(args, train=False),
            collate_fn=cls.build_collate_fn(args, train=False),
            num_workers=0,
            inference=True,
        )

    @classmethod
    def build_speech(cls, args: argparse.Namespace, llm_width: int) -> dict:
        """Encoder, connector and masks: what ``SpeechModel`` takes.

        Args:
            llm_width: of the LLM's embeddings.
        """
        encoder, input_size, frame_rate = None, args.input_size, args.frame_rate
        if input_size is None:
            encoder_class = encoder_choices.get_class(args.encoder)
            encoder = build_from_conf(encoder_class, args.encoder_conf, "encoder_conf")
            input_size, frame_rate = encoder.output_size(), encoder.frame_rate
        connector = build_from_conf(
            connector_choices.get_class(args.connector),
            args.connector_conf,
            "connector_conf",
            input_size=input_size,
            output_size=llm_width,
        )
        set_head(connector, args.head, args.head_conf, args.llm)
        specaug = None
        if args.specaug_conf:
            specaug = build_from_conf(
                SpecAug, args.specaug_conf, "specaug_conf", apply_time_warp=False
            )
        return {
            "connector": connector,
            "encoder": encoder,
            "frame_rate": frame_rate,
            "specaug": specaug,
        }

    @classmethod
    def check_trainable(cls, model, args: argparse.Namespace) -> None:
        """Log the numbers of parameters; refuse another number of trainable ones than the config
        states.

        Raises:
            ValueError: names both numbers.
        """
        number = sum(p.numel() for p in model.parameters() if p.requires_grad)
        frozen = sum(p.numel() for p in model.parameters()) - number
        logging.info(f"{number} trainable parameters, {frozen} frozen ones")
        expected = args.trainable_parameters
        if expected is not None and abs(number - expected) > 0.01 * expected:
            raise ValueError(
                f"the model has {number} trainable parameters, but the config says "
                f"trainable_parameters: {expected}; change the sizes, or that number"
            )
