"""Multi-class CSV: classes of whole images, `filename, cat, dog` with a row an image and 0 or 1 for each class.

Source: Roboflow's `_classes.csv`, one in each split's folder, with blanks after its commas.
"""

from __future__ import annotations

from pathlib import Path

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.manifest import Annotation
from shardsmith.formats.csv import tfod as tfod_csv
from shardsmith.formats.csv.lines import add_findings, entry_of, format_lines, head_lines, numbered
from shardsmith.formats.format import Format
from shardsmith.formats.shared.job import ExportJob, leaving_names, write_images
from shardsmith.formats.shared.raw_folder import RawFolder, Source

_FIRST = ("filename", "file", "image")
_VALUES = {"0": False, "1": True, "0.0": False, "1.0": True}

_LOADING = """
`SPLIT/_classes.csv` has a row an image and a column a class, 1 where the image shows it, and stands beside its images.

```python
import pandas

labels = pandas.read_csv("train/_classes.csv", index_col="filename")
```
"""


def detect(folder: RawFolder) -> list[str]:
    return [file for file in folder.with_suffix(".csv") if _is_multiclass(head_lines(folder, file, 1 << 16))]


def _is_multiclass(lines: list[list[str]]) -> bool:
    if not lines or lines[0][0].lower() not in _FIRST or len(lines[0]) < 2:
        return False
    if "region_shape_attributes" in lines[0]:  # of VIA
        return False
    if set(tfod_csv.COLUMNS[-4:]) <= {cell.lower() for cell in lines[0]}:
        return False
    cells = [cell for line in lines[1:] for cell in line[1:]]
    return 2 * sum(cell in _VALUES for cell in cells) >= len(cells)


def read(folder: RawFolder, files: list[str]) -> Source:
    """
    Raises:
        RawDataError: a file is not text, or its header has no class.
    """
    source = Source(shapes=0)
    for file in files:
        classes, rows, findings = parse(folder.text(file), file)
        source.classes += [name for name in classes if name not in source.classes]
        for place, filename, labels in rows:
            image_id = folder.locate(filename, file, place)
            if isinstance(image_id, Finding):
                source.findings.append(image_id)
            elif image_id in source.entries:
                reason = "the image has a line already; the first one counts"
                findings.append(found("annotation-unreadable", file, place, filename, reason, image_id=filename))
            else:
                source.entries[image_id] = entry_of(image_id, file)
                source.shapes = (source.shapes or 0) + len(labels)
                source.annotations += [Annotation(image_id, label, None, None, None, None) for label in labels]
        add_findings(folder, file, findings, source)
    return source


def parse(text: str, file: str) -> tuple[list[str], list[tuple[str, str, list[str]]], list[Finding]]:
    """(classes, (place, file name, its classes) of each image, findings); a line that cannot be read is a finding
    for `add_findings`.

    Raises:
        RawDataError: the header has no class, or one twice.
    """
    lines = numbered(text)
    _, header = next(lines, ("", [""]))
    classes = header[1:]
    if not classes or not all(classes) or len(set(classes)) < len(classes):
        raise RawDataError(f"{file}:1: header {', '.join(header)!r}; it must be filename and then classes, each once")
    rows, findings = [], []
    for place, (filename, *values) in lines:
        wrong = [f"{value!r} for {name}" for name, value in zip(classes, values, strict=False) if value not in _VALUES]
        if len(values) != len(classes) or not filename or wrong:
            reason = f"it says {wrong[0]}, not 0 or 1" if wrong else ""
            reason = reason or f"it has {len(values) + 1} columns, the header has {len(header)}"
            reason = reason if filename else "it names no image"
            findings.append(found("annotation-unreadable", file, place, filename, reason, image_id=filename))
            continue
        labels = [name for name, value in zip(classes, values, strict=True) if _VALUES[value]]
        rows.append((place, filename, labels))
    return classes, rows, findings


def write(job: ExportJob, out: Path) -> None:
    """SPLIT/_classes.csv, with the split's images beside it; every class of the label map is a column."""
    names = leaving_names(job.manifest.image_rows())
    classes = job.label_map.names
    for split, rows in job.by_split():
        write_images([image for image, _ in rows], names, out / split)
        lines: list[list[object]] = [["filename", *classes]]
        for image, of_image in rows:
            labels = {row.label for row in of_image if row.xmin is None}
            if labels or (image.annotated and not of_image):
                lines.append([names[image.image_id], *(int(name in labels) for name in classes)])
        (out / split / "_classes.csv").write_text(format_lines(lines), encoding="utf-8")


FORMAT = Format(
    name="multiclass_csv",
    title="Multi-class CSV",
    carries=frozenset({"labels", "several_labels", "negatives", "splits"}),
    detect=detect,
    read=read,
    write=write,
    loading=_LOADING,
)
