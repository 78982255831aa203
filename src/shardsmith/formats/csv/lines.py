"""Lines of a CSV file whose first line may or may not be a header."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence

from shardsmith.formats.shared.raw_folder import RawFolder

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
