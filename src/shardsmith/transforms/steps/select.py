"""Which images and boxes stay: by tag, class, size, or at random. What goes is named, and nothing else moves."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Self

from pydantic import Field, model_validator

from shardsmith.dataset.findings import Finding
from shardsmith.transforms.base import percent
from shardsmith.transforms.scene import Planned, SetStep


class FilterNegatives(SetStep):
    """Keep negatives up to a share of all images; which ones does not depend on the others."""

    keep: float = Field(
        0.1, ge=0, lt=1, description="largest share of the images that are negatives (no box, no label)"
    )
    seed: int = Field(0, description="another number keeps others")

    def describe(self) -> str:
        return f"Negatives at most {percent(self.keep)} of the images"

    def plan(self, images: list[Planned]) -> tuple[list[Planned], list[Finding]]:
        empty = [one for one in images if not holds(one)]
        room = int((len(images) - len(empty)) * self.keep / (1 - self.keep) + 1e-9)
        kept = {one.image.image_id for one in in_order_of_chance(empty, self.seed)[:room]}
        return _keep(images, {one.image.image_id for one in images if holds(one)} | kept, self.describe())


class _Named(SetStep):
    """Images chosen by words that they carry."""

    keep: list[str] | None = Field(None, min_length=1, description="only images with one of these stay")
    drop: list[str] | None = Field(None, min_length=1, description="images with one of these are left out")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.keep is None) == (self.drop is None):
            raise ValueError("allowed: keep or drop, one of the two")
        return self

    def words(self, one: Planned) -> set[str]:
        raise NotImplementedError

    def describe(self) -> str:
        kind = {FilterTags: "tag", FilterClasses: "class"}[type(self)]
        words = " or ".join(self.keep or self.drop or [])
        return f"Only images with the {kind} {words}" if self.keep else f"No images with the {kind} {words}"

    def plan(self, images: list[Planned]) -> tuple[list[Planned], list[Finding]]:
        named = set(self.keep or self.drop or [])
        kept = {one.image.image_id for one in images if bool(self.words(one) & named) == (self.keep is not None)}
        return _keep(images, kept, self.describe())


class FilterTags(_Named):
    """Keep or leave out images by the tags that the source gave them."""

    def words(self, one: Planned) -> set[str]:
        return set(one.image.tags)


class FilterClasses(_Named):
    """Keep or leave out images by the classes on them; to omit the boxes of a class, use ingest.classes."""

    def words(self, one: Planned) -> set[str]:
        return holds(one)


class MinBoxSize(SetStep):
    """Leave out boxes that are too small to learn from, as large as they are at this point."""

    side: float = Field(0, ge=0, description="the shorter side is at least this many pixels")
    area: float = Field(0, ge=0, le=1, description="the area is at least this share of the image")

    def describe(self) -> str:
        rules = [f"{self.side:g} pixels wide and high"] * bool(self.side)
        rules += [f"{percent(self.area)} of the image"] * bool(self.area)
        return f"Boxes at least {' and '.join(rules) or '0 pixels'}"

    def plan(self, images: list[Planned]) -> tuple[list[Planned], list[Finding]]:
        planned, findings = [], []
        for one in images:
            small = self._small(one)
            boxed = one.boxed()
            findings += [one.finding("box-left-out", self.describe(), boxed[row]) for row in sorted(small)]
            gone = {id(boxed[row]) for row in small}
            left = [annotation for annotation in one.annotations if id(annotation) not in gone]
            planned.append(one.keeping(left) if gone else one)
        return planned, findings

    def _small(self, one: Planned) -> set[int]:
        assert one.scene
        boxes = one.scene.objects.boxes()
        sides = boxes[:, 2:] - boxes[:, :2]
        least_area = self.area * one.scene.width * one.scene.height
        small = (sides.min(axis=1, initial=float("inf")) < self.side) | (sides[:, 0] * sides[:, 1] < least_area)
        return set(one.scene.objects.rows[small].tolist())


class RandomSample(SetStep):
    """Keep some images, or enough for each class; which ones hardly changes as the dataset grows."""

    images: int | None = Field(None, ge=1, description="how many images stay")
    per_class: int | None = Field(None, ge=1, description="how many images of each class stay, where there are as many")
    seed: int = Field(0, description="another number keeps others")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.images is None) == (self.per_class is None):
            raise ValueError("allowed: images or per_class, one of the two")
        return self

    def describe(self) -> str:
        if self.images:
            return f"A random sample of {self.images:,} images"
        return f"A random sample of {self.per_class:,} images for each class"

    def plan(self, images: list[Planned]) -> tuple[list[Planned], list[Finding]]:
        in_order = in_order_of_chance(images, self.seed)
        kept = (
            {one.image.image_id for one in in_order[: self.images]} if self.images else self._for_each_class(in_order)
        )
        return _keep(images, kept, self.describe())

    def _for_each_class(self, in_order: list[Planned]) -> set[str]:
        kept, counts = set(), Counter[str]()
        for one in in_order:
            labels = holds(one)
            if any(counts[label] < (self.per_class or 0) for label in labels):
                kept.add(one.image.image_id)
                counts.update(labels)
        return kept


def holds(one: Planned) -> set[str]:
    """The classes that can be seen on an image at this point; none on a negative."""
    _, annotations = one.seen()
    return {annotation.label for annotation in [*annotations, *one.whole()]}


def in_order_of_chance(images: list[Planned], seed: int) -> list[Planned]:
    """By a hash of each image's own id (rendezvous hashing), so that a new image moves no other."""
    return sorted(images, key=lambda one: hashlib.sha256(f"{seed}:{one.image.image_id}".encode()).digest())


def _keep(images: list[Planned], kept: set[str], why: str) -> tuple[list[Planned], list[Finding]]:
    gone = [one for one in images if one.image.image_id not in kept]
    findings = [one.finding("image-left-out", why) for one in gone]
    return [one for one in images if one.image.image_id in kept], findings
