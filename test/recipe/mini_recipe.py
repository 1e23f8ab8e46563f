"""A miniature recipe in a folder of its own: made, run, copied, disturbed and compared."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import soundfile
import torch
import yaml

from espnet_ssr.datadir import Utterance, read_keyed, write_data_dir

REPO = Path(__file__).resolve().parents[2]
TEMPLATE = REPO / "egs2" / "TEMPLATE" / "ssr1"
ENCODER = "whisper-tiny.en"
LLM = "SmolLM2-135M-Instruct-q4_1"
FEATS, SEG, ALIGN = f"feats_{ENCODER}", f"seg_hmm_{LLM}", "align_hmm"
STATS = f"stats_hmm_{ENCODER}_{LLM}"
MODEL = f"distill_mini_hmm_{ENCODER}_{LLM}"  # of conf/distill.yaml
WEIGHTS = "valid.token_accuracy.ave.pth"

# Batches of neighbours in the list, not of like length: those of extracted features and those of
# raw audio are then the same, and so are the models.
DISTILL = {
    "connector": "mean",
    "connector_conf": {"hidden_size": 128, "num_layers": 1, "dropout_rate": 0.1},
    "optim": "adamw",
    "optim_conf": {"lr": 0.005},
    "max_epoch": 3,
    "batch_type": "unsorted",
    "batch_size": 4,
    "num_workers": 1,
    "best_model_criterion": [["valid", "token_accuracy", "max"]],
    "keep_nbest_models": 3,
    "seed": 0,
    "num_att_plot": 0,
}

DATA_SH = """\
#!/usr/bin/env bash
# Copies the data directories that the test made from prompts.
set -euo pipefail
mkdir -p data
cp -r local/prompts/. data
"""


class Output(str):
    """What a command printed, stdout and stderr in the order in which a terminal shows them."""

    returncode: int

    def __new__(cls, text: str, returncode: int):
        output = super().__new__(cls, text)
        output.returncode = returncode
        return output

    def messages(self) -> list[str]:
        """The lines without the time and the program before them."""
        return [re.sub(r"^\d{4}-\S+ \(ssr\.sh\) +", "", line) for line in self.splitlines()]

    def must_succeed(self) -> Output:
        assert self.returncode == 0, self
        assert self.messages()[-1] == "all stages asked for are done"
        return self

    def must_fail(self, *phrases: str, stage: int | None = None, code: int = 1) -> Output:
        """The run ended with ``code`` and one line that has all ``phrases``, without a traceback.

        The line is the last one; of a ``stage``, "stage N failed" follows, and if its work was a
        job with a log, the log's last line ("# Ended ...") is in between.
        """
        assert self.returncode == code, self
        assert "Traceback" not in self
        lines = self.splitlines()
        if stage is not None:
            assert lines.pop() == f"ssr.sh: stage {stage} failed, see above", self
        if lines[-1].startswith("# Ended"):
            lines.pop()
        for phrase in phrases:
            assert phrase in lines[-1], self
        return self


class Run:
    """A run of a recipe that has been started, at the head of a process group."""

    def __init__(self, command: list[str], log: Path, cwd: Path):
        self.log = log
        # Not a pipe: what is left of a killed run would keep it open.
        with open(log, "w") as file:
            self.process = subprocess.Popen(
                command,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self, seconds: float = 900) -> Output:
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.signal_group(signal.SIGKILL)
            raise AssertionError(f"no end after {seconds} s:\n{self.log.read_text()}") from None
        return Output(self.log.read_text(), code)

    def wait_for(self, condition: Callable[[], object], seconds: float = 120) -> None:
        """Wait until ``condition`` holds, which must be while the run is going on."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.005)

    def signal_group(self, number: int) -> None:
        """Send a signal as a terminal does: to the process group, not to sessions of its own."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


class Recipe:
    """A folder made by ``egs2/TEMPLATE/ssr1/setup.sh`` from real prompts."""

    numbers = itertools.count(1)

    def __init__(self, folder: Path):
        self.folder = folder

    @classmethod
    def make(cls, folder: Path, prompts: Mapping[str, Mapping[str, Utterance]]) -> Recipe:
        """Set up a recipe whose stage 1 makes ``data/<set>`` for each set of ``prompts``."""
        subprocess.run([TEMPLATE / "setup.sh", folder], check=True, stdout=subprocess.DEVNULL)
        for name, utterances in prompts.items():
            write_data_dir(folder / "local" / "prompts" / name, utterances)
        (folder / "local" / "data.sh").write_text(DATA_SH)
        recipe = cls(folder)
        config = folder / "conf" / "distill.yaml"
        config.unlink()
        config.symlink_to(Path(recipe.write_config("tuning/distill_mini")).relative_to("conf"))
        return recipe

    def write_config(self, name: str, **changes) -> str:
        """Write ``conf/<name>.yaml`` with what differs from ``DISTILL``; returns its path."""
        path = f"conf/{name}.yaml"
        (self.folder / path).write_text(yaml.safe_dump({**DISTILL, **changes}))
        return path

    def clone(self) -> Recipe:
        """A copy beside this one, with everything that it has made and done.

        Lists of audio and of features still lead to this one's files.
        """
        folder = self.folder.with_name(f"clone{next(self.numbers)}")
        subprocess.run(["cp", "-a", self.folder, folder], check=True)
        return Recipe(folder)

    def __truediv__(self, path: str) -> Path:
        return self.folder / path

    def start(self, *options: str, cwd: Path | None = None) -> Run:
        """Start ``run.sh``; options beside those given: ``--nj 2``."""
        log = self.folder.with_name(f"{self.folder.name}.{next(self.numbers)}.log")
        return Run(
            ["./run.sh" if cwd is None else str(self / "run.sh"), "--nj", "2", *options],
            log,
            cwd or self.folder,
        )

    def run(self, *options: str, cwd: Path | None = None) -> Output:
        """Run ``run.sh`` to its end."""
        return self.start(*options, cwd=cwd).wait()

    def remove(self, *paths: str) -> None:
        for path in paths:
            shutil.rmtree(self / path)

    def processes(self) -> dict[int, str]:
        """Running processes, by pid with their command lines, that work in this folder."""
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                # Of a zombie the link cannot be read.
                if Path(os.readlink(process / "cwd")) == self.folder:
                    command = (process / "cmdline").read_bytes().replace(b"\0", b" ")
                    found[int(process.name)] = command.decode()
        return found

    def wait_for_no_process(self, seconds: float = 15) -> None:
        deadline = time.monotonic() + seconds
        while left := self.processes():
            assert time.monotonic() < deadline, left
            time.sleep(0.05)


def copy_recipe(corpus: str, folder: Path, **paths: Path) -> Recipe:
    """A copy of ``egs2/<corpus>/ssr1`` as in the repository, with these lines in ``db.sh``."""
    source = REPO / "egs2" / corpus / "ssr1"
    made = {"data", "dump", "exp", "downloads"}
    for path in sorted(source.rglob("*")):
        target = folder / path.relative_to(source)
        if path.relative_to(source).parts[0] in made:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():
            target.symlink_to(path.resolve())
        elif path.is_file():
            shutil.copy(path, target)
    with open(folder / "db.sh", "a") as file:
        file.writelines(f"{name}={path}\n" for name, path in paths.items())
    return Recipe(folder)


def choose_prompts(
    data_dir: Path, number: int, min_seconds: float, max_seconds: float, min_words: int = 1
) -> dict[str, Utterance]:
    """The first prompts of a data directory that have these durations and so many words."""
    tables = [read_keyed(data_dir / name) for name in ("wav.scp", "text", "utt2spk")]
    chosen: dict[str, Utterance] = {}
    for utt_id, wav in tables[0].items():
        seconds = soundfile.info(wav).duration
        text, speaker = tables[1][utt_id], tables[2][utt_id]
        if min_seconds <= seconds <= max_seconds and len(text.split()) >= min_words:
            chosen[utt_id] = Utterance(wav, text, speaker, seconds)
    return dict(list(chosen.items())[:number])


def load_weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)


def assert_same_weights(path: Path, other: Path) -> None:
    weights, others = load_weights(path), load_weights(other)
    assert weights.keys() == others.keys()
    for name in weights:
        assert torch.equal(weights[name], others[name]), name
