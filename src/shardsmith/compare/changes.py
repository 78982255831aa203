"""What two versions differ in, from their tables, label maps and params alone; nothing here knows git or DVC.

Images are compared by image_id, boxes as `tools.matching` pairs them. Copies are only counted: another seed changes
every one of them, and their originals say what happened.

An image is *added* or *removed* with the image of data/raw that it comes from. Where both versions have that one, but
only one has an image that steps made of it (a tile, an isolated object, an original that only copies stand for), the
image is listed as remade, and its boxes are not compared.

A class is one that has boxes (the label map keeps the names of vanished ones). A class is *renamed* when it vanished,
another one came, and more than half of the boxes of each, in the images that both versions have, are those of the
other: in the same place, or at an IoU of 0.5. Its boxes are then compared as if it had had the new name all along.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from shardsmith.compare.boxes import BoxChanges, ClassCount, Rename, changed_boxes
from shardsmith.compare.images import ImageChanges, changed_images, image_rows


@dataclass(frozen=True)
class Side:
    """One of the two: the tables of its export, its params as plain values, class name -> id, and its size in bytes.

    annotation_group: what its classes are kinds of; "" where it does not say.
    """

    name: str
    images: pa.Table
    annotations: pa.Table
    params: Mapping[str, Any]
    ids: Mapping[str, int]
    bytes: int
    annotation_group: str = ""


@dataclass(frozen=True)
class ClassChanges:
    """counts: of each class of either.

    ids: class -> its old and new id, where they differ, or where its id is another class's in the other version:
    between versions of one dataset that never happens.
    """

    total: tuple[int, int]
    added: list[str]
    removed: list[str]
    renamed: list[Rename]
    ids: dict[str, tuple[int | None, int | None]]
    counts: dict[str, ClassCount]


@dataclass(frozen=True)
class Diff:
    """All that differs from `old` to `new`. parameters: flattened key -> old and new value, None where it has none."""

    old: str
    new: str
    images: ImageChanges
    boxes: BoxChanges
    classes: ClassChanges
    parameters: dict[str, tuple[Any, Any]]
    bytes: tuple[int, int]
    annotation_group: tuple[str, str]


def compare(old: Side, new: Side) -> Diff:
    """
    Raises:
        KeyError: a table lacks a column.
    """
    rows = image_rows(old.images), image_rows(new.images)
    images = changed_images(*rows)
    labels = sorted({*_labels(old), *_labels(new)})
    added, removed = ({image.image_id for image in changes} for changes in (images.added, images.removed))
    boxes, renamed, counts = changed_boxes((old.annotations, new.annotations), rows, labels, added, removed)
    in_old = {name for name, count in counts.items() if count.boxes[0] or count.copies[0]}
    in_new = {name for name, count in counts.items() if count.boxes[1] or count.copies[1]}
    classes = ClassChanges(
        total=(len(in_old), len(in_new)),
        added=sorted(in_new - in_old - {rename.new for rename in renamed}),
        removed=sorted(in_old - in_new - {rename.old for rename in renamed}),
        renamed=renamed,
        ids=_contradictions(old.ids, new.ids),
        counts=counts,
    )
    parameters = changed_params(old.params, new.params)
    groups = old.annotation_group, new.annotation_group
    return Diff(old.name, new.name, images, boxes, classes, parameters, (old.bytes, new.bytes), groups)


def changed_in_place(diff: Diff) -> list[str]:
    """The images of both versions whose boxes differ: another class first, then moved, edited, added, removed."""
    came_or_went = {image.image_id for image in (*diff.images.added, *diff.images.removed)}
    boxes = diff.boxes
    pairs = (pair.new.image_id for pair in (*boxes.relabelled, *boxes.moved, *boxes.edited))
    single = (box.image_id for box in (*boxes.added, *boxes.removed) if box.image_id not in came_or_went)
    return list(dict.fromkeys([*pairs, *single]))


def changed_params(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Flattened key -> old and new value, where they differ."""
    a, b = dict(_flat(old)), dict(_flat(new))
    return {key: (a.get(key), b.get(key)) for key in dict.fromkeys([*a, *b]) if a.get(key) != b.get(key)}


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """A list of steps gives its order under its own key, then the parameters of each step under the step's name."""
    for name, value in values.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{key}.")
        elif isinstance(value, list) and value and all(isinstance(one, Mapping) and len(one) == 1 for one in value):
            steps = [next(iter(one.items())) for one in value]
            yield key, [step for step, _ in steps]
            seen: Counter[str] = Counter()
            for step, arguments in steps:
                seen[step] += 1
                again = f"[{seen[step]}]" if seen[step] > 1 else ""
                yield from _flat(arguments or {}, f"{key}.{step}{again}.")
        else:
            yield key, value


def _contradictions(old: Mapping[str, int], new: Mapping[str, int]) -> dict[str, tuple[int | None, int | None]]:
    found: dict[str, tuple[int | None, int | None]] = {}
    for name in dict.fromkeys([*old, *new]):
        a, b = old.get(name), new.get(name)
        if a != b and (a in new.values() or b in old.values() or None not in (a, b)):
            found[name] = (a, b)
    return found


def _labels(side: Side) -> list[str]:
    return pc.unique(side.annotations["label"]).to_pylist()
