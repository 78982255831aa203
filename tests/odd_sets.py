"""Datasets that are odd in every way a program could stumble over, for its own reader: boxes, and each other shape."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from conftest import box, image_bytes, make_image, make_manifest
from PIL import Image as PilImage

from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import Annotation, Image, Manifest
from shardsmith.dataset.shapes import from_mask, skeleton_of

CLASSES = ["cat", 'crème "brûlée"', "traffic light", "a,b"]
LABELS = LabelMap("odd", {name: number for number, name in enumerate(CLASSES, start=1)})
ONE_CLASS = LabelMap("odd", {"traffic light": 1})
EMPTY = "none.jpg"
_SPLITS = {"a/1.jpg": "train", "b/1.jpg": "train", "ü 100%.jpg": "train", EMPTY: "train", "turned.jpg": "train",
           "v.jpg": "valid", "t.jpg": "test"}  # fmt: skip
SIZES = {name: (48 + number, 60 - number) for number, name in enumerate(_SPLITS)}


def images(folder: Path) -> list[Image]:
    """Of sizes of their own: equal names, a negative, and one that EXIF turns."""
    exif = PilImage.Exif()
    exif[0x0112] = 6
    return [
        make_image(
            folder, name, image_bytes(*SIZES[name], number, **({"exif": exif} if name == "turned.jpg" else {})),
            split=split,
        )
        for number, (name, split) in enumerate(_SPLITS.items())
    ]  # fmt: skip


def displayed(name: str) -> tuple[int, int]:
    """The width and height of an image as people see it."""
    width, height = SIZES[name]
    return (height, width) if name == "turned.jpg" else (width, height)


def boxed(folder: Path) -> Manifest:
    """A crowd, and a class that is only in train."""
    rows: list[Image | Annotation] = []
    for number, name in enumerate(name for name in SIZES if name != EMPTY):
        rows.append(box(name, CLASSES[number % 3], 4.0, 5.0, 24.0, 30.0))
        rows.append(box(name, "cat", 10.5, 12.25, 40.0, 44.0, is_crowd=number == 1))
    return make_manifest(*images(folder), *rows, box("a/1.jpg", "a,b", 1.0, 1.0, 9.0, 9.0))


def one_class(folder: Path) -> Manifest:
    """Boxes of one class."""
    rows = [box(name, "traffic light", 4.0, 5.0, 24.0, 30.0) for name in SIZES if name != EMPTY]
    return make_manifest(*images(folder), *rows)


def outlined(folder: Path) -> Manifest:
    """An outline, one of two parts, a mask with a hole, a crowd, and boxes without any."""
    rows: list[Annotation] = []
    for number, name in enumerate(name for name in SIZES if name != EMPTY):
        width, height = displayed(name)
        mask = np.zeros((height, width), np.uint8)
        mask[26:44, 6:30] = 1
        mask[32:38, 14:20] = 0
        parts = [[4, 3, 14, 3, 14, 15, 4, 15], [20, 4, 30, 4, 30, 20, 20, 20]]
        rows += [
            box(name, CLASSES[number % 3], 4.0, 3.0, 30.0, 20.0, segmentation=json.dumps(parts)),
            box(name, "cat", 6.0, 26.0, 30.0, 44.0, segmentation=from_mask(mask), is_crowd=number == 1),
            box(name, "traffic light", 32.0, 8.0, 46.0, 40.0, segmentation="[[32,8,46,8,46,40,40,40]]"),
        ]
    return make_manifest(*images(folder), *rows, box("a/1.jpg", "a,b", 34.0, 42.0, 45.0, 52.0))


def turned(folder: Path) -> Manifest:
    """Boxes that are turned, some that are not, and one that reaches the edge."""
    rows = []
    for number, name in enumerate(name for name in SIZES if name != EMPTY):
        corners = [20, 4, 34, 18, 24, 28, 10, 14]
        rows.append(_oriented(name, CLASSES[number % 3], corners))
        rows.append(_oriented(name, "cat", [4, 30, 24, 40, 20, 48, 0, 38]))
    return make_manifest(*images(folder), *rows, box("a/1.jpg", "a,b", 34.0, 42.0, 45.0, 52.0))


def _oriented(name: str, label: str, corners: list[int]) -> Annotation:
    xs, ys = map(float, (min(corners[::2]), min(corners[1::2]))), map(float, (max(corners[::2]), max(corners[1::2])))
    return box(name, label, *xs, *ys, segmentation=json.dumps([corners]), kind="oriented")


def posed(folder: Path) -> Manifest:
    """Keypoints: some hidden, some not there; a class with fewer of them, and one that has none."""
    three = skeleton_of(["nose", "left_eye", "right eye, far"], [(0, 1), (0, 2)], [0, 2, 1]).text()
    two = skeleton_of(["top", "bottom"], [(0, 1)]).text()
    rows = []
    for number, name in enumerate(name for name in SIZES if name != EMPTY):
        eye = [20, 12, number % 3] if number % 3 else [0, 0, 0]
        points = json.dumps([10, 8, 2, *eye, 22.5, 28, 1])
        rows.append(box(name, "cat", 4.0, 5.0, 24.0, 30.0, keypoints=points, skeleton=three))
        rows.append(box(name, "traffic light", 30.0, 6.0, 40.0, 44.0, keypoints="[35,8,2,36,40,2]", skeleton=two))
    return make_manifest(*images(folder), *rows, box("a/1.jpg", "a,b", 34.0, 45.0, 45.0, 52.0))
