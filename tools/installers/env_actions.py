"""What the steps of the environment do: virtual environment, torch, ESPnet, the other packages.

Standard library only: it runs before anything is installed.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from step_runner import StepError, StepRunner
from torch_guard import gpu_parts, pip_plan, refusal

TOOLS = Path(__file__).resolve().parent.parent
INSTALLERS = TOOLS / "installers"
TORCH_CONSTRAINT = TOOLS / ".stamps" / "torch-constraint.txt"
# For each Python the newest ESPnet that runs on it.
ESPNET_OF_PYTHON = {(3, 11): "202511", (3, 12): "202611", (3, 13): "202611"}
REQUIREMENTS = ("requirements.txt", "requirements-test.txt", "requirements-models.txt")
# torchaudio 2.11 is built against torch's stable interface as of 2.11.
OLDEST_TORCH = (2, 11)
# As pip knows it: a torch that calls itself 2.13.0+cu130 may be installed as 2.13.0.
TORCH_PROBE = """
import json, torch
from importlib.metadata import version
print(json.dumps([version("torch"), torch.version.cuda]))
"""
QUIET_PIP = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PIP_PROGRESS_BAR": "off"}


@dataclass(frozen=True)
class Settings:
    """The variables of the Makefile."""

    python: str  # the interpreter a virtual environment is made from
    venv: Path
    use_venv: bool
    torch: str
    torchaudio: str
    espnet: str
    mode: str  # "cpu", "gpu" or "any"
    needs_cuda: bool  # CUDA=gpu was asked for; with auto, a torch without CUDA will do
    torch_index: str
    constraints: str

    @property
    def target(self) -> str:
        """The interpreter that packages are installed into."""
        return str(self.venv / "bin" / "python") if self.use_venv else self.python

    @property
    def index_options(self) -> list[str]:
        return ["--index-url", self.torch_index] if self.torch_index else []

    @property
    def constraint_options(self) -> list[str]:
        return ["--constraint", str(TOOLS / self.constraints)] if self.constraints else []


class Installer:
    """The actions behind the steps."""

    def __init__(self, settings: Settings, runner: StepRunner) -> None:
        self.settings = settings
        self.runner = runner

    def pip_install(self, *arguments: str, keep_torch: bool = True) -> None:
        """Run pip install, by default unable to replace the installed torch."""
        if self.settings.use_venv:
            remove_half_installed(self.settings.venv)
        fixed = ["--constraint", str(TORCH_CONSTRAINT)] if keep_torch else []
        command = [self.settings.target, "-m", "pip", "install", *fixed, *arguments]
        self.runner.call(command, env=QUIET_PIP)

    def make_venv(self) -> None:
        """Create the virtual environment, or keep a sound one that is there."""
        settings = self.settings
        if settings.use_venv and not self.runs_pip():
            if settings.venv.exists() and not is_disposable(settings.venv):
                raise StepError(f"{settings.venv} is there and is not a virtual environment")
            self.runner.call([settings.python, "-m", "venv", "--clear", str(settings.venv)])
        # --report appeared in 22.2; 23.2 is the oldest version this was tried with.
        self.pip_install("pip>=23.2", keep_torch=False)

    def runs_pip(self) -> bool:
        try:
            command = [self.settings.target, "-m", "pip", "--version"]
            return subprocess.run(command, capture_output=True).returncode == 0
        except OSError:
            return False

    def probe_torch(self) -> tuple[str, str | None] | None:
        """Version and CUDA version of the torch that can be imported, if any."""
        command = [self.settings.target, "-c", TORCH_PROBE]
        answer = subprocess.run(command, capture_output=True, text=True)
        if answer.returncode:
            return None
        version, cuda = json.loads(answer.stdout.splitlines()[-1])
        return version, cuda

    def is_suitable(self, version: str, cuda: str | None) -> bool:
        """Whether an installed torch can stay.

        In an existing Python (USE_VENV=0) the user's own torch is preferred to TH_VERSION.
        """
        if self.settings.mode == "gpu" and cuda is None:
            return False
        base = version.split("+")[0]
        if self.settings.use_venv:
            return base == self.settings.torch
        major, minor = base.split(".")[:2]
        return (int(major), int(minor)) >= OLDEST_TORCH

    def install_torch(self) -> None:
        """Install torch unless a suitable one is there, then fix its version for what follows."""
        found = self.probe_torch()
        if found is not None and self.is_suitable(*found):
            requirement = f"torch=={found[0]}"
        else:
            requirement = f"torch=={self.settings.torch}"
            self.fetch_torch(requirement)
        # What torch needs comes from the usual index: an index of torch builds may lack it.
        self.pip_install(*self.settings.constraint_options, requirement, keep_torch=False)
        found = self.probe_torch()
        if found is None:
            raise StepError("torch was installed but cannot be imported")
        version, cuda = found
        if self.settings.mode == "gpu" and cuda is None:
            if self.settings.needs_cuda:
                raise StepError("this torch has no CUDA: pass TORCH_INDEX=<index of CUDA builds>")
            self.runner.say("A GPU is here, but this torch has no CUDA: see TORCH_INDEX.")
        TORCH_CONSTRAINT.write_text(f"torch=={version}\n")

    def fetch_torch(self, requirement: str) -> None:
        """Install torch alone; in a CPU set-up refuse a GPU build before it is downloaded."""
        settings = self.settings
        if settings.mode == "cpu":
            try:
                parts = gpu_parts(pip_plan(settings.target, requirement, settings.index_options))
            except RuntimeError as error:
                raise StepError(f"pip finds no {requirement}: {error}") from error
            if parts:
                raise StepError(refusal(requirement, parts))
        # Forced, as pip takes an installed 2.13.0+cpu for 2.13.0 when a CUDA build is wanted.
        options = ["--no-deps", "--force-reinstall", *settings.index_options]
        self.pip_install(*options, requirement, keep_torch=False)

    def install_espnet(self) -> None:
        """Install the packages whose declared requirements must be ignored.

        ESPnet pins setuptools below what torch needs, whereupon pip would replace torch, and
        requires ci_sdr, whose direct URL recent pip refuses; torchaudio and torch_complex could
        pull another torch.  What they really import is in requirements.txt.
        """
        settings = self.settings
        # Forced, so that this mends damaged packages, and torchaudio gets back the libraries that
        # trim_torchaudio.py may have taken away for another torch.
        options = ["--no-deps", "--force-reinstall"]
        self.pip_install(*options, f"espnet=={settings.espnet}", "torch_complex>=0.4.4")
        self.pip_install(*options, *settings.index_options, f"torchaudio=={settings.torchaudio}")
        self.runner.call([settings.target, str(INSTALLERS / "trim_torchaudio.py")])

    def install_requirements(self) -> None:
        """Install everything else, known-good versions first."""
        files = [part for name in REQUIREMENTS for part in ("--requirement", str(TOOLS / name))]
        self.pip_install(*self.settings.constraint_options, *files)

    def install_project(self) -> None:
        """Install this repository itself, editable."""
        if has_setup_py():
            self.pip_install("--no-deps", "--no-build-isolation", "--editable", str(TOOLS.parent))

    def check(self) -> None:
        self.runner.call([self.settings.target, str(TOOLS / "check_install.py"), "--skip-models"])

    def install_models(self) -> None:
        command = ["bash", str(INSTALLERS / "install_models.sh"), self.settings.target]
        self.runner.call(command, env=QUIET_PIP)


def python_version(python: str) -> tuple[int, int] | None:
    """Major and minor version of an interpreter; None where it does not run."""
    command = [python, "-c", "import sys; print(*sys.version_info[:2])"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return None
    return tuple(map(int, answer.stdout.split())) if answer.returncode == 0 else None


def has_setup_py() -> bool:
    """Whether this repository can be installed."""
    return (TOOLS.parent / "setup.py").is_file()


def remove_half_installed(venv: Path) -> None:
    """Remove what a killed pip left: metadata without RECORD, and folders renamed to ``~...``.

    pip writes RECORD last, but counts a package as installed as soon as its metadata is there.
    """
    for packages in venv.glob("lib/python*/site-packages"):
        unrecorded = [d for d in packages.glob("*.dist-info") if not (d / "RECORD").exists()]
        for folder in [*unrecorded, *packages.glob("~*")]:
            shutil.rmtree(folder, ignore_errors=True)


def is_disposable(folder: Path) -> bool:
    """Whether a folder may be emptied: a virtual environment, or empty already."""
    return (folder / "pyvenv.cfg").is_file() or not any(folder.iterdir())
