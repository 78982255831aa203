"""What was withdrawn, and why: data/withdrawn.csv in git, and the record that a store has in place of the version's."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields

from shardsmith.dataset.errors import VersionError
from shardsmith.workspace.paths import WITHDRAWN


@dataclass(frozen=True, order=True)
class Tombstone:
    """A version or an image that must not come back.

    what: "version" or "image". name: DATASET@NAME, or the image_id. hash: of its export, or the MD5 of the image's
    file. date: in UTC.
    """

    what: str
    name: str
    hash: str
    date: str
    why: str

    def __str__(self) -> str:
        return f"{self.name}: withdrawn on {self.date}: {self.why}"


_HASH = re.compile(r"([0-9a-f]{32}(\.dir)?)?")
_HEADER = [field.name for field in fields(Tombstone)]


def read_tombstones(text: str) -> list[Tombstone]:
    """Git brings them, whoever wrote them: a hash or a file's name must be one, for it leads to what is deleted.

    Raises:
        VersionError: a line is none.
    """
    found = []
    for number, row in enumerate(csv.reader(io.StringIO(text)), 1):
        if row == _HEADER:
            continue  # where two files were joined, it may stand there twice
        if len(row) != len(_HEADER) or not _is_sound(one := Tombstone(*row)):
            raise VersionError(f"{WITHDRAWN}: line {number}: no row of {', '.join(_HEADER)}; correct it")
        found.append(one)
    return found


def _is_sound(one: Tombstone) -> bool:
    inside = not one.name.startswith("/") and ".." not in one.name.split("/")
    return one.what in ("version", "image") and inside and bool(_HASH.fullmatch(one.hash))


def format_tombstones(tombstones: Iterable[Tombstone]) -> str:
    """Sorted, so that two clones that withdraw at once can be merged by lines."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_HEADER)
    writer.writerows(astuple(one) for one in sorted(set(tombstones)))
    return stream.getvalue()


def as_record(tombstone: Tombstone) -> bytes:
    """What stands in the store under the version's name."""
    said = {"version": tombstone.name, "withdrawn": tombstone.date, "why": tombstone.why}
    return json.dumps(said, indent=1, sort_keys=True, ensure_ascii=False).encode()
