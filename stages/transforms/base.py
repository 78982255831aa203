"""What every preprocessing and augmentation step is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from pydantic import BaseModel, ConfigDict


@dataclass(frozen=True)
class Sample:
    """One upright image and its boxes.

    pixels: (height, width, 3) uint8, RGB.
    boxes: (n, 4) float64 pixels, xmin ymin xmax ymax, max exclusive.
    rows: (n,) int; which of the boxes at the start each one was.
    visible: (n,) float, above 0 to 1; the share of its area that no step so far has cut off.
    moved: whether a step changed the geometry.
    """

    pixels: np.ndarray
    boxes: np.ndarray
    rows: np.ndarray
    visible: np.ndarray
    moved: bool = False

    @classmethod
    def of(cls, pixels: np.ndarray, boxes: object) -> Sample:
        array = np.array(boxes, dtype=np.float64).reshape(-1, 4)
        return cls(pixels, array, np.arange(len(array)), np.ones(len(array)))

    def recoloured(self, pixels: np.ndarray) -> Sample:
        """The sample after a step that left everything where it was."""
        return replace(self, pixels=pixels)

    def moved_to(
        self, pixels: np.ndarray, boxes: np.ndarray, of: np.ndarray | None = None, share: np.ndarray | None = None
    ) -> Sample:
        """The sample after a step that moved pixels, with boxes cut at the edges; one with nothing left goes.

        Args:
            boxes: (m, 4) float pixels on the new pixels; they may pass the edges.
            of: (m,) int; the box of this sample that each one was. None: all of them, in order.
            share: (m,) float; how much of each is left, where the step knows better than cutting here tells.
        """
        of = np.arange(len(boxes)) if of is None else of
        height_px, width_px = pixels.shape[:2]
        cut = np.clip(boxes, 0, [width_px, height_px, width_px, height_px])
        if share is None:
            whole = _areas(boxes)
            share = np.divide(_areas(cut), whole, out=np.zeros(len(boxes)), where=whole > 0)
        left = (share > 0) & (_areas(cut) > 0)
        of = of[left]
        return Sample(pixels, cut[left], self.rows[of], self.visible[of] * share[left], moved=True)

    def at_least(self, min_visibility: float) -> Sample:
        """The sample without the boxes of which a smaller share is left."""
        left = self.visible >= min_visibility
        return replace(self, boxes=self.boxes[left], rows=self.rows[left], visible=self.visible[left])


def _areas(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


class Step(BaseModel):
    """Parameters of one step, checked when params.yaml is read, and what it does."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    def describe(self) -> str:
        """The step in plain words, for the version's README."""
        raise NotImplementedError

    def apply(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The sample transformed, or the very same object where the step changes nothing.

        `rng` is the only source of chance, and each output has its own. OpenCV and albumentations are imported in
        here: params.yaml is checked without them.
        """
        raise NotImplementedError


def percent(share: float) -> str:
    return f"{100 * share:g} %"
