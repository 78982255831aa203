"""One row of a Labelbox export -> its boxes and answers; no disk. See labelbox.py."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from shardsmith.dataset.manifest import Annotation
from shardsmith.dataset.shapes import OutlineError, box_around, parse_outline
from shardsmith.formats.shared.placement import Box, Size, to_json
from shardsmith.formats.shared.raw_folder import split_in_name

_CHOICE_KEYS = ("radio_answer", "checklist_answers", "dropdown_answers", "answer", "answers")


class RowError(ValueError):
    """Why one row cannot be read."""


@dataclass
class LabelboxRow:
    """names: what the image may be called, the best first. boxes: with label and corners, not yet placed."""

    names: list[str] = field(default_factory=list)
    url: str = ""
    declared_px: Size | None = None
    split: str | None = None
    labelled: bool = False
    boxes: list[Annotation] = field(default_factory=list)
    answers: list[tuple[str, str]] = field(default_factory=list)
    bad: list[tuple[str, str]] = field(default_factory=list)
    not_carried: Counter[str] = field(default_factory=Counter)


def parse_row(entry: Any) -> LabelboxRow:
    """
    Raises:
        RowError: it is no row of Labelbox.
    """
    if not isinstance(entry, dict):
        raise RowError("it is no JSON object")
    if isinstance(entry.get("data_row"), dict):
        return _parse_current(entry)
    if "Label" in entry:
        return _parse_older(entry)
    raise RowError("it has neither data_row nor Label")


def _parse_current(entry: dict[str, Any]) -> LabelboxRow:
    data_row, media = entry["data_row"], _dict(entry.get("media_attributes"))
    row = _row(data_row.get("row_data"), data_row.get("external_id"), data_row.get("global_key"), data_row.get("id"))
    try:
        row.declared_px = (int(media["width"]), int(media["height"]))
    except (KeyError, TypeError, ValueError, OverflowError):
        row.declared_px = None
    for metadata in _dicts(entry.get("metadata_fields")):
        if str(metadata.get("schema_name") or metadata.get("name")).lower() == "split":
            row.split = split_in_name(str(metadata.get("value")))
    for project in _dict(entry.get("projects")).values():
        labels = _dicts(_dict(project).get("labels"))
        for label in labels[:1]:
            annotations = _dict(label.get("annotations"))
            row.labelled = True
            row.not_carried["frames of a video"] += len(_dict(annotations.get("frames")))
            row.not_carried["relationships"] += len(_dicts(annotations.get("relationships")))
            _add_objects(annotations.get("objects"), row)
            _add_answers(annotations.get("classifications"), row)
        if labels[1:]:  # consensus: the same image labelled by others too
            row.not_carried["further labels of an image, by others,"] += len(labels) - 1
    row.not_carried = +row.not_carried
    return row


def _parse_older(entry: dict[str, Any]) -> LabelboxRow:
    row = _row(entry.get("Labeled Data"), entry.get("External ID"), entry.get("DataRow ID"))
    label = entry["Label"]
    if isinstance(label, str) and label.lstrip().startswith("{"):
        try:
            label = json.loads(label)
        except (ValueError, RecursionError):
            raise RowError("its Label is no JSON") from None
    if not isinstance(label, dict) or not label:
        return row  # "Skip"
    row.labelled = True
    if "objects" in label or "classifications" in label:
        _add_objects(label.get("objects"), row)
        _add_answers(label.get("classifications"), row)
        return row
    for name, value in label.items():  # the oldest: {class: [{"geometry": [...]}]}, {question: answer}
        if isinstance(value, str):
            row.answers.append((name, value))
            continue
        for number, item in enumerate(value if isinstance(value, list) else [], start=1):
            geometry = item.get("geometry") if isinstance(item, dict) else item
            _add(row, f"{name} {number}", str(name), geometry, {})
    return row


def _row(url: Any, *names: Any) -> LabelboxRow:
    url = url if isinstance(url, str) else ""
    path = PurePosixPath(unquote(urlsplit(url).path)).name if "://" in url else url
    known = [name for name in (*names[:2], path, *names[2:]) if isinstance(name, str) and name]
    return LabelboxRow(list(dict.fromkeys(known)), url if "://" in url else "")


def _add_objects(objects: Any, row: LabelboxRow) -> None:
    for number, item in enumerate(objects if isinstance(objects, list) else [], start=1):
        if not isinstance(item, dict):
            row.bad.append((f"object {number}", "it is no JSON object"))
            continue
        geometry = next((item[key] for key in ("bounding_box", "bbox", "polygon") if item.get(key)), None)
        name = str(item.get("name") or item.get("title") or item.get("value") or "")
        if geometry is None:
            kind = str(item.get("annotation_kind") or "masks that stand elsewhere")
            kind = next((key for key in ("line", "point") if key in item), kind)
            row.not_carried[f"objects of the kind {kind}"] += 1
            continue
        attributes: dict[str, object] = {}
        for question, answers in _questions(item.get("classifications")):
            attributes[question] = answers[0] if len(answers) == 1 else answers
        _add(row, f"object {number}", name, geometry, attributes)


def _add(row: LabelboxRow, place: str, name: str, geometry: Any, attributes: dict[str, object]) -> None:
    try:
        box, outline = _shape(geometry)
    except (OutlineError, KeyError, TypeError, ValueError, OverflowError) as error:
        row.bad.append((place, f"its shape cannot be read: {str(error)[:80]}"))
        return
    row.boxes.append(Annotation("", name, *box, segmentation=outline, attributes=to_json(attributes)))


def _shape(geometry: Any) -> tuple[Box, str | None]:
    """(box, outline); four points that stand like a box are one."""
    if isinstance(geometry, dict):
        top, left, height, width = (float(geometry[key]) for key in ("top", "left", "height", "width"))
        return (left, top, left + width, top + height), None
    points = [(float(point["x"]), float(point["y"])) for point in geometry]
    outline = parse_outline([[at for point in points for at in point]])
    box = box_around(outline or "")
    if box is None:
        raise OutlineError("it has no points")
    is_box = len(set(points)) == 4 and {x for x, _ in points} == {box[0], box[2]} and {y for _, y in points} == {
        box[1], box[3],
    }  # fmt: skip
    return box, None if is_box else outline


def _add_answers(classifications: Any, row: LabelboxRow) -> None:
    for question, answers in _questions(classifications, row.not_carried):
        row.answers += [(question, answer) for answer in answers]


def _questions(classifications: Any, texts: Counter[str] | None = None) -> Iterator[tuple[str, list[Any]]]:
    """(question, the answers chosen), with the questions below an answer after it.

    Args:
        texts: counts answers in free text, which are left out; None keeps them.
    """
    for item in _dicts(classifications):
        question = str(item.get("name") or item.get("title") or item.get("value") or "")
        text = _dict(item.get("text_answer")).get("content") or item.get("answer")
        if isinstance(text, str):
            if texts is None:
                yield question, [text]
            else:
                texts["answers in free text"] += 1
            continue
        chosen = [answer for key in _CHOICE_KEYS for answer in _dicts(item.get(key))]
        names = [str(answer.get("name") or answer.get("title") or answer.get("value")) for answer in chosen]
        if names:
            yield question, names
        for answer in chosen:
            yield from _questions(answer.get("classifications"), texts)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: Any) -> list[dict[str, Any]]:
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, dict)]
