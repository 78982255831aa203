"""Rotate: turn about the centre by a random angle."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from stages.transforms.base import Sample, Step
from stages.transforms.through_albumentations import apply


class Rotate(Step):
    """Turn about the centre; size kept, black where nothing was. A box becomes the one that encloses it, turned."""

    degrees: float = Field(15, ge=0, le=180, description="the largest angle, either way")

    def describe(self) -> str:
        return f"Rotation between -{self.degrees:g} and +{self.degrees:g} degrees"

    def apply(self, sample: Sample, rng: np.random.Generator) -> Sample:
        return apply(sample, rng, "Rotate", limit=(-self.degrees, self.degrees), p=1)
