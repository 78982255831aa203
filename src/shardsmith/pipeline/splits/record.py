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
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, replace
from pathlib import Path

from shardsmith.dataset.errors import StageError
from shardsmith.dataset.manifest import SPLITS, Image
from shardsmith.pipeline.splits.rows import read_rows, write_rows

COLUMNS = ("image_id", "pixels", "split", "was", "since", "batch")
_RESTORE = "restore it: git checkout HEAD -- data/splits.csv"
_NAMED = 5


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

    def find(self, image: Image) -> tuple[Row | None, bool]:
        """The row of an image, and whether it is of this very picture: one of another picture has its name alone.

        The same name and pixels come first, then the same pixels: names that were given anew (frames counted from
        another start) must not hand one picture's split to another. Source: docs/decisions/31.
        """
        named = self.rows.get(image.image_id)
        if named and named.pixels in ("", image.pixels or named.pixels):
            return named, True
        alike = self._alike.get(image.pixels or "")
        return (alike, True) if alike else (named, False)


def read_record(path: Path) -> Record:
    """The record at a path; an empty one where there is none.

    Raises:
        StageError: it is not ours, or an image has two splits, as after a merge.
    """
    lines: dict[str, list[tuple[int, Row]]] = defaultdict(list)
    for line, cells in read_rows(path, COLUMNS, _RESTORE, without=1):
        row = Row(*cells)
        numbers = row.era.isdecimal() and row.batch.isdecimal()
        if row.split not in SPLITS or row.was not in ("", *SPLITS) or not numbers:
            raise StageError(f"{path}, line {line}: {','.join(cells)!r}: not a row of the record; {_RESTORE}")
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
    return Record(min(row for _, row in found) for found in lines.values())


def write_record(rows: Iterable[Row], path: Path) -> None:
    """The record, sorted."""
    write_rows(path, COLUMNS, (astuple(row) for row in sorted(rows)))


def recorded(
    record: Record, images: Iterable[Image], era: int, causes: Mapping[str, str]
) -> tuple[list[Row], list[Row]]:
    """(the rows of these images, each with the split it has now; those of images that are no longer there).

    Args:
        images: with their splits.
        era: split.era.
        causes: image_id -> "decision" or "source", where that gave it its split.
    """
    rows = {}
    images = list(images)
    next_batch = str(max((int(row.batch) for row in record.rows.values()), default=0) + 1)
    present = {image.image_id for image in images}
    for image in images:
        pixels = image.pixels or ""
        old = record.find(image)[0]
        if old and old.image_id != image.image_id and old.image_id in present:
            old = None  # a copy of that image, which is still there: nothing has moved
        split, since, batch = str(image.split), str(era), old.batch if old else next_batch
        if old and old.era == since and old.split == split:
            row = Row(image.image_id, pixels or old.pixels, split, old.was, old.since, batch)
        elif old and old.split != split and old.era != since:
            row = Row(image.image_id, pixels, split, old.split, since, batch)
        elif old and old.split != split and (cause := causes.get(image.image_id)):
            row = Row(image.image_id, pixels, split, old.split, f"{since} {cause}", batch)
        else:
            row = Row(image.image_id, pixels, split, "", since, batch)
        rows[image.image_id] = row
    alike = {row.pixels: row for row in sorted(rows.values(), reverse=True) if row.pixels}
    return list(rows.values()), [_gone(row, alike) for row in record.rows.values() if row.image_id not in rows]


def _gone(row: Row, alike: Mapping[str, Row]) -> Row:
    """The row of a name that is no longer there; it follows the picture where that has another name now."""
    follows = alike.get(row.pixels)
    return replace(follows, image_id=row.image_id) if follows else row
