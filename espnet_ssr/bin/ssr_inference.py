#!/usr/bin/env python3
"""Stage 10: run a distilled connector on a test set and score it beside its controls."""

from argparse import ArgumentDefaultsHelpFormatter
from pathlib import Path

from espnet2.utils import config_argparse

from espnet_ssr.command import run_command


def main() -> None:
    # ESPnet's parser: --config FILE reads options from YAML and refuses unknown ones.
    parser = config_argparse.ArgumentParser(
        description=__doc__, formatter_class=ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--model_file", type=Path, required=True, help="checkpoint (*.pth)")
    parser.add_argument("--train_config", type=Path, help="config.yaml, if not beside model_file")
    parser.add_argument("--seg_dir", type=Path, required=True, help="has token_end")
    parser.add_argument("--reference", type=Path, required=True, help="token_id of transcripts")
    parser.add_argument(
        "--textless", choices=("true", "false"), default="false", help="how seg_dir was made"
    )
    parser.add_argument("--feats_scp", type=Path, help="extracted features")
    parser.add_argument("--wav_scp", type=Path, help="audio, to be encoded on the fly")
    parser.add_argument("--train_token_id", type=Path, required=True, help="of the training set")
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0, help="of the shuffled control")
    parser.add_argument("--device", default="cpu", help="torch device")
    args = parser.parse_args()
    if (args.feats_scp is None) == (args.wav_scp is None):
        parser.error("give either --feats_scp or --wav_scp")

    import torch

    from espnet_ssr.evaluate.distill import evaluate, load_utterances, read_token_ids
    from espnet_ssr.evaluate.textless import evaluate_textless
    from espnet_ssr.llm.tokenizer import load_tokenizer
    from espnet_ssr.task.distill import SSRDistillTask

    model, train_args = SSRDistillTask.build_model_from_file(
        args.train_config, args.model_file, args.device
    )
    source = (str(args.wav_scp), "speech", "sound")
    if args.feats_scp:
        source = (str(args.feats_scp), "feats", "kaldi_ark")
    inputs = [(str(args.seg_dir / "token_end"), "token_end", "text_float"), source]
    if (args.seg_dir / "pause").exists():
        inputs.append((str(args.seg_dir / "pause"), "pause", "text_float"))
    loader = SSRDistillTask.build_streaming_iterator(
        inputs,
        preprocess_fn=SSRDistillTask.build_preprocess_fn(train_args, train=False),
        collate_fn=SSRDistillTask.build_collate_fn(train_args, train=False),
        num_workers=0,
        inference=True,
    )
    references = read_token_ids(args.reference)
    tokenizer = load_tokenizer(train_args.llm)
    with torch.inference_mode():
        utterances = load_utterances(model, loader, references)
        if args.textless == "true":
            found = {u.utt_id for u in utterances}
            missing = {u: ids for u, ids in references.items() if u not in found}
            result = evaluate_textless(model, utterances, missing, tokenizer, args.output_dir)
            figures = result["textless"]
        else:
            result = evaluate(
                model, utterances, tokenizer, args.train_token_id, args.output_dir, args.seed
            )
            figures = result["figures"]["connector"]
    shown = ("token_accuracy", "centred_cosine", "tokens_found", "segments_exact", "wer")
    print(f"{args.output_dir}: {', '.join(f'{k} {figures[k]:.3f}' for k in shown if k in figures)}")


if __name__ == "__main__":
    run_command(main)
