#!/usr/bin/env python3
"""Remove torchaudio's compiled libraries where torch has no CUDA and they cannot be loaded.

torchaudio from the usual index is linked with CUDA, and importing it under a CPU build of torch
fails.  Without the libraries it falls back to pure Python by design: transforms, resampling and
filter banks work, ``forced_align`` does not.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path


def main() -> int:
    import torch

    if torch.version.cuda is not None:
        return 0
    try:
        importlib.import_module("torchaudio")
    except OSError as error:
        print(f"torchaudio's libraries do not fit this torch and are removed: {error}")
        package = Path(importlib.util.find_spec("torchaudio").origin).parent
        for library in sorted((package / "lib").glob("*.so")):
            library.unlink()
            print(f"removed {library.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
