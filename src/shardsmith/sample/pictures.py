"""The sample dataset's pictures: which scenes there are, what is placed in them, and the boxes measured from that."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image as PilImage
from PIL import ImageFilter

from shardsmith.dataset.images import encode
from shardsmith.dataset.manifest import Annotation
from shardsmith.sample.drawing import Point, Stamp, noise, stamp, turned
from shardsmith.sample.scenery import SCENES, Backdrop, Zone, blend
from shardsmith.sample.shapes import POINTS, add_keypoints, add_mask, add_oriented
from shardsmith.sample.sketches import SKETCHES

# scene -> how many pictures; class -> fewest and most of it in one picture
PICTURES = {"beach": 7, "coast": 18, "meadow": 10, "reef": 16, "sky": 9}
WANTED = {
    "beach": {"starfish": (2, 5), "buoy": (0, 2), "kite": (0, 1)},
    "coast": {"boat": (2, 5), "buoy": (1, 4), "kite": (0, 2), "balloon": (0, 1)},
    "meadow": {"kite": (2, 5), "balloon": (0, 3)},
    "reef": {"fish": (5, 11), "starfish": (0, 2)},
    "sky": {"balloon": (2, 5), "kite": (1, 4)},
}
NEGATIVE, PNG = 3, 6  # of each scene the picture of this number is a negative, or a PNG
_SEED = 20
_FEWEST_VISIBLE = 0.45
_TRIES = 15


@dataclass(frozen=True)
class Picture:
    """One drawn picture.

    owner: (height, width) uint8, which annotation (from 1) each pixel shows, or 0 for none.
    """

    name: str
    data: bytes
    format: str
    owner: np.ndarray
    annotations: list[Annotation]


@dataclass
class _Thing:
    """Something to be placed: its shape, where its origin stands, and how much of it there is in all."""

    label: str
    stamp: Stamp
    x: int
    y: int
    zone: Zone
    size_px: int
    pose: str
    lean_degrees: int
    flipped: bool
    points: list[Point]  # of the skeleton, in pixels of the stamp

    @property
    def mask(self) -> np.ndarray:
        return self.stamp.alpha >= 128


TASKS = [(scene, number) for scene, count in PICTURES.items() for number in range(1, count + 1)]


def draw() -> Iterator[Picture]:
    """Every picture, in order of name."""
    return map(draw_picture, TASKS)


def picture_name(scene: str, number: int) -> str:
    return f"{scene}-{number:02}.{'png' if number == PNG else 'jpg'}"


def draw_picture(task: tuple[str, int], shapes: str = "boxes") -> Picture:
    """The picture of a scene that has this number, with everything that is to be seen in it.

    Args:
        shapes: boxes (nothing else), masks, oriented or keypoints: what the annotations have beside their boxes.
    """
    scene_name, number = task
    rng = np.random.Generator(np.random.PCG64([_SEED, list(PICTURES).index(scene_name), number]))
    width, height = int(rng.integers(26, 41)) * 16, int(rng.integers(20, 31)) * 16
    scene = SCENES[scene_name](rng, width, height)
    wanted = {} if number == NEGATIVE else WANTED[scene_name]
    labels = [label for label, (low, high) in wanted.items() for _ in range(int(rng.integers(low, high + 1)))]
    picture, owner, things = compose(rng, scene, labels)
    format = "png" if number == PNG else "jpeg"
    if format == "jpeg":
        picture = picture + rng.integers(-4, 5, (height, width, 1))
    name = picture_name(scene_name, number)
    pixels = np.clip(picture, 0, 255).astype(np.uint8)
    return Picture(name, _encode(pixels, format), format, owner, annotate(name, owner, things, shapes))


def compose(
    rng: np.random.Generator, scene: Backdrop, labels: list[str]
) -> tuple[np.ndarray, np.ndarray, list[_Thing]]:
    """The scene with things placed in it, far ones first; a thing that would hide another too much goes elsewhere."""
    picture = scene.picture.copy()
    height, width, _ = picture.shape
    owner = np.zeros((height, width), np.uint8)
    things: list[_Thing] = []
    for thing in sorted((_make(rng, scene, label, width) for label in labels), key=_distance):
        for _ in range(_TRIES):
            if _leaves_all_visible(owner, [*things, thing]):
                things.append(thing)
                _place(rng, picture, thing, scene)
                _claim(owner, thing, len(things))
                break
            thing.x = int(rng.integers(width))
    return picture, owner, things


def annotate(name: str, owner: np.ndarray, things: list[_Thing], shapes: str = "boxes") -> list[Annotation]:
    """A tight box around the visible pixels of each thing, and the shapes besides."""
    annotations = []
    for number, thing in enumerate(things, start=1):
        visible = owner == number
        columns, rows = np.flatnonzero(visible.any(axis=0)), np.flatnonzero(visible.any(axis=1))
        inside = _window(owner, thing)[1].sum()
        attributes = {
            "pose": thing.pose,
            "truncated": int(inside < thing.mask.sum()),
            "difficult": int(visible.sum() < 0.6 * thing.mask.sum()),
            "occluded": int(visible.sum() < inside),
        }
        xmin, ymin, xmax, ymax = map(float, (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
        text, area = json.dumps(attributes, sort_keys=True), float(visible.sum())
        row = Annotation(name, thing.label, xmin, ymin, xmax, ymax, area=area, attributes=text)
        if shapes == "masks":
            add_mask(row, visible)
        elif shapes == "oriented":
            add_oriented(row, visible, thing.lean_degrees)
        elif shapes == "keypoints" and thing.points:
            left, top = thing.x - thing.stamp.origin_x, thing.y - thing.stamp.origin_y
            add_keypoints(row, [(x + left, y + top) for x, y in thing.points], thing.flipped, owner, number)
        annotations.append(row)
    return annotations


def _make(rng: np.random.Generator, scene: Backdrop, label: str, width: int) -> _Thing:
    zone = scene.zones[label]
    depth = int(rng.integers(0, 101))
    y = zone.top + (zone.bottom - zone.top) * depth // 100
    if not zone.ground:
        depth = int(rng.integers(0, 101))  # in open space what is higher is not further
    size = zone.size_top_px + (zone.size_bottom_px - zone.size_top_px) * depth // 100
    size = max(size * int(rng.integers(85, 116)) // 100, 9)
    lean, flipped = int(rng.integers(-zone.lean_degrees, zone.lean_degrees + 1)), bool(rng.integers(2))
    patches = SKETCHES[label](rng)
    shape = stamp(patches, size, lean, flipped)
    points = turned(POINTS[label](patches), lean, flipped) if label in POINTS else []
    points = [(x * size + shape.origin_x, y * size + shape.origin_y) for x, y in points]
    if zone.ground == "water":
        shape.alpha[shape.origin_y - max(size // 16, 1) :] = 0
    pose = "Unspecified" if label not in ("boat", "fish") else "Left" if flipped else "Right"
    return _Thing(label, shape, int(rng.integers(width)), y, zone, size, pose, lean, flipped, points)


def _distance(thing: _Thing) -> tuple[int, int]:
    """What is drawn first: the floor, then open space by size, then the water by its rows."""
    layer = ("floor", "", "water").index(thing.zone.ground)
    return layer, thing.y if thing.zone.ground else thing.size_px


def _window(owner: np.ndarray, thing: _Thing) -> tuple[tuple[slice, slice], np.ndarray]:
    """The part of the picture that a thing's stamp covers, and the part of its mask that is inside the picture."""
    height, width = owner.shape
    left, top = thing.x - thing.stamp.origin_x, thing.y - thing.stamp.origin_y
    bottom, right = top + thing.mask.shape[0], left + thing.mask.shape[1]
    rows, columns = slice(max(top, 0), min(bottom, height)), slice(max(left, 0), min(right, width))
    return (rows, columns), thing.mask[
        rows.start - top : max(rows.stop, rows.start) - top,
        columns.start - left : max(columns.stop, columns.start) - left,
    ]


def _claim(owner: np.ndarray, thing: _Thing, number: int) -> None:
    window, mask = _window(owner, thing)
    owner[window][mask] = number


def _leaves_all_visible(owner: np.ndarray, things: list[_Thing]) -> bool:
    """Whether enough is seen of each thing once the last one is there too."""
    after = owner.copy()
    _claim(after, things[-1], len(things))
    counts = np.bincount(after.ravel(), minlength=len(things) + 1)[1:]
    return all(count >= _FEWEST_VISIBLE * thing.mask.sum() for count, thing in zip(counts, things, strict=True))


def _place(rng: np.random.Generator, picture: np.ndarray, thing: _Thing, scene: Backdrop) -> None:
    """Paint a thing, with its shadow or its reflection first and with the haze of its distance."""
    shape, left, top = thing.stamp, thing.x - thing.stamp.origin_x, thing.y - thing.stamp.origin_y
    if thing.zone.ground == "floor":
        _cast_shadow(picture, thing, left, top)
    if thing.zone.ground == "water":
        _reflect(rng, picture, thing, left)
    biggest = max(thing.zone.size_top_px, thing.zone.size_bottom_px)
    haze = max(biggest - thing.size_px, 0) * 100 // biggest
    colour = shape.colour + ((np.asarray(scene.haze, np.int32) - shape.colour) * haze >> 8)
    blend(picture, colour, shape.alpha + (shape.alpha >> 7), left, top)


def _cast_shadow(picture: np.ndarray, thing: _Thing, left: int, top: int) -> None:
    drop, margin = max(thing.size_px // 9, 2), max(thing.size_px // 9, 2)
    cover = PilImage.fromarray(np.pad(thing.stamp.alpha, margin).astype(np.uint8))
    soft = np.asarray(cover.filter(ImageFilter.BoxBlur(margin // 2)), np.int32) * 110 >> 8
    dark = np.broadcast_to(np.asarray((44, 34, 30), np.int32), (*soft.shape, 3))
    blend(picture, dark, soft, left - margin + drop, top - margin + drop)


def _reflect(rng: np.random.Generator, picture: np.ndarray, thing: _Thing, left: int) -> None:
    """The mirror image below the waterline, shorter, paler and rippled; then a line of foam."""
    shape = thing.stamp
    waterline = shape.origin_y - max(thing.size_px // 16, 1)
    rows = np.arange(waterline - 1, -1, -1)[::2]
    fade = (110 - 70 * np.arange(len(rows), dtype=np.int32) // max(len(rows), 1))[:, None]
    colour, alpha = shape.colour[rows], shape.alpha[rows] * fade >> 8
    ripples = (noise(rng, 4, len(rows) + 1, 4, max(thing.size_px // 10, 2), 2)[:, 0] - 128) * thing.size_px // 900
    top = thing.y - max(thing.size_px // 16, 1)
    for row in range(len(rows)):
        blend(picture, colour[row : row + 1], alpha[row : row + 1], left + int(ripples[row]), top + row)
    hull = np.flatnonzero(shape.alpha[waterline - 1] >= 128)
    if len(hull):
        foam = stamp([([(-1, 0), (-0.8, -0.035), (0.8, -0.035), (1, 0), (0.7, 0.05), (-0.7, 0.05)], (236, 246, 248))],
                     (int(hull[-1]) - int(hull[0])) * 3 // 5 + 2, light=0)  # fmt: skip
        centre = left + (int(hull[0]) + int(hull[-1])) // 2
        blend(picture, foam.colour, foam.alpha * 170 >> 8, centre - foam.origin_x, top + 1 - foam.origin_y)


def _encode(pixels: np.ndarray, format: str) -> bytes:
    if format == "jpeg":
        return encode(pixels, "jpeg", quality=90)
    stream = io.BytesIO()
    # run lengths only: zlib-ng's search for matches may find others on another processor
    PilImage.fromarray(pixels).save(stream, "PNG", compress_type=3)
    return stream.getvalue()
