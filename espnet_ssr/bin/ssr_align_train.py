#!/usr/bin/env python3
"""Stage 4: train the network of an aligner. ``--help`` lists ESPnet's options too."""

from espnet_ssr.command import run_command


def main() -> None:
    from espnet_ssr.task.align import SSRAlignTask

    SSRAlignTask.main()


if __name__ == "__main__":
    run_command(main)
