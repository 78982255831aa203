"""Blur: out of focus, or moved while the shutter was open."""

from __future__ import annotations

import math

import numpy as np
from pydantic import Field

from shardsmith.transforms.base import Operation, RandomStep, Recolour, between
from shardsmith.transforms.geometry.frame import cos_and_sin

_LEAST_SIGMA_PX = 0.28  # below, all neighbours' weights round to 0 of 256
_POINTS_PER_PX = 8


class Blur(RandomStep):
    """Blur as out of focus (Gaussian)."""

    sigma: float = Field(1.5, ge=0, le=10, description="the largest standard deviation in pixels")

    def draw(self, rng: np.random.Generator) -> list[Operation]:
        return [("blur", {"sigma": between(rng, 0, self.sigma)})]

    def in_words(self) -> str:
        return f"Blur up to {self.sigma:g} px"


class MotionBlur(RandomStep):
    """Blur as by a moving camera: along a line at any angle."""

    length: float = Field(9, ge=1, le=32, description="the longest line in pixels; 1 blurs nothing")

    def draw(self, rng: np.random.Generator) -> list[Operation]:
        return [("motion_blur", {"length": between(rng, 1, self.length), "degrees": between(rng, 0, 180)})]

    def in_words(self) -> str:
        return f"Motion blur up to {self.length:g} px at any angle"


def _blur(pixels: np.ndarray, sigma: float) -> np.ndarray:
    import cv2

    if sigma < _LEAST_SIGMA_PX:
        return pixels
    return cv2.GaussianBlur(pixels, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)


def _motion_blur(pixels: np.ndarray, length: float, degrees: float) -> np.ndarray:
    """In whole numbers: OpenCV filters with so large a kernel through a Fourier transform, slower and CPU by CPU."""
    import cv2

    weights = line_weights(length, degrees)
    if np.count_nonzero(weights) == 1:
        return pixels
    height, width = pixels.shape[:2]
    reach = len(weights) // 2
    wide = cv2.copyMakeBorder(pixels, reach, reach, reach, reach, cv2.BORDER_REFLECT)
    total = np.full(pixels.shape, 128, np.uint16)  # a half, to round by; it ends at 255 * 256 + 128 at most
    part = np.empty_like(total)
    for y, x in np.argwhere(weights).tolist():
        total += np.multiply(wide[y : y + height, x : x + width], weights[y, x], out=part)
    total >>= 8
    return total.astype(np.uint8)


def line_weights(length_px: float, degrees: float) -> np.ndarray:
    """How long each place was under a point that moved along a line through the centre, counter-clockwise from level.

    Returns:
        (n, n) uint16, n odd; they sum to 256.
    """
    cos, sin = cos_and_sin(degrees)
    half = (length_px - 1) / 2
    centre = math.ceil(half)
    along = np.linspace(-half, half, math.ceil(length_px) * _POINTS_PER_PX + 1)
    x, y = centre + along * cos, centre - along * sin
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    weights = np.zeros((2 * centre + 2, 2 * centre + 2))
    for right, below in ((0, 0), (0, 1), (1, 0), (1, 1)):
        near = (1 - abs(x - left - right)) * (1 - abs(y - top - below))
        np.add.at(weights, (top + below, left + right), near / len(along))
    upto = np.rint(256 * np.cumsum(weights[:-1, :-1]))  # sums are rounded, so that nothing is lost in all
    return np.diff(upto, prepend=0).astype(np.uint16).reshape(2 * centre + 1, -1)


BLUR = Recolour(_blur)
MOTION_BLUR = Recolour(_motion_blur)
