"""Numbers as people and programs write them: 1.5, and 1,5 where the decimal mark is a comma."""

from __future__ import annotations

import math
import re
from typing import Any

_COMMA = re.compile(r"[-+]?\d+,\d+")


def as_number(value: Any) -> float | None:
    """A finite number, else None."""
    try:
        number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def comma_decimals(text: str) -> bool:
    """Whether it is a number with a decimal comma."""
    return _COMMA.fullmatch(text.strip()) is not None


def read_number(text: str) -> float:
    """
    Raises:
        ValueError: it is no number, not even with a decimal comma.
    """
    return float(text.replace(",", ".") if comma_decimals(text) else text)
