"""Crop: the same region of every image, or a random zoom; and the cut to whole pixels that tiles are made by."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from shardsmith.transforms.base import FixedStep, Move, Operation, RandomStep, between, percent
from shardsmith.transforms.geometry.frame import Frame
from shardsmith.transforms.steps.resize import resample


class Crop(FixedStep):
    """Keep one region of every image."""

    left: float = Field(0, ge=0, le=1, description="where it begins, as a share of the width")
    top: float = Field(0, ge=0, le=1, description="where it begins, as a share of the height")
    right: float = Field(1, ge=0, le=1, description="where it ends, as a share of the width")
    bottom: float = Field(1, ge=0, le=1, description="where it ends, as a share of the height")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.left >= self.right or self.top >= self.bottom:
            raise ValueError("nothing is left; allowed: left below right, and top below bottom")
        return self

    def operations(self) -> list[Operation]:
        return [("crop", self.model_dump())]

    def describe(self) -> str:
        across = f"{percent(self.left)} to {percent(self.right)} of the width"
        return f"Crop to {across}, {percent(self.top)} to {percent(self.bottom)} of the height"


class RandomCrop(RandomStep):
    """Zoom into a random part; the size is kept."""

    zoom_min: float = Field(0, ge=0, lt=1, description="least share of each side that is cut off")
    zoom_max: float = Field(0.2, ge=0, lt=1, description="largest share of each side that is cut off")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.zoom_min > self.zoom_max:
            raise ValueError("zoom_min is above zoom_max")
        return self

    def draw(self, rng: np.random.Generator) -> list[Operation]:
        zoom = between(rng, self.zoom_min, self.zoom_max)
        return [("zoom", {"zoom": zoom, "x": between(rng, 0, 1), "y": between(rng, 0, 1)})]

    def in_words(self) -> str:
        return f"Crop: zoom of {percent(self.zoom_min)} to {percent(self.zoom_max)}"


def cut(left: int, top: int, width: int, height: int) -> Operation:
    """Of a rectangle in whole pixels."""
    return ("cut", {"left": left, "top": top, "width": width, "height": height})


def _cut_frame(width_px: int, height_px: int, left: int, top: int, width: int, height: int) -> Frame:
    if not (0 <= left < left + width <= width_px and 0 <= top < top + height <= height_px):
        raise ValueError(f"a cut of {width} x {height} at {left} {top} passes its edge")
    return Frame(width, height, tx=-left, ty=-top)


def _cut_pixels(pixels: np.ndarray, frame: Frame, left: int, top: int, width: int, height: int) -> np.ndarray:
    return np.ascontiguousarray(pixels[top : top + height, left : left + width])


def _crop_frame(width_px: int, height_px: int, left: float, top: float, right: float, bottom: float) -> Frame:
    x, y = min(round(left * width_px), width_px - 1), min(round(top * height_px), height_px - 1)
    across, down = max(1, round(right * width_px) - x), max(1, round(bottom * height_px) - y)
    return Frame(across, down, tx=-x, ty=-y)


def _crop_pixels(pixels: np.ndarray, frame: Frame, **_: float) -> np.ndarray:
    x, y = int(-frame.tx), int(-frame.ty)
    return np.ascontiguousarray(pixels[y : y + frame.height, x : x + frame.width])


def _zoom_region(width_px: int, height_px: int, zoom: float, x: float, y: float) -> tuple[int, int, int, int]:
    """left, top, width, height in whole pixels."""
    across, down = max(1, round(width_px * (1 - zoom))), max(1, round(height_px * (1 - zoom)))
    return round(x * (width_px - across)), round(y * (height_px - down)), across, down


def _zoom_frame(width_px: int, height_px: int, zoom: float, x: float, y: float) -> Frame:
    left, top, across, down = _zoom_region(width_px, height_px, zoom, x, y)
    a, d = width_px / across, height_px / down
    return Frame(width_px, height_px, a=a, tx=-left * a, d=d, ty=-top * d)


def _zoom_pixels(pixels: np.ndarray, frame: Frame, zoom: float, x: float, y: float) -> np.ndarray:
    left, top, across, down = _zoom_region(frame.width, frame.height, zoom, x, y)
    return resample(pixels[top : top + down, left : left + across], frame.width, frame.height)


CROP = Move(_crop_frame, _crop_pixels)
CUT = Move(_cut_frame, _cut_pixels)
ZOOM = Move(_zoom_frame, _zoom_pixels)
