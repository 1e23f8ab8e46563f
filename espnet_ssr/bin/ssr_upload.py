#!/usr/bin/env python3
"""Stage 13: a folder to the Hugging Face hub; offline or not logged in, say what would be sent."""

from pathlib import Path

from espnet_ssr.bin.options import make_parser
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="packed or exported model")
    parser.add_argument("--repo", required=True, help="owner/name on the hub; made private if new")
    parser.add_argument("--report", type=Path, required=True, help="JSON: files, sizes, SHA-256")
    args = parser.parse_args()

    from espnet_ssr.export.upload import upload

    reason = upload(args.folder, args.repo, args.report)
    if reason is None:
        print(f"sent {args.folder} to {args.repo}; see {args.report}")
    else:
        print(f"dry run, nothing was sent: {reason}; {args.report} says what would be")


if __name__ == "__main__":
    run_command(main)
