"""From what a user wrote in a configuration to an object."""

from __future__ import annotations

import inspect
from typing import Any


def build_from_conf(class_: type, conf: dict[str, Any], option: str, **given):
    """Build ``class_(**given, **conf)``; unknown and missing keys of ``conf`` are named.

    Args:
        conf: what the user wrote under ``option``.
        option: its name in the config, for messages (``connector_conf``).
        given: arguments that the task supplies; the user may not.
    """
    parameters = inspect.signature(class_).parameters
    known = [
        name
        for name, parameter in parameters.items()
        if name not in given and parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    unknown = sorted(set(conf) - set(known))
    if unknown:
        raise ValueError(
            f"{option}: unknown option {', '.join(unknown)}; "
            f"{class_.__name__} takes {', '.join(known) or 'none'}"
        )
    missing = [
        n for n in known if parameters[n].default is inspect.Parameter.empty and n not in conf
    ]
    if missing:
        raise ValueError(f"{option}: {class_.__name__} needs {', '.join(missing)}")
    return class_(**given, **conf)
