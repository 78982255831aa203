"""Mosaic: four images on one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from pydantic import Field

from shardsmith.dataset.manifest import Annotation, Image
from shardsmith.transforms.base import RandomStep, Sample, between
from shardsmith.transforms.geometry.frame import Frame
from shardsmith.transforms.geometry.objects import join
from shardsmith.transforms.scene import Planned, origin_so_far
from shardsmith.transforms.steps.resize import RESIZE

OTHERS = 3
_WHITENING = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


class Mosaic(RandomStep):
    """Show four images in the quarters of one, of its size; each fills its quarter, cropped at the centre."""

    probability: float = Field(0.5, ge=0, le=1, description="share of the copies that it is done to")
    shift: float = Field(
        0.2,
        ge=0,
        le=0.4,
        description="how far the quarters' common corner lies from the centre, at most, as a share of the side",
    )

    def in_words(self) -> str:
        return "Mosaic of four images"

    def join(self, planned: Planned, rng: np.random.Generator, partners: Partners) -> Planned:
        """With three other images, where there are any; not twice, and no images that are labelled as a whole."""
        x, y = between(rng, 0.5 - self.shift, 0.5 + self.shift), between(rng, 0.5 - self.shift, 0.5 + self.shift)
        place, key = int(rng.integers(OTHERS + 1)), int(rng.integers(2**63))
        others = partners.draw(planned.image.parent_id or planned.image.image_id, key, planned.image.batch)
        if planned.partners or planned.whole() or not others:
            return planned
        origins = [origin_so_far(image) for image, _ in others]
        operation = ("mosaic", {"partners": origins, "x": x, "y": y, "place": place})
        return replace(planned.then([operation]), image=replace(planned.image, captions=None), partners=others)


class Partners:
    """The images that a mosaic can take others from: all but those that are labelled as a whole."""

    def __init__(self, images: Iterable[Planned]) -> None:
        self.images = [(one.image, one.annotations) for one in images if not one.whole()]
        ids = [int.from_bytes(hashlib.sha256(image.image_id.encode()).digest()[:8]) for image, _ in self.images]
        self._hashes = np.array(ids, np.uint64)
        self._batches = np.array([image.batch or 0 for image, _ in self.images], np.int64)

    def draw(self, own_id: str, key: int, batch: int | None = None) -> tuple[tuple[Image, Sequence[Annotation]], ...]:
        """Three others, or fewer images more than once; none where there is no other.

        By rendezvous hashing: of the images, those whose hash with the key is the lowest. Only of those that came with
        the image or before it: images that come later give no old mosaic another partner.

        Args:
            batch: the image's own; None where it has none, and any other may be drawn.
        """
        choice = np.flatnonzero(self._batches <= batch) if batch is not None else np.arange(len(self.images))
        mixed = self._hashes[choice] ^ np.uint64(key)
        for shift, factor in zip((np.uint64(30), np.uint64(27)), _WHITENING, strict=True):
            mixed = (mixed ^ (mixed >> shift)) * factor
        mixed ^= mixed >> np.uint64(31)
        few = min(OTHERS + 1, len(mixed))
        lowest = np.argpartition(mixed, few - 1)[:few] if few else np.array([], int)
        in_order = [self.images[number] for number in choice[lowest[np.argsort(mixed[lowest])]].tolist()]
        others = [one for one in in_order if one[0].image_id != own_id][:OTHERS]
        return tuple(others[number % len(others)] for number in range(OTHERS)) if others else ()


class _Mosaic:
    def apply(self, sample: Sample, values: Mapping[str, Any]) -> Sample:
        """The sample and its three others; which quarter is the sample's own is `place`, row by row."""
        width, height = sample.width, sample.height
        if width < 2 or height < 2:
            return replace(sample, others=())
        x = min(max(round(values["x"] * width), 1), width - 1)
        y = min(max(round(values["y"] * height), 1), height - 1)
        quarters = [(0, 0, x, y), (x, 0, width, y), (0, y, x, height), (x, y, width, height)]
        own = quarters.pop(values["place"])
        pixels = np.empty_like(sample.pixels)
        objects = []
        for part, (left, top, right, bottom) in zip([sample, *sample.others], [own, *quarters], strict=True):
            size = {"width": right - left, "height": bottom - top}
            piece = RESIZE.apply(part, {**size, "mode": "fill", "edges": "black", "only_shrink": False})
            pixels[top:bottom, left:right] = piece.pixels
            objects.append(piece.objects.moved(Frame(width, height, tx=left, ty=top)))
        return Sample(pixels, join(objects))


MOSAIC = _Mosaic()
