"""Labelbox: export rows as JSON or NDJSON, a row an image, and the older JSON with `Label`; coordinates in pixels.

An answer to a question about the whole image becomes a label of it; where a source asks several questions, the label is
`QUESTION: ANSWER`. Where several people labelled an image, the first label counts that was not skipped;
labels in review or rework are not final, and not taken. Source: Labelbox's "Export image annotations" (current rows;
its v1 shows `Label`).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.manifest import Annotation
from shardsmith.formats.format import Format
from shardsmith.formats.labelbox.rows import LabelboxRow, RowError, parse_row
from shardsmith.formats.shapes.objects import place_objects, row_of
from shardsmith.formats.shared.json import elements, paired
from shardsmith.formats.shared.raw_folder import ImageEntry, RawFolder, Source
from shardsmith.formats.shared.splits import split_in_path

_SUFFIXES = (".json", ".ndjson", ".jsonl")
_ROW = re.compile(r'"data_row"\s*:\s*\{')
_CURRENT = re.compile(r'"(projects|row_data|external_id|global_key|media_attributes)"\s*:')
_OLDER = re.compile(r'"(Labeled Data|External ID|DataRow ID)"\s*:')
_HEAD = 1 << 16
_FETCH = "it is not here, only at its URL: bring it with `shardsmith fetch --images`"


def detect(folder: RawFolder) -> list[str]:
    return [file for suffix in _SUFFIXES for file in folder.with_suffix(suffix) if _is_labelbox(folder, file)]


def _is_labelbox(folder: RawFolder, file: str) -> bool:
    head = folder.head(file, _HEAD)
    if not head.lstrip().startswith(("[", "{")):
        return False
    return bool((_ROW.search(head) and _CURRENT.search(head)) or (_OLDER.search(head) and '"Label"' in head))


def read(folder: RawFolder, files: list[str]) -> Source:
    """
    Raises:
        RawDataError: a file is no JSON, or a list of it is cut short (of NDJSON, a line is lost at most).
    """
    source = Source(shapes=0)
    answers: list[tuple[Annotation, str]] = []
    for file in files:
        passed_over: Counter[str] = Counter()
        for place, entry in rows(folder.text(file), file):
            try:
                row = parse_row(entry)
            except RowError as error:
                source.findings.append(found("annotation-unreadable", file, place, reason=str(error)))
                continue
            passed_over += row.passed_over
            answers += _place(folder, row, place, file, source)
        for kind, count in sorted((+passed_over).items()):
            source.findings.append(found("not-carried", file, value=count, reason=f"{kind} are not taken"))
    questions = {question for _, question in answers}
    for annotation, question in answers:
        annotation.label = f"{question}: {annotation.label}" if len(questions) > 1 else annotation.label
    return source


def rows(text: str, file: str) -> Iterator[tuple[str, Any]]:
    """(place, row) of a JSON list, of one JSON object, or of NDJSON; a line that is no JSON gives a row None.

    Raises:
        RawDataError: a list is no JSON, to its end.
    """
    text = paired(text)
    if text.lstrip().startswith("["):
        for number, entry in enumerate(elements(text, file)):
            yield f"row {number + 1}", entry
        return
    try:
        yield "row 1", json.loads(text)
        return
    except (ValueError, RecursionError):
        pass  # more than one object: a line each
    read_any = False
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                yield f"line {number}", json.loads(line)
                read_any = True
            except (ValueError, RecursionError):
                yield f"line {number}", None
    if not read_any:
        raise RawDataError(f"{file}: neither JSON nor NDJSON; the file may be cut short: get it again")


def _place(folder: RawFolder, row: LabelboxRow, place: str, file: str, source: Source) -> list[tuple[Annotation, str]]:
    """Add one row to the source; (label of the whole image, question) of each answer."""
    image_id = _locate(folder, row, place, file)
    if isinstance(image_id, Finding):
        source.findings.append(image_id)
        return []
    if not row.labelled:
        return []
    source.entries.setdefault(image_id, ImageEntry(row.split or split_in_path(image_id, file)))
    if row.problem:
        source.findings.append(found("annotation-unreadable", file, place, reason=row.problem, image_id=image_id))
    labels = [(row_of(answer, None), question) for question, answer in row.answers]
    row.objects.rows += [annotation for annotation, _ in labels]
    place_objects(row.objects, image_id, folder.images[image_id], row.declared_px, (file, place), source)
    return labels


def _locate(folder: RawFolder, row: LabelboxRow, place: str, file: str) -> str | Finding:
    """The image by the row's names, the best first."""
    image = folder.locate_any(row.names, file, place)
    if isinstance(image, str) or image.code == "image-ambiguous":
        return image
    return found("image-missing", file, place, (row.names or [""])[0], _FETCH if row.url else "")


FORMAT = Format(
    name="labelbox",
    title="Labelbox",
    carries=frozenset({"boxes", "outlines", "masks", "labels", "several_labels", "negatives", "splits", "attributes"}),
    detect=detect,
    read=read,
)
