#!/usr/bin/env python3
"""Stage 10: prompted speech recognition, zero- or few-shot: the WER of what systems write when they
are asked to repeat what they hear. The topline repeats what it reads, the cascade what a recogniser
wrote: what an LLM cannot repeat is no fault of who heard it. Which systems says the configuration
file of ssr_choice, with the same options.
"""

from pathlib import Path

from espnet_ssr.bin.options import make_parser
from espnet_ssr.bin.system_options import add_system_options, chosen_systems
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_parser(__doc__)
    add_system_options(parser)
    parser.add_argument("--data_dir", type=Path, required=True, help="wav.scp and text")
    parser.add_argument("--limit", type=int, help="first so many utterances")
    parser.add_argument("--shots", type=int, default=0, help="utterances repeated before each")
    parser.add_argument("--shots_dir", type=Path, help="wav.scp and text that they are drawn from")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn")
    parser.add_argument("--max_new_tokens", type=int, default=128, help="of a transcript")
    parser.add_argument("--output_dir", type=Path, required=True, help="a folder a system below it")
    parser.add_argument("--device", default="cpu", help="torch device")
    args = parser.parse_args()
    if bool(args.shots) != bool(args.shots_dir):
        parser.error("give both --shots and --shots_dir, or none")

    from espnet_ssr.evaluate.choice.experiment import read_experiment
    from espnet_ssr.evaluate.choice.prompted import draw_shots, read_spoken, run_prompted
    from espnet_ssr.evaluate.choice.scorers.build import build_scorer

    systems = chosen_systems(args, read_experiment(args.config))
    utterances = read_spoken(args.data_dir, args.limit)
    shots = draw_shots(args.shots_dir, args.shots, args.seed, utterances) if args.shots else []
    for system in systems:
        folder = args.output_dir / system.name.replace(" ", "_")
        scorer = build_scorer(system.scorer, system.conf, args.device)
        result = run_prompted(scorer, utterances, folder, shots, args.max_new_tokens)
        print(f"{system.name}: {', '.join(f'{key} {value:.4g}' for key, value in result.items())}")


if __name__ == "__main__":
    run_command(main)
