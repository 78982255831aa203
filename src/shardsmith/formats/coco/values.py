"""Single values of COCO JSON, as tools write them: ids as text or as floats, numbers that are none."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from shardsmith.formats.shared.numbers import as_number

Id = int | str
_WHOLE = re.compile(r"-?[0-9]{1,18}")


class EntryError(ValueError):
    """Why one entry cannot be read."""


def as_id(value: Any) -> Id | None:
    """An id as it was meant, for finding it again: 7.0 and "7" are 7; None for what is no id."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str):
        return int(value) if _WHOLE.fullmatch(value.strip()) else value.strip() or None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def id_text(value: Any) -> str | None:
    """An id as the manifest keeps it: text stays as it is, 7.0 is 7; None for what is no id."""
    return value.strip() or None if isinstance(value, str) else None if (id_ := as_id(value)) is None else str(id_)


def number_in(value: Any) -> float | None:
    """A finite number, also as text; else None."""
    try:
        return as_number(float(value) if isinstance(value, str) else value)
    except ValueError:
        return None


def as_text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float)


def in_order(ids: Iterable[Id]) -> list[Id]:
    """Numbers first, then text."""
    return sorted(ids, key=lambda id_: (isinstance(id_, str), id_))
