"""The results of one Label Studio annotation -> its regions and answers; no disk.

Results that share an id are one region: its figure, its labels, and the answers about it. The same control again is
another region. Source: Label Studio's "Export annotations" and its tags' "Sample results JSON".
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from shardsmith.formats.shapes.placement import Size
from shardsmith.formats.shared.numbers import as_number

FIGURES = frozenset({"rectangle", "polygon", "ellipse", "brush", "bitmask"})
_ANSWERS = frozenset({"choices", "taxonomy"})
_FACETS = frozenset({*_ANSWERS, "textarea", "number", "rating", "datetime", "ranker", "pairwise"})
_PLACES = frozenset({"x", "y", "points", "rle", "imageDataURL", "vertices", "start", "startOffset", "sequence"})
_MAX_PX = 1e7


@dataclass
class Item:
    """One annotation: a region (`kind` of FIGURES), an answer about the image (`kind` "answer"), or what is lost.

    target: the image it is about, as (to_name, item_index). code, reason: of a finding, where it cannot be held; `kind`
    then names it. points: name -> value of each keypoint of a region. question: of an answer.
    """

    kind: str
    place: str
    target: tuple[str, int] = ("", 0)
    key: str = ""
    labels: list[str] = field(default_factory=list)
    value: dict[str, Any] = field(default_factory=dict)
    declared_px: Size | None = None
    turned: bool = False
    attributes: dict[str, object] = field(default_factory=dict)
    points: dict[str, dict[str, Any]] = field(default_factory=dict)
    question: str = ""
    code: str = ""
    reason: str = ""


def parse_results(results: list[Any], not_carried: Counter[str], place: str = "") -> list[Item]:
    """
    Args:
        not_carried: counts what is not an annotation of its own: relations, keypoints of a region without a name.
        place: of the annotation in its file; the results' numbers are put behind it.
    """
    items: list[Item] = []
    groups: list[tuple[str, list[tuple[int, dict[str, Any]]]]] = []
    open_groups: dict[str, list[tuple[int, dict[str, Any]]]] = {}
    for number, result in enumerate(results, start=1):
        if not isinstance(result, dict):
            items.append(_lost("annotation-unreadable", "", f"{place}result {number}", "it is no JSON object"))
            continue
        if result.get("type") == "relation":
            not_carried["relations between regions"] += 1
            continue
        key = result.get("id")
        name = str(key) if isinstance(key, str | int) else ""
        group = open_groups.get(name) if name else None
        if group is None or any(_control(each) == _control(result) for _, each in group):
            group = open_groups[name] = []
            groups.append((name, group))
        group.append((number, result))
    keys = {name for name, group in groups if any(_kind(result) in FIGURES for _, result in group)}
    points: dict[str, dict[str, dict[str, Any]]] = {}
    for name, group in groups:
        first = group[0][1]
        parent = first.get("parentID")
        if _kind(first) != "keypoint" or not isinstance(parent, str) or parent not in keys:
            items += _region(name, group, place)
        elif (labels := _labels(first)) and labels[0] not in (of_region := points.setdefault(parent, {})):
            of_region[labels[0]] = first["value"]
        else:
            not_carried["keypoints of regions, without a name or one name twice,"] += 1
    for item in items:
        if item.kind in FIGURES:
            item.points = points.get(item.key, {})
    return items


def _control(result: dict[str, Any]) -> tuple[str, str]:
    return str(result.get("type")), str(result.get("from_name"))


def _kind(result: dict[str, Any]) -> str:
    """What a result is: a figure's name, a facet's, else its type; by its value, where the type is `labels` alone."""
    said = str(result.get("type") or "").lower()
    kind = said if said in _FACETS else said.removesuffix("labels")
    value = result.get("value")
    if kind or not isinstance(value, dict):
        return kind
    by_key = (
        ("rle", "brush"), ("imageDataURL", "bitmask"), ("points", "polygon"), ("radiusX", "ellipse"),
        ("vertices", "vector"), ("sequence", "video"), ("start", "text or sound"), ("width", "rectangle"),
        ("x", "keypoint"),
    )  # fmt: skip
    return next((kind for key, kind in by_key if key in value), "labels")


def _region(name: str, group: list[tuple[int, dict[str, Any]]], place: str) -> list[Item]:
    at = f"{place}result {group[0][0]}"
    figure = next((result for _, result in group if _kind(result) not in _FACETS), None)
    if figure is None:
        return [item for number, result in group for item in _answers(name, result, f"{place}result {number}")]
    kind, value = _kind(figure), figure.get("value")
    if not isinstance(value, dict):
        return [_lost("annotation-unreadable", name, at, "it has no value", _target(figure))]
    if kind not in FIGURES:
        reason = f"Label Studio's {kind} is neither a box nor an outline"
        lost = _lost("shape-not-carried", name, at, reason, _target(figure))
        lost.kind = kind[:60] or "result without a type"
        return [lost]
    item = Item(kind, at, _target(figure), name, value=value, declared_px=_size(figure))
    item.turned = as_number(figure.get("image_rotation")) not in (0.0, None)
    for _, result in group:
        if _kind(result) in _FACETS:
            item.attributes[str(result.get("from_name") or result.get("type"))] = _plain(result.get("value"))
        else:
            item.labels += [label for label in _labels(result) if label not in item.labels]
    score = as_number(figure.get("score"))
    item.attributes |= {"confidence": score} if score is not None else {}
    item.attributes |= _note(figure.get("meta"))
    return [item]


def _answers(name: str, result: dict[str, Any], place: str) -> list[Item]:
    """The answers about a whole image: each choice is a label of it; free text, numbers and the like are lost."""
    kind, target = _kind(result), _target(result)
    value = result.get("value")
    chosen = value.get(kind) if isinstance(value, dict) else None
    chosen = [chosen] if isinstance(chosen, str) else chosen
    if kind not in _ANSWERS:
        lost = _lost("shape-not-carried", name, place, "an answer about the image that is no class", target)
        lost.kind = kind
        return [lost]
    if not isinstance(chosen, list) or not chosen:
        return [_lost("annotation-unreadable", name, place, f"it has no list {kind}", target)]
    items = []
    for number, each in enumerate(chosen):
        path = each if isinstance(each, list) else [each]
        key = name if not number or not name else f"{name}:{number}"
        if path and all(isinstance(part, str) for part in path):
            question = str(result.get("from_name") or "")
            items.append(Item("answer", place, target, key, ["/".join(path)], question=question))
        else:
            items.append(_lost("annotation-unreadable", key, place, f"{str(each)[:60]} is no choice", target))
    return items


def _lost(code: str, key: str, place: str, reason: str, target: tuple[str, int] = ("", 0)) -> Item:
    return Item("", place, target, key, code=code, reason=reason)


def _target(result: dict[str, Any]) -> tuple[str, int]:
    to_name, index = result.get("to_name"), result.get("item_index")
    return to_name if isinstance(to_name, str) else "", index if type(index) is int else 0


def _labels(result: dict[str, Any]) -> list[str]:
    """Its labels: `rectanglelabels` and the like, or `labels`."""
    value = result.get("value")
    if not isinstance(value, dict):
        return []
    found = []
    for key, labels in value.items():
        if key.endswith("labels"):
            labels = [labels] if isinstance(labels, str) else labels
            found += [label for label in labels if isinstance(label, str)] if isinstance(labels, list) else []
    return found


def _size(result: dict[str, Any]) -> Size | None:
    width, height = as_number(result.get("original_width")), as_number(result.get("original_height"))
    if width and height and 1 <= width < _MAX_PX and 1 <= height < _MAX_PX:
        return int(width), int(height)
    return None


def _plain(value: Any) -> object:
    """What a facet says, without the figure that it repeats."""
    if not isinstance(value, dict):
        return str(value)[:200]
    said = [each for key, each in value.items() if key in _FACETS or key == "text"]
    one = said[0] if said else ""
    return one[0] if isinstance(one, list) and len(one) == 1 else one


def _note(meta: Any) -> dict[str, object]:
    text = meta.get("text") if isinstance(meta, dict) else None
    words = [text] if isinstance(text, str) else text if isinstance(text, list) else []
    note = " ".join(word for word in words if isinstance(word, str)).strip()
    return {"note": note} if note else {}


def has_place(value: dict[str, Any]) -> bool:
    """Whether a value says where on the image it is."""
    return any(key in value for key in _PLACES)
