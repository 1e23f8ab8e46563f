#!/usr/bin/env python3
"""Stage 4, after all jobs: merge their alignments; report coverage, failures, suspicious
transcripts, pictures and, against a reference, boundary errors."""

from pathlib import Path

from espnet_ssr.bin.options import make_parser, shard_folder
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--data_dir", type=Path, required=True, help="what was aligned")
    parser.add_argument("--align_dir", type=Path, required=True, help="the jobs' output_dir")
    parser.add_argument("--nj", type=int, default=0, help="jobs that ran; 0: nothing to merge")
    parser.add_argument("--num_pictures", type=int, default=3, help="typical and worst utterances")
    parser.add_argument("--reference", type=Path, help="CTM of the true words")
    args = parser.parse_args()

    from espnet_ssr.align.report import merge_jobs, write_report
    from espnet_ssr.align.run import FAILED
    from espnet_ssr.data.format import describe_causes
    from espnet_ssr.datadir import read_keyed

    if args.nj:
        merge_jobs(shard_folder(args.align_dir), args.nj, args.align_dir)
    report = write_report(args.data_dir, args.align_dir, args.num_pictures, args.reference)
    failed = describe_causes(read_keyed(args.align_dir / FAILED))
    print(
        f"{args.align_dir}: aligned {report['aligned']} of {report['utterances']} utterances, "
        f"{report['words']} words, {len(report['out_of_vocabulary'])} out of vocabulary, "
        f"{report['suspicious_utterances']} suspicious{failed}"
    )
    if not report["aligned"]:
        raise ValueError(f"no utterance was aligned, see {args.align_dir / 'report.md'}")


if __name__ == "__main__":
    run_command(main)
