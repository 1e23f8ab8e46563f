#!/usr/bin/env python3
"""A connector and its LLM as one folder that transformers loads without espnet_ssr."""

from pathlib import Path

from espnet_ssr.bin.model_options import add_model_options, read_model_options
from espnet_ssr.bin.options import make_parser
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_parser(__doc__)
    add_model_options(parser)
    parser.add_argument("--output_dir", type=Path, required=True)
    args = parser.parse_args()

    from espnet_ssr.export.folder import export_model

    export_model(read_model_options(args), args.output_dir)
    print(f"wrote {args.output_dir}; how to use it is in its README.md")


if __name__ == "__main__":
    run_command(main)
