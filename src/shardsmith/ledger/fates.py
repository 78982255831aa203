"""The ledger: each image and box that enters a stage has one fate, and each that leaves it one origin.

kept        it leaves as it came, or transformed under its own image_id
repaired    a finding says how it was changed
replaced    tiles, isolated objects or copies leave in its place
dropped     a finding says why
made        it did not enter: a tile, an isolated object, a copy, or a box on one of these
not made    it would have been: a copy like another, a box of which a tile or copy shows too little

So what enters is kept + repaired + replaced + dropped, and what leaves is kept + repaired + made. A stage's lines
count its rows by fate and reason (a finding's code, or a step); `entries` are places in annotation files that could not
be read, each of which may have held any number of boxes. A stage whose tables and findings do not add up, row by row,
is an error: something was lost without being named.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np

from shardsmith.dataset.errors import StageError
from shardsmith.dataset.findings import Finding
from shardsmith.dataset.manifest import check_sums

KEPT, REPAIRED, REPLACED, DROPPED, MADE, NOT_MADE = "kept", "repaired", "replaced", "dropped", "made", "not made"
FATES = (KEPT, REPAIRED, REPLACED, DROPPED, MADE, NOT_MADE)
ENTERS = (KEPT, REPAIRED, REPLACED, DROPPED)
LEAVES = (KEPT, REPAIRED, MADE)
GIVING = ("drop", "repair")  # actions of findings that give a row its fate
FILE = "ledger.csv"


@dataclass(frozen=True)
class Line:
    """How many rows of one kind ("images", "boxes", "entries") met one fate in a stage, for one reason."""

    stage: str
    what: str
    fate: str
    reason: str
    count: int


def unbalanced(stage: str, row: str, why: str) -> StageError:
    return StageError(
        f"{stage}: the ledger does not balance: {row} {why}; each row must have one fate and one origin, so the build "
        "stops here. It is a fault of Shardsmith, not of the data: please report it"
    )


def read_ledger(folder: Path) -> list[Line]:
    """The lines of a stage and of those before it; none where the folder was not written by a stage's command.

    Raises:
        StageError: the file is not ours, or is damaged.
    """
    path = folder / FILE
    check_sums(folder, FILE)
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        try:
            return [Line(**{**row, "count": int(row["count"])}) for row in csv.DictReader(file)]  # type: ignore[arg-type]
        except (KeyError, TypeError, ValueError) as error:
            raise StageError(f"{path}: cannot be read ({error!r}); run dvc repro") from None


def write_ledger(folder: Path, lines: Iterable[Line]) -> None:
    with (folder / FILE).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow([field.name for field in fields(Line)])
        table.writerows(astuple(line) for line in lines)


def total(lines: Iterable[Line], stage: str, what: str, fates: Sequence[str]) -> int:
    return sum(line.count for line in lines if (line.stage, line.what) == (stage, what) and line.fate in fates)


def check_chain(lines: Sequence[Line], images: int, boxes: int) -> None:
    """What leaves a stage enters the next, and what leaves the last is what there is.

    Raises:
        StageError: it is not so.
    """
    stages = list(dict.fromkeys(line.stage for line in lines))
    for what, there in (("images", images), ("boxes", boxes)):
        enters = [total(lines, stage, what, ENTERS) for stage in stages[1:]] + [there]
        following = [f"enter {stage}" for stage in stages[1:]] + ["are there to export"]
        for stage, count, verb in zip(stages, enters, following, strict=False):
            leaves = total(lines, stage, what, LEAVES)
            if leaves != count:
                raise unbalanced(stage, f"{leaves:,} {what}", f"leave it, and {count:,} {verb}")


def without_row(stage: str, finding: Finding) -> StageError:
    return unbalanced(stage, f"the finding {finding.code} at {finding.where}", "names no image and no box")


def summed(parts: Iterable[Iterable[Line]]) -> list[Line]:
    """The lines of several parts of a stage's rows, as they are of all."""
    counts: Counter[tuple[str, str, str, str]] = Counter()
    for line in (line for lines in parts for line in lines):
        counts[line.stage, line.what, line.fate, line.reason] += line.count
    totals: Counter[tuple[str, str]] = Counter()
    for (stage, what, *_), count in counts.items():
        totals[stage, what] += count
    kinds = list(totals)
    there = [key for key, count in counts.items() if count or not totals[key[:2]]]
    order = sorted(there, key=lambda key: (kinds.index(key[:2]), FATES.index(key[2]), key[3]))
    return [Line(*key, counts[key]) for key in order]


class Fates:
    """The fate of each row of one kind, in a few bytes a row; every row is kept until told otherwise."""

    def __init__(self, stage: str, what: str, count: int, name: Callable[[int], str]) -> None:
        """
        Args:
            name: row -> what an error calls it.
        """
        self.stage, self.what, self.name = stage, what, name
        self.fate = np.zeros(count, np.int8)
        self.reason = np.zeros(count, np.int16)
        self.reasons = {"": 0}

    def are(self, fate: str) -> np.ndarray:
        """(n,) bool: the rows with this fate."""
        return self.fate == FATES.index(fate)

    def give(self, rows: int | np.ndarray, fate: str, reason: str = "") -> None:
        """A fate to one row, or to those of a mask or a list."""
        self.fate[rows] = FATES.index(fate)
        self.reason[rows] = self.reasons.setdefault(reason, len(self.reasons))

    def drop(self, row: int, reason: str) -> None:
        """
        Raises:
            StageError: a finding has dropped it already.
        """
        if self.fate[row] == FATES.index(DROPPED):
            raise unbalanced(self.stage, self.name(row), "is dropped by two findings")
        self.give(row, DROPPED, reason)

    def repair(self, row: int, reason: str) -> None:
        """The first repair is the reason; what is dropped stays dropped."""
        if self.fate[row] == FATES.index(KEPT):
            self.give(row, REPAIRED, reason)

    def lines(self, more: Counter[tuple[str, str]] | None = None) -> list[Line]:
        """
        Args:
            more: (fate, reason) -> how many rows that did not enter.
        """
        reasons = list(self.reasons)
        counts = np.bincount(self.fate.astype(np.int64) * len(reasons) + self.reason, minlength=1)
        counted = {
            (FATES[pair // len(reasons)], reasons[pair % len(reasons)]): int(counts[pair])
            for pair in np.flatnonzero(counts).tolist()
        }
        counted |= {key: count for key, count in (more or {}).items() if count}
        order = sorted(counted, key=lambda key: (FATES.index(key[0]), key[1]))
        return [Line(self.stage, self.what, *key, counted[key]) for key in order] or [
            Line(self.stage, self.what, KEPT, "", 0)
        ]


def take_findings(
    findings: Iterable[Finding],
    row_of: Mapping[str, int],
    box_of: Mapping[tuple[str, str], int],
    images: Fates,
    boxes: Fates,
) -> list[tuple[int, str]]:
    """The fates that findings give to images and boxes; returns (image's row, code) of each image that is dropped.

    Args:
        row_of: image_id -> its row.
        box_of: (image_id, source_key) -> the box's row.

    Raises:
        StageError: a finding names no row.
    """
    gone = []
    for one in findings:
        if one.action not in GIVING:
            continue
        if one.source_key:
            row, fates = box_of.get((one.image_id, one.source_key)), boxes
        else:
            row, fates = row_of.get(one.image_id), images
        if row is None:
            raise without_row(images.stage, one)
        fates.drop(row, one.code) if one.action == "drop" else fates.repair(row, one.code)
        gone += [(row, one.code)] if one.action == "drop" and not one.source_key else []
    return gone
