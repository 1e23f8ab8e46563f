#!/usr/bin/env python3
"""Stage 10: run a distilled connector on a test set and score it beside its controls."""

from pathlib import Path

from espnet_ssr.bin.options import make_inference_parser, parse_inference
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_inference_parser(__doc__)
    parser.add_argument("--seg_dir", type=Path, required=True, help="has token_end")
    parser.add_argument(
        "--textless", choices=("true", "false"), default="false", help="how seg_dir was made"
    )
    parser.add_argument("--train_token_id", type=Path, required=True, help="of the training set")
    args = parse_inference(parser)

    import torch

    from espnet_ssr.evaluate.distill import evaluate, load_utterances
    from espnet_ssr.evaluate.files import read_token_ids
    from espnet_ssr.evaluate.textless import evaluate_textless
    from espnet_ssr.llm.tokenizer import load_tokenizer
    from espnet_ssr.task.distill import SSRDistillTask

    model, train_args = SSRDistillTask.build_model_from_file(
        args.train_config, args.model_file, args.device, args.head_conf
    )
    loader = SSRDistillTask.build_test_iterator(
        train_args, args.seg_dir, args.feats_scp, args.wav_scp
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
