"""Resize: every image gets the same size."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from stages.transforms.base import Sample, Step

_IN_WORDS = {
    "stretch": "aspect not kept",
    "fit": "aspect kept, padded with black",
    "fill": "aspect kept, centre cropped",
}


class Resize(Step):
    """Give every image one size: stretch it, fit it within (black at the edges), or fill it (cropping the centre)."""

    width: int = Field(ge=1, le=16384, description="pixels")
    height: int = Field(ge=1, le=16384, description="pixels")
    mode: Literal["stretch", "fit", "fill"] = Field("fit", description="what happens where the aspect differs")

    def describe(self) -> str:
        return f"Resize to {self.width} x {self.height} pixels ({self.mode}: {_IN_WORDS[self.mode]})"

    def apply(self, sample: Sample, rng: np.random.Generator) -> Sample:
        if sample.pixels.shape[:2] == (self.height, self.width):
            return sample
        if self.mode == "fit":
            return self._fit(sample)
        if self.mode == "fill":
            sample = crop_to_aspect(sample, self.width, self.height)
        return stretch(sample, self.width, self.height)

    def _fit(self, sample: Sample) -> Sample:
        height_px, width_px = sample.pixels.shape[:2]
        scale = min(self.width / width_px, self.height / height_px)
        inner_width, inner_height = max(1, round(width_px * scale)), max(1, round(height_px * scale))
        inner = stretch(sample, inner_width, inner_height)
        left, top = (self.width - inner_width) // 2, (self.height - inner_height) // 2
        pixels = np.zeros((self.height, self.width, 3), np.uint8)
        pixels[top : top + inner_height, left : left + inner_width] = inner.pixels
        return inner.moved_to(pixels, inner.boxes + np.array([left, top, left, top]))


def stretch(sample: Sample, width_px: int, height_px: int) -> Sample:
    """Each side by its own scale."""
    height, width = sample.pixels.shape[:2]
    scale = np.array([width_px / width, height_px / height] * 2)
    return sample.moved_to(resample(sample.pixels, width_px, height_px), sample.boxes * scale)


def crop_to_aspect(sample: Sample, width: int, height: int) -> Sample:
    """The largest centred part with the aspect width : height, to the nearest pixel.

    Cropping comes before scaling, so that a very long image never grows into one that memory cannot hold.
    """
    height_px, width_px = sample.pixels.shape[:2]
    inner_width = min(width_px, max(1, round(height_px * width / height)))
    inner_height = min(height_px, max(1, round(width_px * height / width)))
    left, top = (width_px - inner_width) // 2, (height_px - inner_height) // 2
    pixels = sample.pixels[top : top + inner_height, left : left + inner_width]
    return sample.moved_to(pixels, sample.boxes - np.array([left, top, left, top]))


def resample(pixels: np.ndarray, width_px: int, height_px: int) -> np.ndarray:
    """Each side by the means that suits it: area averaging where it shrinks, then linear where it grows."""
    import cv2

    height, width = pixels.shape[:2]
    smaller = (min(width, width_px), min(height, height_px))
    if smaller != (width, height):
        pixels = cv2.resize(pixels, smaller, interpolation=cv2.INTER_AREA)
    if smaller != (width_px, height_px):
        pixels = cv2.resize(pixels, (width_px, height_px), interpolation=cv2.INTER_LINEAR)
    return pixels
