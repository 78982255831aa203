"""Tone: brightness, contrast and exposure, drawn for each copy; and contrast brought to one range for every image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from pydantic import Field

from shardsmith.transforms.base import (
    FixedStep,
    Operation,
    RandomStep,
    Recolour,
    Sides,
    between,
    percent,
    span,
    within,
)
from shardsmith.transforms.steps.colour import luminance


class BrightnessContrast(RandomStep):
    """Make an image brighter or darker, and its contrast stronger or weaker."""

    brightness: float = Field(0.2, ge=0, le=1, description="the largest change, either way, as a share of white")
    contrast: float = Field(0.2, ge=0, le=1, description="the largest change, either way, as a share")

    def draw(self, rng: np.random.Generator) -> list[Operation]:
        values = {
            "brightness": between(rng, -self.brightness, self.brightness),
            "contrast": between(rng, -self.contrast, self.contrast),
        }
        return [("brightness_contrast", values)]

    def in_words(self) -> str:
        return f"Brightness by up to ±{percent(self.brightness)}, contrast by up to ±{percent(self.contrast)}"


class Brightness(RandomStep):
    """Make an image brighter or darker by adding the same to every level."""

    share: float = Field(0.15, ge=0, le=1, description="the largest change, either way, as a share of white")
    sides: Sides = Field("both", description="which way: both, or only plus (brighter) or minus (darker)")

    def draw(self, rng: np.random.Generator) -> list[Operation]:
        return [("brightness", {"share": within(rng, self.share, self.sides)})]

    def in_words(self) -> str:
        return f"Brightness between {span(100 * self.share, self.sides, ' %')}"


class Exposure(RandomStep):
    """Make an image brighter or darker by a gamma, which keeps black and white."""

    share: float = Field(0.1, ge=0, le=1, description="the largest change of gamma: 0.1 draws from 1 / 1.1 to 1.1")
    sides: Sides = Field("both", description="which way: both, or only plus (darker) or minus (brighter)")

    def draw(self, rng: np.random.Generator) -> list[Operation]:
        gamma = (1 + self.share) ** within(rng, 1, self.sides)  # so brighter is as likely as darker
        return [("exposure", {"gamma": round(gamma, 4)})]

    def in_words(self) -> str:
        low = 1 if self.sides == "plus" else 1 / (1 + self.share)
        return f"Exposure by a gamma from {low:.2g} to {1 if self.sides == 'minus' else 1 + self.share:g}"


def _brightness_contrast(pixels: np.ndarray, brightness: float, contrast: float) -> np.ndarray:
    levels = np.arange(256) * (1 + contrast) + 255 * brightness
    return through(pixels, levels)


def _brightness(pixels: np.ndarray, share: float) -> np.ndarray:
    return through(pixels, np.arange(256) + 255 * share)


def _exposure(pixels: np.ndarray, gamma: float) -> np.ndarray:
    return through(pixels, 255 * (np.arange(256) / 255) ** gamma)


def through(pixels: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Each level replaced by its entry in a table of 256, rounded and kept from 0 to 255."""
    import cv2

    table = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return pixels if np.array_equal(table, np.arange(256)) else cv2.LUT(pixels, table)


BRIGHTNESS_CONTRAST = Recolour(_brightness_contrast)
BRIGHTNESS = Recolour(_brightness)
EXPOSURE = Recolour(_exposure)

_LEAST_TILE_PX = 8


class Contrast(FixedStep):
    """Use the full range from black to white: stretched, or equalised over the image or place by place (clahe)."""

    method: Literal["stretch", "equalize", "clahe"] = Field(
        "stretch",
        description="stretch (the same for all levels); equalize (each level equally often); clahe (equalize by tiles)",
    )
    low: float = Field(2, ge=0, le=49, description="of stretch: the percentile of luminance that becomes black")
    high: float = Field(98, ge=51, le=100, description="of stretch: the percentile of luminance that becomes white")
    clip_limit: float = Field(2, ge=1, le=100, description="of clahe: how much contrast may grow; 1 is least")
    grid: int = Field(8, ge=1, le=64, description=f"of clahe: tiles a side, as long as they have {_LEAST_TILE_PX} px")

    def operations(self) -> list[Operation]:
        of_method = {"stretch": {"low", "high"}, "equalize": set(), "clahe": {"clip_limit", "grid"}}[self.method]
        return [("contrast", self.model_dump(include={"method"} | of_method))]

    def describe(self) -> str:
        return {
            "stretch": f"Contrast stretched: percentiles {self.low:g} and {self.high:g} become black and white",
            "equalize": "Contrast by histogram equalisation",
            "clahe": f"Contrast by CLAHE ({self.grid} x {self.grid} tiles, clip limit {self.clip_limit:g})",
        }[self.method]


def _contrast(pixels: np.ndarray, method: str, **values: float) -> np.ndarray:
    functions: dict[str, Callable[..., np.ndarray]] = {"stretch": _stretch, "equalize": _equalize, "clahe": _clahe}
    return functions[method](pixels, **values)


def _stretch(pixels: np.ndarray, low: float, high: float) -> np.ndarray:
    """All channels by one line, which keeps the balance of colours."""
    upto = np.cumsum(np.bincount(luminance(pixels).ravel(), minlength=256))
    black = np.searchsorted(upto, upto[-1] * low / 100, side="right")
    white = np.searchsorted(upto, upto[-1] * high / 100)
    if black >= white:
        return pixels
    return through(pixels, (np.arange(256) - black) * 255 / (white - black))


def _equalize(pixels: np.ndarray) -> np.ndarray:
    import cv2

    before = luminance(pixels)
    return _with_luminance(pixels, before, cv2.equalizeHist(before))


def _clahe(pixels: np.ndarray, clip_limit: float, grid: int) -> np.ndarray:
    """In smaller tiles, noise would be all that there is to equalise."""
    import cv2

    before = luminance(pixels)
    if before.min() == before.max():
        return pixels
    rows, columns = (max(1, min(grid, side // _LEAST_TILE_PX)) for side in before.shape)
    return _with_luminance(pixels, before, cv2.createCLAHE(clip_limit, (columns, rows)).apply(before))


def _with_luminance(pixels: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The colour differences are kept.

    before, after: (height, width) uint8 luminance.
    """
    import cv2

    if np.array_equal(before, after):
        return pixels
    parts = cv2.cvtColor(pixels, cv2.COLOR_RGB2YCrCb)
    parts[..., 0] = after
    return cv2.cvtColor(parts, cv2.COLOR_YCrCb2RGB)


CONTRAST = Recolour(_contrast)
