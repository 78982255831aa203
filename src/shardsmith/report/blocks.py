"""Findings as the page shows them: a block a code, the worst first, with images of data/raw where they can be told."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from shardsmith.dataset.codes import SEVERITIES, Rule
from shardsmith.dataset.findings import Finding

PICTURES = 40
_PLACES = 3
_PICTURES_A_CODE = 4
_DONE = {"keep": "kept", "repair": "repaired", "drop": "dropped", "fail": "failed"}


@dataclass(frozen=True)
class FoundBlock:
    """
    done: "3 kept", as many words as actions.
    shown: the first findings about images, one an image, with the image's row, and that of the other image that a
        finding about two is about; None for none.
    places: where and what, of the first findings that are not shown.
    rest: how many there are beyond these.
    """

    code: str
    rule: Rule
    count: int
    done: str
    shown: list[tuple[Finding, int, int | None]]
    places: list[tuple[str, str]]
    rest: int


def found_blocks(findings: Sequence[Finding], image_ids: pa.Array) -> list[FoundBlock]:
    """By severity, then by number.

    Args:
        image_ids: of the images as ingest wrote them, those that were dropped since among them.
    """
    by_code: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        by_code[finding.code].append(finding)
    named = pa.array(sorted({name for one in findings for name in (one.image_id, one.other)}), pa.string())
    at = pc.index_in(named, image_ids).to_pylist()
    rows_of = {name: row for name, row in zip(named.to_pylist(), at, strict=True) if row is not None}
    most = max(1, min(_PICTURES_A_CODE, PICTURES // max(len(by_code), 1)))
    codes = sorted(by_code, key=lambda code: (-_rank(by_code[code][0]), -len(by_code[code]), code))
    blocks = [_block(by_code[code], rows_of, most) for code in codes]
    return blocks


def _block(findings: list[Finding], rows_of: Mapping[str, int], most: int) -> FoundBlock:
    shown: dict[int, Finding] = {}
    others: list[Finding] = []
    for finding in findings:
        row = rows_of.get(finding.image_id) if len(shown) < most else None
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
        shown=[(finding, row, rows_of.get(finding.other)) for row, finding in shown.items()],
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
