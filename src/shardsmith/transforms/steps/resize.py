"""Resize: every image gets the same size."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from pydantic import Field

from shardsmith.transforms.base import FixedStep, Move, Operation, Sample
from shardsmith.transforms.geometry.frame import EDGES, EDGES_MEAN, Frame, border_of

_MARGIN = 1.5
Mode = Literal["stretch", "fit", "within", "fill"]


class Resize(FixedStep):
    """Give images a size: stretch, fit within it and pad, fit within it, or fill it and crop the centre."""

    width: int = Field(ge=1, le=16384, description="pixels")
    height: int = Field(ge=1, le=16384, description="pixels")
    mode: Mode = Field(
        "fit",
        description="where the aspect differs: stretch; fit (keep it, pad the edges); within (keep it, no padding, so "
        "one side may be shorter); fill (keep it, crop the centre)",
    )
    edges: str = Field("black", pattern=EDGES, description=f"of mode fit: {EDGES_MEAN}")
    only_shrink: bool = Field(False, description="never enlarge; stretch, within and fill then leave small images be")

    def describe(self) -> str:
        in_words = {
            "stretch": "aspect not kept",
            "fit": f"aspect kept, padded with {self.edges}",
            "within": "aspect kept, no padding",
            "fill": "aspect kept, centre cropped",
        }
        small = ", small images not enlarged" if self.only_shrink else ""
        return f"Resize to {self.width} x {self.height} pixels ({self.mode}: {in_words[self.mode]}{small})"

    def operations(self) -> list[Operation]:
        return [("resize", self.model_dump())]


@dataclass(frozen=True)
class Layout:
    """What part of the old image is taken, to what size it is scaled, where that lies on the new image.

    left, top, taken_width, taken_height: whole pixels of the old image.
    x, y, inner_width, inner_height: whole pixels of the new one.
    """

    left: int
    top: int
    taken_width: int
    taken_height: int
    x: int
    y: int
    inner_width: int
    inner_height: int
    width: int
    height: int


def layout(width_px: int, height_px: int, width: int, height: int, mode: Mode, only_shrink: bool) -> Layout:
    left, top, taken_width, taken_height = 0, 0, width_px, height_px
    inner_width, inner_height = width, height
    if mode in ("fit", "within"):
        scale = min(width / width_px, height / height_px)
        scale = min(scale, 1) if only_shrink else scale
        inner_width, inner_height = max(1, round(width_px * scale)), max(1, round(height_px * scale))
    elif mode == "fill":
        # cropping comes before scaling, so that a very long image never grows into one that memory cannot hold
        taken_width = min(width_px, max(1, round(height_px * width / height)))
        taken_height = min(height_px, max(1, round(width_px * height / width)))
        left, top = (width_px - taken_width) // 2, (height_px - taken_height) // 2
    if only_shrink and mode == "stretch":
        inner_width, inner_height = min(width, width_px), min(height, height_px)
    elif only_shrink and mode == "fill" and (taken_width < width or taken_height < height):
        inner_width, inner_height = taken_width, taken_height
    new_width, new_height = (width, height) if mode == "fit" else (inner_width, inner_height)
    x, y = (new_width - inner_width) // 2, (new_height - inner_height) // 2
    return Layout(left, top, taken_width, taken_height, x, y, inner_width, inner_height, new_width, new_height)


def _frame(width_px: int, height_px: int, edges: str, **values: Any) -> Frame:
    placed = layout(width_px, height_px, **values)
    across, down = placed.inner_width / placed.taken_width, placed.inner_height / placed.taken_height
    tx, ty = placed.x - placed.left * across, placed.y - placed.top * down
    return Frame(placed.width, placed.height, a=across, tx=tx, d=down, ty=ty)


class _Resizing(Move):
    """Of pixels that may have been decoded at a reduced scale."""

    def apply(self, sample: Sample, values: Mapping[str, Any]) -> Sample:
        frame = _frame(sample.width, sample.height, **values)
        if frame == Frame(sample.width, sample.height):
            return sample
        placed = _layout_of(sample.width, sample.height, values)
        pixels = self.pixels(sample.pixels, placed, sample.width, values["edges"])
        return replace(sample, pixels=pixels, objects=sample.objects.moved(frame), size=None)


def pixels_needed(width_px: int, height_px: int, values: Mapping[str, Any]) -> tuple[int, int]:
    """The least width and height to decode at: half as much again as is left, so that averaging still has pixels."""
    placed = _layout_of(width_px, height_px, values)
    across = min(1, placed.inner_width / placed.taken_width)
    down = min(1, placed.inner_height / placed.taken_height)
    return math.ceil(_MARGIN * across * width_px), math.ceil(_MARGIN * down * height_px)


def _pixels(pixels: np.ndarray, placed: Layout, width_px: int, edges: str) -> np.ndarray:
    import cv2

    factor = round(width_px / pixels.shape[1])  # 1, or what it was decoded at; the last pixels may lie past the edge
    left, top = round(placed.left / factor), round(placed.top / factor)
    right, bottom = (placed.left + placed.taken_width) / factor, (placed.top + placed.taken_height) / factor
    right, bottom = max(left + 1, round(right)), max(top + 1, round(bottom))
    inner = resample(pixels[top:bottom, left:right], placed.inner_width, placed.inner_height)
    x, y = placed.width - placed.x - placed.inner_width, placed.height - placed.y - placed.inner_height
    if not (placed.x or placed.y or x or y):
        return inner
    border, colour = border_of(edges)
    return cv2.copyMakeBorder(inner, placed.y, y, placed.x, x, border, value=colour)


def _layout_of(width_px: int, height_px: int, values: Mapping[str, Any]) -> Layout:
    return layout(width_px, height_px, **{key: value for key, value in values.items() if key != "edges"})


def resample(pixels: np.ndarray, width_px: int, height_px: int) -> np.ndarray:
    """Each side by the means that suits it: area averaging where it shrinks, then linear where it grows."""
    import cv2

    height, width = pixels.shape[:2]
    smaller = (min(width, width_px), min(height, height_px))
    if smaller != (width, height):
        pixels = cv2.resize(pixels, smaller, interpolation=cv2.INTER_AREA)
    if smaller != (width_px, height_px):
        pixels = cv2.resize(pixels, (width_px, height_px), interpolation=cv2.INTER_LINEAR)
    return pixels


RESIZE = _Resizing(_frame, _pixels)
