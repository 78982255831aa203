"""Numbers as people and programs write them: 1.5, and 1,5 where the decimal mark is a comma."""

from __future__ import annotations

import re

_COMMA = re.compile(r"[-+]?\d+,\d+")


def comma_decimals(text: str) -> bool:
    """Whether it is a number with a decimal comma."""
    return _COMMA.fullmatch(text.strip()) is not None


def read_number(text: str) -> float:
    """
    Raises:
        ValueError: it is no number, not even with a decimal comma.
    """
    return float(text.replace(",", ".") if comma_decimals(text) else text)
