"""Tile: each image cut into several, for objects that are small on it."""

from __future__ import annotations

import itertools
from typing import Self

from pydantic import Field, model_validator

from stages.dataset.findings import Finding, found
from stages.dataset.manifest import Annotation
from stages.transforms.base import percent
from stages.transforms.crop import cut
from stages.transforms.planned import Planned, SetStep, has_box

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
                findings.append(found("image-smaller-than-tile", one.source_id, "", size))
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
