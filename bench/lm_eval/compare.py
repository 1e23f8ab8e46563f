#!/usr/bin/env python3
"""Text-only BLiMP and HellaSwag beside lm-evaluation-harness: the same model, items and precision.

The harness (``pip install lm_eval``) belongs in an environment of its own. In an empty folder::

    bench=/path/to/bench/lm_eval; export LLM=/path/to/model HF_HUB_OFFLINE=1
    python3 $bench/compare.py --blimp .../blimp/data --hellaswag .../hellaswag_val.jsonl
    python3 -m espnet_ssr.bin.ssr_choice --config $bench/choice.yaml --output_dir choice
    lm_eval run --model hf --model_args pretrained=$LLM,dtype=float32 --device cpu --batch_size 16
        --include_path $bench/tasks --tasks ssr_blimp ssr_hellaswag
        --log_samples --output_path harness
    python3 $bench/compare.py

The first writes the items that both read, the last compares texts, log-likelihoods and choices item
by item, and accuracies without normalisation (``acc``) and by character (``acc_norm``).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from espnet_ssr.datadir import write_lines  # noqa: E402 (the path is set first)
from espnet_ssr.evaluate.choice.answer import Answer, read_answers  # noqa: E402
from espnet_ssr.evaluate.choice.item import Item, Parts  # noqa: E402
from espnet_ssr.evaluate.choice.questions import make_items  # noqa: E402
from espnet_ssr.evaluate.choice.readers.files import find_files, read_json_lines  # noqa: E402
from espnet_ssr.evaluate.choice.readers.record import Skipped  # noqa: E402
from espnet_ssr.evaluate.choice.task import TASKS  # noqa: E402

BLIMP, HELLASWAG = Path("blimp"), Path("hellaswag_val.jsonl")
METRICS = {"acc": "none", "acc_norm": "character"}
HEADER = """\
| task | items | other texts | largest difference (nats) | metric | ours | harness | other choices |
| --- | ---: | ---: | ---: | --- | ---: | ---: | ---: |"""


def draw_blimp(source: Path, limit: int) -> None:
    """Rows of the drawn items, and the card by which ``datasets`` knows the paradigms."""
    items = make_items(TASKS["blimp"], "T", source, limit=limit)
    drawn = {item.item_id for item in items}
    files = find_files(source, "*.jsonl")
    BLIMP.mkdir(exist_ok=True)
    for file in files:
        _write(BLIMP / file.name, (row for row in _rows(file) if _blimp_id(row) in drawn))
    configs = [f"- {{config_name: {file.stem}, data_files: {file.name}}}" for file in files]
    write_lines(BLIMP / "README.md", ["---", "configs:", *configs, "---"])


def draw_hellaswag(source: Path, limit: int) -> None:
    """Official rows of the drawn items, made of their texts if ``source`` has nothing else."""
    items = make_items(TASKS["hellaswag"], "T", source, limit=limit)
    drawn = {item.item_id for item in items}
    if source.suffix == ".jsonl":
        _write(HELLASWAG, (row for row in _rows(source) if str(row["ind"]) in drawn))
    else:
        _write(HELLASWAG, (_official(item) for item in items))


def _official(item: Item) -> dict:
    """``ctx_b`` is the sentence that is begun, if any. The official file has it in small letters,
    and the harness capitalises it."""
    label, text = _text(item.context).split(": ", 1)
    whole, stop, begun = text.rpartition(". ")
    if not begun[:1].islower():
        whole, stop, begun = text, "", ""
    return {
        "ind": int(item.item_id),
        "activity_label": label,
        "ctx_a": (whole + stop).strip(),
        "ctx_b": begun,
        "endings": [_text(candidate).strip() for candidate in item.candidates],
        "label": item.answer,
    }


class Sample(NamedTuple):
    """What the harness logged of an item.

    Attributes:
        texts: context, and each candidate with the space before it.
        log_likelihoods: of the candidates, in nats.
        metrics: 0 or 1 by name.
    """

    texts: list[str]
    log_likelihoods: np.ndarray
    metrics: dict[str, float]

    def chosen(self, metric: str) -> int:
        """As the harness chooses: its characters are those without the space before a candidate."""
        lengths = [len(text) - 1 if metric == "acc_norm" else 1 for text in self.texts[1:]]
        return int(np.argmax(self.log_likelihoods / lengths))


def read_samples(folder: Path) -> dict[str, dict[str, Sample]]:
    """Task -> item -> what was logged."""
    found: dict[str, dict[str, Sample]] = {"blimp": {}, "hellaswag": {}}
    for file in sorted(folder.rglob("samples_*.jsonl")):
        for row in _rows(file):
            doc = row["doc"]
            if "UID" in doc:
                found["blimp"][_blimp_id(doc)] = _sample(row)
            else:
                found["hellaswag"][str(doc["ind"])] = _sample(row)
    return found


def _sample(row: dict) -> Sample:
    asked = [row["arguments"][f"gen_args_{n}"] for n in range(len(row["arguments"]))]
    return Sample(
        [asked[0]["arg_0"], *(pair["arg_1"] for pair in asked)],
        np.array([float(value) for value, _ in row["filtered_resps"]]),
        {name: row[name] for name in METRICS if name in row},
    )


def compare(task: str, path: Path, answers: Sequence[Answer], samples: dict[str, Sample]) -> None:
    """Print a row of the table for each metric."""
    items = {item.item_id: item for item in make_items(TASKS[task], "T", path)}
    if not {answer.item_id for answer in answers} == items.keys() == samples.keys():
        raise SystemExit(
            f"{task}: {len(items)} items in {path}, but {len(answers)} answers here and "
            f"{len(samples)} in the harness, or others: run both on {path}"
        )
    pairs = [(answer, samples[answer.item_id]) for answer in answers]
    other = sum(_texts(items[answer.item_id]) != sample.texts for answer, sample in pairs)
    largest = max(_difference(*pair) for pair in pairs)
    for metric in pairs[0][1].metrics:
        unit = METRICS[metric]
        ours = np.mean([answer.credit(unit) for answer, _ in pairs])
        theirs = np.mean([sample.metrics[metric] for _, sample in pairs])
        chosen = sum(answer.chosen(unit) != [sample.chosen(metric)] for answer, sample in pairs)
        figures = (task, len(pairs), other, f"{largest:.1e}", metric)
        print("|", *(f"{cell} |" for cell in (*figures, f"{ours:.2%}", f"{theirs:.2%}", chosen)))


def _texts(item: Item) -> list[str]:
    return [_text(parts) for parts in (item.context, *item.candidates)]


def _text(parts: Parts) -> str:
    return "".join(part.text for part in parts)


def _difference(answer: Answer, sample: Sample) -> float:
    ours = np.array([-candidate.nats for candidate in answer.candidates])
    return float(np.abs(ours - sample.log_likelihoods).max())


def _blimp_id(row: dict) -> str:
    return f"{row['UID']}-{row['pairID']}"


def _rows(path: Path) -> Iterator[dict]:
    return (row for _, row in read_json_lines(path, Skipped(), ()))


def _write(path: Path, rows: Iterable[dict]) -> None:
    write_lines(path, (json.dumps(row, ensure_ascii=False) for row in rows))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--blimp", type=Path, help="folder of the paradigms: draw items from it")
    parser.add_argument("--hellaswag", type=Path, help="file with the questions: likewise")
    parser.add_argument("--limits", type=int, nargs=2, default=[2010, 500], help="items of each")
    args = parser.parse_args()
    if args.blimp:
        draw_blimp(args.blimp, args.limits[0])
    if args.hellaswag:
        draw_hellaswag(args.hellaswag, args.limits[1])
    if not args.blimp and not args.hellaswag:
        samples = read_samples(Path("harness"))
        print(HEADER)
        for task, path in (("blimp", BLIMP), ("hellaswag", HELLASWAG)):
            answers = read_answers(Path("choice/text") / task / "T.jsonl")
            compare(task, path, answers, samples[task])


if __name__ == "__main__":
    main()
