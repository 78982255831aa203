"""Images that annotations name by URL and that are not in the folder: Labelbox's rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from shardsmith.formats.labelbox import format as labelbox
from shardsmith.formats.labelbox.rows import RowError, parse_row
from shardsmith.formats.shared.raw_folder import RawFolder


def image_addresses(root: Path) -> Iterator[tuple[str, str]]:
    """(file name, URL) of each image that a row names and the folder lacks.

    Raises:
        RawDataError: the folder is missing, or an export cannot be read.
    """
    folder = RawFolder.scan(root)
    for file in labelbox.detect(folder):
        for place, entry in labelbox.rows(folder.text(file), file):
            try:
                row = parse_row(entry)
            except RowError:
                continue  # ingest names it
            if row.url and row.names and not any(isinstance(folder.locate(n, file, place), str) for n in row.names):
                yield row.names[0], row.url
