"""What goes over a network is tried again, with longer and longer waits, before it counts as failed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from flows.repository import Log
from stages.dataset.errors import VersionError

DELAYS_S = (1, 4, 16)  # before the second, third and fourth try
Result = TypeVar("Result")


def patiently(work: Callable[[], Result], what: str, log: Log) -> Result:
    """What `work` returns, in one of four tries.

    Args:
        work: safe to do again after it failed halfway.
        what: in words, for the log: "pushing to the DVC remote".

    Raises:
        VersionError: that of the last try.
    """
    for delay_s in DELAYS_S:
        try:
            return work()
        except VersionError as error:
            log(f"{what} failed, trying again in {delay_s} s ({error})")
            time.sleep(delay_s)
    return work()
