"""Images made of parts of an image: tiles, for small objects, and single objects, for classification."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Self

from pydantic import Field, model_validator

from shardsmith.dataset.findings import Finding, about
from shardsmith.dataset.manifest import Annotation
from shardsmith.transforms.base import percent
from shardsmith.transforms.scene import Planned, Scene, SetStep, has_box
from shardsmith.transforms.steps.crop import cut

Span = tuple[int, int]
"""Where a tile begins and ends along one side, in pixels."""


class Tile(SetStep):
    """Cut each image into tiles: rows and columns, or a size in pixels with overlap."""

    rows: int | None = Field(None, ge=1, le=100, description="how many tiles from top to bottom")
    columns: int | None = Field(None, ge=1, le=100, description="how many tiles from left to right")
    width: int | None = Field(None, ge=1, le=16384, description="of a tile, in pixels, instead of columns")
    height: int | None = Field(None, ge=1, le=16384, description="of a tile, in pixels, instead of rows")
    overlap: float = Field(
        0, ge=0, le=0.9, description="with a size: share of a tile that the next one repeats, at least"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        grid, size = (self.rows, self.columns), (self.width, self.height)
        if (None in grid) == (None in size) or (any(grid) and any(size)):
            raise ValueError("allowed: rows and columns, or width and height")
        if self.overlap and None in size:
            raise ValueError("overlap needs width and height")
        return self

    def describe(self) -> str:
        if self.rows:
            return f"Tiles: {self.rows} rows x {self.columns} columns"
        overlap = f", overlap {percent(self.overlap)}" if self.overlap else ""
        return f"Tiles of {self.width} x {self.height} pixels{overlap}"

    def plan(self, images: list[Planned]) -> tuple[list[Planned], list[Finding]]:
        tiles, findings = [], []
        for one in images:
            assert one.scene
            across = self._spans(one.scene.width, self.columns, self.width)
            down = self._spans(one.scene.height, self.rows, self.height)
            if self._is_short(one.scene.width, self.columns, self.width) or self._is_short(
                one.scene.height, self.rows, self.height
            ):
                size = f"{one.scene.width} x {one.scene.height} pixels"
                findings.append(about("image-smaller-than-tile", one.source_id, value=size))
            tiles += self._tiles(one, across, down) if len(across) * len(down) > 1 else [one]
        return tiles, findings

    def _spans(self, side_px: int, count: int | None, size_px: int | None) -> list[Span]:
        if count:
            count = min(count, side_px)
            edges = [round(number * side_px / count) for number in range(count + 1)]
            return list(itertools.pairwise(edges))
        assert size_px
        stride = max(1, int(size_px * (1 - self.overlap)))
        last = max(0, side_px - size_px)
        gaps = -(-last // stride)  # all tiles have the same size, and lie evenly: no two show almost the same
        starts = [round(number * last / gaps) for number in range(gaps + 1)] if gaps else [0]
        return [(start, min(start + size_px, side_px)) for start in starts]

    @staticmethod
    def _is_short(side_px: int, count: int | None, size_px: int | None) -> bool:
        return side_px < (count or size_px or 0)

    @staticmethod
    def _tiles(one: Planned, across: list[Span], down: list[Span]) -> list[Planned]:
        tiles: list[Planned] = []
        for row, (top, bottom) in enumerate(down, start=1):
            for column, (left, right) in enumerate(across, start=1):
                tile = one.then([cut(left, top, right - left, bottom - top)]).part(f"r{row}c{column}")
                annotations = _on(one, (left, top, right, bottom), first=not tiles)
                tiles.append(tile.keeping(annotations))
        return tiles


def _on(one: Planned, tile: tuple[int, int, int, int], first: bool) -> list[Annotation]:
    """The annotations that lie at least in part on a tile. Those that steps before have lost are named once: on the
    first.
    """
    assert one.scene
    left, top, right, bottom = tile
    boxes, rows = one.scene.objects.boxes(), one.scene.objects.rows
    inside = (boxes[:, 0] < right) & (boxes[:, 2] > left) & (boxes[:, 1] < bottom) & (boxes[:, 3] > top)
    kept = set(rows[inside].tolist()) | (set(range(len(one.boxed()))) - set(rows.tolist()) if first else set())
    on_it = iter(row in kept for row in range(len(one.boxed())))
    return [annotation for annotation in one.annotations if not has_box(annotation) or next(on_it)]


class IsolateObjects(SetStep):
    """Make each box an image with its class as label; images without boxes or labels are left out."""

    padding: float = Field(0, ge=0, le=2, description="what is added on each side, as a share of the box's side")

    def describe(self) -> str:
        more = f", with {percent(self.padding)} of its side around it" if self.padding else ""
        return f"Each object an image of its own{more}, labelled with its class"

    def plan(self, images: list[Planned]) -> tuple[list[Planned], list[Finding]]:
        isolated, findings = [], []
        for one in images:
            scene, annotations = one.seen()
            findings += _lost(one, scene)
            boxes, numbers = scene.objects.boxes().tolist(), one.numbers()
            own = []
            for row, annotation, box in zip(scene.objects.rows.tolist(), annotations, boxes, strict=True):
                if annotation.is_crowd:
                    reason = "isolate_objects takes single objects, no crowd"
                    findings.append(one.finding("box-left-out", reason, annotation))
                else:
                    own.append(self._isolate(one, scene, numbers[row], annotation, box))
            isolated += own or ([one] if one.whole() else [])
            if own:
                findings += _whole_left_out(one)
            elif not one.whole():
                findings.append(_left_out(one, "isolate_objects finds no box on it"))
        return isolated, findings

    def _isolate(self, one: Planned, scene: Scene, number: int, annotation: Annotation, box: list[float]) -> Planned:
        across, down = self.padding * (box[2] - box[0]), self.padding * (box[3] - box[1])
        left, top = max(0, math.floor(box[0] - across)), max(0, math.floor(box[1] - down))
        right, bottom = min(scene.width, math.ceil(box[2] + across)), min(scene.height, math.ceil(box[3] + down))
        label = replace(
            annotation, xmin=None, ymin=None, xmax=None, ymax=None, area=None, segmentation=None,
            keypoints=None, skeleton=None, kind="label",
        )  # fmt: skip
        planned = one.then([cut(left, top, right - left, bottom - top)]).part(f"object{number}")
        return replace(planned, annotations=[label])


def _left_out(one: Planned, reason: str) -> Finding:
    return one.finding("image-left-out", reason)


def _whole_left_out(one: Planned) -> list[Finding]:
    reason = "isolate_objects labels each image with its object, not with what its source was labelled"
    return [
        one.finding("box-left-out", reason, annotation)
        for annotation in one.listed or one.annotations
        if not has_box(annotation)
    ]


def _lost(one: Planned, scene: Scene) -> list[Finding]:
    """Of boxes of which steps before have left too little; no image of theirs comes to name them."""
    boxed, left = one.boxed(), set(scene.objects.rows.tolist())
    reason = "steps before isolate_objects leave too little of it"
    return [one.finding("box-lost", reason, boxed[row]) for row in range(len(boxed)) if row not in left]
