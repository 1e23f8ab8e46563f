#!/usr/bin/env python3
"""Say what is installed, what is missing or broken, and the command that mends it.

Standard library only at import, so that it runs in any Python.  Modules are really imported, in a
child process: a module that crashes its interpreter is reported like one that is missing.
Exit status 1 when anything required is missing.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
sys.path.insert(0, str(TOOLS / "installers"))
import model_store  # noqa: E402

MAKE = f"make -C {shlex.quote(str(TOOLS))}"
# Written by the last step that installs something.
SET_UP_STAMP = TOOLS / ".stamps" / "project.done"
ROUGH_DISK_GB = 5  # environment, downloads and models together


@dataclass(frozen=True)
class Module:
    """A module to import and the distribution that brings it.

    Those with ``special`` set are not simply installed by name: the set-up has to do it, and
    those with a ``target`` are left to that target of make.
    """

    name: str
    distribution: str
    required: bool = True
    special: bool = False
    target: str = ""


MODULES = (
    Module("numba", "numba"),
    Module("matplotlib", "matplotlib"),
    Module("kaldiio", "kaldiio"),
    Module("soundfile", "soundfile"),
    Module("pocketsphinx", "pocketsphinx"),
    Module("av", "av"),
    Module("jiwer", "jiwer"),
    Module("num2words", "num2words"),
    Module("sentencepiece", "sentencepiece"),
    Module("sklearn", "scikit-learn"),
    Module("peft", "peft"),
    Module("safetensors", "safetensors"),
    Module("torch", "torch", special=True),
    Module("torchaudio", "torchaudio", special=True),
    Module("transformers", "transformers"),
    Module("espnet2.tasks.abs_task", "espnet", special=True),
    Module("ctranslate2", "ctranslate2", required=False),
    Module("gguf", "gguf", required=False),
    Module("tensorboard", "tensorboard", required=False),
    Module("piper", "piper-tts", required=False, target="voices"),
    Module("gradio", "gradio", required=False, target="demo"),
    Module("lhotse", "lhotse", required=False, target="import"),
    Module("datasets", "datasets", required=False, target="import"),
)
PROGRAMS = ("bash", "make", "git")

# Imports the modules named on the command line, answering one JSON line for each.
IMPORTER = """
import importlib, json, sys
from importlib.metadata import PackageNotFoundError, version
answers, sys.stdout = sys.stdout, sys.stderr
for pair in sys.argv[1:]:
    name, distribution = pair.split("=")
    try:
        module = importlib.import_module(name)
        try:
            found = version(distribution)
        except PackageNotFoundError:
            found = getattr(module, "__version__", "unknown")
        answer = [found, None]
    except Exception as error:
        answer = [None, f"{type(error).__name__}: {error}"]
    print(json.dumps(answer), file=answers, flush=True)
"""
GPU_PROBE = """
import json, torch
count = torch.cuda.device_count()
names = [torch.cuda.get_device_name(i) for i in range(count)]
print(json.dumps({"torch_cuda": torch.version.cuda, "gpus": names}))
"""


@dataclass
class Finding:
    """One line of the report."""

    kind: str
    name: str
    required: bool
    found: str | None  # a version or a path; None when missing or broken
    problem: str = ""
    fix: str = ""


def make_command(target: str) -> str:
    """The command that makes ``target`` for the Python that runs this."""
    if sys.prefix == sys.base_prefix:
        where = f" USE_VENV=0 PYTHON={shlex.quote(sys.executable)}"
    elif Path(sys.prefix) != TOOLS / "venv":
        where = f" VENV={shlex.quote(sys.prefix)}"
    else:
        where = ""
    return f"{MAKE} {target}{where}"


def fixing_command(module: Module, problem: str) -> str:
    """The command that mends a module which cannot be imported."""
    if not SET_UP_STAMP.exists():
        return f"{MAKE} env"
    if module.target:
        return make_command(module.target)
    own_name = module.name.split(".")[0]
    lacks_another = problem.startswith("ModuleNotFoundError") and f"'{own_name}" not in problem
    if module.special or lacks_another:
        return make_command("env FORCE=1")
    # --no-deps: mending one package must not replace torch.
    constraints = shlex.quote(str(TOOLS / "constraints.txt"))
    pip = f"{shlex.quote(sys.executable)} -m pip install --no-deps --force-reinstall"
    return f"{pip} -c {constraints} {module.distribution}"


def import_all(modules: Sequence[Module]) -> Iterable[tuple[str | None, str | None]]:
    """(version, problem) of each module, imported one after the other in a child process."""
    left = list(modules)
    while left:
        pairs = [f"{module.name}={module.distribution}" for module in left]
        command = [sys.executable, "-c", IMPORTER, *pairs]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as child:
            for line in child.stdout:
                left.pop(0)
                yield tuple(json.loads(line))
        if left:  # the child died of this module; a new one takes the rest
            left.pop(0)
            yield None, f"importing it ends Python with status {child.returncode}"


def check_modules(modules: Sequence[Module]) -> list[Finding]:
    """Import every module."""
    findings = []
    for module, (version, problem) in zip(modules, import_all(modules)):  # noqa: B905 (Python 3.9)
        fix = fixing_command(module, problem) if problem else ""
        findings.append(
            Finding("module", module.name, module.required, version, problem or "", fix)
        )
    return findings


def check_programs(names: Sequence[str] = PROGRAMS) -> list[Finding]:
    """Look for programs on PATH."""
    findings = []
    for name in names:
        path = shutil.which(name)
        problem, fix = ("", "") if path else ("not on PATH", f"apt-get install {name}")
        findings.append(Finding("program", name, True, path, problem, fix))
    return findings


def check_models(models: Path) -> list[Finding]:
    """Look whether each model folder is complete."""
    findings = []
    for name in model_store.MODELS:
        if model_store.is_finished(name, models):
            findings.append(Finding("model", name, True, str(models / name)))
        else:
            findings.append(
                Finding("model", name, True, None, "missing or damaged", f"{MAKE} models")
            )
    return findings


def describe_gpu() -> dict:
    """What torch sees; empty when torch cannot be asked."""
    answer = subprocess.run([sys.executable, "-c", GPU_PROBE], capture_output=True, text=True)
    return json.loads(answer.stdout.splitlines()[-1]) if answer.returncode == 0 else {}


def gpu_line(gpu: dict) -> str:
    if not gpu:
        return "unknown, torch cannot be imported"
    if gpu["gpus"]:
        return f"{', '.join(gpu['gpus'])} (torch's CUDA {gpu['torch_cuda']})"
    build = f"torch's CUDA {gpu['torch_cuda']}" if gpu["torch_cuda"] else "torch has no CUDA"
    return f"none seen ({build})"


def table(findings: Sequence[Finding]) -> str:
    """The findings as aligned columns."""
    width = max(len(finding.name) for finding in findings)
    lines = []
    for finding in findings:
        state = "ok" if finding.found else ("MISSING" if finding.required else "missing (optional)")
        detail = finding.found or finding.problem.splitlines()[0]
        lines.append(f"{finding.kind:<8} {finding.name:<{width}}  {state:<8} {detail}")
        if finding.fix:
            lines.append(f"{'':<{width + 11}}to mend it: {finding.fix}")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON for machines")
    parser.add_argument("--skip-models", action="store_true", help="do not look for the models")
    args = parser.parse_args(argv)
    if not args.json:
        print(f"Python {sys.version.split()[0]}, {sys.executable}")
        print("Importing everything; ESPnet alone takes 10 to 20 seconds ...", flush=True)
    findings = check_modules(MODULES) + check_programs()
    if not args.skip_models:
        findings += check_models(TOOLS / "models")
    gpu = describe_gpu()
    free_gb = shutil.disk_usage(TOOLS).free / 1e9
    failed = any(finding.required and not finding.found for finding in findings)
    if args.json:
        report = {"ok": not failed, "python": sys.executable, "free_disk_gb": round(free_gb, 1)}
        report.update(gpu=gpu, findings=[asdict(finding) for finding in findings])
        print(json.dumps(report, indent=2))
    else:
        print(table(findings))
        print(f"GPU: {gpu_line(gpu)}")
        low = f", a whole set-up needs about {ROUGH_DISK_GB}" if free_gb < ROUGH_DISK_GB else ""
        print(f"Free disk: {free_gb:.0f} GB{low}")
        print("Something required is missing." if failed else "Everything required is there.")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
