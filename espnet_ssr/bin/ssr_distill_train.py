#!/usr/bin/env python3
"""Train a connector by distillation (stage 1 of SSR). ``--help`` lists ESPnet's options too."""

from espnet_ssr.command import run_command


def main() -> None:
    from espnet_ssr.task.distill import SSRDistillTask

    SSRDistillTask.main()


if __name__ == "__main__":
    run_command(main)
