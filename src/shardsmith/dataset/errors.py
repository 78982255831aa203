"""Every error that Shardsmith raises on purpose.

    ShardsmithError
    ├── ParamsError      params.yaml or --set: a key or value that is not allowed
    ├── RawDataError     data/raw cannot be read as a dataset
    ├── FindingError     a finding whose action is `fail`
    ├── StageError       a stage's input or output on disk is not what it should be
    └── VersionError     recording, listing or pulling a version

A message says where, what, and what to do: "labels/a.txt:3: class 7, but the class list has 5; add it or fix the
line". `run` prints it and exits with 1; a traceback means a bug in Shardsmith.
"""

import errno
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from shardsmith.installation import remedy


class ShardsmithError(Exception):
    """The root: catch this to catch all of them."""


class ParamsError(ShardsmithError):
    """A key or value in params.yaml or --set that is not allowed."""


class RawDataError(ShardsmithError):
    """Raw data that cannot be read as a dataset at all (one bad item is a finding instead)."""


class FindingError(ShardsmithError):
    """At least one finding whose action is `fail`."""


class StageError(ShardsmithError):
    """A stage's input or output on disk is not what it should be."""


class VersionError(ShardsmithError):
    """A version cannot be recorded, listed or pulled."""


def run(main: Callable[[], int | None]) -> NoReturn:
    """Call main and exit: 0 or what it returns; 1 for an error of ours or of the disk, 130 after Ctrl-C.

    Where a module of an extra is missing, it says what to install.
    """
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
    except ModuleNotFoundError as error:
        if not (said := remedy(error)):
            raise
        code = _say(f"error: {said}", 1)
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
