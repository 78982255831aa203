"""Noise: dead pixels, a sensor's noise, and what JPEG compression leaves.

Noise is drawn from a recorded seed, in whole numbers: numpy's normal numbers cost three times as much.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import DTypeLike
from pydantic import Field, model_validator

from shardsmith.dataset import images
from shardsmith.transforms.base import Operation, RandomStep, Recolour, between, percent

_SEEDS = 2**32
_MAX_JPEG_SIDE_PX = 65_500
# Standard deviations in levels, at strength 1.
_NOISE_OF_BLACK = 16
_NOISE_OF_LIGHT = 48


class Noise(RandomStep):
    """Turn single pixels black or white (salt and pepper)."""

    share: float = Field(0.02, ge=0, le=1, description="the largest share of pixels")

    def draw(self, rng: np.random.Generator) -> list[Operation]:
        return [("noise", {"share": between(rng, 0, self.share), "seed": int(rng.integers(_SEEDS))})]

    def in_words(self) -> str:
        return f"Noise on up to {percent(self.share)} of pixels"


class CameraGain(RandomStep):
    """Add the noise of a camera at high ISO: stronger where it is brighter, some of it coloured."""

    strength: float = Field(0.2, ge=0, le=1, description="the largest strength; at 1, noise of 50 levels on white")

    def draw(self, rng: np.random.Generator) -> list[Operation]:
        return [("camera_gain", {"strength": between(rng, 0, self.strength), "seed": int(rng.integers(_SEEDS))})]

    def in_words(self) -> str:
        return f"Camera noise (high ISO) of strength up to {self.strength:g}"


class JpegCompression(RandomStep):
    """Compress as JPEG, with the blocks and fringes that it leaves."""

    quality_min: int = Field(30, ge=1, le=100, description="the lowest quality")
    quality_max: int = Field(90, ge=1, le=100, description="the highest quality")

    @model_validator(mode="after")
    def _in_order(self) -> JpegCompression:
        if self.quality_min > self.quality_max:
            raise ValueError(f"quality_min {self.quality_min} is above quality_max {self.quality_max}")
        return self

    def draw(self, rng: np.random.Generator) -> list[Operation]:
        return [("jpeg_compression", {"quality": int(rng.integers(self.quality_min, self.quality_max + 1))})]

    def in_words(self) -> str:
        return f"JPEG compression at quality {self.quality_min} to {self.quality_max}"


def _noise(pixels: np.ndarray, share: float, seed: int) -> np.ndarray:
    limit = round(share * 2**16)
    drawn = _evenly(np.random.default_rng(seed), pixels.shape[0] * pixels.shape[1], np.uint16)
    places = np.flatnonzero(drawn < limit)
    if not len(places):
        return pixels
    noisy = pixels.reshape(-1, 3).copy()
    noisy[places] = np.where(drawn[places] < limit / 2, np.uint8(0), np.uint8(255))[:, np.newaxis]
    return noisy.reshape(pixels.shape)


def _camera_gain(pixels: np.ndarray, strength: float, seed: int) -> np.ndarray:
    """Each level and each noise, of 57, has its result in one table.

    Variance grows with light as in Foi et al. 2008 (Poissonian-Gaussian noise). The ones among 8 random bits are all
    but normal; 4 times those of the pixel and 3 times those of the channel make 16/25 of the variance grey, the rest
    coloured.
    """
    import cv2

    if not strength:
        return pixels
    height, width = pixels.shape[:2]
    rng = np.random.default_rng(seed)
    grey = np.bitwise_count(_evenly(rng, height * width, np.uint8)).reshape(height, width)
    noise = np.bitwise_count(_evenly(rng, height * width * 3, np.uint8)).reshape(pixels.shape)
    noise *= 3
    noise += cv2.cvtColor(grey * np.uint8(4), cv2.COLOR_GRAY2RGB)
    index = noise.astype(np.uint16)
    index *= 256
    index += pixels
    return cv2.LUT(index, _noise_table(strength))


def _noise_table(strength: float) -> np.ndarray:
    """(65536,) uint8: where 256 * noise + level leads; noise is 0 to 56, its mean 28, its variance 2 * (4² + 3²)."""
    level, noise = np.arange(256) / 255, (np.arange(57) - 28) / math.sqrt(50)
    deviation = strength * np.sqrt(_NOISE_OF_BLACK**2 + _NOISE_OF_LIGHT**2 * level)
    results = 255 * level + noise[:, np.newaxis] * deviation
    table = np.zeros((256, 256), np.uint8)
    table[: len(noise)] = np.clip(np.rint(results), 0, 255)
    return table.ravel()


def _jpeg_compression(pixels: np.ndarray, quality: int) -> np.ndarray:
    if max(pixels.shape) > _MAX_JPEG_SIDE_PX:
        return pixels
    return images.decode(images.encode(pixels, "jpeg", quality))


def _evenly(rng: np.random.Generator, count: int, dtype: DTypeLike) -> np.ndarray:
    """(count,) numbers over the whole range of an unsigned type; in 64 bits at a time, several times faster."""
    per_word = 8 // np.dtype(dtype).itemsize
    return rng.integers(2**64, size=math.ceil(count / per_word), dtype=np.uint64).view(dtype)[:count]


NOISE = Recolour(_noise)
CAMERA_GAIN = Recolour(_camera_gain)
JPEG_COMPRESSION = Recolour(_jpeg_compression)
