#!/usr/bin/env python3
"""CPU time of augmentation: what stage 3 takes for a data directory, by what is done to its copies.

    python3 bench/augment.py data/train --limit 30

Beside it stands the set as it is: reading, resampling and writing FLAC. One thread; a time is the
best of ``--repeats``, which take turns. Minutes are for ten hours of speech.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

# Before NumPy starts its threads.
os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from espnet_ssr.data.augment import Drawing, augment_data_dir, parse_settings  # noqa: E402
from espnet_ssr.data.format import AudioFormat, format_utterances, read_recordings  # noqa: E402
from espnet_ssr.datadir import read_keyed  # noqa: E402
from espnet_ssr.progress import Progress  # noqa: E402

KINDS = (
    *("speed=0.9,1.1", "white=5,20", "pink=5,20", "speech_shaped=5,20", "babble=5,20"),
    *("room=0.2,0.6", "speed=0.9,1.1 noise=5,20 babble=5,20 room=0.2,0.6"),
)
AS_IT_IS = "as it is"
AUDIO_FORMAT = AudioFormat()
TEN_HOURS = 36000


def measure(data_dir: Path, limit: int) -> tuple[float, float]:
    """CPU seconds of formatting, and how many seconds of speech that made."""
    texts = read_keyed(data_dir / "text")
    recordings, keys = read_recordings(data_dir), list(texts)[:limit]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        started = time.process_time()
        progress = Progress(len(keys), "formatting")
        format_utterances(keys, folder, folder, progress, recordings, texts, AUDIO_FORMAT)
        cost = time.process_time() - started
        num_samples = map(int, read_keyed(folder / "utt2num_samples").values())
        return cost, sum(num_samples) / AUDIO_FORMAT.sample_rate


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data_dir", type=Path, help="with audio, of two speakers or more")
    parser.add_argument("--limit", type=int, default=30, help="utterances (default: 30)")
    parser.add_argument("--repeats", type=int, default=3, help="turns (default: 3)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        sets = {AS_IT_IS: args.data_dir}
        for number, kinds in enumerate(KINDS):
            sets[kinds] = Path(name, str(number))
            drawing = Drawing(parse_settings(kinds), originals=False)
            augment_data_dir(args.data_dir, sets[kinds], drawing)
        turns = [
            {kinds: measure(path, args.limit) for kinds, path in sets.items()}
            for _ in range(args.repeats)
        ]
    print("| what is done | speech (s) | CPU time (s) | minutes for ten hours |")
    print("| --- | ---: | ---: | ---: |")
    for kinds in sets:
        cost, seconds = min(turn[kinds] for turn in turns)
        print(f"| {kinds} | {seconds:.0f} | {cost:.2f} | {cost / seconds * TEN_HOURS / 60:.1f} |")


if __name__ == "__main__":
    main()
