"""Where a pretrained model is: the one rule for encoders and language models."""

from __future__ import annotations

import os
from pathlib import Path


def resolve_model(name: str) -> str:
    """Turn a model's name in a config into what ``from_pretrained`` takes.

    Args:
        name: a local folder, the name of a folder below ``$SSR_MODELS`` (set by ``path.sh`` to
            ``tools/models``), or a hub id such as ``meta-llama/Meta-Llama-3-8B``.

    Raises:
        FileNotFoundError: it looks like a folder and there is none.
    """
    models = os.environ.get("SSR_MODELS", "")
    for folder in (Path(name).expanduser(), Path(models) / name):
        if (folder / "config.json").is_file():
            return str(folder)
    # A hub id is "owner/model"; anything else can only have been a folder.
    if name.startswith(("/", ".", "~")) or name.count("/") != 1:
        raise FileNotFoundError(
            f"no model {name!r}: no such folder with a config.json, neither here nor in "
            f"SSR_MODELS={models or '(unset)'}. 'make -C tools models' installs the "
            "default models; otherwise give a folder or a hub id (owner/model)."
        )
    return name
