"""The rows of data/splits.csv, shards.csv and decisions.csv: tables that people and git see, with the line of each."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

from shardsmith.dataset.errors import StageError

_MOST_SHOWN = 60


def read_rows(
    path: Path, columns: tuple[str, ...], remedy: str, without: int = 0
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """(line, cells) of each row below the header; none where there is no file. Any line ends, `,` or `;` between.

    Args:
        remedy: what to do about a row that is none.
        without: how many of the last cells a row of an older file may lack.

    Raises:
        StageError: it is no table of these columns.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return
    except UnicodeDecodeError as error:
        raise StageError(f"{path}: not UTF-8 ({error.reason} at byte {error.start}); {remedy}") from None
    headers = [columns[: len(columns) - count] for count in range(without + 1)]
    between = ";" if text.partition("\n")[0].strip() in map(";".join, headers) else ","
    table = csv.reader(io.StringIO(text, newline=""), delimiter=between)
    for number, row in enumerate(table):
        if number == 0:
            if tuple(row) not in headers:
                raise StageError(f"{path}, line 1: {_shown(row)}: not the header {','.join(columns)}; {remedy}")
        elif len(columns) - without <= len(row) <= len(columns):
            yield table.line_num, tuple(row)
        elif row:
            raise StageError(f"{path}, line {table.line_num}: {_shown(row)}: not a row of {len(columns)}; {remedy}")


def write_rows(path: Path, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    """Below the header, and in one step: who is killed meanwhile leaves the old table or the new one."""
    part = path.with_name(f"{path.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(columns)
        table.writerows(rows)
    part.replace(path)


def _shown(row: list[str]) -> str:
    text = ",".join(row)
    return repr(text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}...")
