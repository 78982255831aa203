"""Findings: what a stage saw in the data that a person should know, and what was done about it.

Codes are stable: people write them into `validate.actions`. Add a code here and nowhere else.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from pathlib import Path
from typing import Any

from shardsmith.dataset.codes import ACTIONS, CATALOGUE, SEVERITIES, Action, Rule
from shardsmith.dataset.errors import FindingError

csv.field_size_limit(2**31 - 1)  # a name from the data may be as long as it likes


@dataclass(frozen=True)
class Finding:
    """One thing found; `action` as taken.

    file, place: where it stands, for people: "labels.json", "line 3". No code reads them.
    image_id: the image of data/raw that it is about; "" where it is about none, or about many.
    source_key: the annotation of that image that it is about, by its key in the manifest; "" for none.
    other: image_id of a second image that it is about, which that one is like; "" for none.
    made: image_id of the image that a step was to make, which it is about; "" outside of steps.
    """

    code: str
    action: Action
    file: str
    place: str = ""
    value: str = ""
    reason: str = ""
    image_id: str = ""
    source_key: str = ""
    made: str = ""
    other: str = ""

    @property
    def rule(self) -> Rule:
        return CATALOGUE[self.code]

    @property
    def where(self) -> str:
        """File and place; a finding about a class or a split has no file."""
        return ", ".join(part for part in (self.file, self.place) if part)

    def __str__(self) -> str:
        value = f" ({self.value})" if self.value else ""
        return f"{self.where}: {self.reason or self.rule.meaning}{value} [{self.code}]; {self.rule.remedy}"


def found(
    code: str,
    file: str,
    place: str = "",
    value: object = "",
    reason: str = "",
    image_id: str = "",
    source_key: str = "",
    made: str = "",
) -> Finding:
    """A finding with its code's default action."""
    return Finding(code, CATALOGUE[code].action, file, place, str(value), reason, image_id, source_key, made)


def about(code: str, image_id: str, action: Action | None = None, **more: str) -> Finding:
    """A finding about an image, or with `source_key` about one annotation of it."""
    return Finding(code, action or CATALOGUE[code].action, image_id, image_id=image_id, **more)


def action_for(code: str, actions: Mapping[str, Action]) -> Action:
    """What to do about a code: `validate.actions` where it names the code, else the code's default."""
    return actions.get(code, CATALOGUE[code].action)


def stop_on_fail(findings: Iterable[Finding], actions: Mapping[str, Action]) -> None:
    """Stop where a code was found whose action is `fail`.

    Raises:
        FindingError: how often each of those codes was found, the first places, the remedies.
    """
    failed = [replace(found, action="fail") for found in findings if action_for(found.code, actions) == "fail"]
    if failed:
        raise FindingError(
            "\n".join(
                [f"validate.actions in params.yaml says to fail on {count_severities(failed)}:"]
                + [f"  {line}" for line in summarise(failed, examples=5)]
                + ["correct the raw data, or give the code another action"]
            )
        )


_COLUMNS = [field.name for field in fields(Finding)]
_cells = attrgetter(*_COLUMNS)
# what a spreadsheet would run; an apostrophe before it makes it text, and one more where it has some already
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?[0-9.]+(e[+-]?[0-9]+)?", re.IGNORECASE)


def write_findings(findings: Iterable[Finding], path: Path) -> None:
    """The table of findings as CSV, with each code's severity and remedy beside it. A spreadsheet runs none of it."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)  # with the standard's own line ends: with others a value's "\r" is not quoted
        table.writerow([*_COLUMNS, "severity", "remedy"])
        for finding in findings:
            table.writerow([*map(_as_text, _cells(finding)), finding.rule.severity, finding.rule.remedy])


def read_findings(path: Path) -> list[Finding]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    cells: list[dict[str, Any]] = [{column: _as_written(row[column]) for column in _COLUMNS} for row in rows]
    return [Finding(**of_row) for of_row in cells]


def _as_text(cell: str) -> str:
    return f"'{cell}" if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell) else cell


def _as_written(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def count_codes(findings: Iterable[Finding]) -> dict[str, int]:
    """How often each code occurs, most severe first, then by name."""
    counts = Counter(finding.code for finding in findings)
    return {code: counts[code] for code in sorted(counts, key=lambda code: (-_rank(code), code))}


def count_severities(findings: Iterable[Finding]) -> str:
    """For a stage's summary line: "4 findings (1 error, 3 warnings)", or "no findings"."""
    counts = Counter(finding.rule.severity for finding in findings)
    total = sum(counts.values())
    if not total:
        return "no findings"
    parts = [f"{n} {name}{'s' if n > 1 else ''}" for name in reversed(SEVERITIES) if (n := counts[name])]
    return f"{total} finding{'s' if total > 1 else ''} ({', '.join(parts)})"


def _rank(code: str) -> int:
    return SEVERITIES.index(CATALOGUE[code].severity)


_DONE: dict[str, str] = {"keep": "kept", "repair": "repaired", "drop": "dropped", "fail": "failed"}


def count_actions(findings: Iterable[Finding]) -> dict[str, dict[str, int]]:
    """Code -> action -> how often, most severe code first."""
    listed = list(findings)
    counts = Counter((finding.code, finding.action) for finding in listed)
    return {
        code: {action: counts[code, action] for action in sorted(ACTIONS) if counts[code, action]}
        for code in count_codes(listed)
    }


def in_words(code: str, actions: Mapping[str, int]) -> str:
    """One code for a person to read: how often, what was done, what it means, and the remedy."""
    done = ", ".join(f"{count} {_DONE[action]}" for action, count in actions.items())
    rule = CATALOGUE[code]
    return f"{rule.severity} {code}: {sum(actions.values())} ({done}): {rule.meaning}; {rule.remedy}"


def summarise(findings: list[Finding], examples: int = 3) -> list[str]:
    """The findings for a person to read: a line a code with its first few places, then its remedy."""
    lines = []
    for code, actions in count_actions(findings).items():
        of_code = [finding for finding in findings if finding.code == code]
        lines.append(in_words(code, actions))
        for finding in of_code[:examples]:
            detail = "; ".join(part for part in (finding.reason, finding.value) if part)
            lines.append(f"    {': '.join(part for part in (finding.where, detail) if part)}")
        if len(of_code) > examples:
            lines.append(f"    and {len(of_code) - examples} more")
    return lines
