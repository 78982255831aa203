"""Colour: grey, hue and saturation."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from shardsmith.transforms.base import SIDES_MEAN, FixedStep, Operation, RandomStep, Recolour, Sides, span, within


class Grayscale(FixedStep):
    """Make every image grey; it still has three channels."""

    def operations(self) -> list[Operation]:
        return [("grayscale", {})]

    def describe(self) -> str:
        return "Grayscale"


class RandomGrayscale(RandomStep):
    """Make a share of the copies grey; they still have three channels."""

    probability: float = Field(0.15, ge=0, le=1, description="share of the copies that it is done to")

    def draw(self, rng: np.random.Generator) -> list[Operation]:
        return [("grayscale", {})]

    def in_words(self) -> str:
        return "Grayscale"


class Hue(RandomStep):
    """Turn all colours round the colour wheel; grey stays grey."""

    degrees: float = Field(25, ge=0, le=180, description="the largest turn, either way; 120 makes red green or blue")
    sides: Sides = Field("both", description=SIDES_MEAN)

    def draw(self, rng: np.random.Generator) -> list[Operation]:
        return [("hue", {"degrees": within(rng, self.degrees, self.sides)})]

    def in_words(self) -> str:
        return f"Hue between {span(self.degrees, self.sides, '°')}"


class Saturation(RandomStep):
    """Make colours stronger or weaker; luminance is kept."""

    share: float = Field(0.25, ge=0, le=1, description="the largest change, either way; -1 is grey")
    sides: Sides = Field("both", description="which way: both, or only plus (stronger) or minus (paler)")

    def draw(self, rng: np.random.Generator) -> list[Operation]:
        return [("saturation", {"share": within(rng, self.share, self.sides)})]

    def in_words(self) -> str:
        return f"Saturation between {span(100 * self.share, self.sides, ' %')}"


def luminance(pixels: np.ndarray) -> np.ndarray:
    """(height, width) uint8: 0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601)."""
    import cv2

    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)


def _grayscale(pixels: np.ndarray) -> np.ndarray:
    import cv2

    grey = cv2.cvtColor(luminance(pixels), cv2.COLOR_GRAY2RGB)
    return pixels if np.array_equal(grey, pixels) else grey


def _hue(pixels: np.ndarray, degrees: float) -> np.ndarray:
    """To the nearest 2 degrees, in which OpenCV counts hues as bytes; as floats they take twice as long."""
    import cv2

    turn = round(degrees / 2)
    if not turn:
        return pixels
    hsv = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV)
    turned = ((np.arange(256) + turn) % 180).astype(np.uint8)
    cv2.insertChannel(cv2.LUT(cv2.extractChannel(hsv, 0), turned), hsv, 0)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def _saturation(pixels: np.ndarray, share: float) -> np.ndarray:
    """Away from the grey of the same luminance, or towards it."""
    import cv2

    if not share:
        return pixels
    grey = cv2.cvtColor(luminance(pixels), cv2.COLOR_GRAY2RGB)
    return cv2.addWeighted(pixels, 1 + share, grey, -share, 0)


GRAYSCALE = Recolour(_grayscale)
HUE = Recolour(_hue)
SATURATION = Recolour(_saturation)
