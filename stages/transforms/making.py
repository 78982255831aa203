"""From sources and operations to an encoded image: the one place where pixels are decoded, changed and encoded."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.dataset import images
from stages.dataset.errors import StageError
from stages.transforms.base import Operation, Sample
from stages.transforms.objects import Objects
from stages.transforms.recipe import Outcome, Recipe
from stages.transforms.resize import pixels_needed


@dataclass(frozen=True)
class Source:
    """An image as it is read, with the boxes and outlines (as the manifest has them) of its objects."""

    path: str
    sha256: str
    format: str | None
    orientation: int = 1
    boxes: Sequence[Sequence[float]] = ()
    segmentations: Sequence[str | None] = ()


@dataclass(frozen=True)
class Wanted:
    """One image to make.

    sources: the image, and those that an operation joins to it.
    format, quality: what it is encoded as; an upright source that has the format and that nothing changes keeps its
        bytes.
    """

    sources: Sequence[Source]
    operations: Sequence[Operation]
    format: str
    quality: int


def make(wanted: Sequence[Wanted], recipe: Recipe, read: Callable[[Source], bytes]) -> Iterator[tuple[bytes, Outcome]]:
    """Each image's bytes and what became of its objects. All come from the same file, which is decoded once.

    Raises:
        StageError: a source does not decode, or an operation cannot transform it.
    """
    source = wanted[0].sources[0]
    data = read(source)
    size, needed = _needed(data, source, wanted)
    pixels = _decode(data, source, needed)
    for one in wanted:
        others = [_sample(_decode(read(other), other), other) for other in one.sources[1:]]
        outcome = _carry_out(_sample(pixels, one.sources[0], others, size), one, recipe)
        made = outcome.sample.pixels
        unchanged = made is pixels or np.array_equal(made, pixels)
        as_it_was = unchanged and source.format == one.format and source.orientation == 1
        yield data if as_it_was else _encode(made, one), outcome


def read_source(source: Source) -> bytes:
    """
    Raises:
        StageError: it is gone, or is not the one in the manifest.
    """
    try:
        data = Path(source.path).read_bytes()
    except OSError as error:
        raise StageError(f"{source.path}: cannot be read ({error.strerror}); restore it and run dvc repro") from None
    if hashlib.sha256(data).hexdigest() != source.sha256:
        raise StageError(f"{source.path}: its bytes are not those that the manifest names; run dvc repro")
    return data


def _needed(
    data: bytes, source: Source, wanted: Sequence[Wanted]
) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
    """The size of a JPEG that all wanted begin by resizing alike, and how much of it they need."""
    firsts = [next(iter(one.operations), ("", {})) for one in wanted]
    if source.format != "jpeg" or firsts[0][0] != "resize" or any(first != firsts[0] for first in firsts):
        return None, None
    try:
        size = images.displayed_size(data)
    except ValueError as error:
        raise _undecodable(source, error) from None
    return size, pixels_needed(*size, firsts[0][1])


def _decode(data: bytes, source: Source, at_least: tuple[int, int] | None = None) -> np.ndarray:
    try:
        return images.decode(data, at_least)
    except ValueError as error:
        raise _undecodable(source, error) from None


def _undecodable(source: Source, error: ValueError) -> StageError:
    return StageError(f"{source.path}: it does not decode ({error}); run dvc repro")


def _encode(pixels: np.ndarray, wanted: Wanted) -> bytes:
    try:
        return images.encode(pixels, wanted.format, wanted.quality)
    except ValueError as error:
        size = f"{pixels.shape[1]} x {pixels.shape[0]} pixels"
        raise StageError(
            f"{wanted.sources[0].path}: its {size} cannot be written as {wanted.format} ({error}); "
            "set image_format to png, or resize"
        ) from None


def _sample(
    pixels: np.ndarray, source: Source, others: Sequence[Sample] = (), size: tuple[int, int] | None = None
) -> Sample:
    return Sample(pixels, Objects.of(source.boxes, source.segmentations), others, size)


def _carry_out(sample: Sample, wanted: Wanted, recipe: Recipe) -> Outcome:
    import cv2

    try:
        return recipe.carry_out(sample, wanted.operations)
    except (cv2.error, ValueError, MemoryError) as error:
        names = ", ".join(name for name, _ in wanted.operations)
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        size = f"{sample.width} x {sample.height} pixels"
        raise StageError(
            f"{wanted.sources[0].path}: its {size} cannot be transformed ({names}): {reason}; "
            "leave the image or the step out"
        ) from None
