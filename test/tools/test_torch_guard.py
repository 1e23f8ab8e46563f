"""The guard decides from pip's plan alone whether torch would be a GPU build."""

import pytest

LINUX = {"platform_system": "Linux", "sys_platform": "linux", "platform_machine": "x86_64"}
ARM_LINUX = {**LINUX, "platform_machine": "aarch64"}
MACOS = {"platform_system": "Darwin", "sys_platform": "darwin", "platform_machine": "arm64"}
CUDA_REQUIREMENTS = [
    "filelock",
    'nvidia-cublas==13.1.0.3; platform_system == "Linux"',
    'cuda-bindings<14,>=13.0.3; platform_system == "Linux"',
    'triton==3.6.0; platform_system == "Linux"',
]
X86_REQUIREMENTS = [
    'nvidia-cudnn-cu12==9.1.0.70; platform_system == "Linux" and platform_machine == "x86_64"'
]


def report(version, requirements, environment):
    metadata = {"name": "torch", "version": version, "requires_dist": requirements}
    return {"install": [{"metadata": metadata}], "environment": environment}


@pytest.fixture
def guard(load_tool):
    return load_tool("installers/torch_guard.py")


def test_cpu_wheel_passes(guard):
    plan = report("2.13.0+cpu", ["filelock", 'optree>=0.13; extra == "optree"'], LINUX)
    assert guard.gpu_parts(plan) == []


def test_wheel_without_requirements_passes(guard):
    plan = report("2.13.0", [], LINUX)
    del plan["install"][0]["metadata"]["requires_dist"]
    assert guard.gpu_parts(plan) == []


def test_cuda_wheel_is_found_by_its_requirements(guard):
    parts = guard.gpu_parts(report("2.13.0", CUDA_REQUIREMENTS, LINUX))
    assert parts == ["nvidia-cublas", "cuda-bindings"]


def test_same_wheel_metadata_passes_on_macos(guard):
    assert guard.gpu_parts(report("2.13.0", CUDA_REQUIREMENTS, MACOS)) == []


@pytest.mark.parametrize(("environment", "found"), [(LINUX, True), (ARM_LINUX, False)])
def test_markers_on_the_machine_type(guard, environment, found):
    assert bool(guard.gpu_parts(report("2.13.0", X86_REQUIREMENTS, environment))) is found


def test_requirements_of_extras_do_not_count(guard):
    requirements = ['nvidia-something; extra == "gpu"', 'cuda-toolkit; extra == "all"']
    assert guard.gpu_parts(report("2.13.0", requirements, LINUX)) == []


@pytest.mark.parametrize("version", ["2.13.0+cu130", "2.13.0+rocm6.4"])
def test_cuda_wheel_is_found_by_its_version(guard, version):
    assert guard.gpu_parts(report(version, [], LINUX)) == [f"version {version}"]


def test_other_packages_do_not_count(guard):
    plan = report("2.13.0", [], LINUX)
    other = {"name": "cupy", "version": "1+cu130", "requires_dist": ["nvidia-cublas"]}
    plan["install"].append({"metadata": other})
    assert guard.gpu_parts(plan) == []


def test_refusal_is_one_line_that_names_both_ways_out(guard):
    line = guard.refusal("torch==2.13.0", ["nvidia-a", "nvidia-b", "nvidia-c", "nvidia-d"])
    assert "\n" not in line
    assert "TORCH_INDEX=" in line
    assert "CUDA=gpu" in line
    assert "nvidia-c, ..." in line
    assert "nvidia-d" not in line
