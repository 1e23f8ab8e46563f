#!/usr/bin/env python3
"""Which transcripts the ``hmm`` aligner accepts, right and wrong ones, by beam and by limit.

    python3 bench/hmm_beams.py --data_dir dump/train dump/valid ... [--beam 1e-100]
        [--retry_beam 1e-300] [--silprob 0.5] [--limits -60 -70 -80 -90 -100]

Every utterance of each data directory is aligned with its own transcript and with that of the
utterance of the directory that is next in length. ``former`` is PocketSphinx as it comes: narrow
beams, one search, no limit. ``one search`` and ``retry`` have the beams given here. The wrong
transcripts that happen to have the same words are left out. Times are of the CPU.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from swapped_transcripts import Corpus, read_corpus, same_words, swap_like_length  # noqa: E402

from espnet_ssr.align.abs import AlignError, AlignUtterance  # noqa: E402 (the path is set first)
from espnet_ssr.align.hmm import HMMAligner, Match, measure_match  # noqa: E402
from espnet_ssr.align.run import read_signal  # noqa: E402
from espnet_ssr.markdown import table  # noqa: E402

ANY = float("-inf")
FORMER = {"beam": 1e-48, "retry_beam": 1e-48, "silprob": 0.005}


class Outcome(NamedTuple):
    """Of one utterance: how well the path that was found matches (None: there is none), whether it
    took a second search, and the seconds of CPU."""

    match: Match | None
    retried: bool
    seconds: float


class Searched(NamedTuple):
    """Outcomes of a data directory with right and with wrong transcripts, and seconds of audio."""

    right: list[Outcome]
    wrong: list[Outcome]
    seconds: float

    def count(self, accept: Callable[[Outcome], bool]) -> tuple[int, int]:
        """Right and wrong transcripts that have a path and are accepted."""
        return tuple(sum(o.match is not None and accept(o) for o in os) for os in self[:2])


def search(corpus: Corpus, texts: dict[str, str], utt_ids: Sequence[str], conf: dict) -> list:
    """``Outcome`` of each utterance; nothing that has a path is refused."""
    aligner = HMMAligner(**conf, min_match=ANY)
    outcomes = []
    for utt_id in utt_ids:
        signal = read_signal(aligner, utt_id, corpus.signals)
        started = time.process_time()
        try:
            levels = aligner.align(AlignUtterance(utt_id, signal, texts[utt_id]))
        except AlignError:
            match = None
        else:
            match = measure_match(levels["phone"])
        seconds = time.process_time() - started
        outcomes.append(Outcome(match, utt_id in aligner.retried, seconds))
    return outcomes


def search_both(corpus: Corpus, conf: dict) -> Searched:
    """With right and with wrong transcripts, the same utterances."""
    wrong = swap_like_length(corpus, 0)
    utt_ids = [u for u, text in corpus.texts.items() if not same_words(text, wrong[u])]
    found = (search(corpus, texts, utt_ids, conf) for texts in (corpus.texts, wrong))
    rate = HMMAligner.sample_rate
    return Searched(*found, sum(corpus.num_samples[u] for u in utt_ids) / rate)


def compare(former: Searched, now: Searched, limit: float) -> str:
    """Table of the ways to search and to refuse."""
    ways = [
        ("former", former, lambda o: True),
        ("one search", now, lambda o: not o.retried),
        ("one search, limit", now, lambda o: not o.retried and o.match.total >= limit),
        ("retry", now, lambda o: True),
        ("retry, limit", now, lambda o: o.match.total >= limit),
    ]
    rows = []
    for name, searched, accept in ways:
        # What one search takes is not measured apart from the second one.
        known = accept is ways[0][2] or name.startswith("retry")
        factors = [
            f"{sum(o.seconds for o in outcomes) / searched.seconds:.4f}" if known else "-"
            for outcomes in searched[:2]
        ]
        rows.append([name, *_shares(searched, accept), *factors])
    header = ["search", "right accepted", "wrong accepted"]
    header += ["real-time factor: right", "wrong"]
    return table(header, rows)


def sweep(found: dict[str, Searched], limits: Sequence[float]) -> str:
    """Table of the limits, with a second search: right and wrong accepted of each directory."""
    header = [f"{name}: {kind}" for name in found for kind in ("right", "wrong")]
    rows = []
    for limit in limits:
        shares = (_shares(s, lambda o, x=limit: o.match.total >= x) for s in found.values())
        rows.append([f"{limit:g}", *(share for both in shares for share in both)])
    return table(["min_match", *header], rows)


def describe_matches(found: dict[str, Searched]) -> str:
    """Table of medians of what right and wrong transcripts are told apart by."""
    rows = []
    for name, searched in found.items():
        for kind in ("right", "wrong"):
            outcomes = [o for o in getattr(searched, kind) if o.match]
            for retried in (False, True):
                matches = [o.match for o in outcomes if o.retried == retried]
                if matches:
                    score, minimal = np.median(np.array(matches), axis=0)
                    figures = [f"{score:.1f}", f"{100 * minimal:.0f} %"]
                    second = "second" if retried else "first"
                    rows.append([f"{name}, {kind}, {second}", str(len(matches)), *figures])
    header = ["set, transcripts, search that found a path", "utterances"]
    return table([*header, "median score a frame", "median share of minimal phones"], rows)


def _shares(searched: Searched, accept: Callable[[Outcome], bool]) -> list[str]:
    number = len(searched.right)
    return [f"{n} ({100 * n / number:.1f} %)" for n in searched.count(accept)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", type=Path, nargs="+", required=True)
    parser.add_argument("--beam", type=float, default=1e-100)
    parser.add_argument("--retry_beam", type=float, default=1e-300)
    parser.add_argument("--silprob", type=float, default=0.5)
    parser.add_argument("--min_match", type=float, default=-80.0)
    parser.add_argument("--limits", type=float, nargs="+", default=[-60, -70, -80, -90, -100])
    args = parser.parse_args()

    conf = {"beam": args.beam, "retry_beam": args.retry_beam, "silprob": args.silprob}
    found = {}
    for data_dir in args.data_dir:
        corpus = read_corpus([data_dir], "wav.scp")
        former, now = (search_both(corpus, options) for options in (FORMER, conf))
        found[data_dir.name] = now
        print(f"{data_dir.name}: {len(now.right)} utterances, {now.seconds:.0f} s\n")
        print(compare(former, now, args.min_match), flush=True)
    print(sweep(found, args.limits))
    print(describe_matches(found))


if __name__ == "__main__":
    main()
