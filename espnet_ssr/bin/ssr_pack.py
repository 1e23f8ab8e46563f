#!/usr/bin/env python3
"""Stage 12: a trained model as a folder for SpeechLM and a zip file for ESPnet's tools."""

from pathlib import Path

from espnet_ssr.bin.model_options import add_model_options, read_model_options
from espnet_ssr.bin.options import make_parser
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_parser(__doc__)
    add_model_options(parser)
    parser.add_argument("--output_dir", type=Path, required=True, help="folder for SpeechLM")
    parser.add_argument("--zip", type=Path, required=True, help="the same, packed (*.zip)")
    args = parser.parse_args()
    if args.zip.suffix != ".zip":
        parser.error(f"--zip {args.zip}: its name must end in .zip")

    from espnet_ssr.export.packed import pack_model

    pack_model(read_model_options(args), args.output_dir, args.zip)
    print(f"wrote {args.output_dir} and {args.zip}")


if __name__ == "__main__":
    run_command(main)
