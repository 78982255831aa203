"""The ledger as the page shows it: what entered and left each stage, and why the two differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shardsmith.ledger.fates import DROPPED, ENTERS, KEPT, LEAVES, Line, total

_ENTRIES = "annotation entries"  # places in annotation files that could not be read
_ONE = {"images": "image", "boxes": "box", "labels": "label", "annotations": "annotation", _ENTRIES: "annotation entry"}


@dataclass(frozen=True)
class LedgerStep:
    """images, boxes: (entered, left). changes: "2 boxes dropped: box-empty"."""

    stage: str
    images: tuple[int, int]
    boxes: tuple[int, int]
    changes: list[str]


def steps(ledger: Sequence[Line], word: str) -> list[LedgerStep]:
    """A step a stage, in order.

    Args:
        word: what the annotations are called.
    """
    return [
        LedgerStep(
            stage,
            _through(ledger, stage, "images"),
            _through(ledger, stage, "boxes"),
            [_told(line, word) for line in ledger if line.stage == stage and line.fate != KEPT],
        )
        for stage in dict.fromkeys(line.stage for line in ledger)
    ]


def fates(ledger: Sequence[Line], word: str) -> list[tuple[str, int]]:
    """("validate: boxes dropped: box-empty", how many) of each line."""
    return [(f"{line.stage}: {_word(line.what, word)} {_fate(line)}", line.count) for line in ledger]


def dropped(ledger: Sequence[Line], word: str) -> str:
    """ "3 images and 8 boxes"; "" for nothing."""
    counts = {
        what: sum(line.count for line in ledger if (line.what, line.fate) == (what, DROPPED))
        for what in ("images", "boxes", "entries")
    }
    said = [_counted(count, _word(what, word)) for what, count in counts.items() if count]
    return " and ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said)


def _through(ledger: Sequence[Line], stage: str, what: str) -> tuple[int, int]:
    return total(ledger, stage, what, ENTERS), total(ledger, stage, what, LEAVES)


def _told(line: Line, word: str) -> str:
    return f"{_counted(line.count, _word(line.what, word))} {_fate(line)}"


def _fate(line: Line) -> str:
    return f"{line.fate}: {line.reason}" if line.reason else line.fate


def _word(what: str, word: str) -> str:
    return {"boxes": word, "entries": _ENTRIES}.get(what, what)


def _counted(count: int, what: str) -> str:
    return f"{count:,} {_ONE[what] if count == 1 else what}"
