"""Findings as the page shows them: a block a code, the worst first, with images where they can be told."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from stages.dataset.findings import Finding, Rule, count_codes

_PLACES = 3
_PICTURES_A_CODE = 4
_PICTURES = 16
_DONE = {"keep": "kept", "repair": "repaired", "drop": "dropped", "fail": "failed"}


@dataclass(frozen=True)
class FoundBlock:
    """
    done: "3 kept", as many words as actions.
    places: where and what, of the first ones.
    rows: of the images to show.
    """

    code: str
    rule: Rule
    count: int
    done: str
    places: list[tuple[str, str]]
    rows: list[int] = field(default_factory=list)


def found_blocks(findings: Sequence[Finding], image_ids: Sequence[str]) -> list[FoundBlock]:
    by_code: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        by_code[finding.code].append(finding)
    rows_of = _RowsByName(image_ids if findings else ())
    blocks, left = [], _PICTURES
    for code, count in count_codes(findings).items():
        some = by_code[code]
        actions = Counter(finding.action for finding in some)
        rows: dict[int, None] = {}
        if some[0].rule.severity != "info":
            for finding in some:
                if len(rows) == min(_PICTURES_A_CODE, left):
                    break
                rows |= dict.fromkeys(rows_of.find(finding.file))
        left -= len(rows)
        done = ", ".join(f"{number:,} {_DONE[action]}" for action, number in sorted(actions.items()))
        places = [(one.where, "; ".join(part for part in (one.reason, one.value) if part)) for one in some[:_PLACES]]
        blocks.append(FoundBlock(code, some[0].rule, count, done, places, list(rows)))
    return blocks


class _RowsByName:
    """The image that a finding is about: by its image_id, else by the stem that its annotation file shares with it."""

    def __init__(self, image_ids: Sequence[str]) -> None:
        self._by_id = {image_id: row for row, image_id in enumerate(image_ids)}
        self._by_stem: dict[str, list[int]] = defaultdict(list)
        for image_id, row in self._by_id.items():
            if "#" not in image_id:
                self._by_stem[PurePosixPath(image_id).stem].append(row)

    def find(self, file: str) -> list[int]:
        if file in self._by_id:
            return [self._by_id[file]]
        rows = self._by_stem.get(PurePosixPath(file).stem, []) if file else []
        return rows if len(rows) == 1 else []
