"""Modules of this package as remote code of transformers: files side by side in one folder."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable
from pathlib import Path

from espnet_ssr.connector import CONNECTORS
from espnet_ssr.connector.frozen_aligner import FrozenAlignerMixin
from espnet_ssr.datadir import write_lines

ROOT = "espnet_ssr."
_IMPORT = re.compile(rf"^(\s*from ){ROOT}([\w.]+)(?= import )", re.MULTILINE)


def write_remote_code(connector: str, modules: Iterable[str], folder: Path) -> None:
    """Write modules and all that they import of this package; transformers wants relative imports,
    and no folders.

    Args:
        connector: of CONNECTORS the one that is needed.
        modules: names below ``espnet_ssr``; ``a.b`` becomes ``a_b.py``.

    Raises:
        ValueError: the connector cannot be had without the package.
    """
    class_ = CONNECTORS[connector]
    if issubclass(class_, FrozenAlignerMixin):
        raise ValueError(
            f"{connector} has an aligner inside, in files of its own: it needs espnet_ssr; "
            "use ssr_pack and SpeechLM instead"
        )
    texts = {"connector": _registry(connector, class_)}
    waiting = [*modules, class_.__module__.removeprefix(ROOT)]
    while waiting:
        name = waiting.pop()
        if name not in texts:
            source = importlib.import_module(ROOT + name).__file__
            texts[name] = Path(source).read_text(encoding="utf-8")
            waiting += [found[2] for found in _IMPORT.finditer(texts[name])]
    for name, text in texts.items():
        lines = _IMPORT.sub(lambda found: f"{found[1]}.{flat_name(found[2])}", text).splitlines()
        write_lines(folder / f"{flat_name(name)}.py", lines)


def _registry(connector: str, class_: type) -> str:
    """What stands in for ``espnet_ssr.connector``."""
    return (
        '"""The connector of this model."""\n\n'
        f"from {class_.__module__} import {class_.__name__}\n\n"
        f'CONNECTORS = {{"{connector}": {class_.__name__}}}'
    )


def flat_name(module: str) -> str:
    """``connector.abs`` -> ``connector_abs``."""
    return module.replace(".", "_").removeprefix("export_")
