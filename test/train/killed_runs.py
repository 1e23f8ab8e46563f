"""Train, and be killed while a checkpoint is written: one process for each moment of death.

    python3 killed_runs.py FOLDER OPTIONS...

``FOLDER/N`` is the training that SIGKILL ended at the N-th time a checkpoint had been written to
its temporary file but not renamed. An epoch writes two: ``checkpoint.pth``, then its own.
"""

import os
import signal
import sys

import torch

from espnet_ssr.task.distill import SSRDistillTask
from espnet_ssr.train import checkpoint

WRITES = (3, 4, 5, 8)


def train_until_killed(writes: int, options: list[str]) -> None:
    torch.set_num_threads(1)
    left = writes

    def fsync(descriptor):
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    checkpoint.os.fsync = fsync
    SSRDistillTask.main(cmd=options)


def main() -> None:
    folder, *options = sys.argv[1:]
    # Forked, as importing ESPnet takes ten times as long as this training.
    for writes in WRITES:
        child = os.fork()
        if child == 0:
            train_until_killed(writes, [*options, "--output_dir", f"{folder}/{writes}"])
            os._exit(1)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
            sys.exit(f"{folder}/{writes} was not killed (wait status {status})")


if __name__ == "__main__":
    main()
