"""Lines of a CSV file whose first line may or may not be a header."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from shardsmith.dataset.findings import Finding, found
from shardsmith.formats.shared.numbers import comma_decimals
from shardsmith.formats.shared.raw_folder import ImageEntry, RawFolder, Source
from shardsmith.formats.shared.splits import split_in_name, split_in_path

_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_UNSAFE = re.compile(r'[,;"\x00-\x1f]|^\s|\s$')


def numbered(text: str) -> Iterator[tuple[str, list[str]]]:
    """("line 3", its cells without blanks around them) of each line that is not empty.

    What separates the cells is what stands most often in the first line outside quotes: a comma, semicolon or tab.
    """
    first = _QUOTED.sub("", text.lstrip()).partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    while True:
        try:
            cells = [cell.strip() for cell in next(lines)]
        except StopIteration:
            return
        except csv.Error as error:
            cells = [f"({error})"]
        if any(cells):
            yield f"line {lines.line_num}", cells


def add_findings(folder: RawFolder, file: str, findings: Iterable[Finding], source: Source) -> None:
    """Add what was found in a file; of a line that cannot be read, somebody looked at the image that it names.

    Args:
        findings: those that drop a line with the image's name as the line has it in `image_id`.
    """
    for finding in findings:
        if finding.action != "drop":
            source.findings.append(finding)
            continue
        image_id = folder.locate(finding.image_id, file) if finding.image_id else ""
        if isinstance(image_id, Finding):
            image_id = ""
        if image_id:
            source.entries.setdefault(image_id, entry_of(image_id, file))
        source.shapes = (source.shapes or 0) + 1
        source.findings.append(replace(finding, image_id=image_id))


def entry_of(image_id: str, file: str) -> ImageEntry:
    """With the split that the file's name says, or a folder."""
    return ImageEntry(split_in_name(file) or split_in_path(image_id, file))


def name_commas(file: str, rows: Iterable[Iterable[str]]) -> list[Finding]:
    """A finding that says in how many rows a decimal comma was read as a point."""
    count = sum(any(map(comma_decimals, cells)) for cells in rows)
    reason = "decimal commas are read as points"
    return [found("read-leniently", file, value=f"{count:,} lines", reason=reason)] if count else []


def format_lines(rows: Iterable[Sequence[object]]) -> str:
    """Lines with commas; whatever `numbered` could mistake for a separator stands in quotes."""
    return "".join(",".join(_cell(str(cell)) for cell in row) + "\n" for row in rows)


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _UNSAFE.search(text) else text


def head_lines(folder: RawFolder, file: str, size: int = 4096) -> list[list[str]]:
    """The whole lines among the first bytes of a file, for `detect`."""
    text = folder.head(file, size)
    if (folder.root / file).stat().st_size > size:
        text = text.rpartition("\n")[0]
    return [cells for _, cells in numbered(text)]
