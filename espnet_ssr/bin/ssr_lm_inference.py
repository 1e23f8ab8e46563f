#!/usr/bin/env python3
"""Stage 10 through the LLM: score a connector by what the LLM makes of its vectors."""

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
    parser.add_argument("--seg_dir", type=Path, help="has token_end, for connectors that need it")
    parser.add_argument("--reference", type=Path, required=True, help="token_id of transcripts")
    parser.add_argument("--feats_scp", type=Path, help="extracted features")
    parser.add_argument("--wav_scp", type=Path, help="audio, to be encoded on the fly")
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0, help="of who the other utterance is")
    parser.add_argument("--device", default="cpu", help="torch device")
    args = parser.parse_args()
    if (args.feats_scp is None) == (args.wav_scp is None):
        parser.error("give either --feats_scp or --wav_scp")

    import torch

    from espnet_ssr.evaluate.files import read_token_ids, write_result
    from espnet_ssr.evaluate.transcript import evaluate_transcripts, hear, load_reader
    from espnet_ssr.task.lm import SSRLMTask

    model, llm, prompt, train_args = load_reader(args.train_config, args.model_file, args.device)
    source = (str(args.wav_scp), "speech", "sound")
    if args.feats_scp:
        source = (str(args.feats_scp), "feats", "kaldi_ark")
    inputs = [source]
    if args.seg_dir:
        inputs.insert(0, (str(args.seg_dir / "token_end"), "token_end", "text_float"))
        if (args.seg_dir / "pause").exists():
            inputs.append((str(args.seg_dir / "pause"), "pause", "text_float"))
    loader = SSRLMTask.build_streaming_iterator(
        inputs,
        preprocess_fn=SSRLMTask.build_preprocess_fn(train_args, train=False),
        collate_fn=SSRLMTask.build_collate_fn(train_args, train=False),
        num_workers=0,
        inference=True,
    )
    references = read_token_ids(args.reference)
    with torch.inference_mode():
        heard = hear(model, loader, references)
        result = evaluate_transcripts(heard, llm, prompt, args.output_dir, args.seed)
    result["parameters"] = sum(p.numel() for p in model.connector.parameters())
    result["missing"] = len(references) - len(heard)
    write_result(args.output_dir, result)
    for name, row in result["llm"].items():
        print(f"{name}: {', '.join(f'{k} {v:.3f}' for k, v in row.items())}")


if __name__ == "__main__":
    run_command(main)
