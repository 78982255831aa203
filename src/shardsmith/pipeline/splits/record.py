"""The record of splits, data/splits.csv: where each image stands, so that it stays there.

image_id,pixels,split,was,since,batch: a row an image of data/raw that ever had a split, sorted. `pixels` is the hash of
its pixels. `was` is the split that it had before it was moved, and `since` the era (split.era) in which it got the one
it has, with `decision` or `source` behind it where that moved it. `batch` numbers the builds that brought new images: a
mosaic takes others from those that came with its image or before it. The split stage alone writes the record, and
whatever else it writes depends on the record as it leaves it, never as it found it: so a version is rebuilt from its
own record.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass, replace
from heapq import merge
from itertools import islice
from operator import attrgetter
from pathlib import Path

import numpy as np
import pyarrow as pa

from shardsmith.dataset.errors import StageError
from shardsmith.dataset.manifest import SPLITS
from shardsmith.pipeline.splits.rows import read_rows, write_rows

COLUMNS = ("image_id", "pixels", "split", "was", "since", "batch")
_RESTORE = "restore it: git checkout HEAD -- data/splits.csv"
_NAMED = 5
_ROWS_AT_ONCE = 1024
_cells = attrgetter(*COLUMNS)


@dataclass(frozen=True, slots=True, order=True)
class Row:
    """One row; see the module. pixels: "" where it is not known."""

    image_id: str
    pixels: str
    split: str
    was: str = ""
    since: str = "1"
    batch: str = "1"

    @property
    def era(self) -> str:
        return self.since.partition(" ")[0]

    @property
    def cause(self) -> str:
        """What moved the image, "decision" or "source"; "" for the rule of its era."""
        return self.since.partition(" ")[2]


class Record:
    """The rows by image_id, and a way to find the one of an image that is known under another name."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self.rows = {row.image_id: row for row in rows}
        self._alike: dict[str, Row] = {}
        for _, row in sorted(self.rows.items()):
            if row.pixels:
                self._alike.setdefault(row.pixels, row)

    def find(self, image_id: str, pixels: str | None) -> tuple[Row | None, bool]:
        """The row of an image, and whether it is of this very picture: one of another picture has its name alone.

        The same name and pixels come first, then the same pixels: names that were given anew (frames counted from
        another start) must not hand one picture's split to another. Source: docs/decisions/31.
        """
        named = self.rows.get(image_id)
        if named and named.pixels in ("", pixels or named.pixels):
            return named, True
        alike = self._alike.get(pixels or "")
        return (alike, True) if alike else (named, False)


def read_record(path: Path) -> Record:
    """The record at a path; an empty one where there is none.

    Raises:
        StageError: it is not ours, or an image has two splits, as after a merge.
    """
    rows: dict[str, Row] = {}
    again: set[str] = set()
    for _, row in _read(path):
        if rows.setdefault(row.image_id, row) is not row:
            again.add(row.image_id)
            rows[row.image_id] = min(rows[row.image_id], row)
    lines: dict[str, list[tuple[int, Row]]] = defaultdict(list)
    for line, row in _read(path) if again else ():
        if row.image_id in again:
            lines[row.image_id].append((line, row))
    if twice := [name for name, found in lines.items() if len({row.split for _, row in found}) > 1]:
        named = "; ".join(
            f"{name}: {', '.join(f'{row.split} (line {line})' for line, row in lines[name])}"
            for name in sorted(twice)[:_NAMED]
        )
        more = f"; and {len(twice) - _NAMED:,} more" if len(twice) > _NAMED else ""
        raise StageError(
            f"{path}: images with two splits, as after a merge: {named}{more}; of each, keep the row with the split "
            "that it is to have, commit the file, and build again"
        )
    return Record(rows.values())


def _read(path: Path) -> Iterator[tuple[int, Row]]:
    for line, cells in read_rows(path, COLUMNS, _RESTORE, without=1):
        row = Row(*cells)
        numbers = row.era.isdecimal() and row.batch.isdecimal()
        if row.split not in SPLITS or row.was not in ("", *SPLITS) or not numbers:
            raise StageError(f"{path}, line {line}: {','.join(cells)!r}: not a row of the record; {_RESTORE}")
        yield line, row


def write_record(rows: Iterable[Row], path: Path) -> None:
    """The record, sorted."""
    write_rows(path, COLUMNS, (astuple(row) for row in (rows if isinstance(rows, Packed) else sorted(rows))))


class Packed:
    """Rows, sorted, in few bytes each; objects as they are asked for."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._batches: list[pa.RecordBatch] = []
        waiting = iter(rows)
        while some := list(islice(waiting, _ROWS_AT_ONCE)):
            columns = zip(*map(_cells, some), strict=True)
            self._batches.append(pa.record_batch([pa.array(one, pa.string()) for one in columns], names=list(COLUMNS)))

    def __len__(self) -> int:
        return sum(batch.num_rows for batch in self._batches)

    def __iter__(self) -> Iterator[Row]:
        for batch in self._batches:
            yield from map(Row, *(column.to_pylist() for column in batch.columns))


@dataclass(frozen=True)
class Recorded:
    """here: of the images that are there; rows: those, and of the images that are there no longer."""

    here: Packed
    rows: Packed


def recorded(
    record: Record,
    images: pa.Table,
    places: np.ndarray,
    era: int,
    cause_of: Callable[[str, str | None], str],
) -> Recorded:
    """The rows of these images, each with the split it has now, and of those that are no longer there.

    Args:
        images: in the order of image_id, with image_id, pixels and split, the source's.
        places: (images,) of their splits in SPLITS.
        era: split.era.
        cause_of: (image_id, the source's split) -> "decision" or "source", where that gave it its split, else "".
    """
    present = set(images["image_id"].to_pylist()) if record.rows else set()
    next_batch = str(max((int(row.batch) for row in record.rows.values()), default=0) + 1)

    def rows() -> Iterator[Row]:
        batches = images.select(["image_id", "pixels", "split"]).to_batches(_ROWS_AT_ONCE)
        cells = (row for batch in batches for row in zip(*(one.to_pylist() for one in batch.columns), strict=True))
        for (image_id, pixels, of_source), place in zip(cells, places.tolist(), strict=True):
            old = record.find(image_id, pixels)[0]
            if old and old.image_id != image_id and old.image_id in present:
                old = None  # a copy of that image, which is still there: nothing has moved
            batch = old.batch if old else next_batch
            yield _row(image_id, pixels or "", SPLITS[place], old, str(era), cause_of(image_id, of_source), batch)

    here = Packed(rows())
    gone = [row for name, row in sorted(record.rows.items()) if name not in present]
    if not gone:
        return Recorded(here, here)
    alike: dict[str, Row] = {}
    wanted = {row.pixels for row in gone if row.pixels}
    for row in here:
        if row.pixels in wanted:
            alike.setdefault(row.pixels, row)
    return Recorded(here, Packed(merge(here, (_gone(row, alike) for row in gone))))


def _row(image_id: str, pixels: str, split: str, old: Row | None, era: str, cause: str, batch: str) -> Row:
    if old and old.era == era and old.split == split:
        return Row(image_id, pixels or old.pixels, split, old.was, old.since, batch)
    if old and old.split != split and old.era != era:
        return Row(image_id, pixels, split, old.split, era, batch)
    if old and old.split != split and cause:
        return Row(image_id, pixels, split, old.split, f"{era} {cause}", batch)
    return Row(image_id, pixels, split, "", era, batch)


def _gone(row: Row, alike: Mapping[str, Row]) -> Row:
    """The row of a name that is no longer there; it follows the picture where that has another name now."""
    follows = alike.get(row.pixels)
    return replace(follows, image_id=row.image_id) if follows else row
