"""Findings as the page shows them: a block a code, the worst first, with images of data/raw where they can be told."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from shardsmith.dataset.codes import SEVERITIES, Rule
from shardsmith.dataset.findings import Finding

PICTURES = 40
_PLACES = 3
_PICTURES_A_CODE = 4
_DONE = {"keep": "kept", "repair": "repaired", "drop": "dropped", "fail": "failed"}
_OF_NO_IMAGE = {  # their `file` is a class, or a format
    "class-without-boxes", "class-alike", "class-not-found", "class-rare", "not-exported",
}  # fmt: skip


@dataclass(frozen=True)
class FoundBlock:
    """
    done: "3 kept", as many words as actions.
    shown: the first findings about images, one an image, and the image's row.
    places: where and what, of the first findings that are not shown.
    rest: how many there are beyond these.
    """

    code: str
    rule: Rule
    count: int
    done: str
    shown: list[tuple[Finding, int]]
    places: list[tuple[str, str]]
    rest: int


def found_blocks(findings: Sequence[Finding], image_ids: Sequence[str]) -> list[FoundBlock]:
    """By severity, then by number.

    Args:
        image_ids: of the images as ingest wrote them, those that were dropped since among them.
    """
    by_code: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        by_code[finding.code].append(finding)
    rows_of = _RowsByName(image_ids if findings else ())
    most = max(1, min(_PICTURES_A_CODE, PICTURES // max(len(by_code), 1)))
    codes = sorted(by_code, key=lambda code: (-_rank(by_code[code][0]), -len(by_code[code]), code))
    blocks = [_block(by_code[code], rows_of, most) for code in codes]
    return blocks


def _block(findings: list[Finding], rows_of: _RowsByName, most: int) -> FoundBlock:
    shown: dict[int, Finding] = {}
    others: list[Finding] = []
    for finding in findings:
        row = rows_of.find(finding) if len(shown) < most else None
        if row is not None and row not in shown:
            shown[row] = finding
        elif len(others) < _PLACES:
            others.append(finding)
        elif len(shown) == most:
            break
    places = others[: max(0, _PLACES - len(shown))] if shown else others
    actions = Counter(finding.action for finding in findings)
    return FoundBlock(
        code=findings[0].code,
        rule=findings[0].rule,
        count=len(findings),
        done=", ".join(f"{number:,} {_DONE[action]}" for action, number in sorted(actions.items())),
        shown=[(finding, row) for row, finding in shown.items()],
        places=[(one.where, told(one)) for one in places],
        rest=len(findings) - len(shown) - len(places),
    )


def told(finding: Finding) -> str:
    """Why, and the value; without what the code itself says of each."""
    reason = "" if finding.reason == finding.rule.meaning.partition(";")[0] else finding.reason
    return "; ".join(part for part in (reason, finding.value) if part)


def done(finding: Finding) -> str:
    return _DONE[finding.action]


def _rank(finding: Finding) -> int:
    return SEVERITIES.index(finding.rule.severity)


class _RowsByName:
    """The image that a finding is about: by its image_id, else by the stem that its annotation file shares with it."""

    def __init__(self, image_ids: Sequence[str]) -> None:
        self._by_id = {image_id: row for row, image_id in enumerate(image_ids)}
        self._by_stem: dict[str, list[int]] = defaultdict(list)
        for image_id, row in self._by_id.items():
            self._by_stem[PurePosixPath(image_id).stem].append(row)

    def find(self, finding: Finding) -> int | None:
        """None where no image, or not just one, fits."""
        if not finding.file or finding.code in _OF_NO_IMAGE:
            return None
        # "annotations.json, images/a.jpg" is how COCO names an entry; a tile or a copy stands for its image
        for name in (finding.file, finding.file.partition(", ")[2], finding.place, finding.file.partition("#")[0]):
            if name in self._by_id:
                return self._by_id[name]
        rows = self._by_stem.get(PurePosixPath(finding.file).stem, [])
        return rows[0] if len(rows) == 1 else None
