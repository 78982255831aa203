"""Taking bad items out of files that panlabel refuses as a whole, by halves: one costs itself alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from shardsmith.formats.panlabel.counts import COUNTED, Counted, count

_MOST_RUNS = 300
Item = tuple[str, str, Any]  # file, the image's name, the item


@dataclass(frozen=True)
class _Place:
    """An item, and the list that it stood in."""

    file: str
    name: str
    items: list[Any]
    item: Any


class _TooManyError(Exception):
    """More runs than is worth waiting for."""


def take_out(stage: Path, files: list[str], form: str, reads: Callable[[str], bool]) -> tuple[str, list[Item]] | None:
    """Write the files anew without the items for which they cannot be read: (the form, these items), or None where that
    is no help.

    Args:
        stage: the folder below which the files stand, as links or copies.
        form: panlabel's name of it; "auto" tries each that the files fit.
        reads: form -> whether panlabel reads them as they stand now.
    """
    before = {file: text for file in files if (text := _text(stage / file))}
    for one in COUNTED if form == "auto" else [form]:
        counted = {file: said for file, text in before.items() if (said := count(one, text, file))}
        places = [
            _Place(file, group.name, group.items, item)
            for file, said in counted.items()
            for group in said.groups
            if group.items is not None
            for item in group.items
        ]
        if places:
            mender = _Mender(stage, counted, places, partial(reads, one))
            if (bad := mender.find_bad()) is not None:
                return one, [(place.file, place.name, place.item) for place in bad]
    for file, text in before.items():
        _replace(stage / file, text)
    return None


class _Mender:
    """Finds the items without which the files can be read, and leaves the files so."""

    def __init__(
        self, stage: Path, counted: dict[str, Counted], places: list[_Place], reads: Callable[[], bool]
    ) -> None:
        self.stage, self.counted, self.places, self.reads = stage, counted, places, reads
        self.runs = 0

    def find_bad(self) -> list[_Place] | None:
        """None where the files cannot be read without any item, or no item is good, or it takes too many runs."""
        try:
            bad = self._among(range(len(self.places))) if self._reads_with([]) else None
        except _TooManyError:
            return None
        if (
            bad is None
            or len(bad) == len(self.places)
            or not self._reads_with([at for at in range(len(self.places)) if at not in set(bad)])
        ):
            return None
        return [self.places[at] for at in bad]

    def _among(self, part: Sequence[int]) -> list[int]:
        self.runs += 1
        if self.runs > _MOST_RUNS:
            raise _TooManyError
        if self._reads_with(part):
            return []
        if len(part) == 1:
            return list(part)
        return self._among(part[: len(part) // 2]) + self._among(part[len(part) // 2 :])

    def _reads_with(self, kept: Sequence[int]) -> bool:
        for place in self.places:
            place.items.clear()
        for at in kept:
            self.places[at].items.append(self.places[at].item)
        for file, said in self.counted.items():
            _replace(self.stage / file, said.text())
        return self.reads()


def _replace(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.write_text(text, encoding="utf-8")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError):
        return ""
