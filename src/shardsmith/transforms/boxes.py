"""Augmentation inside boxes: what lies in each box is changed, and nothing else of the image.

Each step is the one of the whole image, with the same parameters; the values drawn for a copy hold for all its boxes.
Boxes stay where they are, since it is their content that moves: outlines, masks and keypoints move with it, and what
leaves the box is gone. Boxes are taken in the order of the annotations, so of two that overlap the later one is done
to what the earlier one left. One of less than 2 px a side stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from shardsmith.transforms.base import Operation, Operator, RandomStep, Sample
from shardsmith.transforms.geometry.frame import Frame
from shardsmith.transforms.geometry.objects import Objects
from shardsmith.transforms.geometry.polygons import corners_of
from shardsmith.transforms.steps.blur import BLUR, Blur
from shardsmith.transforms.steps.crop import ZOOM, RandomCrop
from shardsmith.transforms.steps.flip import FLIP, Flip
from shardsmith.transforms.steps.noise import NOISE, Noise
from shardsmith.transforms.steps.resize import resample
from shardsmith.transforms.steps.rotate import ROTATE, ROTATE_90, SHEAR, Rotate, Rotate90, Shear
from shardsmith.transforms.steps.tone import BRIGHTNESS, EXPOSURE, Brightness, Exposure

_LEAST_PX = 2
_PREFIX = "box_"
Window = tuple[int, int, int, int]
"""left, top, right, bottom in whole pixels."""


class _InBoxes(RandomStep):
    def draw(self, rng: np.random.Generator) -> list[Operation]:
        return [(f"{_PREFIX}{name}", values) for name, values in super().draw(rng)]

    def in_words(self) -> str:
        return f"Inside boxes: {super().in_words()}"


class BoxFlip(_InBoxes, Flip):
    """Mirror what is inside the boxes of a share of the copies."""


class BoxRotate90(_InBoxes, Rotate90):
    """Turn what is inside the boxes by 90 or 180 degrees; it is fitted to its box again."""


class BoxCrop(_InBoxes, RandomCrop):
    """Zoom into a random part of what is inside the boxes."""


class BoxRotate(_InBoxes, Rotate):
    """Turn what is inside the boxes by a random angle about their centres."""


class BoxShear(_InBoxes, Shear):
    """Slant what is inside the boxes about their centres."""


class BoxBrightness(_InBoxes, Brightness):
    """Make what is inside the boxes brighter or darker."""


class BoxExposure(_InBoxes, Exposure):
    """Make what is inside the boxes brighter or darker by a gamma, which keeps black and white."""


class BoxBlur(_InBoxes, Blur):
    """Blur what is inside the boxes, as out of focus."""


class BoxNoise(_InBoxes, Noise):
    """Turn single pixels inside the boxes black or white."""


@dataclass(frozen=True)
class InBoxes:
    """Carries an operation of the whole image out inside each box."""

    inner: Operator

    def apply(self, sample: Sample, values: Mapping[str, Any]) -> Sample:
        boxes = sample.objects.boxes()
        pixels, moved = sample.pixels, sample.objects
        for number, box in enumerate(boxes.tolist()):
            window = _window(box, sample.width, sample.height)
            if window is None:
                continue
            left, top, right, bottom = window
            part = Sample(np.ascontiguousarray(pixels[top:bottom, left:right]), _of_one(moved, number, window))
            after = self.inner.apply(part, values)
            if after.pixels is part.pixels:
                continue
            pixels = pixels.copy() if pixels is sample.pixels else pixels
            pixels[top:bottom, left:right] = resample(after.pixels, right - left, bottom - top)
            if after.objects is not part.objects:
                moved = _with(moved, number, after, window, sample)
        if pixels is sample.pixels:
            return sample
        return replace(sample, pixels=pixels, objects=moved if moved is sample.objects else _keeping(moved, boxes))


def _window(box: list[float], width_px: int, height_px: int) -> Window | None:
    left, top = max(0, round(box[0])), max(0, round(box[1]))
    right, bottom = min(width_px, round(box[2])), min(height_px, round(box[3]))
    return (left, top, right, bottom) if min(right - left, bottom - top) >= _LEAST_PX else None


def _of_one(objects: Objects, number: int, window: Window) -> Objects:
    """One object on the image of its box; none of it where it has neither outline nor keypoints to move."""
    keep = np.zeros(len(objects.rows), bool)
    keep[number] = objects.outlines[number] is not None or objects.points[number] is not None
    left, top, right, bottom = window
    return objects.only(keep).moved(Frame(right - left, bottom - top, tx=-left, ty=-top))


def _with(objects: Objects, number: int, after: Sample, window: Window, sample: Sample) -> Objects:
    """With the outline and the keypoints of one object as they lie after what was done in its box."""
    left, top, right, bottom = window
    a, d = (right - left) / after.width, (bottom - top) / after.height
    back = after.objects.moved(Frame(sample.width, sample.height, a=a, tx=left, d=d, ty=top))
    outlines, points = list(objects.outlines), list(objects.points)
    outlines[number] = back.outlines[0] if len(back.rows) else None
    points[number] = back.points[0] if len(back.rows) else None
    oriented = objects.oriented.copy()
    oriented[number] = back.oriented[0] if len(back.rows) else 0
    return replace(objects, outlines=outlines, points=points, oriented=oriented)


def _keeping(objects: Objects, boxes: np.ndarray) -> Objects:
    """With these boxes, whatever the outlines are."""
    return replace(objects, corners=list(corners_of(boxes)), loose=np.zeros_like(objects.loose))


STEPS: dict[str, type[RandomStep]] = {
    "box_flip": BoxFlip,
    "box_rotate_90": BoxRotate90,
    "box_crop": BoxCrop,
    "box_rotate": BoxRotate,
    "box_shear": BoxShear,
    "box_brightness": BoxBrightness,
    "box_exposure": BoxExposure,
    "box_blur": BoxBlur,
    "box_noise": BoxNoise,
}
OPERATIONS: dict[str, Operator] = {
    f"{_PREFIX}{name}": InBoxes(operator)
    for name, operator in (
        *(("flip", FLIP), ("rotate_90", ROTATE_90), ("zoom", ZOOM), ("rotate", ROTATE), ("shear", SHEAR)),
        *(("brightness", BRIGHTNESS), ("exposure", EXPOSURE), ("blur", BLUR), ("noise", NOISE)),
    )
}
