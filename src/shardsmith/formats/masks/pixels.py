"""One mask PNG -> the area of each value or instance in it, as run lengths; run in processes of their own."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from shardsmith.dataset.images import opened
from shardsmith.formats.masks.classes import VOID, VOID_COLOURS
from shardsmith.formats.shapes.outlines import Shape
from shardsmith.formats.shapes.outlines import mask as masked
from shardsmith.formats.shapes.placement import Size

_MOST_VALUES = 1024  # beyond, it is a photo
_TAKEN = -1  # a pixel of an instance
_FIRST_INSTANCE = 1000  # Cityscapes: below, a value of instanceIds is a class without instances
_ERRORS = (
    OSError, ValueError, SyntaxError, MemoryError, EOFError, TypeError, ArithmeticError, LookupError, RuntimeError,
    struct.error, zlib.error,
)  # fmt: skip


@dataclass(frozen=True)
class Area:
    """The pixels of one value; of one instance where `instance` is not 0. value None: no pixel of it has a class."""

    value: int | None
    shape: Shape
    instance: int = 0


@dataclass
class MaskContent:
    """areas: of every value but those that mean nothing. void: whether a pixel is void. problem: why it is not read."""

    size_px: Size = (0, 0)
    areas: list[Area] = field(default_factory=list)
    void: bool = False
    problem: str = ""


def read_mask(root: Path, by_colour: bool, nothing: frozenset[int], files: tuple[str, str]) -> MaskContent:
    """
    Args:
        by_colour: whether a palette's colours count, not its numbers.
        nothing: values or colours that are background or void.
        files: the mask, and the PNG that says which pixels are one object, or "".
    """
    mask, instances = files
    try:
        values = read_values(root / mask, by_colour)
        height, width = values.shape
        content = MaskContent((width, height))
        present = _unique(values)
        if len(present) > _MOST_VALUES:
            content.problem = f"it has {len(present):,} colours, as a photo has and no mask"
            return content
        content.void = bool({VOID, *VOID_COLOURS} & nothing & {*present})
        content.areas = list(_areas(values, read_instances(root, instances, values.shape), nothing))
        return content
    except _ERRORS as error:
        return MaskContent(problem=f"it cannot be read: {str(error)[:120]}")


def read_values(path: Path, by_colour: bool) -> np.ndarray:
    """(height, width) whole numbers: the values of a mask, or its colours as r << 16 | g << 8 | b."""
    with opened(path.read_bytes()) as image:
        if image.mode in ("P", "PA") and by_colour:
            image = image.convert("RGB")
        pixels = np.asarray(image)
    if pixels.dtype.kind == "f":
        raise ValueError("its pixels are no whole numbers")
    if pixels.ndim == 2:
        return pixels.astype(np.int64) * 0x010101 if by_colour and pixels.dtype == np.uint8 else pixels.astype(np.int64)
    if pixels.shape[2] < 3:  # grey or palette, and alpha
        return pixels[..., 0].astype(np.int64)
    colours = pixels[..., :3].astype(np.int64)
    if not by_colour and (colours == colours[..., :1]).all():
        return colours[..., 0]
    return colours @ np.array([1 << 16, 1 << 8, 1])


def read_instances(root: Path, file: str, shape: tuple[int, ...]) -> np.ndarray | None:
    """(height, width): the number of the object that a pixel belongs to, 0 for none; None without a file."""
    if not file:
        return None
    numbers = read_values(root / file, by_colour=False)
    if numbers.shape != shape:
        raise ValueError(f"{file} has another size")
    numbers[(numbers == VOID) | (numbers == min(VOID_COLOURS))] = 0
    if file.endswith("_instanceIds.png"):
        numbers[numbers < _FIRST_INSTANCE] = 0
    return numbers


def _unique(values: np.ndarray) -> list[int]:
    if values.size and values.min() >= 0 and values.max() <= 0xFFFF:
        return np.flatnonzero(np.bincount(values.ravel())).tolist()
    return np.unique(values).tolist()


def _areas(values: np.ndarray, instances: np.ndarray | None, nothing: frozenset[int]) -> Iterator[Area]:
    """Each instance with the class that most of its pixels have; then what is left, an area a class."""
    if instances is not None:
        numbers = [number for number in _unique(instances) if number]
        if len(numbers) > _MOST_VALUES:
            raise ValueError(f"its instances are {len(numbers):,}, as colours of a photo")
        values = values.copy()
        for number in numbers:
            inside = instances == number
            classes, counts = np.unique(values[inside], return_counts=True)
            known = [(count, -value) for value, count in zip(classes.tolist(), counts, strict=True)]
            known = [each for each in known if -each[1] not in nothing]
            yield Area(-max(known)[1] if known else None, masked(inside), number)
            if known:
                values[inside] = _TAKEN
    for value in _unique(values):
        if value not in nothing and value != _TAKEN:
            yield Area(value, masked(values == value))
