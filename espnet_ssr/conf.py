"""From what a user wrote in a configuration to an object."""

from __future__ import annotations

import inspect
from typing import Any


def build_from_conf(class_: type, conf: dict[str, Any], option: str, **given):
    """Build ``class_(**given, **conf)``; an unknown key of ``conf`` is refused by name.

    Args:
        conf: what the user wrote under ``option``.
        option: its name in the config, for messages (``connector_conf``).
        given: arguments that the task supplies; the user may not.
    """
    known = [name for name in inspect.signature(class_).parameters if name not in given]
    unknown = sorted(set(conf) - set(known))
    if unknown:
        raise ValueError(
            f"{option}: unknown option {', '.join(unknown)}; "
            f"{class_.__name__} takes {', '.join(known) or 'none'}"
        )
    return class_(**given, **conf)
