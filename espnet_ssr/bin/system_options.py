"""Options of commands that ask systems something: which ones, and with which model."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from espnet_ssr.bin.model_options import add_model_options, given_model_options

if TYPE_CHECKING:
    from espnet_ssr.evaluate.choice.experiment import Experiment, System


def add_system_options(parser: argparse.ArgumentParser) -> None:
    """``--config --systems --llm --model_name``, and those of ``add_model_options``."""
    parser.add_argument("--config", type=Path, required=True, help="see conf/choice.yaml")
    parser.add_argument("--systems", nargs="+", help="only these")
    parser.add_argument("--llm", help="of systems that do not name one")
    add_model_options(parser, required=False)
    parser.add_argument("--model_name", default="", help="goes before the names of its systems")


def chosen_systems(args: argparse.Namespace, experiment: Experiment) -> list[System]:
    """Those that are asked, with the model or the LLM of the command line."""
    from espnet_ssr.evaluate.choice.experiment import systems_of_llm, systems_of_model

    systems = choose(experiment.systems, args.systems, "systems")
    if args.model_file:
        options = given_model_options(args)
        found = systems_of_model(systems, args.model_file, options, args.model_name)
    else:
        found = systems_of_llm(systems, args.llm)
    if len(found) < len(systems):
        left = len(systems) - len(found)
        logging.info(
            f"{left} systems are asked with{'out' if args.model_file else ''} --model_file"
        )
    return found


def choose(known: dict, names: list[str] | None, option: str) -> list:
    """The values of ``names``, or all.

    Raises:
        ValueError: there is none of that name.
    """
    if unknown := set(names or ()) - set(known):
        raise ValueError(f"--{option} {unknown.pop()}: there are {', '.join(known)}")
    return [known[name] for name in names or known]
