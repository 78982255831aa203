"""What long work says while it runs."""

from __future__ import annotations

import sys
from collections.abc import Callable

Log = Callable[[str], None]


def to_stderr(message: str) -> None:
    """The log of a command: results go to standard output."""
    print(message, file=sys.stderr)
