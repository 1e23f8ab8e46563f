#!/usr/bin/env python3
"""Stage 10 through the LLM: score a connector by what the LLM makes of its vectors."""

from pathlib import Path

from espnet_ssr.bin.options import make_inference_parser, parse_inference
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_inference_parser(__doc__)
    parser.add_argument("--seg_dir", type=Path, help="has token_end, for connectors that need it")
    args = parse_inference(parser)

    import torch

    from espnet_ssr.evaluate.files import read_token_ids, write_result
    from espnet_ssr.evaluate.transcript import evaluate_transcripts, hear, load_reader
    from espnet_ssr.task.lm import SSRLMTask

    reader = load_reader(args.train_config, args.model_file, args.device)
    loader = SSRLMTask.build_test_iterator(reader.args, args.seg_dir, args.feats_scp, args.wav_scp)
    references = read_token_ids(args.reference)
    with torch.inference_mode():
        heard = hear(reader.model, loader, references)
        result = evaluate_transcripts(heard, reader, args.output_dir, args.seed)
    result["parameters"] = reader.model.count_connector()
    result["missing"] = len(references) - len(heard)
    write_result(args.output_dir, result)
    for kind in ("llm", "continuation"):
        for name, row in result.get(kind, {}).items():
            print(f"{kind}, {name}: {', '.join(f'{k} {v:.3f}' for k, v in row.items())}")


if __name__ == "__main__":
    run_command(main)
