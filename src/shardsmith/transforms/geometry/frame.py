"""Where a step puts pixels: an affine map from the old image to a new one of a certain size.

Coordinates are pixels, the origin at the top-left corner of the top-left pixel. Products and sums are written out:
numpy's matrix product rounds differently from one CPU to another.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

EDGES = r"^(black|white|reflect|#[0-9a-fA-F]{6})$"
EDGES_MEAN = "what stands where no pixel was: black, white, reflect (the image mirrored), or a colour as '#rrggbb'"
_TINY_PX = 1e-9


@dataclass(frozen=True)
class Frame:
    """x' = a x + b y + tx, y' = c x + d y + ty, on a new image of width x height pixels."""

    width: int
    height: int
    a: float = 1
    b: float = 0
    tx: float = 0
    c: float = 0
    d: float = 1
    ty: float = 0

    @property
    def upright(self) -> bool:
        """Whether a box stays a box: nothing but scaling, mirroring and turning by 90 degrees."""
        return self.b == self.c == 0 or self.a == self.d == 0

    @property
    def mirrors(self) -> bool:
        """Whether left and right change places."""
        return self._determinant < 0

    @property
    def scale(self) -> float:
        """How many times its old area a thing has."""
        return abs(self._determinant)

    @property
    def _determinant(self) -> float:
        return self.a * self.d - self.b * self.c

    def move(self, points: np.ndarray) -> np.ndarray:
        """(n, 2) x y"""
        x, y = points[:, 0], points[:, 1]
        return np.stack([self.a * x + self.b * y + self.tx, self.c * x + self.d * y + self.ty], axis=1)

    def holds(self, points: np.ndarray) -> bool:
        """Whether all of (n, 2) x y lie inside the new image."""
        return bool(
            points.min() >= -_TINY_PX
            and points[:, 0].max() <= self.width + _TINY_PX
            and points[:, 1].max() <= self.height + _TINY_PX
        )

    def move_mask(self, mask: np.ndarray) -> np.ndarray:
        """(height, width) uint8, each new pixel the old one under its centre."""
        import cv2

        return cv2.warpAffine(mask, self._between_centres(), (self.width, self.height), flags=cv2.INTER_NEAREST)

    def move_pixels(self, pixels: np.ndarray, edges: str) -> np.ndarray:
        """(height, width, 3) uint8, linear between the four old pixels around each new one's centre."""
        import cv2

        border, colour = border_of(edges)
        return cv2.warpAffine(
            pixels,
            self._between_centres(),
            (self.width, self.height),
            flags=cv2.INTER_LINEAR,
            borderMode=border,
            borderValue=colour,
        )

    def _between_centres(self) -> np.ndarray:
        """For OpenCV, to which a pixel's centre is a whole number."""
        tx = self.tx + (self.a + self.b - 1) / 2
        ty = self.ty + (self.c + self.d - 1) / 2
        return np.array([[self.a, self.b, tx], [self.c, self.d, ty]])


def about_centre(width_px: int, height_px: int, a: float, b: float, c: float, d: float) -> Frame:
    """The map that leaves the size and the centre as they are."""
    x, y = width_px / 2, height_px / 2
    return Frame(width_px, height_px, a, b, x - a * x - b * y, c, d, y - c * x - d * y)


def cos_and_sin(degrees: float) -> tuple[float, float]:
    """Rounded where the C libraries of two machines may differ."""
    return round(math.cos(math.radians(degrees)), 12), round(math.sin(math.radians(degrees)), 12)


def border_of(edges: str) -> tuple[int, tuple[int, int, int]]:
    """OpenCV's border mode and colour (RGB) for a word or colour that EDGES allows."""
    import cv2

    if edges == "reflect":
        return cv2.BORDER_REFLECT, (0, 0, 0)
    colour = {"black": "#000000", "white": "#ffffff"}.get(edges, edges)
    return cv2.BORDER_CONSTANT, (int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16))
