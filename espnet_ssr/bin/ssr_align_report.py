#!/usr/bin/env python3
"""Stage 4, after all jobs: merge their alignments; report coverage, failures and pictures."""

from pathlib import Path

from espnet_ssr.bin.options import make_parser, shard_folder
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--data_dir", type=Path, required=True, help="what was aligned")
    parser.add_argument("--align_dir", type=Path, required=True, help="the jobs' output_dir")
    parser.add_argument("--nj", type=int, required=True, help="number of jobs that ran")
    parser.add_argument("--aligner", default="hmm", help="the aligner that ran")
    parser.add_argument("--num_pictures", type=int, default=3, help="utterances to draw")
    args = parser.parse_args()

    from espnet_ssr.align import aligner_class
    from espnet_ssr.align.report import write_report
    from espnet_ssr.align.run import FAILED, OUT_OF_VOCABULARY
    from espnet_ssr.data.format import describe_causes
    from espnet_ssr.datadir import read_keyed
    from espnet_ssr.shards import merge_shards

    files = [f"{level}.ctm" for level in aligner_class(args.aligner).levels]
    files += [FAILED, OUT_OF_VOCABULARY]
    merge_shards(shard_folder(args.align_dir), args.nj, files, args.align_dir)
    report = write_report(args.data_dir, args.align_dir, args.num_pictures)
    failed = describe_causes(read_keyed(args.align_dir / FAILED))
    print(
        f"{args.align_dir}: aligned {report['aligned']} of {report['utterances']} utterances, "
        f"{report['words']} words, {len(report['out_of_vocabulary'])} out of vocabulary{failed}"
    )


if __name__ == "__main__":
    run_command(main)
