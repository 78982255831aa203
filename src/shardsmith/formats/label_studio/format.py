"""Label Studio: its JSON, JSON-MIN and CSV exports, with outlines, masks and labels of whole images.

A choice about the whole image becomes a label of it; where a source has several questions, the label is
`QUESTION: ANSWER`, as Labelbox's are. A path of a taxonomy is joined by `/`. A region with several labels becomes an
annotation for each, as the SDK writes YOLO. See tasks.py for which of several annotations counts.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.findings import found
from shardsmith.dataset.manifest import Annotation
from shardsmith.formats.format import Format
from shardsmith.formats.label_studio.flat import Rows, csv_rows, is_row, parse_rows
from shardsmith.formats.label_studio.placing import Placing
from shardsmith.formats.label_studio.tasks import Task, parse_task
from shardsmith.formats.shapes.named_points import Named, give_points
from shardsmith.formats.shared.json import clear_errors, elements, paired
from shardsmith.formats.shared.raw_folder import RawFolder, Source

_HEAD = 1 << 16
_RESULTS = re.compile(r'"(annotations|completions|result)"\s*:\s*\[')
_TASK = re.compile(r'"(was_cancelled|completed_by|from_name|total_annotations|file_upload|lead_time|predictions)"\s*:')
_TASK_DATA = re.compile(r'"data"\s*:\s*\{')
_ROW = re.compile(r'"(annotation_id|lead_time|annotator)"\s*:')
_REGION = re.compile(r'"original_width"\s*:|"(rectangle|polygon|brush|ellipse)labels"\s*:')
_COLUMNS = {"annotation_id", "annotator", "lead_time"}


def detect(folder: RawFolder) -> list[str]:
    files = [file for file in folder.with_suffix(".json") if _is_json(folder, file)]
    return files + [file for end in (".csv", ".tsv") for file in folder.with_suffix(end) if _is_csv(folder, file)]


def _is_json(folder: RawFolder, file: str) -> bool:
    """Tasks by their annotations and what only they say; JSON-MIN by two of its own keys, or one and a region."""
    head = folder.head(file, _HEAD)
    if not head.lstrip().startswith(("[", "{")) or '"data_row"' in head:
        return False
    signs = set(_TASK.findall(head))
    if _RESULTS.search(head) and (len(signs) >= 2 or ((signs or '"value"' in head) and _TASK_DATA.search(head))):
        return True
    if _TASK_DATA.search(head) and _RESULTS.search(head) and re.match(r"\s*\[\s*\{", head):
        return True
    if not re.match(r"\s*\[\s*\{", head):
        return False
    keys = set(_ROW.findall(head))
    return len(keys) == 3 or (bool(_REGION.search(head)) and '"from_name"' not in head and '"value"' not in head)


def _is_csv(folder: RawFolder, file: str) -> bool:
    header = folder.head(file).partition("\n")[0].replace('"', "")
    return {cell.strip() for cell in re.split(r"[,;\t]", header)} >= _COLUMNS


def read(folder: RawFolder, files: list[str]) -> Source:
    """
    Raises:
        RawDataError: a file is no JSON, or is cut short.
    """
    source = Source(shapes=0)
    answers: list[tuple[Annotation, str]] = []
    named: list[Named] = []
    for file in files:
        not_carried: Counter[str] = Counter()
        for task in _tasks(folder, file, not_carried):
            placing = Placing(folder, file, task, source)
            answers += placing.all()
            named += placing.named
        for kind, count in sorted((+not_carried).items()):
            reason = f"{kind} have no place in a dataset"
            source.findings.append(found("not-carried", file, value=count, reason=reason))
    give_points(named)
    questions = {question for _, question in answers}
    for annotation, question in answers:
        annotation.label = f"{question}: {annotation.label}" if len(questions) > 1 else annotation.label
    return source


def _tasks(folder: RawFolder, file: str, not_carried: Counter[str]) -> Iterator[Task]:
    text = folder.text(file)
    if not file.lower().endswith(".json"):
        yield from parse_rows(list(csv_rows(text)), not_carried, ordered=False)
        return
    rows: Rows = []
    for number, entry in enumerate(_entries(paired(text), file), start=1):
        if is_row(entry):
            rows.append((f"row {number}", entry))
        else:
            yield parse_task(entry, f"task {number}", not_carried)
    yield from parse_rows(rows, not_carried, ordered=True)


def _entries(text: str, file: str) -> Iterator[Any]:
    if text.lstrip().startswith("["):
        yield from elements(text, file)
        return
    with clear_errors(file):
        entry = json.loads(text)
    if not isinstance(entry, dict):
        raise RawDataError(f"{file}: neither a list of tasks nor a task; export it from Label Studio as JSON")
    yield entry


FORMAT = Format(
    name="label_studio",
    title="Label Studio JSON, JSON-MIN and CSV",
    carries=frozenset(
        {"boxes", "outlines", "oriented", "keypoints", "masks", "labels", "several_labels", "negatives", "attributes"}
    ),
    detect=detect,
    read=read,
)
