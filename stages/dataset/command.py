"""How every command of ours ends: one clear message, a meaningful exit code, no traceback for what is not a bug."""

from __future__ import annotations

import errno
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from stages.dataset.errors import ShardsmithError


def run(main: Callable[[], int | None]) -> NoReturn:
    """Call main and exit: 0 or what it returns; 1 for an error of ours or of the disk, 130 after Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = main() or 0
        sys.stdout.flush()
    except ShardsmithError as error:
        code = _say(f"error: {error}", 1)
    except KeyboardInterrupt:
        code = _say("interrupted: nothing half-made was kept; run it again to go on", 130)
    except BrokenPipeError:
        code = 1
    except OSError as error:
        code = _say(f"error: {explain(error)}", 1)
    sys.exit(code)


def explain(error: OSError) -> str:
    """A disk's error with its place and remedy."""
    place = f"{error.filename}: " if error.filename else ""
    remedy = {
        errno.ENOSPC: "; free some space and run it again: finished stages are not repeated",
        errno.EDQUOT: "; free some space and run it again: finished stages are not repeated",
        errno.EACCES: "; change its permissions and run it again",
        errno.EROFS: "; choose a folder that can be written",
    }.get(error.errno or 0, "")
    return f"{place}{error.strerror or error}{remedy}"


def printable(text: str) -> str:
    """Text from the data for a terminal: control characters, which it would obey, as their codes."""
    return "".join(each if each.isprintable() or each == "\n" else ascii(each)[1:-1] for each in text)


def _say(message: str, code: int) -> int:
    print(printable(message), file=sys.stderr)
    return code


def _interrupt(signum: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt
