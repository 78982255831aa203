"""One albumentations transform on one sample; the only module that imports albumentations."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

import numpy as np

from stages.transforms.base import Sample
from stages.transforms.corners import turn_boxes

_BOX_DECIMALS = 4  # the last bits of a rotation's matrix differ between CPUs (BLAS); no pixel does, but a box would


def apply(sample: Sample, rng: np.random.Generator, name: str, **arguments: Any) -> Sample:
    """The sample through `albumentations.NAME(**arguments)`, seeded from `rng`.

    The transform is called by itself. Inside a `Compose` boxes would be float32, and cut at the edges before we can
    tell how much of each is left.
    """
    transform = _build(name, **arguments)
    transform.set_random_seed(int(rng.integers(2**32)))
    height_px, width_px = sample.pixels.shape[:2]
    sides = np.array([width_px, height_px, width_px, height_px], dtype=np.float64)
    # a fifth column tells which box each row is: albumentations drops those outside the image
    boxes = np.column_stack([sample.boxes / sides, np.arange(len(sample.boxes))])
    result = transform(image=sample.pixels, bboxes=boxes)
    if not transform.params:  # its probability said no
        return sample
    pixels = result["image"]
    if "bboxes" not in transform.available_keys:
        return sample.recoloured(pixels)
    matrix = transform.params.get("bbox_matrix")  # of rotation and shear
    if matrix is not None:
        around, share = turn_boxes(sample.boxes, matrix, pixels.shape[1], pixels.shape[0])
        return sample.moved_to(pixels, around.round(_BOX_DECIMALS), share=share)
    moved = result["bboxes"]
    return sample.moved_to(pixels, (moved[:, :4] * sides).round(_BOX_DECIMALS), moved[:, 4].astype(int))


@lru_cache
def _build(name: str, **arguments: Any) -> Any:
    """Building a transform takes as long as brightening an image; nothing of one use is left for the next."""
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # else the import asks the network for a newer version
    import albumentations

    return getattr(albumentations, name)(**arguments)
