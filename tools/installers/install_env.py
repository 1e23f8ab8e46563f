#!/usr/bin/env python3
"""Build the Python environment of this project (called by tools/Makefile; see ``make help``).

Standard library only: it runs before anything is installed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import model_store
from env_actions import (
    ESPNET_OF_PYTHON,
    REQUIREMENTS,
    TOOLS,
    Installer,
    Settings,
    has_setup_py,
    python_version,
)
from step_runner import Step, StepRunner

ACTIVATE = TOOLS / "activate_python.sh"
MODELS = TOOLS / "models"
NETWORK_ADVICE = "see the lines above; most often a package registry could not be reached."


def has_gpu() -> bool:
    """Whether the NVIDIA driver lists a GPU."""
    try:
        listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return listing.returncode == 0 and "GPU" in listing.stdout


def digest(*names: str) -> str:
    """A hash of files in tools/; an absent file counts as empty."""
    total = hashlib.sha256()
    for name in names:
        path = TOOLS / name
        total.update(path.read_bytes() if path.is_file() else b"")
    return total.hexdigest()


def env_steps(settings: Settings, installer: Installer) -> list[Step]:
    """The steps of the environment, in order."""
    packages = digest(*REQUIREMENTS, settings.constraints)
    return [
        Step(
            name="venv",
            title=f"virtual environment {settings.venv}" if settings.use_venv else "Python",
            inputs=f"{settings.python} {sys.version} {settings.target}",
            action=installer.make_venv,
            advice="install the venv and pip modules of your Python (Debian: python3-venv), "
            "choose another folder with VENV=, or pass USE_VENV=0 to use PYTHON as it is.",
            is_intact=Path(settings.target).exists,
        ),
        Step(
            name="torch",
            title=f"torch {settings.torch} ({settings.mode})",
            inputs=f"{settings.torch} {settings.mode} {settings.torch_index}",
            action=installer.install_torch,
            advice="do what the line above says; if pip reached no package registry, see to that.",
        ),
        Step(
            name="espnet",
            title=f"espnet {settings.espnet}, torchaudio {settings.torchaudio}",
            inputs=f"{settings.espnet} {settings.torchaudio}",
            action=installer.install_espnet,
            advice=NETWORK_ADVICE,
        ),
        Step(
            name="packages",
            title="other packages",
            inputs=f"{settings.constraints} {packages}",
            action=installer.install_requirements,
            advice=f"{NETWORK_ADVICE} If pip finds no matching versions for your Python, pass "
            "CONSTRAINTS= to let it choose.",
        ),
        Step(
            name="project",
            title="this project" + ("" if has_setup_py() else " (skipped, it has no setup.py)"),
            inputs=digest("../setup.py"),
            action=installer.install_project,
            advice="see the lines above.",
        ),
        Step(
            name="check",
            title="check of all imports",
            inputs=digest("check_install.py"),
            action=installer.check,
            advice="`make -C tools check` gives a command for each problem.",
        ),
    ]


def models_step(installer: Installer) -> Step:
    """The models have their own records (PROVENANCE.json), which are looked at every time."""
    return Step(
        name="models",
        title="models",
        inputs="",
        action=installer.install_models,
        advice=NETWORK_ADVICE,
        is_intact=lambda: all(model_store.is_finished(name, MODELS) for name in model_store.MODELS),
    )


def write_activate(settings: Settings) -> None:
    """Write the file that recipes source; it appears whole and last, so it means 'done'."""
    if not settings.use_venv:
        folder = shlex.quote(str(Path(settings.python).parent))
        body = f'export PATH={folder}:"${{PATH}}"\n'
    elif settings.venv.is_relative_to(TOOLS):
        inside = shlex.quote(f"/{settings.venv.relative_to(TOOLS)}/bin/activate")
        body = f'. "$(cd "$(dirname "${{BASH_SOURCE[0]}}")" && pwd)"{inside}\n'
    else:
        body = f". {shlex.quote(str(settings.venv / 'bin' / 'activate'))}\n"
    text = "#!/usr/bin/env bash\n# Written by tools/Makefile; source it.\n" + body
    if ACTIVATE.is_file() and ACTIVATE.read_text() == text:
        return
    draft = ACTIVATE.with_suffix(".draft")
    draft.write_text(text)
    os.replace(draft, ACTIVATE)


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", choices=("env", "all"), help="all: env and models")
    parser.add_argument("--venv", required=True, help="relative to tools/, or absolute")
    parser.add_argument("--use-venv", required=True, choices=("0", "1"))
    parser.add_argument("--torch", required=True)
    parser.add_argument("--torchaudio", required=True)
    parser.add_argument("--espnet", default="", help="empty: the one for this Python")
    parser.add_argument("--cuda", required=True, choices=("auto", "cpu", "gpu", "any"))
    parser.add_argument("--torch-index", default="")
    parser.add_argument("--constraints", default="", help="empty: pip chooses the versions")
    parser.add_argument("--force", default="", help="not empty: redo all steps")
    return parser.parse_args(argv)


def version_of_target(args: argparse.Namespace) -> tuple[int, int]:
    """The Python that will be installed into: a virtual environment that is there stays."""
    own = sys.version_info[:2]
    if args.use_venv == "0":
        return own
    there = python_version(str(TOOLS / args.venv / "bin" / "python")) or own
    if there != own:
        print(f"{TOOLS / args.venv} has Python {dotted(there)} and stays; for {dotted(own)}:")
        print("make clean first, or pass VENV=<another folder>.")
    return there


def dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))


def settings_from(args: argparse.Namespace, version: tuple[int, int]) -> Settings:
    mode = args.cuda if args.cuda != "auto" else "gpu" if has_gpu() else "cpu"
    return Settings(
        python=sys.executable,
        venv=TOOLS / args.venv,
        use_venv=args.use_venv == "1",
        torch=args.torch,
        torchaudio=args.torchaudio,
        espnet=args.espnet or ESPNET_OF_PYTHON[version],
        mode=mode,
        needs_cuda=args.cuda == "gpu",
        torch_index=args.torch_index,
        constraints=args.constraints,
    )


def install(settings: Settings, args: argparse.Namespace) -> bool:
    """Run the steps; whether the set-up is complete."""
    runner = StepRunner(TOOLS / ".stamps", TOOLS / "install.log")
    installer = Installer(settings, runner)
    steps = env_steps(settings, installer)
    with runner.locked():
        if args.force:
            runner.forget(steps)
        env_is_done = all(runner.is_done(step) for step in steps)
        if not env_is_done:
            ACTIVATE.unlink(missing_ok=True)
        if args.target == "all":
            steps.append(models_step(installer))
        if not runner.run(steps):
            return False
        write_activate(settings)
    runner.say(f"Ready: source {ACTIVATE}")
    if args.target == "all":
        for name in model_store.MODELS:
            runner.say(model_store.summary(name, MODELS))
    return True


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_arguments(argv)
    version = version_of_target(args)
    if version not in ESPNET_OF_PYTHON:
        fitting = ", ".join(map(dotted, ESPNET_OF_PYTHON))
        print(f"This is Python {dotted(version)}; ESPnet needs one of {fitting}:")
        print("pass PYTHON=<another interpreter>.")
        return 1
    # Killed politely, stop the running command first, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return 0 if install(settings_from(args, version), args) else 1
    except KeyboardInterrupt:
        print("Interrupted: run the same command again to go on from here.")
        return 130


if __name__ == "__main__":
    sys.exit(main())
