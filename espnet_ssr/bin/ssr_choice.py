#!/usr/bin/env python3
"""Stage 10: have systems choose between candidates.

Which systems and tasks says a configuration file; see conf/choice.yaml of a recipe. Systems that
hear with a model and do not name it are asked if --model_file is given, and they alone; without it
all others are. What was answered before is kept, so a run that was interrupted goes on where it
was.
"""

from pathlib import Path

from espnet_ssr.bin.options import make_parser
from espnet_ssr.bin.system_options import add_system_options, choose, chosen_systems
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_parser(__doc__)
    add_system_options(parser)
    parser.add_argument("--output_dir", type=Path, required=True, help="<system>/<task>/ below it")
    parser.add_argument("--tasks", nargs="+", help="only these")
    parser.add_argument("--limit", type=int, help="so many items a task at most, for a quick look")
    parser.add_argument("--nj", type=int, default=1, help="processes, each with the model")
    parser.add_argument("--device", default="cpu", help="torch device")
    parser.add_argument("--shard_size", type=int, default=20, help="items in a shard")
    args = parser.parse_args()
    for option in ("limit", "nj", "shard_size"):
        if getattr(args, option) is not None and getattr(args, option) < 1:
            parser.error(f"--{option} must be 1 or more, not {getattr(args, option)}")

    from espnet_ssr.evaluate.choice.ask import Machine, ask_all
    from espnet_ssr.evaluate.choice.experiment import check_benchmarks, read_experiment

    experiment = read_experiment(args.config)
    tasks = choose(experiment.tasks, args.tasks, "tasks")
    check_benchmarks(tasks, args.config)
    systems = chosen_systems(args, experiment)
    machine = Machine(args.nj, args.device, args.shard_size)
    for asked in (task.at_most(args.limit) for task in tasks):
        speech = experiment.speech_of(asked)
        for result in ask_all(systems, asked, speech, args.output_dir, machine):
            for mode, figures in result["modes"].items():
                print(f"{result['system']}: {asked.name}, {mode}: {_text(figures, result)}")


def _text(figures: dict, result: dict) -> str:
    skipped = ", ".join(f"{n} {cause}" for cause, n in figures["skipped"].items())
    if not figures["items"]:
        return f"not measured ({skipped})"
    value, (low, high) = figures["accuracy"][result["normalisation"]].values()
    return f"{value:.1%} ({low:.1%} to {high:.1%}) of {figures['items']}, skipped: {skipped or 0}"


if __name__ == "__main__":
    run_command(main)
