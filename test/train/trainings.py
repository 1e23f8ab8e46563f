"""Trainings on random data for the tests of this folder; as a program it runs some.

    python3 trainings.py < JOBS

``JOBS`` is a JSON list of groups, done one after another, and a group one of trainings that run
side by side: ``{"task", "options", "kill"}``. ``kill`` is empty, or a moment of death such as
``["write", 3]``: SIGKILL when a checkpoint has been written to its temporary file for the third
time, but not renamed (an epoch writes two: ``checkpoint.pth``, then its own); ``["batch", 3]``:
when the third batch, of training or validation, begins.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import kaldiio
import numpy as np
import torch

from espnet_ssr.model.speech import SpeechModel
from espnet_ssr.task.distill import SSRDistillTask
from espnet_ssr.task.lm import SSRLMTask
from espnet_ssr.train import checkpoint

TASKS = {"distill": SSRDistillTask, "lm": SSRLMTask}
MOMENTS = {"write": (checkpoint.os, "fsync"), "batch": (SpeechModel, "connect")}
WIDTH = 6
DATA = (("token_id", "text_int"), ("token_end", "text_float"), ("feats.scp", "kaldi_ark"))


def write_data(folder: Path, vocabulary: int) -> list[str]:
    """Options that name a training set of six and a validation set of two utterances."""
    generator = np.random.default_rng(0)
    options = ["--input_size", str(WIDTH), "--ngpu", "0"]
    for split, size in (("train", 6), ("valid", 2)):
        write_set(folder / split, size, vocabulary, generator)
        for name, kind in DATA:
            data = f"{folder / split / name},{name.removesuffix('.scp')},{kind}"
            options += [f"--{split}_data_path_and_name_and_type", data]
        for name in ("feats_shape", "token_id_shape"):
            options += [f"--{split}_shape_file", str(folder / split / name)]
    return options


def write_set(folder, size, vocabulary, generator):
    folder.mkdir()
    files = {name: [] for name in ("token_id", "token_end", "feats_shape", "token_id_shape")}
    feats = {}
    for i in range(size):
        tokens, frames = int(generator.integers(1, 5)), int(generator.integers(8, 30))
        feats[f"u{i}"] = generator.normal(size=(frames, WIDTH)).astype(np.float32)
        ids = generator.integers(vocabulary, size=tokens)
        ends = [(j + 1) * frames / 50 / tokens for j in range(tokens)]
        files["token_id"].append(f"u{i} {' '.join(map(str, ids))}\n")
        files["token_end"].append(f"u{i} {' '.join(f'{end:.3f}' for end in ends)}\n")
        files["feats_shape"].append(f"u{i} {frames},{WIDTH}\n")
        files["token_id_shape"].append(f"u{i} {tokens}\n")
    for name, lines in files.items():
        (folder / name).write_text("".join(lines))
    kaldiio.save_ark(str(folder / "feats.ark"), feats, scp=str(folder / "feats.scp"))


def job(task: str, options: list[str], folder: Path, kill: tuple = ()) -> dict:
    """A training into ``folder`` that goes on where an earlier one stopped."""
    options = [*options, "--output_dir", str(folder), "--resume", "true"]
    return {"task": task, "options": options, "kill": kill}


def run_jobs(groups: list[list[dict]]) -> None:
    """Run trainings, each in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__],
        input=json.dumps(groups),
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]


def weights(folder: Path) -> dict[str, dict[str, torch.Tensor]]:
    """The content of every file and link with weights, by name."""
    files = [file for file in folder.glob("*.pth") if file.name != "checkpoint.pth"]
    return {file.name: torch.load(file, weights_only=True) for file in files}


def assert_same(found: dict, expected: dict) -> None:
    """All files of ``expected`` are found, with weights that are equal to the last bit."""
    assert expected.keys() <= found.keys()
    for file, state in expected.items():
        assert found[file].keys() == state.keys()
        differing = [name for name, value in state.items() if not found[file][name].equal(value)]
        assert not differing, f"{file}: {differing}"


def die_at(what: str, number: int) -> None:
    """Let this process kill itself at a moment of death."""
    owner, name = MOMENTS[what]
    function = getattr(owner, name)
    left = number

    def count(*args, **kwargs):
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)

    setattr(owner, name, count)


def start(training: dict) -> int:
    """The process of a training; forked, as importing ESPnet takes ten times as long as that."""
    if child := os.fork():
        return child
    torch.set_num_threads(1)
    if training["kill"]:
        die_at(*training["kill"])
    try:
        TASKS[training["task"]].main(cmd=training["options"])
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    os._exit(0)


def main() -> None:
    for group in json.load(sys.stdin):
        children = [start(training) for training in group]
        for child, training in zip(children, group, strict=True):
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            # One whose peer was killed first ends by an error.
            expected = {-signal.SIGKILL, 1} if len(group) > 1 else {-signal.SIGKILL}
            if status not in (expected if training["kill"] else {0}):
                sys.exit(f"{training} ended with {status}")


if __name__ == "__main__":
    main()
