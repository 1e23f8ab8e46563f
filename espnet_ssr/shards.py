"""Long work on the utterances of a data directory, in pieces that are whole or absent.

A shard is a folder that holds the results of some hundred utterances. It is filled under a
temporary name and renamed when complete, so a folder that is there is whole; its name is a hash
of everything that went into it, so a job that is run again does only what is missing or changed.

Jobs work on contiguous parts of a sorted list: ``run_shards`` in each job, ``merge_shards`` after
all of them.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from espnet_ssr.datadir import write_lines
from espnet_ssr.progress import Progress

Work = Callable[[Sequence[str], Path, Path, Progress], None]
"""``work(keys, folder, final_folder, progress)`` writes the results of ``keys`` into ``folder``,
which will be renamed to ``final_folder``, and calls ``progress.update`` once a key."""


def run_shards(
    inputs: dict[str, str],
    folder: str | os.PathLike,
    job: int,
    settings: dict,
    work: Work,
    shard_size: int = 200,
    description: str = "working",
) -> None:
    """Do ``work`` for each shard that is not there yet and note which shards make up this job.

    Args:
        inputs: for each key what its result depends on (a path, a transcript).
        folder: where shards live; shared by all jobs of a stage.
        job: number of this job, from 1.
        settings: options that the results depend on.
        work: see ``Work``.
        shard_size: keys in a shard.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    keys = list(inputs)
    shards = [keys[i : i + shard_size] for i in range(0, len(keys), shard_size)]
    names = [_shard_name({k: inputs[k] for k in shard}, settings) for shard in shards]
    progress = Progress(len(keys), description)
    index = folder / f"index.{job}"
    index.unlink(missing_ok=True)  # of a former run: until this one ends, the job is not done
    for name, shard in zip(names, shards, strict=True):
        if (folder / name).is_dir():
            progress.update(len(shard))
        else:
            _fill_shard(folder, name, shard, work, progress)
    write_lines(index, names)


def _shard_name(inputs: dict[str, str], settings: dict) -> str:
    content = json.dumps([inputs, settings], sort_keys=True).encode()
    return f"shard.{hashlib.sha256(content).hexdigest()[:16]}"


def _fill_shard(
    folder: Path, name: str, keys: Sequence[str], work: Work, progress: Progress
) -> None:
    temporary = folder / f".{name}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        work(keys, temporary, folder / name, progress)
        temporary.rename(folder / name)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def merge_shards(
    folder: str | os.PathLike, num_jobs: int, names: Sequence[str], output_dir: str | os.PathLike
) -> None:
    """Concatenate each file of ``names`` over all shards into ``output_dir``, in order.

    Shards that no job names any more (of former settings) are removed.

    Raises:
        FileNotFoundError: a job did not finish.
    """
    folder, output_dir = Path(folder), Path(output_dir)
    shards = []
    for job in range(1, num_jobs + 1):
        index = folder / f"index.{job}"
        if not index.is_file():
            raise FileNotFoundError(f"{index} is missing: job {job} of {num_jobs} did not finish")
        shards += index.read_text().split()
    for name in names:
        temporary = output_dir / f".{name}.tmp"
        with open(temporary, "wb") as merged:
            for shard in shards:
                with open(folder / shard / name, "rb") as part:
                    shutil.copyfileobj(part, merged)
        os.replace(temporary, output_dir / name)
    for stale in set(os.listdir(folder)) - set(shards):
        if stale.lstrip(".").startswith("shard."):
            shutil.rmtree(folder / stale, ignore_errors=True)
