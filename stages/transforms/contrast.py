"""Contrast of every image brought to the same range, by its luminance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from pydantic import Field

from stages.transforms.base import FixedStep, Operation, Recolour
from stages.transforms.colour import luminance
from stages.transforms.light import through

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
