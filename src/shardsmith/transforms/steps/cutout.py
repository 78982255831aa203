"""Cutout: rectangles painted over, so that no single part of an object is all that is learnt of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydantic import Field

from shardsmith.transforms.base import Operation, RandomStep, Sample, between, percent
from shardsmith.transforms.geometry.frame import border_of


class Cutout(RandomStep):
    """Paint over rectangles of the image's own aspect; an object that they hide counts as cut (min_visibility)."""

    count: int = Field(3, ge=1, le=100, description="how many rectangles; they may overlap")
    size: float = Field(0.1, gt=0, le=1, description="each one's width and height, as a share of the image's")
    colour: str = Field(
        "black", pattern=r"^(black|white|#[0-9a-fA-F]{6})$", description="black, white, or a colour as '#rrggbb'"
    )

    def draw(self, rng: np.random.Generator) -> list[Operation]:
        corners = [(between(rng, 0, 1 - self.size), between(rng, 0, 1 - self.size)) for _ in range(self.count)]
        holes = [[left, top, round(left + self.size, 4), round(top + self.size, 4)] for left, top in corners]
        return [("cutout", {"holes": holes, "colour": self.colour})]

    def in_words(self) -> str:
        boxes = "1 box" if self.count == 1 else f"{self.count} boxes"
        return f"Cutout: {boxes} of {percent(self.size)} of the side"


@dataclass(frozen=True)
class Cover:
    """Holes are (xmin, ymin, xmax, ymax) as shares of the sides; an object wholly under them goes."""

    def apply(self, sample: Sample, values: Mapping[str, Any]) -> Sample:
        holes = [_in_px(hole, sample.width, sample.height) for hole in values["holes"]]
        holes = [hole for hole in holes if hole[0] < hole[2] and hole[1] < hole[3]]
        if not holes:
            return sample
        _, colour = border_of(values["colour"])
        pixels = sample.pixels.copy()
        for xmin, ymin, xmax, ymax in holes:
            pixels[ymin:ymax, xmin:xmax] = colour
        objects = sample.objects.covered(holes)
        return replace(sample, pixels=pixels, objects=objects)


def _in_px(hole: list[float], width_px: int, height_px: int) -> tuple[int, int, int, int]:
    xmin, ymin, xmax, ymax = hole
    return round(xmin * width_px), round(ymin * height_px), round(xmax * width_px), round(ymax * height_px)


CUTOUT = Cover()
