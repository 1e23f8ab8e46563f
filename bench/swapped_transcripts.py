#!/usr/bin/env python3
"""How many swapped transcripts an aligner's report finds, and how many right ones it blames.

    python3 bench/swapped_transcripts.py --data_dir dump/train dump/valid dump/test
        [--aligner hmm --aligner_conf NAME=VALUE ... --feats_name feats_...]
        [--swapped 20 --draws 100 --seed 0]

Every utterance is aligned with its own transcript and with another's. Then, in every draw, some
utterances chosen at random have the other's, and the set is judged as the report judges it. The
other is any (``random``) or the one next in length (``like length``).
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from espnet_ssr.align import aligner_factory  # noqa: E402 (the path is set first)
from espnet_ssr.align.abs import AbsAligner, AlignError, AlignUtterance  # noqa: E402
from espnet_ssr.align.alignment import Alignment  # noqa: E402
from espnet_ssr.align.metrics import normalise_word  # noqa: E402
from espnet_ssr.align.run import read_signal  # noqa: E402
from espnet_ssr.align.suspicious import find_suspicious  # noqa: E402
from espnet_ssr.batching import length_buckets  # noqa: E402
from espnet_ssr.bin.options import key_values  # noqa: E402
from espnet_ssr.conf import build_from_conf  # noqa: E402
from espnet_ssr.datadir import read_keyed  # noqa: E402

BATCH_SECONDS = 60
HEADER = """
| other transcript | not aligned | suspicious | found | right ones blamed |
| --- | ---: | ---: | ---: | ---: |"""


class Corpus(NamedTuple):
    """Signals, transcripts and lengths in samples, by utterance."""

    signals: dict[str, str]
    texts: dict[str, str]
    num_samples: dict[str, int]


def read_corpus(data_dirs: Sequence[Path], signals_name: str) -> Corpus:
    """Several data directories as one."""
    signals, texts, lengths = {}, {}, {}
    for data_dir in data_dirs:
        signals |= read_keyed(data_dir / signals_name)
        texts |= read_keyed(data_dir / "text")
        lengths |= read_keyed(data_dir / "utt2num_samples")
    return Corpus(signals, texts, {u: int(lengths[u]) for u in texts})


def align(aligner: AbsAligner, corpus: Corpus, texts: dict[str, str]) -> dict[str, Alignment]:
    """Words of the utterances that can be aligned with ``texts``."""
    words = {}
    max_samples = BATCH_SECONDS * aligner.sample_rate
    for batch in length_buckets(corpus.num_samples, max_samples):
        utterances = [
            AlignUtterance(u, read_signal(aligner, u, corpus.signals), texts[u]) for u in batch
        ]
        for utt_id, levels in zip(batch, aligner.align_batch(utterances), strict=True):
            if not isinstance(levels, AlignError):
                words[utt_id] = levels["word"]
    return words


def swap_random(corpus: Corpus, seed: int) -> dict[str, str]:
    """The transcript of any other utterance for each."""
    utt_ids = list(corpus.texts)
    shuffled = random.Random(seed).sample(utt_ids, len(utt_ids))
    # Each gets that of the one behind it in a random order: never its own.
    return {u: corpus.texts[v] for u, v in zip(shuffled, shuffled[1:] + shuffled[:1], strict=True)}


def swap_like_length(corpus: Corpus, seed: int) -> dict[str, str]:
    """The transcript of the utterance that is the next longer one, for the longest the shortest."""
    ordered = sorted(corpus.texts, key=corpus.num_samples.__getitem__)
    return {u: corpus.texts[v] for u, v in zip(ordered, ordered[1:] + ordered[:1], strict=True)}


def same_words(text: str, other: str) -> bool:
    """Prompts exist in several versions: such a swap is none."""
    return [normalise_word(w) for w in text.split()] == [normalise_word(w) for w in other.split()]


def judge(
    right: dict[str, Alignment],
    wrong: dict[str, Alignment],
    swapped: Sequence[str],
    seconds: dict[str, float],
) -> tuple[float, float, float]:
    """Share of the swapped utterances that is not aligned, and suspicious; of the others blamed."""
    words = {u: a for u, a in right.items() if u not in swapped}
    others = len(words)
    words |= {u: wrong[u] for u in swapped if u in wrong}
    found = set(find_suspicious(words, seconds))
    failed = sum(u not in wrong for u in swapped)
    hits = len(found.intersection(swapped))
    return failed / len(swapped), hits / len(swapped), (len(found) - hits) / others


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", type=Path, nargs="+", required=True)
    parser.add_argument("--aligner", default="hmm")
    parser.add_argument("--aligner_conf", nargs="*", default=[], metavar="NAME=VALUE")
    parser.add_argument("--feats_name", help="folder of each data_dir, for aligners of features")
    parser.add_argument("--swapped", type=int, default=20)
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    aligner = build_from_conf(
        aligner_factory(args.aligner), key_values(args.aligner_conf), "aligner_conf"
    )
    signals_name = f"{args.feats_name}/feats.scp" if args.feats_name else "wav.scp"
    corpus = read_corpus(args.data_dir, signals_name)
    seconds = {u: n / aligner.sample_rate for u, n in corpus.num_samples.items()}
    right = align(aligner, corpus, corpus.texts)
    print(f"{len(right)} of {len(corpus.texts)} utterances aligned; {args.swapped} swapped")
    print(HEADER)
    for name, swap in (("random", swap_random), ("like length", swap_like_length)):
        others = swap(corpus, args.seed)
        wrong = align(aligner, corpus, others)
        changed = [u for u, text in corpus.texts.items() if not same_words(text, others[u])]
        draws = random.Random(args.seed)
        shares = np.mean(
            [
                judge(right, wrong, draws.sample(changed, args.swapped), seconds)
                for _ in range(args.draws)
            ],
            axis=0,
        )
        failed, hit, blamed = 100 * shares
        print(f"| {name} | {failed:.1f} % | {hit:.1f} % | {failed + hit:.1f} % | {blamed:.2f} % |")


if __name__ == "__main__":
    main()
