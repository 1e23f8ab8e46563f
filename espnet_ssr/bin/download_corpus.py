#!/usr/bin/env python3
"""Fetch a tar file of a corpus and unpack it; can be interrupted and run again."""

from pathlib import Path

from espnet_ssr.bin.options import make_parser
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("url", help="http, https, ftp or file")
    parser.add_argument("folder", type=Path, help="what to unpack it into")
    parser.add_argument("--md5", help="what the archive should have")
    parser.add_argument("--sha256", help="what the archive should have")
    args = parser.parse_args()

    from espnet_ssr.recipes.download import fetch_archive

    fetch_archive(args.url, args.folder, args.md5, args.sha256)


if __name__ == "__main__":
    run_command(main)
