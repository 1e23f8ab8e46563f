#!/usr/bin/env python3
"""Let an LLM write text, a document a line: something to replay when it is fine-tuned."""

from pathlib import Path

from espnet_ssr.bin.options import make_parser
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--llm", required=True, help="folder, name below $SSR_MODELS, or hub id")
    parser.add_argument("--num_tokens", type=int, required=True, help="at least so many in all")
    parser.add_argument("--output", type=Path, required=True, help="text file to write")
    parser.add_argument(
        "--start",
        help="what documents are written after, left out itself; \\n is a line break (default: the "
        "tokenizer's start of a text)",
    )
    parser.add_argument("--length", type=int, default=128, help="tokens of a document at most")
    parser.add_argument("--batch_size", type=int, default=64, help="documents at a time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dtype", default="float32", help="of the weights")
    parser.add_argument("--device", default="cpu", help="torch device")
    args = parser.parse_args()
    for option in ("num_tokens", "length", "batch_size"):
        if getattr(args, option) < 1:
            parser.error(f"--{option} must be 1 or more, not {getattr(args, option)}")

    from espnet_ssr.llm.load import load_llm
    from espnet_ssr.llm.sample import TextSampler, write_sampled_text
    from espnet_ssr.llm.tokenizer import load_tokenizer

    tokenizer = load_tokenizer(args.llm)
    start = args.start and args.start.replace("\\n", "\n")
    sampler = TextSampler(
        load_llm(args.llm, args.dtype).to(args.device), tokenizer, start, args.length
    )
    settings = {k: v for k, v in vars(args).items() if k not in ("num_tokens", "output", "device")}
    tokens = write_sampled_text(
        lambda number: sampler.draw(args.batch_size, [args.seed, number]),
        tokenizer,
        args.num_tokens,
        args.output,
        settings,
    )
    print(f"{args.output}: {tokens} tokens")


if __name__ == "__main__":
    run_command(main)
