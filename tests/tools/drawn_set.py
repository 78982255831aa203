"""The set that every tool is given, and how its program is run; Pillow and numpy are all that is imported."""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

CLASSES = ["cat", "traffic light", "größe", "R2D2"]
SIZES = {"a b.jpg": (64, 48), "sub folder/ü 100%25.JPG": (80, 40), "sub/deep/c#1.png": (50, 70), "d.jpeg": (64, 64),
         "empty (1).jpg": (60, 48), "E.PNG": (41, 33)}  # fmt: skip
EMPTY = "empty (1).jpg"
SPLITS = {"a b.jpg": "train", "sub folder/ü 100%25.JPG": "train", "sub/deep/c#1.png": "train"}  # the others: val

Point = tuple[float, float]


class Shape(NamedTuple):
    """points: x, y in pixels; the corners of a box clockwise from its left upper one; none of a whole image's label."""

    image: str
    kind: str
    label: str
    points: list[Point]

    @property
    def box(self) -> tuple[float, float, float, float]:
        """xmin ymin xmax ymax, pixels."""
        xs, ys = zip(*self.points, strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    @property
    def flat(self) -> list[float]:
        return [at for point in self.points for at in point]

    def mask(self) -> np.ndarray:
        """(height, width) bool: the pixels inside of a shape of whole numbers."""
        picture = Image.new("1", SIZES[self.image])
        xmin, ymin, xmax, ymax = self.box
        ImageDraw.Draw(picture).rectangle((xmin, ymin, xmax - 1, ymax - 1), fill=1)
        return np.array(picture)


def turned(x: float, y: float, width: float, height: float, degrees: float = 0) -> list[Point]:
    """The corners of a box turned clockwise about its centre."""
    turn = math.radians(degrees)
    at = [(-width / 2, -height / 2), (width / 2, -height / 2), (width / 2, height / 2), (-width / 2, height / 2)]
    return [(x + width / 2 + dx * math.cos(turn) - dy * math.sin(turn),
             y + height / 2 + dx * math.sin(turn) + dy * math.cos(turn)) for dx, dy in at]  # fmt: skip


TURNED = (16.0, 8.0, 30.0)  # width, height, degrees of each turned box


def shapes(kinds: list[str]) -> Iterator[Shape]:
    """Two of each kind on each image but the empty one, one label of a whole image; classes by turns."""
    for number, name in enumerate(name for name in SIZES if name != EMPTY):
        for kind in kinds:
            for again in range(1 if kind == "label" else 2):
                x, y = 3.0 + number + 17 * again, 4.0 + number + 3 * again
                yield Shape(name, kind, CLASSES[(number + again) % len(CLASSES)], {
                    "box": turned(x, y, 12, 10), "rotated": turned(x, y + 2, *TURNED),
                    "polygon": [(x, y), (x + 15, y + 2), (x + 9, y + 8), (x + 13, y + 16), (x + 1, y + 12)],
                    "mask": turned(x, y, 9, 11), "label": [],
                }[kind])  # fmt: skip


def draw(folder: Path) -> None:
    """The images as files, each of its own size."""
    for number, (name, size) in enumerate(SIZES.items()):
        picture = Image.new("RGB", size, (40 * number, 90, 200 - 30 * number))
        ImageDraw.Draw(picture).line((0, 0, *size), fill=(255, 255, 40 * number), width=2)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        picture.save(folder / name)


Write = Callable[[Path, Path, dict[str, list[Shape]]], None]


def write_all(package: str, forms: Mapping[str, tuple[str, Write]]) -> None:
    """Each format into OUT/FORMAT/KINDS/, for each kind that it holds alone and for all; what was written on stdout.

    Args:
        forms: name -> kinds that the format holds, and what writes it: folder, folder of the images, image -> shapes.
    """
    images, out = Path(sys.argv[1]), Path(sys.argv[2])
    written: dict[str, list[str]] = {}
    failed: list[str] = []
    for form, (held, write) in forms.items():
        kinds = held.split()
        for some in [[kind] for kind in kinds] + ([kinds] if len(kinds) > 1 else []):
            folder = out / form / "+".join(some)
            folder.mkdir(parents=True)
            of: dict[str, list[Shape]] = {name: [] for name in SIZES}
            for shape in shapes(some):
                of[shape.image].append(shape)
            with contextlib.redirect_stdout(sys.stderr):
                try:
                    write(folder, images, of)
                    written.setdefault(form, []).append(folder.name)
                except Exception:
                    shutil.rmtree(folder)
                    failed.append(f"{form} {folder.name}: {traceback.format_exc()[-1500:]}")
    print(json.dumps({"version": metadata.version(package), "written": written, "failed": failed}))
