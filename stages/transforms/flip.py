"""Flip: left becomes right."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from stages.transforms.base import Sample, Step, percent
from stages.transforms.through_albumentations import apply


class Flip(Step):
    """Mirror a share of the images."""

    horizontal: float = Field(0.5, ge=0, le=1, description="share of images that are mirrored left to right")

    def describe(self) -> str:
        return f"Horizontal flip, {percent(self.horizontal)} of images"

    def apply(self, sample: Sample, rng: np.random.Generator) -> Sample:
        return apply(sample, rng, "HorizontalFlip", p=self.horizontal)
