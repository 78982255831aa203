"""What is measured on: N different JPEGs of 640 x 480 pixels and about 100 kB with about 7 boxes each, as VOC.

Derived from the sample dataset, or from a folder of images (with boxes made up). Kept under benchmarks/work between
runs:

    images-N/JPEGImages/000001.jpg ...  Annotations/000001.xml ...
    images-N.csv                        the same boxes as the Object Detection API's CSV
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image as PilImage

from shardsmith.dataset.images import EXTENSIONS, encode
from shardsmith.dataset.manifest import Annotation, Image
from shardsmith.dataset.workers import map_items
from shardsmith.formats.voc.writer import format_xml
from shardsmith.sample.pictures import draw

WIDTH_PX, HEIGHT_PX = 640, 480
WANTED_BYTES = 100_000
QUALITY = 90
MOST_BASES = 60
CSV_COLUMNS = ("filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax")
_SIZE = (WIDTH_PX, HEIGHT_PX)


@dataclass(frozen=True)
class Base:
    """A picture that others are made from. boxes: (label, xmin, ymin, xmax, ymax) in pixels; noise: its strength."""

    pixels: np.ndarray
    boxes: list[tuple[str, int, int, int, int]]
    noise: int


def prepare(work: Path, count: int, source: Path | None) -> Path:
    """The folder of `count` images, made where it is not there yet."""
    name = f"images-{count}" + (f"-{source.resolve().name}" if source else "")
    folder = work / name
    table = work / f"{name}.csv"
    if table.exists():
        return folder
    for part in ("JPEGImages", "Annotations"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    tasks = [(str(folder), number, source) for number in range(1, count + 1)]
    rows = [row for rows in map_items(make_image, tasks, "making the images", chunk=64) for row in rows]
    with table.with_suffix(".part").open("w", newline="") as file:
        csv.writer(file).writerows([CSV_COLUMNS, *rows])
    table.with_suffix(".part").rename(table)
    return folder


def make_image(task: tuple[str, int, Path | None]) -> list[tuple]:
    """Write one image and its XML; returns its rows of the CSV."""
    folder, number, source = Path(task[0]), task[1], task[2]
    every = bases(source)
    base = every[number % len(every)]
    pixels = noisy(base.pixels, base.noise, number)
    mirrored = number // len(every) % 2 == 1
    name = f"{number:06d}.jpg"
    (folder / "JPEGImages" / name).write_bytes(encode(pixels[:, ::-1] if mirrored else pixels, "jpeg", QUALITY))
    boxes = [
        (label, WIDTH_PX - right if mirrored else left, top, WIDTH_PX - left if mirrored else right, bottom)
        for label, left, top, right, bottom in base.boxes
    ]
    image = Image(name, "", "", WIDTH_PX, HEIGHT_PX, "jpeg")
    annotations = [Annotation(name, label, *map(float, corners)) for label, *corners in boxes]  # type: ignore[arg-type]
    (folder / "Annotations" / f"{number:06d}.xml").write_text(
        format_xml(image, annotations, name, {}), encoding="utf-8"
    )
    return [(name, WIDTH_PX, HEIGHT_PX, *box) for box in boxes]


@lru_cache(maxsize=1)
def bases(source: Path | None) -> list[Base]:
    drawn = from_sample() if source is None else from_folder(source)
    return [Base(pixels, boxes, noise_for(pixels)) for pixels, boxes in drawn]


def from_sample() -> list[tuple[np.ndarray, list]]:
    """The sample's pictures that have boxes, brought to one size."""
    found = []
    for picture in draw():
        height, width = picture.owner.shape
        boxes = [
            (
                row.label,
                int(row.xmin or 0) * WIDTH_PX // width,
                int(row.ymin or 0) * HEIGHT_PX // height,
                -(-int(row.xmax or 0) * WIDTH_PX // width),
                -(-int(row.ymax or 0) * HEIGHT_PX // height),
            )
            for row in picture.annotations
        ]
        if boxes:
            found.append((resized(io.BytesIO(picture.data)), boxes))
    return found


def from_folder(source: Path) -> list[tuple[np.ndarray, list]]:
    """The folder's first images, with seven boxes each that mean nothing."""
    files = sorted(path for path in source.rglob("*") if path.suffix.lower() in EXTENSIONS)[:MOST_BASES]
    if not files:
        raise SystemExit(f"error: {source}: no image in it; name a folder of images")
    rng = np.random.default_rng(0)
    found = []
    for file in files:
        corners = rng.integers(0, (WIDTH_PX - 60, HEIGHT_PX - 60), (7, 2)).tolist()
        sizes = rng.integers(8, 60, (7, 2)).tolist()
        boxes = [("thing", x, y, x + w, y + h) for (x, y), (w, h) in zip(corners, sizes, strict=True)]
        found.append((resized(file), boxes))
    return found


def resized(file: Path | io.BytesIO) -> np.ndarray:
    with PilImage.open(file) as image:
        return np.asarray(image.convert("RGB").resize(_SIZE))


def noise_for(pixels: np.ndarray) -> int:
    """The strength of noise that brings the JPEG nearest to the wanted size."""
    sizes = {strength: len(encode(noisy(pixels, strength, 1), "jpeg", QUALITY)) for strength in range(0, 24, 2)}
    return min(sizes, key=lambda strength: abs(sizes[strength] - WANTED_BYTES))


@lru_cache(maxsize=1)
def noise_field() -> np.ndarray:
    return np.random.default_rng(0).integers(-64, 65, (2 * HEIGHT_PX, 2 * WIDTH_PX, 1), dtype=np.int16)


def noisy(pixels: np.ndarray, strength: int, number: int) -> np.ndarray:
    """The picture with a part of the noise field on it, another for each number: no two images are the same."""
    y, x = np.random.default_rng(number).integers(0, (HEIGHT_PX, WIDTH_PX))
    grain = noise_field()[y : y + HEIGHT_PX, x : x + WIDTH_PX] * strength // 32
    return np.clip(pixels + grain, 0, 255).astype(np.uint8)
