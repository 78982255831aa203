"""From sources and operations to an encoded image: the one place where pixels are decoded, changed and encoded."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from shardsmith.dataset import images
from shardsmith.dataset.errors import StageError
from shardsmith.transforms.base import Operation, Sample, is_for_memory
from shardsmith.transforms.geometry.objects import Objects
from shardsmith.transforms.run.recipe import Recipe, Transformed
from shardsmith.transforms.steps.resize import pixels_needed


@dataclass(frozen=True)
class SourceImage:
    """An image as it is read, with the boxes and outlines (as the manifest has them) of its objects.

    further: what Objects.of takes besides.
    """

    path: str
    sha256: str
    format: str | None
    orientation: int = 1
    boxes: Sequence[Sequence[float]] = ()
    segmentations: Sequence[str | None] = ()
    further: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class WantedImage:
    """One image to make.

    sources: the image, and those that an operation joins to it.
    format, quality: what it is encoded as; an upright source that has the format and that nothing changes keeps its
        bytes.
    """

    sources: Sequence[SourceImage]
    operations: Sequence[Operation]
    format: str
    quality: int


@dataclass(frozen=True)
class Refused:
    """An image that cannot be made of its source: why not, the same on every machine."""

    reason: str


def make(
    wanted: Sequence[WantedImage], recipe: Recipe, read: Callable[[SourceImage], bytes]
) -> Iterator[tuple[bytes, Transformed] | Refused]:
    """Each image's bytes and what became of its objects. All come from the same file, which is decoded once.

    Raises:
        StageError: a source does not decode, or there is not enough memory.
    """
    source = wanted[0].sources[0]
    data = read(source)
    size, needed = _needed(data, source, wanted)
    pixels = _decode(data, source, needed)
    for one in wanted:
        others = [_sample(_decode(read(other), other), other) for other in one.sources[1:]]
        outcome = _carry_out(_sample(pixels, one.sources[0], others, size), one, recipe)
        if isinstance(outcome, Refused):
            yield outcome
            continue
        made = outcome.sample.pixels
        unchanged = made is pixels or np.array_equal(made, pixels)
        as_it_was = unchanged and source.format == one.format and source.orientation == 1
        encoded = data if as_it_was else _encode(made, one)
        yield encoded if isinstance(encoded, Refused) else (encoded, outcome)


def read_source(source: SourceImage) -> bytes:
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
    data: bytes, source: SourceImage, wanted: Sequence[WantedImage]
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


def _decode(data: bytes, source: SourceImage, at_least: tuple[int, int] | None = None) -> np.ndarray:
    try:
        return images.decode(data, at_least)
    except ValueError as error:
        raise _undecodable(source, error) from None


def _undecodable(source: SourceImage, error: ValueError) -> StageError:
    return StageError(f"{source.path}: it does not decode ({error}); run dvc repro")


def _encode(pixels: np.ndarray, wanted: WantedImage) -> bytes | Refused:
    try:
        return images.encode(pixels, wanted.format, wanted.quality)
    except ValueError as error:
        size = f"{pixels.shape[1]} x {pixels.shape[0]} pixels"
        return Refused(f"{size} cannot be written as {wanted.format} ({error}); set image_format to png, or resize")


def _sample(
    pixels: np.ndarray, source: SourceImage, others: Sequence[Sample] = (), size: tuple[int, int] | None = None
) -> Sample:
    return Sample(pixels, Objects.of(source.boxes, source.segmentations, **source.further), others, size)


def _carry_out(sample: Sample, wanted: WantedImage, recipe: Recipe) -> Transformed | Refused:
    import cv2

    try:
        return recipe.carry_out(sample, wanted.operations)
    except (cv2.error, ValueError, MemoryError) as error:
        names = ", ".join(name for name, _ in wanted.operations)
        what = f"{sample.width} x {sample.height} pixels cannot be transformed ({names})"
        if is_for_memory(error):
            raise StageError(
                f"{wanted.sources[0].path}: its {what}: not enough memory; try SHARDSMITH_WORKERS=1, or smaller sizes"
            ) from None
        return Refused(f"{what}: {' '.join(str(error).split())[:300] or type(error).__name__}")
