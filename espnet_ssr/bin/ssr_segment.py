#!/usr/bin/env python3
"""Stage 5: LLM tokens of the transcripts and the end time of each token's segment."""

import json
from pathlib import Path

from espnet_ssr.bin.options import make_parser
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--data_dir", type=Path, required=True, help="formatted data directory")
    parser.add_argument("--align_dir", type=Path, required=True, help="has word.ctm")
    parser.add_argument("--output_dir", type=Path, required=True, help="for token_id, token_end")
    parser.add_argument("--llm", required=True, help="folder, name below $SSR_MODELS, or hub id")
    parser.add_argument("--frame_rate", type=float, default=50.0, help="of the encoder, in Hz")
    parser.add_argument("--fs", type=int, default=16000, help="sampling rate in Hz")
    parser.add_argument(
        "--prefix_space",
        choices=("true", "false"),
        default="true",
        help="tokenize ' text', so that a word has one token wherever it stands",
    )
    parser.add_argument(
        "--textless",
        choices=("true", "false"),
        default="false",
        help="segment the aligner's guess instead of the transcripts",
    )
    parser.add_argument(
        "--word_segments",
        choices=("true", "false"),
        default="false",
        help="textless: one segment a guessed word instead of one a token of it",
    )
    parser.add_argument(
        "--max_token_duration", type=float, help="leave out utterances with a longer token (s)"
    )
    parser.add_argument(
        "--min_score", type=float, help="leave out utterances whose mean word score is lower"
    )
    parser.add_argument("--max_pause", type=float, help="cut longer pauses down to this (s)")
    args = parser.parse_args()

    from espnet_ssr.data.segment import SegmentOptions, segment_data_dir
    from espnet_ssr.datadir import write_lines
    from espnet_ssr.llm.tokenizer import load_tokenizer
    from espnet_ssr.plots import plot_histogram

    options = SegmentOptions(
        frame_rate=args.frame_rate,
        sample_rate=args.fs,
        prefix_space=args.prefix_space == "true",
        textless=args.textless == "true",
        word_segments=args.word_segments == "true",
        max_token_duration=args.max_token_duration,
        min_score=args.min_score,
        max_pause=args.max_pause,
    )
    result = segment_data_dir(args.data_dir, args.align_dir, load_tokenizer(args.llm), options)
    result.write(args.output_dir)
    summary = result.summary()
    if not summary["segmented"]:
        raise ValueError(f"{args.data_dir}: no utterance has a segmentation: {summary['dropped']}")
    write_lines(args.output_dir / "report.json", [json.dumps(summary, indent=1)])
    plot_histogram(args.output_dir / "token_duration.png", result.durations(), "token duration (s)")
    dropped = "".join(f", dropped {n} {cause}" for cause, n in summary["dropped"].items())
    print(
        f"{args.output_dir}: {summary['segmented']} of {summary['utterances']} utterances, "
        f"{summary['tokens']} tokens, {summary['tokens_per_second']:.2f} a second{dropped}"
    )


if __name__ == "__main__":
    run_command(main)
