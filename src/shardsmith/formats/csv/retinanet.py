"""RetinaNet CSV: a row a box, `path,x1,y1,x2,y2,class` in pixels, without a header; `path,,,,,` is a negative.

VoTT's CSV has the same columns, and a header. A second file may list the classes, `class,id` with ids from 0.
Source: the README and csv_generator.py of keras-retinanet, which takes whole pixels only.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.manifest import Annotation, Image
from shardsmith.formats.csv.lines import add_findings, entry_of, format_lines, head_lines, name_commas, numbered
from shardsmith.formats.format import Format
from shardsmith.formats.shapes.placement import Box, corners, on_displayed
from shardsmith.formats.shared.job import ExportJob, leaving_names, write_images
from shardsmith.formats.shared.numbers import read_number
from shardsmith.formats.shared.raw_folder import RawFolder, Source

_COLUMNS = 6
_ID = re.compile(r"[0-9]{1,9}")
_HEADER = ["x1", "y1", "x2", "y2"]
_VOTT = ["image", "xmin", "ymin", "xmax", "ymax", "label"]  # VoTT's CSV has the same columns

_LOADING = """
`SPLIT/_annotations.csv` has a row a box, in whole pixels, and stands beside its images; `SPLIT/_classes.csv` lists the
classes, with ids from 0 (one less than the ids above).

```console
$ retinanet-train csv train/_annotations.csv train/_classes.csv --val-annotations valid/_annotations.csv
```
"""


@dataclass
class RetinaRow:
    """One line: `box` is None for a negative."""

    place: str
    filename: str
    label: str
    box: Box | None


def detect(folder: RawFolder) -> list[str]:
    """CSV files without a header most of whose first lines have the six columns."""
    return [file for file in folder.with_suffix(".csv") if _is_retinanet(head_lines(folder, file))]


def _is_retinanet(lines: list[list[str]]) -> bool:
    rows = lines[1:] if lines and _is_header(lines[0]) else lines
    return 2 * sum(_fits(cells) for cells in rows) > len(rows)


def _is_header(cells: list[str]) -> bool:
    names = [cell.lower() for cell in cells]
    return names[1:5] == _HEADER or names == _VOTT


def _fits(cells: list[str]) -> bool:
    try:
        parse_row("", cells)
    except ValueError:
        return False
    return True


def read(folder: RawFolder, files: list[str]) -> Source:
    """
    Raises:
        RawDataError: a file is not text.
    """
    source = Source(shapes=0)
    maps = [classes for file in folder.with_suffix(".csv") if file not in files for classes in [_classes(folder, file)]]
    source.classes = list(dict.fromkeys(name for classes in maps for name in classes))
    for file in files:
        rows, findings = parse(folder.text(file), file)
        _add(folder, file, rows, source)
        add_findings(folder, file, findings, source)
    return source


def parse(text: str, file: str) -> tuple[list[RetinaRow], list[Finding]]:
    """The rows of one file; a line that cannot be read is a finding for `add_findings`."""
    rows, findings, cells_read = [], [], []
    for number, (place, cells) in enumerate(numbered(text)):
        if number == 0 and _is_header(cells):
            continue
        try:
            rows.append(parse_row(place, cells))
            cells_read.append(cells[1:5])
        except ValueError as error:
            value = ",".join(cells)[:100]
            findings.append(found("annotation-unreadable", file, place, value, str(error), image_id=cells[0]))
    return rows, [*findings, *name_commas(file, cells_read)]


def parse_row(place: str, cells: list[str]) -> RetinaRow:
    """
    Raises:
        ValueError: why the line cannot be read.
    """
    if len(cells) != _COLUMNS:
        raise ValueError(f"it has {len(cells)} columns, not path,x1,y1,x2,y2,class")
    filename, *sides, label = cells
    if not filename:
        raise ValueError("it names no image")
    if not any(sides) and not label:
        return RetinaRow(place, filename, "", None)
    x1, y1, x2, y2 = (read_number(side) for side in sides)
    return RetinaRow(place, filename, label, (x1, y1, x2, y2))


def _classes(folder: RawFolder, file: str) -> list[str]:
    """The classes of a `class,id` file in the order of their ids; none where it is another kind of file."""
    ids = {}
    for _, cells in numbered(folder.text(file)):
        if len(cells) != 2 or not cells[0] or not _ID.fullmatch(cells[1]):
            return []
        ids[cells[0]] = int(cells[1])
    return sorted(ids, key=ids.__getitem__)


def _add(folder: RawFolder, file: str, rows: list[RetinaRow], source: Source) -> None:
    by_image: dict[str, list[RetinaRow]] = defaultdict(list)
    located: dict[str, str | Finding] = {}
    for row in rows:
        if row.filename not in located:
            located[row.filename] = folder.locate(row.filename, file, row.place)
            if isinstance(image := located[row.filename], Finding):
                source.findings.append(image)
        if isinstance(image_id := located[row.filename], str):
            by_image[image_id].append(row)
    for image_id, of_image in by_image.items():
        source.entries.setdefault(image_id, entry_of(image_id, file))
        boxed = [row for row in of_image if row.box is not None]
        boxes = [row.box for row in boxed if row.box is not None]
        boxes, findings = on_displayed(boxes, folder.images[image_id], None, f"{file}, {image_id}")
        source.findings += [replace(one, image_id=image_id) for one in findings]
        source.shapes = (source.shapes or 0) + len(boxes)
        source.annotations += [Annotation(image_id, row.label, *box) for row, box in zip(boxed, boxes, strict=True)]


def write(job: ExportJob, out: Path) -> None:
    """SPLIT/_annotations.csv and SPLIT/_classes.csv, with the split's images beside them."""
    names = leaving_names(job.manifest.image_rows())
    for split, rows in job.by_split():
        write_images([image for image, _ in rows], names, out / split)
        lines: list[tuple[object, ...]] = []
        for image, of_image in rows:
            name = names[image.image_id]
            boxed = [row for row in of_image if row.xmin is not None]
            lines += [(name, *whole_pixels(corners(row), image), row.label) for row in boxed]
            lines += [(name, "", "", "", "", "")] if not of_image and image.annotated else []
        (out / split / "_annotations.csv").write_text(format_lines(lines), encoding="utf-8")
        classes = [(name, job.label_map.ids[name] - 1) for name in job.label_map.names]
        (out / split / "_classes.csv").write_text(format_lines(classes), encoding="utf-8")


def whole_pixels(box: Box, image: Image) -> tuple[int, int, int, int]:
    """The nearest whole pixels that are no empty box and lie in the image; off by less than one."""
    x1, x2 = _whole(box[0], box[2], image.width or 0)
    y1, y2 = _whole(box[1], box[3], image.height or 0)
    return x1, y1, x2, y2


def _whole(low: float, high: float, size_px: int) -> tuple[int, int]:
    first, last = round(low), round(high)
    if last <= first:  # thinner than a pixel: the pixel that holds its middle
        first = max(0, min(int((low + high) / 2), size_px - 1))
        last = first + 1
    return first, last


FORMAT = Format(
    name="retinanet_csv",
    title="RetinaNet CSV",
    carries=frozenset({"boxes", "negatives", "splits"}),
    detect=detect,
    read=read,
    write=write,
    loading=_LOADING,
)
