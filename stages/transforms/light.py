"""Light: brightness, contrast and exposure, each through a table of the 256 levels."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from stages.transforms.base import Operation, RandomStep, Recolour, between, percent


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

    def draw(self, rng: np.random.Generator) -> list[Operation]:
        return [("brightness", {"share": between(rng, -self.share, self.share)})]

    def in_words(self) -> str:
        return f"Brightness between -{percent(self.share)} and +{percent(self.share)}"


class Exposure(RandomStep):
    """Make an image brighter or darker by a gamma, which keeps black and white."""

    share: float = Field(0.1, ge=0, le=1, description="the largest change of gamma: 0.1 draws from 1 / 1.1 to 1.1")

    def draw(self, rng: np.random.Generator) -> list[Operation]:
        gamma = (1 + self.share) ** between(rng, -1, 1)  # so brighter is as likely as darker
        return [("exposure", {"gamma": round(gamma, 4)})]

    def in_words(self) -> str:
        return f"Exposure by a gamma from {1 / (1 + self.share):.2g} to {1 + self.share:g}"


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
