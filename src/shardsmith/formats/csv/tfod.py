"""TF Object Detection CSV: a row a box, `filename,width,height,class,xmin,ymin,xmax,ymax` in any order of columns.

Coordinates are pixels, or shares of the image's sides where every value of a file is small enough to be one.
Source: Dat Tran's raccoon_dataset (xml_to_csv.py) and Roboflow's `_annotations.csv`.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.manifest import Annotation
from shardsmith.formats.csv.lines import add_findings, entry_of, format_lines, head_lines, name_commas, numbered
from shardsmith.formats.format import Format
from shardsmith.formats.shapes.placement import Box, corners, number, on_displayed
from shardsmith.formats.shared.job import ExportJob, leaving_names, write_images
from shardsmith.formats.shared.numbers import read_number
from shardsmith.formats.shared.raw_folder import RawFolder, Source

COLUMNS = ("filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax")
_SIDES = ("xmin", "ymin", "xmax", "ymax")
_NEEDED = ("filename", "class", "xmin", "ymin", "xmax", "ymax")
_LARGEST_SHARE = 1.5  # a share a little over 1 is a box past the edge; a box that ends before 1.5 pixels is none

_LOADING = """
`SPLIT/_annotations.csv` has a row a box, in pixels, and stands beside its images. It holds no negatives.

```python
import pandas

boxes = pandas.read_csv("train/_annotations.csv")
```
"""


@dataclass
class CsvRow:
    """One line: `box` is None for a negative, which has neither class nor coordinates.

    declared_px: 0 where the line says no number; None where the file has no such columns.
    """

    place: str
    filename: str
    declared_px: tuple[int, int] | None
    label: str
    box: Box | None


def detect(folder: RawFolder) -> list[str]:
    return [file for file in folder.with_suffix(".csv") if set(_NEEDED) <= set(_header(head_lines(folder, file)))]


def _header(lines: list[list[str]]) -> list[str]:
    return [name.lower() for name in lines[0]] if lines else []


def read(folder: RawFolder, files: list[str]) -> Source:
    """
    Raises:
        RawDataError: a file is not text, or lacks a column.
    """
    source = Source(shapes=0)
    for file in files:
        rows, findings = parse(folder.text(file), file)
        _add(folder, file, rows, source)
        add_findings(folder, file, findings, source)
    return source


def parse(text: str, file: str) -> tuple[list[CsvRow], list[Finding]]:
    """The rows of one file; a line that cannot be read is a finding for `add_findings`.

    Raises:
        RawDataError: a column is missing.
    """
    (_, first), *lines = list(numbered(text)) or [("", [])]
    header = _header([first])
    missing = [name for name in _NEEDED if name not in header]
    if missing:
        raise RawDataError(f"{file}:1: no column {', '.join(missing)}; the columns are {', '.join(COLUMNS)}")
    rows, findings, sides = [], [], []
    for place, values in lines:
        cells = dict(zip(header, values, strict=False))
        try:
            if len(values) != len(header):
                raise ValueError(f"it has {len(values)} columns, the header has {len(header)}")
            rows.append(_row(cells, place))
            sides.append([cells[name] for name in _SIDES])
        except ValueError as error:
            name = cells.get("filename", "")
            findings.append(found("annotation-unreadable", file, place, reason=str(error), image_id=name))
    return rows, [*findings, *name_commas(file, sides)]


def _row(cells: dict[str, str], place: str) -> CsvRow:
    declared = _declared(cells) if "width" in cells and "height" in cells else None
    corners = [cells[name] for name in _SIDES]
    if not cells["filename"]:
        raise ValueError("it names no image")
    if not cells["class"] and not any(corners):
        return CsvRow(place, cells["filename"], declared, "", None)
    if not any(corners):
        raise ValueError(f"it has the class {cells['class'][:60]}, and no box")
    xmin, ymin, xmax, ymax = (read_number(corner) for corner in corners)
    return CsvRow(place, cells["filename"], declared, cells["class"], (xmin, ymin, xmax, ymax))


def _declared(cells: dict[str, str]) -> tuple[int, int]:
    try:
        return int(read_number(cells["width"])), int(read_number(cells["height"]))
    except (ValueError, OverflowError):
        return 0, 0


def _add(folder: RawFolder, file: str, rows: list[CsvRow], source: Source) -> None:
    values = [value for row in rows if row.box for value in row.box]
    shares = bool(values) and max(values) <= _LARGEST_SHARE
    if values:
        print(f"ingest: {file}: coordinates are {'shares of the sides' if shares else 'pixels'}", file=sys.stderr)
    by_image: dict[str, list[CsvRow]] = defaultdict(list)
    missing: set[str] = set()
    for row in rows:
        image_id = folder.locate(row.filename, file, row.place)
        if isinstance(image_id, Finding):
            if row.filename not in missing:
                source.findings.append(image_id)
            missing.add(row.filename)
        else:
            by_image[image_id].append(row)
    for image_id, of_image in by_image.items():
        _add_image(folder, file, image_id, of_image, shares, source)


def _add_image(folder: RawFolder, file: str, image_id: str, rows: list[CsvRow], shares: bool, source: Source) -> None:
    source.entries.setdefault(image_id, entry_of(image_id, file))
    info, declared = folder.images[image_id], rows[0].declared_px
    boxes = [row.box for row in rows if row.box is not None]
    labels = [row.label for row in rows if row.box is not None]
    if shares and info.width and info.height:
        width, height = info.stored_size if declared == info.stored_size else (info.width, info.height)
        boxes = [(x1 * width, y1 * height, x2 * width, y2 * height) for x1, y1, x2, y2 in boxes]
    boxes, findings = on_displayed(boxes, info, declared, f"{file}, {image_id}")
    source.findings += [replace(one, image_id=image_id) for one in findings]
    source.shapes = (source.shapes or 0) + len(boxes)
    source.annotations += [Annotation(image_id, label, *box) for label, box in zip(labels, boxes, strict=True)]


def write(job: ExportJob, out: Path) -> None:
    """SPLIT/_annotations.csv, with the split's images beside it."""
    names = leaving_names(job.manifest.image_rows())
    for split, rows in job.by_split():
        write_images([image for image, _ in rows], names, out / split)
        lines: list[tuple[object, ...]] = [COLUMNS]
        for image, boxes in rows:
            name_and_size = (names[image.image_id], image.width, image.height)
            lines += [
                (*name_and_size, row.label, *(number(at) for at in corners(row)))
                for row in boxes
                if row.xmin is not None
            ]
        (out / split / "_annotations.csv").write_text(format_lines(lines), encoding="utf-8")


FORMAT = Format(
    name="tfod_csv",
    title="TF Object Detection CSV",
    carries=frozenset({"boxes", "splits"}),
    detect=detect,
    read=read,
    write=write,
    loading=_LOADING,
)
