#!/usr/bin/env python3
"""Stage 10: prompted speech recognition, zero- or few-shot: the WER of what a system writes when it
is asked to repeat what it hears."""

from pathlib import Path

from espnet_ssr.bin.options import make_parser
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--config", type=Path, required=True, help="has systems, see ssr_choice")
    parser.add_argument("--system", required=True, help="one of them")
    parser.add_argument("--data_dir", type=Path, required=True, help="wav.scp and text")
    parser.add_argument("--limit", type=int, help="first so many utterances")
    parser.add_argument("--shots", type=int, default=0, help="utterances repeated before each")
    parser.add_argument("--shots_dir", type=Path, help="wav.scp and text, of which the first are")
    parser.add_argument("--max_new_tokens", type=int, default=128, help="of a transcript")
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--device", default="cpu", help="torch device")
    args = parser.parse_args()
    if bool(args.shots) != bool(args.shots_dir):
        parser.error("give both --shots and --shots_dir, or none")

    from espnet_ssr.datadir import write_keyed
    from espnet_ssr.evaluate.choice.experiment import read_experiment
    from espnet_ssr.evaluate.choice.prompted import read_spoken, score_prompted, transcribe
    from espnet_ssr.evaluate.choice.scorers.build import build_scorer
    from espnet_ssr.evaluate.files import write_result

    system = read_experiment(args.config).systems[args.system]
    utterances = read_spoken(args.data_dir, args.limit)
    shots = list(read_spoken(args.shots_dir, args.shots).values()) if args.shots else []
    scorer = build_scorer(system.scorer, system.conf, args.device)
    texts, refused = transcribe(scorer, utterances, shots, args.max_new_tokens)
    args.output_dir.mkdir(parents=True, exist_ok=True)
    write_keyed(args.output_dir / "text", texts)
    write_keyed(args.output_dir / "failed", refused)
    result = {"system": system.name, "shots": args.shots, "failed": len(refused)}
    if texts:
        result |= score_prompted(texts, utterances)
    write_result(args.output_dir, result)
    print(f"{args.output_dir}: {result}")


if __name__ == "__main__":
    run_command(main)
