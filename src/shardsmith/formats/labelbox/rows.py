"""One row of a Labelbox export -> its objects and answers; no disk. See format.py."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from shardsmith.dataset.manifest import Annotation
from shardsmith.dataset.shapes import OutlineError
from shardsmith.formats.shapes.objects import Objects, row_of
from shardsmith.formats.shapes.outlines import NotCarriedError, Shape, points_of, rings, run_lengths, sized_box
from shardsmith.formats.shapes.placement import Size, declared, to_json
from shardsmith.formats.shared.json import paired
from shardsmith.formats.shared.raw_folder import SHOWN
from shardsmith.formats.shared.splits import split_in_name

_BOXED = ("ImageBoundingBox", "ImagePolygon")
_UNFINISHED = ("TO_LABEL", "IN_REVIEW", "IN_REWORK", "TOLABEL", "INREVIEW", "INREWORK")
_OLDER_KEYS = frozenset({"objects", "classifications", "relationships"})
_CURRENT_KEYS = _OLDER_KEYS | {"frames", "key_frame_feature_map", "segments", "timestamp", "channels"}
_CHOICE_KEYS = ("radio_answer", "checklist_answers", "dropdown_answers", "answer", "answers")


class RowError(ValueError):
    """Why one row cannot be read."""


@dataclass
class LabelboxRow:
    """names: what the image may be called, the best first. objects: not yet placed; `problem` is why there may be more.

    labelled: somebody labelled it, and did not skip it. passed_over: what is there and is left out, as a whole.
    """

    names: list[str] = field(default_factory=list)
    url: str = ""
    declared_px: Size | None = None
    split: str | None = None
    labelled: bool = False
    objects: Objects = field(default_factory=Objects)
    answers: list[tuple[str, str]] = field(default_factory=list)
    problem: str = ""
    passed_over: Counter[str] = field(default_factory=Counter)


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
    row.declared_px = declared(media.get("width"), media.get("height"))
    for metadata in _dicts(entry.get("metadata_fields")):
        if str(metadata.get("schema_name") or metadata.get("name")).lower() == "split":
            row.split = split_in_name(str(metadata.get("value")))
    for project in _dict(entry.get("projects")).values():
        _add_project(_dict(project), row)
    return row


def _add_project(project: dict[str, Any], row: LabelboxRow) -> None:
    labels = project.get("labels")
    if not isinstance(labels, list):
        row.labelled, row.problem = True, "a project of it has no list 'labels'"
        return
    valid = [label for label in labels if not _is_skipped(label)]
    status = str(_dict(project.get("project_details")).get("workflow_status") or "").upper()
    if status in _UNFINISHED:
        row.passed_over[f"labels that are not final ({status})"] += len(valid)
        return
    row.passed_over["labels that were skipped"] += len(labels) - len(valid)
    row.passed_over["further labels of an image, by others,"] += max(0, len(valid) - 1)  # consensus
    for label in valid[:1]:
        row.labelled = True
        annotations = _dict(label).get("annotations")
        if isinstance(annotations, dict):
            _add_annotations(annotations, row)
        else:
            row.problem = "its label has no 'annotations'"


def _is_skipped(label: Any) -> bool:
    """As `performance_details` of a label says."""
    known = (_dict(label), _dict(_dict(label).get("performance_details")), _dict(_dict(label).get("label_details")))
    return any(each.get(key) is True for each in known for key in ("skipped", "is_skipped"))


def _add_annotations(annotations: dict[str, Any], row: LabelboxRow) -> None:
    frames = _dict(annotations.get("frames"))
    for number in range(len(frames)):
        row.objects.lose("shape-not-carried", f"frame {number + 1}", value="frame of a video")
    row.objects.kept_less["relationships"] += len(_dicts(annotations.get("relationships")))
    if isinstance(annotations.get("objects"), list):
        _add_objects(annotations["objects"], row)
    elif not frames:
        row.problem = f"its annotations have no list 'objects'; they have {_shown(annotations)}"
    if others := {key: value for key, value in annotations.items() if value and key not in _CURRENT_KEYS}:
        row.problem = row.problem or f"its annotations have other keys than Labelbox writes: {_shown(others)}"
    _add_answers(annotations.get("classifications"), row)


def _shown(holder: dict[str, Any]) -> str:
    return ", ".join(repr(key[:30]) for key in list(holder)[:8]) or "nothing"


def _parse_older(entry: dict[str, Any]) -> LabelboxRow:
    row = _row(entry.get("Labeled Data"), entry.get("External ID"), entry.get("DataRow ID"))
    label = entry["Label"]
    if isinstance(label, str) and label.lstrip().startswith("{"):
        try:
            label = json.loads(paired(label))
        except (ValueError, RecursionError):
            raise RowError("its Label is no JSON") from None
    if not isinstance(label, dict) or not label or entry.get("Skipped") is True:
        return row  # "Skip"
    row.labelled = True
    if "objects" in label or "classifications" in label:
        if not isinstance(label.get("objects", []), list) or label.keys() - _OLDER_KEYS:
            row.problem = f"its Label has other keys than Labelbox writes: {_shown(label)}"
        _add_objects(label.get("objects"), row)
        _add_answers(label.get("classifications"), row)
        return row
    for name, value in label.items():  # the oldest: {class: [{"geometry": [...]}]}, {question: answer}
        _add_oldest(name, value, row)
    if not (row.objects.rows or row.objects.lost or row.answers):
        row.problem = f"its Label has no list 'objects'; it has {_shown(label)}"
    return row


def _add_oldest(name: str, value: Any, row: LabelboxRow) -> None:
    items = value if isinstance(value, list) else [value]
    for number, item in enumerate(items, start=1):
        if isinstance(item, str):
            row.answers.append((name, item))
            continue
        boxed = {"name": name, "polygon": item.get("geometry") if isinstance(item, dict) else item}
        row.objects.add(boxed, f"{name[:SHOWN]} {number}", _annotation)


def _row(url: Any, *names: Any) -> LabelboxRow:
    url = url if isinstance(url, str) else ""
    path = PurePosixPath(unquote(urlsplit(url).path)).name if "://" in url else url
    known = [name for name in (*names[:2], path, *names[2:]) if isinstance(name, str) and name]
    return LabelboxRow(list(dict.fromkeys(known)), url if "://" in url else "")


def _add_objects(objects: Any, row: LabelboxRow) -> None:
    for number, item in enumerate(objects if isinstance(objects, list) else [], start=1):
        id_name = "featureId" if isinstance(item, dict) and "featureId" in item else "feature_id"
        row.objects.add(item, f"object {number}", _annotation, id_name)


def _annotation(item: dict[str, Any]) -> Annotation:
    shape = _shape_of(item)
    name = item.get("name") or item.get("title") or item.get("value") or ""
    if not isinstance(name, str):
        raise OutlineError("its name is no text")
    attributes: dict[str, object] = {}
    for question, answers in _questions(item.get("classifications")):
        attributes[question] = answers[0] if len(answers) == 1 else answers
    return row_of(name, shape, to_json(attributes))


def _shape_of(item: dict[str, Any]) -> Shape:
    for key in ("bounding_box", "bbox", "polygon"):
        if item.get(key) is not None:
            return _shape(item[key])
    kind = str(item.get("annotation_kind") or "")
    for key in ("mask", "composite_mask", "instanceURI"):
        if item.get(key) is not None or (key == "mask" and kind.endswith("Mask")):
            return _mask(item.get(key))
    kind = next((key for key in ("line", "point", "location") if key in item), kind)
    if not kind or kind in _BOXED:
        raise OutlineError(f"it has no shape; it has {_shown(item)}")
    raise NotCarriedError(kind)


def _mask(mask: Any) -> Shape:
    """Of an inline mask, in run lengths. Labelbox's own exports have a URL in its place."""
    if isinstance(mask, dict) and "counts" in mask:
        return run_lengths(mask)
    raise NotCarriedError("mask, of which only the URL is here")


def _shape(geometry: Any) -> Shape:
    """(box, outline); four points that stand like a box are one."""
    if isinstance(geometry, dict):
        return sized_box(geometry["left"], geometry["top"], geometry["width"], geometry["height"])
    points = points_of(geometry)
    box, outline = rings([points])
    is_box = len(set(points)) == 4 and {x for x, _ in points} == {box[0], box[2]} and {y for _, y in points} == {
        box[1], box[3],
    }  # fmt: skip
    return box, None if is_box else outline


def _add_answers(classifications: Any, row: LabelboxRow) -> None:
    lost: list[tuple[str, str]] = []
    for question, answers in _questions(classifications, lost):
        row.answers += [(question, answer) for answer in answers]
    for question, kind in lost:
        code = "shape-not-carried" if kind else "annotation-unreadable"
        row.objects.lose(code, f"question {question[:SHOWN]}", value=kind, reason="" if kind else "it has no answer")


def _questions(classifications: Any, lost: list[tuple[str, str]] | None = None) -> Iterator[tuple[str, list[Any]]]:
    """(question, the answers chosen), with the questions below an answer after it.

    Args:
        lost: gets the questions answered in free text, which are left out, and those without a known answer, with what
            kind of answer that is or ""; None keeps free text.
    """
    for item in _dicts(classifications):
        question = str(item.get("name") or item.get("title") or item.get("value") or "")
        text = _dict(item.get("text_answer")).get("content") or item.get("answer")
        if isinstance(text, str):
            if lost is None:
                yield question, [text]
            else:
                lost.append((question, "answer in free text"))
            continue
        chosen = [answer for key in _CHOICE_KEYS for answer in _dicts(item.get(key))]
        names = [str(answer.get("name") or answer.get("title") or answer.get("value") or "") for answer in chosen]
        if names:
            yield question, names
        elif lost is not None and not _is_open(item):
            lost.append((question, ""))
        for answer in chosen:
            yield from _questions(answer.get("classifications"), lost)


def _is_open(item: dict[str, Any]) -> bool:
    """Whether a question has a place for its answer, and none was given."""
    text = item.get("text_answer")
    return any(key in item for key in _CHOICE_KEYS) or (isinstance(text, dict) and "content" in text)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: Any) -> list[dict[str, Any]]:
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, dict)]
