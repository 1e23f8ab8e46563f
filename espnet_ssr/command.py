"""What every command of ``espnet_ssr.bin`` does about errors and logging."""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Callable


def run_command(main: Callable[[], None]) -> None:
    """Call ``main``; end with one clear line instead of a traceback when the user can act on it.

    ``SSR_DEBUG=1`` shows the traceback. Errors that are the program's own fault (an assertion,
    an attribute that is not there) keep theirs.
    """
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s (%(module)s:%(lineno)d) %(levelname)s: %(message)s"
    )
    logging.getLogger("matplotlib").setLevel(logging.WARNING)
    name = os.path.basename(sys.argv[0]).removesuffix(".py")
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        if os.environ.get("SSR_DEBUG"):
            raise
        print(f"{name}: error: {_message(error)}", file=sys.stderr)
        sys.exit(1)


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"{error}: free some and run again to continue"
    # A KeyError quotes its message.
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    # What a worker of a DataLoader raised comes with the worker's traceback; its end says it.
    return text.strip().splitlines()[-1] if text.startswith("Caught ") else text
