#!/usr/bin/env python3
"""Train a connector through the frozen LLM. ``--help`` lists ESPnet's options too."""

from espnet_ssr.command import run_command


def main() -> None:
    from espnet_ssr.task.lm import SSRLMTask

    SSRLMTask.main()


if __name__ == "__main__":
    run_command(main)
