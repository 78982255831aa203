"""Flip: left becomes right, or top becomes bottom."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from shardsmith.transforms.base import Move, Operation, RandomStep, percent
from shardsmith.transforms.geometry.frame import Frame


class Flip(RandomStep):
    """Mirror a share of the copies."""

    horizontal: float = Field(0.5, ge=0, le=1, description="share of the copies that are mirrored left to right")
    vertical: float = Field(0, ge=0, le=1, description="share of the copies that are mirrored top to bottom")

    def draw(self, rng: np.random.Generator) -> list[Operation]:
        horizontal, vertical = rng.random(2) < [self.horizontal, self.vertical]
        axes = ["horizontal"] * bool(horizontal) + ["vertical"] * bool(vertical)
        return [("flip", {"axis": axis}) for axis in axes]

    def in_words(self) -> str:
        shares = {"Horizontal": self.horizontal, "Vertical": self.vertical}
        return (
            ", ".join(f"{axis} flip, {percent(share)} of images" for axis, share in shares.items() if share)
            or "No flip"
        )


def _frame(width_px: int, height_px: int, axis: Literal["horizontal", "vertical"]) -> Frame:
    if axis == "horizontal":
        return Frame(width_px, height_px, a=-1, tx=width_px)
    return Frame(width_px, height_px, d=-1, ty=height_px)


def _pixels(pixels: np.ndarray, frame: Frame, axis: Literal["horizontal", "vertical"]) -> np.ndarray:
    import cv2

    return cv2.flip(pixels, 1 if axis == "horizontal" else 0)


FLIP = Move(_frame, _pixels)
