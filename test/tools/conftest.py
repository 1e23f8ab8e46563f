"""Loads scripts of tools/, which is a folder of programs and not a package."""

import importlib
import importlib.util
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture
def load_tool(monkeypatch):
    """A function that loads one script by its path in tools/; its neighbours can be imported."""

    def load(path: str):
        script = TOOLS / path
        monkeypatch.syspath_prepend(str(script.parent))
        spec = importlib.util.spec_from_file_location(script.stem, script)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, script.stem, module)
        spec.loader.exec_module(module)
        return module

    return load
