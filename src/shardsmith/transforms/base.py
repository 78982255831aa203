"""Steps, and the operations that they become.

A step is an entry of params.yaml: a name and checked parameters. Planning (plan.py) turns the steps into operations for
each image to come: a name and the exact values drawn, `("rotate", {"degrees": -7.31})`. Operations hold plain JSON
values, are recorded with the image, and are all that it is made from beside the pixels of its source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from shardsmith.transforms.geometry.frame import Frame
from shardsmith.transforms.geometry.objects import Objects

Operation = tuple[str, dict[str, Any]]
_DECIMALS = 4


@dataclass(frozen=True)
class Sample:
    """One upright image and the objects on it.

    pixels: (height, width, 3) uint8, RGB. Never written to: a step gives new ones.
    others: of an operation that joins images, the other sources as they are decoded.
    size: width and height that coordinates refer to, where the pixels were decoded at a reduced scale: only Resize, as
        the first operation, is given that.
    """

    pixels: np.ndarray
    objects: Objects
    others: Sequence[Sample] = ()
    size: tuple[int, int] | None = None

    @property
    def width(self) -> int:
        return self.size[0] if self.size else self.pixels.shape[1]

    @property
    def height(self) -> int:
        return self.size[1] if self.size else self.pixels.shape[0]


def is_for_memory(error: Exception) -> bool:
    """Whether it is for want of memory: of Python, or of OpenCV, which has a code for it."""
    import cv2

    return isinstance(error, MemoryError) or (isinstance(error, cv2.error) and error.code == cv2.Error.StsNoMem)


class Operator(Protocol):
    """What carries an operation out."""

    def apply(self, sample: Sample, values: Mapping[str, Any]) -> Sample:
        """The sample transformed, or the very same object where nothing changes.

        OpenCV and albumentations are imported inside: params.yaml is checked without them.
        """


@dataclass(frozen=True)
class Recolour:
    """An operation that leaves everything where it is.

    pixels: (pixels, **values) -> new pixels of the same shape.
    """

    pixels: Callable[..., np.ndarray]

    def apply(self, sample: Sample, values: Mapping[str, Any]) -> Sample:
        return replace(sample, pixels=self.pixels(sample.pixels, **values))


@dataclass(frozen=True)
class Move:
    """An operation that moves pixels, and the objects with them.

    frame: (width_px, height_px, **values) -> where they go.
    pixels: (pixels, frame, **values) -> the new pixels, of the frame's size.
    """

    frame: Callable[..., Frame]
    pixels: Callable[..., np.ndarray]

    def apply(self, sample: Sample, values: Mapping[str, Any]) -> Sample:
        frame = self.frame(sample.width, sample.height, **values)
        if frame == Frame(sample.width, sample.height):
            return sample
        return replace(sample, pixels=self.pixels(sample.pixels, frame, **values), objects=sample.objects.moved(frame))


class Step(BaseModel):
    """Parameters of one step, checked when params.yaml is read; its docstring's first line is in the docs."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    def describe(self) -> str:
        """The step in plain words, for the version's README."""
        raise NotImplementedError


class FixedStep(Step):
    """A preprocessing step that does the same to every image."""

    def operations(self) -> list[Operation]:
        raise NotImplementedError


class RandomStep(Step):
    """An augmentation step: what it does to a copy is drawn."""

    probability: float = Field(1, ge=0, le=1, description="share of the copies that it is done to")
    classes: list[str] | None = Field(None, description="only for images that hold one of these classes")
    except_classes: list[str] = Field([], description="not for images that hold one of these classes")

    def draw(self, rng: np.random.Generator) -> list[Operation]:
        """The operations for one copy, with the values drawn; `rng` is the only source of chance.

        Values are shares, degrees and the like, which need no image to be known, or whole pixels that hold for any.
        """
        raise NotImplementedError

    def suits(self, labels: set[str]) -> bool:
        """Whether it may be done to an image with these classes."""
        return (self.classes is None or bool(labels & set(self.classes))) and not labels & set(self.except_classes)

    def describe(self) -> str:
        words = self.in_words()
        if self.probability < 1:
            words += f", {percent(self.probability)} of copies"
        if self.classes is not None:
            words += f", only images with {' or '.join(self.classes)}"
        if self.except_classes:
            words += f", no image with {' or '.join(self.except_classes)}"
        return words

    def in_words(self) -> str:
        """What it does, without how often and to which images."""
        raise NotImplementedError


Sides = Literal["both", "plus", "minus"]
SIDES_MEAN = "which way: both, or only plus or minus"


def within(rng: np.random.Generator, most: float, sides: Sides) -> float:
    """A number drawn evenly between -most and most, or of one side alone."""
    return between(rng, 0 if sides == "plus" else -most, 0 if sides == "minus" else most)


def span(most: float, sides: Sides, unit: str = "") -> str:
    """ "-15° and +15°", of what `within` draws from."""
    return f"{0 if sides == 'plus' else -most:g}{unit} and {0 if sides == 'minus' else most:+g}{unit}"


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """A number drawn evenly; rounded, so that the record of it is exact."""
    return round(float(rng.uniform(low, high)), _DECIMALS)


def percent(share: float) -> str:
    return f"{100 * share:g} %"
