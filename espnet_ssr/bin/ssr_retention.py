#!/usr/bin/env python3
"""Stage 10 without speech: what a fine-tuned LLM has kept of its ability to read and write text.

Perplexity of a text and accuracy on BLiMP, before the training and after it, and how far the LLM's
predictions of that text have moved (forgetting).
"""

from functools import cache
from pathlib import Path

from espnet_ssr.bin.options import make_parser
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--model_file", type=Path, required=True, help="checkpoint (*.pth)")
    parser.add_argument("--train_config", type=Path, help="config.yaml, if not beside model_file")
    parser.add_argument("--text_file", type=Path, help="held-out text, a document a line")
    parser.add_argument(
        "--max_tokens", type=int, default=512, help="of a document; it is cut there"
    )
    parser.add_argument("--blimp_dir", type=Path, help="data/ of BLiMP, with a *.jsonl a paradigm")
    parser.add_argument("--limit", type=int, help="first so many pairs a paradigm (default: all)")
    parser.add_argument(
        "--before",
        type=Path,
        required=True,
        help="file of what the LLM scores before training: read if it is of this LLM, text and "
        "pairs, else computed and written",
    )
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--device", default="cpu", help="torch device")
    args = parser.parse_args()
    for option in ("max_tokens", "limit"):
        if getattr(args, option) is not None and getattr(args, option) < 1:
            parser.error(f"--{option} must be 1 or more, not {getattr(args, option)}")

    from espnet_ssr.evaluate import retention
    from espnet_ssr.evaluate.files import write_result
    from espnet_ssr.evaluate.forgetting import measure_forgetting, read_documents
    from espnet_ssr.evaluate.transcript import load_reader
    from espnet_ssr.llm.language_model import LanguageModel
    from espnet_ssr.llm.load import load_language_model

    benchmark = retention.read_benchmark(
        args.text_file, args.blimp_dir, args.limit, args.max_tokens
    )
    reader = load_reader(args.train_config, args.model_file, args.device)
    name, tokenizer = reader.args.llm, reader.prompts["llm"].tokenizer
    dtype = str(reader.llm.dtype).removeprefix("torch.")
    after = retention.score_benchmark(reader.llm, tokenizer, benchmark)
    read = read_documents(reader.llm, tokenizer, benchmark) if benchmark.documents else []
    del reader  # one LLM in memory at a time

    @cache
    def original() -> LanguageModel:
        return load_language_model(name, dtype).to(args.device)

    def score_original() -> retention.Scores:
        return retention.score_benchmark(original(), tokenizer, benchmark)

    inputs = {"llm": name, "dtype": dtype, "benchmark": benchmark.digest()}
    before = retention.cached_scores(args.before, inputs, score_original)
    result = retention.compare_scores(before, after, benchmark)
    if read:
        forgetting = measure_forgetting(original(), tokenizer, benchmark, read)
        result["retention"]["change"]["forgetting"] = forgetting
    args.output_dir.mkdir(parents=True, exist_ok=True)
    write_result(args.output_dir, result)
    for name, row in result["retention"].items():
        print(f"{name}: {', '.join(f'{k} {_text(v)}' for k, v in row.items())}")


def _text(figure: float | list[float]) -> str:
    if isinstance(figure, list):
        return " to ".join(_text(end) for end in figure)
    return f"{figure:.4f}"


if __name__ == "__main__":
    run_command(main)
