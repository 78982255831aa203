"""Brightness and contrast: other light on the same scene."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from stages.transforms.base import Sample, Step, percent
from stages.transforms.through_albumentations import apply


class BrightnessContrast(Step):
    """Make an image brighter or darker, and its contrast stronger or weaker."""

    brightness: float = Field(0.2, ge=0, le=1, description="the largest change, either way, as a share of white")
    contrast: float = Field(0.2, ge=0, le=1, description="the largest change, either way, as a share")

    def describe(self) -> str:
        return f"Brightness by up to ±{percent(self.brightness)}, contrast by up to ±{percent(self.contrast)}"

    def apply(self, sample: Sample, rng: np.random.Generator) -> Sample:
        limits = {"brightness_limit": self.brightness, "contrast_limit": self.contrast}
        return apply(sample, rng, "RandomBrightnessContrast", **limits, p=1)
