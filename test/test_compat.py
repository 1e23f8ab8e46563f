"""Imports are of names that both releases of ESPnet have: ``espnet.*`` is gone in 202611, whose
``espnet2.legacy`` 202511 lacks. Whether the names do the same, ``ci/second_espnet.sh`` tells."""

import re
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
TIED = re.compile(
    r"^ *(?:import|from) +(?:espnet(?!\w)|espnet2\.legacy|espnet2 import legacy).*", re.MULTILINE
)


@pytest.mark.parametrize(
    ("line", "tied"),
    [
        ("import espnet", True),
        ("from espnet import __version__", True),
        ("    from espnet.utils.cli_utils import get_commandline_args", True),
        ("import espnet2.legacy.nets as nets", True),
        ("from espnet2 import legacy", True),
        ("from espnet2.tasks.abs_task import AbsTask", False),
        ("from espnet_ssr.text import plain", False),
    ],
)
def test_what_is_found(line, tied):
    assert bool(TIED.search(f"import os\n{line}\n")) is tied


def test_no_module_is_tied_to_one_release():
    found = {
        str(path.relative_to(REPO)): TIED.findall(path.read_text(encoding="utf-8"))
        for path in (REPO / "espnet_ssr").rglob("*.py")
    }
    assert len(found) > 100
    assert {path: lines for path, lines in found.items() if lines} == {}
