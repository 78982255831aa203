"""Every error that Shardsmith raises on purpose.

    ShardsmithError
    ├── ParamsError      params.yaml or --set: a key or value that is not allowed
    │   └── UsageError   an option or argument that is not allowed; the command exits with 2
    ├── RawDataError     data/raw cannot be read as a dataset
    ├── FindingError     a finding whose action is `fail`
    ├── StageError       a stage's input or output on disk is not what it should be
    └── VersionError     recording, listing or pulling a version
        └── WithdrawnError  it was withdrawn; the message says when and why

A message says where, what, and what to do: "labels/a.txt:3: class 7, but the class list has 5; add it or fix the
line". `run` prints it and exits with 1; a traceback means a bug in Shardsmith.
"""

import difflib
import errno
import os
import signal
import sys
from collections.abc import Callable, Collection
from typing import NoReturn, TextIO

from shardsmith.installation import remedy

_CODES = {"error": "31;1", "warning": "33", "info": "36", "good": "32", "strong": "1"}


class ShardsmithError(Exception):
    """The root: catch this to catch all of them."""


class ParamsError(ShardsmithError):
    """A key or value in params.yaml or --set that is not allowed."""


class UsageError(ParamsError):
    """An option of a command, or an argument of a call, that is not allowed."""


class RawDataError(ShardsmithError):
    """Raw data that cannot be read as a dataset at all (one bad item is a finding instead)."""


class FindingError(ShardsmithError):
    """At least one finding whose action is `fail`."""


class StageError(ShardsmithError):
    """A stage's input or output on disk is not what it should be."""


class VersionError(ShardsmithError):
    """A version cannot be recorded, listed or pulled."""


class WithdrawnError(VersionError):
    """A version that was withdrawn."""


def run(main: Callable[[], int | None]) -> NoReturn:
    """Call main and exit: 0 or what it returns; 1 for an error of ours or of the disk, 2 for wrong
    usage, 130 after Ctrl-C.

    Where a module of an extra is missing, it says what to install.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = main() or 0
        sys.stdout.flush()
    except ShardsmithError as error:
        code = _say(str(error), 2 if isinstance(error, UsageError) else 1)
    except KeyboardInterrupt:
        code = _say("nothing half-made was kept; run it again to go on", 130, "interrupted:")
    except BrokenPipeError:
        code = 1
    except ModuleNotFoundError as error:
        if not (said := remedy(error)):
            raise
        code = _say(said, 1)
    except OSError as error:
        code = _say(explain(error), 1)
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


def _say(message: str, code: int, start: str = "error:") -> int:
    print(f"{paint(start, 'error', sys.stderr)} {printable(message)}", file=sys.stderr)
    return code


def _interrupt(signum: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def near(word: str, known: Collection[str]) -> str:
    """`did you mean NAME? `, or nothing where no name is near."""
    folded = {one.lower(): one for one in known}
    found = difflib.get_close_matches(word.lower(), folded, 1)
    return f"did you mean {folded[found[0]]}? " if found else ""


def suggest(word: str, known: Collection[str]) -> str:
    """The guess, and all that is allowed."""
    return f"{near(word, known)}allowed: {', '.join(known)}"


def paint(text: str, style: str, stream: TextIO | None = None) -> str:
    """The text in a colour, where the stream (standard output by default) is a terminal that shows it.

    Args:
        style: a severity, `good` or `strong`; any other leaves the text plain.
    """
    code = _CODES.get(style)
    return f"\x1b[{code}m{text}\x1b[0m" if code and _has_colours(stream or sys.stdout) else text


def _has_colours(stream: TextIO) -> bool:
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and stream.isatty()
