#!/usr/bin/env python3
"""Ask a SpeechLM about every utterance of a Kaldi data directory, or have it transcribe them.

A run that was interrupted goes on where it was.
"""

from pathlib import Path

from espnet_ssr.bin.model_options import add_model_options, read_model_options
from espnet_ssr.bin.options import make_parser
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_parser(__doc__)
    add_model_options(parser)
    parser.add_argument("--data_dir", type=Path, required=True, help="wav.scp [segments] [text]")
    parser.add_argument(
        "--output_dir", type=Path, required=True, help="gets text, failed and result.json"
    )
    asked = parser.add_mutually_exclusive_group()
    asked.add_argument("--task", default="transcribe", help="a task of the model")
    asked.add_argument("--prompt", help="instead of a task: text with one <speech>")
    parser.add_argument(
        "--forced", choices=("true", "false"), default="false", help="segments by data_dir/text"
    )
    parser.add_argument("--max_new_tokens", type=int, default=256, help="of an answer")
    parser.add_argument("--nj", type=int, default=1, help="processes, each with the model")
    parser.add_argument("--batch_size", type=int, default=16, help="utterances at a time")
    parser.add_argument("--device", default="cpu", help="torch device")
    parser.add_argument("--dtype", help="of the LLM, e.g. bfloat16; unset: as in training")
    args = parser.parse_args()
    for option in ("max_new_tokens", "nj", "batch_size"):
        if getattr(args, option) < 1:
            parser.error(f"--{option} must be 1 or more, not {getattr(args, option)}")

    from espnet_ssr.speech_lm.data_dir import Machine, Request, answer_data_dir, find_prompt

    files = read_model_options(args)
    prompt = args.prompt or find_prompt(files, args.task)
    request = Request(prompt, args.forced == "true", args.max_new_tokens)
    machine = Machine(args.nj, args.batch_size, args.device, args.dtype)
    result = answer_data_dir(files, args.data_dir, args.output_dir, request, machine)
    failed = ", ".join(f"{number} {cause}" for cause, number in result["failed"].items())
    print(f"{args.output_dir}: {result['answered']} answered, failed: {failed or 'none'}")
    if "wer" in result:
        print(f"WER {result['wer']:.2%}, CER {result['cer']:.2%} of {result['scored']} utterances")


if __name__ == "__main__":
    run_command(main)
