#!/usr/bin/env python3
"""Stage 10: have systems choose between candidates.

Which systems and tasks says a configuration file; see espnet_ssr/evaluate/choice/experiment.py.
What was answered before is kept, so a run that was interrupted goes on where it was.
"""

from pathlib import Path

from espnet_ssr.bin.options import make_parser
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--config", type=Path, required=True, help="which systems and tasks")
    parser.add_argument("--output_dir", type=Path, required=True, help="<system>/<task>/ below it")
    parser.add_argument("--systems", nargs="+", help="only these")
    parser.add_argument("--tasks", nargs="+", help="only these")
    parser.add_argument("--limit", type=int, help="so many items a task at most, for a quick look")
    parser.add_argument("--nj", type=int, default=1, help="processes, each with the model")
    parser.add_argument("--device", default="cpu", help="torch device")
    parser.add_argument("--shard_size", type=int, default=20, help="items in a shard")
    args = parser.parse_args()
    for option in ("limit", "nj", "shard_size"):
        if getattr(args, option) is not None and getattr(args, option) < 1:
            parser.error(f"--{option} must be 1 or more, not {getattr(args, option)}")

    from espnet_ssr.evaluate.choice.ask import Machine, ask, make_questions, say_items
    from espnet_ssr.evaluate.choice.experiment import read_experiment

    experiment = read_experiment(args.config)
    systems = _choose(experiment.systems, args.systems, "systems")
    machine = Machine(args.nj, args.device, args.shard_size)
    for asked in _choose(experiment.tasks, args.tasks, "tasks"):
        asked = asked.at_most(args.limit)
        items, skipped = make_questions(asked)
        if experiment.speech is not None:
            items = say_items(items, skipped, experiment.speech, machine)
        for system in systems:
            folder = args.output_dir / system.name.replace(" ", "_") / asked.name
            result = ask(system, asked, items, skipped, folder, machine)
            for mode, figures in (result or {"modes": {}})["modes"].items():
                print(f"{system.name}: {asked.name}, {mode}: {_text(figures, result)}")


def _choose(known: dict, names: list[str] | None, option: str) -> list:
    if unknown := set(names or ()) - set(known):
        raise ValueError(f"--{option} {unknown.pop()}: there are {', '.join(known)}")
    return [known[name] for name in names or known]


def _text(figures: dict, result: dict) -> str:
    skipped = ", ".join(f"{n} {cause}" for cause, n in figures["skipped"].items())
    if not figures["items"]:
        return f"not measured ({skipped})"
    value, (low, high) = figures["accuracy"][result["normalisation"]].values()
    return f"{value:.1%} ({low:.1%} to {high:.1%}) of {figures['items']}, skipped: {skipped or 0}"


if __name__ == "__main__":
    run_command(main)
