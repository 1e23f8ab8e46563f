#!/usr/bin/env python3
"""Tell whether pip would take a CUDA build of torch, before anything is downloaded.

CUDA builds bring gigabytes that are of no use without a GPU.  Which build an index serves cannot
be told from its address, so pip is asked for its plan (``--dry-run --report``).
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping, Sequence

try:
    from packaging.requirements import Requirement
except ImportError:  # a new environment has nothing but pip, which carries its own copy
    from pip._vendor.packaging.requirements import Requirement

GPU_PACKAGE = re.compile(r"(nvidia|cuda|pytorch-triton-rocm|rocm)([-_.]|$)", re.IGNORECASE)
GPU_LOCAL_VERSION = re.compile(r"\+(cu\d|rocm|xpu)")


def gpu_parts(report: Mapping) -> list[str]:
    """What makes torch in pip's report a GPU build on the platform of the report; [] if nothing.

    Requirements are looked at under their environment markers: the same metadata may ask for
    CUDA on Linux and for nothing on macOS.
    """
    parts = []
    for item in report["install"]:
        metadata = item["metadata"]
        if metadata["name"].lower() != "torch":
            continue
        if GPU_LOCAL_VERSION.search(metadata["version"]):
            parts.append(f"version {metadata['version']}")
        for text in metadata.get("requires_dist", []):
            requirement = Requirement(text)
            environment = {**report["environment"], "extra": ""}
            applies = requirement.marker is None or requirement.marker.evaluate(environment)
            if applies and GPU_PACKAGE.match(requirement.name):
                parts.append(requirement.name)
    return parts


def pip_plan(python: str, requirement: str, index_options: Sequence[str]) -> dict:
    """Ask the pip of ``python`` what it would install for the requirement."""
    command = [python, "-m", "pip", "install", "--no-deps", "--dry-run", "--ignore-installed"]
    command += ["--quiet", "--report", "-", *index_options, requirement]
    answer = subprocess.run(command, capture_output=True, text=True)
    if answer.returncode:
        raise RuntimeError(answer.stderr.strip().splitlines()[-1])
    return json.loads(answer.stdout)


def refusal(requirement: str, parts: Sequence[str]) -> str:
    """The line a user gets instead of a CUDA build."""
    shown = ", ".join(parts[:3]) + (", ..." if len(parts) > 3 else "")
    return (
        f"{requirement} would be a GPU build here ({shown}) and this is a CPU set-up: pass "
        "TORCH_INDEX=<index of CPU builds, see the 'Get started' page of PyTorch>, "
        "or CUDA=gpu to take it"
    )
