#!/usr/bin/env python3
"""Stage 7: how long every utterance is, for the batches of a training."""

from pathlib import Path

from espnet_ssr.bin.options import make_parser
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--token_id", type=Path, required=True, help="tokens of stage 5")
    parser.add_argument("--pause", type=Path, help="pauses that are cut out, of stage 5")
    parser.add_argument("--feats_dir", type=Path, help="features of stage 6")
    parser.add_argument("--utt2num_samples", type=Path, help="of audio encoded while training")
    parser.add_argument("--fs", type=float, default=16000, help="sampling rate in Hz")
    parser.add_argument("--frame_rate", type=float, default=50, help="of the encoder, in Hz")
    parser.add_argument("--output_dir", type=Path, required=True, help="of the shape files")
    args = parser.parse_args()
    if (args.feats_dir is None) == (args.utt2num_samples is None):
        parser.error("give one of --feats_dir and --utt2num_samples")

    from espnet_ssr.data.collect_shapes import Inputs, write_shapes

    if args.feats_dir is None:
        inputs = Inputs("speech", args.utt2num_samples, args.fs)
    else:
        width = int((args.feats_dir / "feats_dim").read_text())
        inputs = Inputs("feats", args.feats_dir / "utt2num_frames", args.frame_rate, width)
    write_shapes(args.output_dir, args.token_id, inputs, args.pause, args.frame_rate)


if __name__ == "__main__":
    run_command(main)
