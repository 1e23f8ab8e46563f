#!/usr/bin/env python3
"""Write a fine-tuned LLM as a plain folder of transformers; LoRA is merged into its weights."""

from pathlib import Path

from espnet_ssr.bin.options import make_parser
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument(
        "--model_file", type=Path, required=True, help="checkpoint (*.pth) or packed folder"
    )
    parser.add_argument("--output_dir", type=Path, required=True)
    args = parser.parse_args()

    from espnet_ssr.export.llm import save_merged
    from espnet_ssr.speech_lm.folder import find_model

    save_merged(find_model(args.model_file), args.output_dir)
    print(f"wrote {args.output_dir}")


if __name__ == "__main__":
    run_command(main)
