"""Options that say what a trained model consists of, of commands that pack or export it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from espnet_ssr.bin.options import key_values

if TYPE_CHECKING:
    from espnet_ssr.speech_lm.folder import ModelFiles


def add_model_options(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """Options for ``read_model_options``; None: as packed, else as ``ModelFiles`` has it.

    Args:
        required: there must be a model.
    """
    pairs = {"nargs": "*", "metavar": "NAME=VALUE"}
    parser.add_argument(
        "--model_file", required=required, help="checkpoint (*.pth), or packed folder"
    )
    parser.add_argument("--encoder", help="whose features were trained on, if not on audio")
    parser.add_argument("--encoder_conf", help="its options", **pairs)
    parser.add_argument("--aligner", help="a checkpoint, or a name of ssr_align --aligner")
    parser.add_argument("--aligner_conf", help="its options, if it is a name", **pairs)
    parser.add_argument(
        "--align_encoder_conf", help="options that differ for the aligner's features", **pairs
    )
    parser.add_argument(
        "--prefix_space", choices=("true", "false"), help="as in ssr_segment --prefix_space"
    )
    parser.add_argument(
        "--textless_unit",
        choices=("word", "token"),
        help="a segment for each guessed word, or for each token of the guess",
    )
    parser.add_argument(
        "--head_conf", help="of a hull head: sharpness, prior_weight, top_k", **pairs
    )
    parser.add_argument("--max_pause", type=float, help="as in ssr_segment --max_pause (s)")


def read_model_options(args: argparse.Namespace) -> ModelFiles:
    """The files of the model that the options describe."""
    from espnet_ssr.speech_lm.folder import find_model

    return find_model(args.model_file, **given_model_options(args))


def given_model_options(args: argparse.Namespace) -> dict:
    """What the options say of the model, as attributes of ``ModelFiles``."""
    given = {
        "encoder": args.encoder,
        "encoder_conf": args.encoder_conf and key_values(args.encoder_conf),
        "aligner": args.aligner,
        "aligner_conf": args.aligner_conf and key_values(args.aligner_conf),
        "aligner_encoder_conf": args.align_encoder_conf and key_values(args.align_encoder_conf),
        "head_conf": args.head_conf and key_values(args.head_conf),
        "prefix_space": args.prefix_space and args.prefix_space == "true",
        "textless_unit": args.textless_unit,
        "max_pause": args.max_pause,
    }
    # Of pairs, none at all (``--encoder_conf`` alone) is as if the option were not there.
    return {name: value for name, value in given.items() if value not in (None, [])}
