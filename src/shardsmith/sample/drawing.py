"""Drawing with the same bytes on every machine: textures, scenery, and shapes with light on them.

All is integer maths on Pillow polygons and numpy arrays, at four times the size where edges must be smooth: floating
point sums, fonts and OpenCV's fast paths give other pixels on other processors. Pictures are (height, width, 3) int32,
0 to 255, RGB; shares are whole numbers of 256ths.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Colour = tuple[int, int, int]
Point = tuple[float, float]
Patch = tuple[list[Point], Colour]
_SMOOTH = 4


@dataclass(frozen=True)
class Stamp:
    """A shape that is ready to be placed: colour (h, w, 3) int32, alpha (h, w) int32 0 to 255; its origin's pixel."""

    colour: np.ndarray
    alpha: np.ndarray
    origin_x: int
    origin_y: int


def mix(below: np.ndarray | Colour, above: np.ndarray | Colour, share: np.ndarray) -> np.ndarray:
    """`share` (h, w) 256ths of `above`, the rest of `below`: a picture or one colour each."""
    lower, upper = np.asarray(below, np.int32), np.asarray(above, np.int32)
    blended = (upper - lower) * share[..., None].astype(np.int32, copy=False)
    blended >>= 8
    blended += lower
    return blended


def noise(rng: np.random.Generator, width: int, height: int, cell_x: int, cell_y: int, octaves: int = 4) -> np.ndarray:
    """Smooth noise: (height, width) int32, 0 to 255; the coarsest bumps have the cell's size in pixels."""
    total, weight = np.zeros((height, width), np.int32), 128
    for _ in range(octaves):
        grid = rng.integers(0, 256, (height // cell_y + 2, width // cell_x + 2), dtype=np.uint8)
        size = (grid.shape[1] * cell_x, grid.shape[0] * cell_y)
        bumps = Image.fromarray(grid).resize(size, Image.Resampling.BICUBIC).crop((0, 0, width, height))
        total += np.asarray(bumps, np.int32) * weight
        weight, cell_x, cell_y = weight // 2, max(cell_x // 2, 1), max(cell_y // 2, 1)
    return total >> 8


def ramp(colours: Sequence[Colour], width: int, height: int) -> np.ndarray:
    """Colours blending into each other from top to bottom: (height, width, 3)."""
    stops = np.asarray(colours, np.int32)
    place = np.arange(height, dtype=np.int32) * (len(stops) - 1) * 256 // max(height - 1, 1)
    index = np.minimum(place >> 8, len(stops) - 2)
    column = stops[index] + ((stops[index + 1] - stops[index]) * (place - (index << 8))[:, None] >> 8)
    return np.repeat(column[:, None], width, axis=1)


def receding(texture: np.ndarray, width: int, rows: int, horizon_px: int = 14) -> np.ndarray:
    """A flat texture seen in perspective, far at the top: (rows, width) int32, blended between its pixels.

    The texture goes on beyond its edges as its own mirror image, so that no seam shows.
    """
    size_y, size_x = texture.shape
    depth = np.arange(rows, dtype=np.int64)[:, None] + horizon_px
    across = (np.arange(width, dtype=np.int64)[None] - width // 2) * (rows * 180) // depth + (size_x << 7)
    away = np.broadcast_to(rows * rows * 90 // depth, across.shape)
    column, line = _mirrored(across >> 8, size_x), _mirrored(away >> 8, size_y)
    right, below = _mirrored((across >> 8) + 1, size_x), _mirrored((away >> 8) + 1, size_y)
    share_x, share_y = across & 255, away & 255
    upper = texture[line, column] * (256 - share_x) + texture[line, right] * share_x
    lower = texture[below, column] * (256 - share_x) + texture[below, right] * share_x
    return np.asarray((upper * (256 - share_y) + lower * share_y) >> 16, np.int32)


def _mirrored(index: np.ndarray, size: int) -> np.ndarray:
    folded = index % (2 * size)
    return np.minimum(folded, 2 * size - 1 - folded)


def ridge(rng: np.random.Generator, width: int, top: int, bumps_px: int, cell: int) -> np.ndarray:
    """A skyline: for each column the row where the land begins, (width,) int32."""
    return top + (noise(rng, width, 2, cell, 2, 4)[0] - 128) * bumps_px // 128


def land(picture: np.ndarray, skyline: np.ndarray, colours: Sequence[Colour], grain: np.ndarray) -> np.ndarray:
    """The picture with land below the skyline, `grain` (h, w) of -128 to 127 making it lighter and darker."""
    height, width, _ = picture.shape
    ground = np.clip(ramp(colours, width, height) * (256 + grain[..., None]) >> 8, 0, 255)
    cover = np.clip(np.arange(height, dtype=np.int32)[:, None] - skyline[None], 0, 2) * 128
    return mix(picture, ground, cover)


def turned(points: Sequence[Point], degrees: float, flipped: bool = False) -> list[Point]:
    """Points turned clockwise about the origin (y is down), mirrored first where asked."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    mirrored = [(-x, y) if flipped else (x, y) for x, y in points]
    return [(x * cos - y * sin, x * sin + y * cos) for x, y in mirrored]


def oval(x: float, y: float, radius_x: float, radius_y: float, corners: int = 40) -> list[Point]:
    steps = [math.tau * i / corners for i in range(corners)]
    return [(x + radius_x * math.cos(step), y + radius_y * math.sin(step)) for step in steps]


def band(edge: Callable[[float], tuple[Point, Point]], start: float, end: float, steps: int = 14) -> list[Point]:
    """The outline between the two sides of `edge` from `start` to `end`: a ribbon, a stripe, a body."""
    sides = [edge(start + (end - start) * i / steps) for i in range(steps + 1)]
    return [side[0] for side in sides] + [side[1] for side in reversed(sides)]


def stamp(patches: Sequence[Patch], size_px: int, degrees: float = 0, flipped: bool = False, light: int = 150) -> Stamp:
    """Draw patches of unit coordinates (about -1 to 1) at `size_px` from the origin to 1, lit from the upper left."""
    placed = [(turned(points, degrees, flipped), colour) for points, colour in patches]
    xs, ys = zip(*(point for points, _ in placed for point in points), strict=True)
    left, top = math.ceil(-min(xs) * size_px) + 2, math.ceil(-min(ys) * size_px) + 2
    size = (left + math.ceil(max(xs) * size_px) + 2, top + math.ceil(max(ys) * size_px) + 2)
    large = (size[0] * _SMOOTH, size[1] * _SMOOTH)
    colour, cover = Image.new("RGB", large, patches[0][1]), Image.new("L", large)
    paint, mask = ImageDraw.Draw(colour), ImageDraw.Draw(cover)
    for points, fill in placed:
        corners = [(round((x * size_px + left) * _SMOOTH), round((y * size_px + top) * _SMOOTH)) for x, y in points]
        paint.polygon(corners, fill)
        mask.polygon(corners, 255)
    alpha = cover.reduce(_SMOOTH)
    pixels = np.asarray(colour.reduce(_SMOOTH), np.int32)
    return Stamp(lit(pixels, alpha, size_px, light), np.asarray(alpha, np.int32), left, top)


def lit(pixels: np.ndarray, alpha: Image.Image, size_px: int, light: int) -> np.ndarray:
    """Light on the upper left edges and shade on the lower right ones, as a rounded body has them."""
    radius = max(size_px // 7, 1)
    padded = Image.new("L", (alpha.width + 2 * radius, alpha.height + 2 * radius))
    padded.paste(alpha, (radius, radius))
    soft = np.asarray(padded.filter(ImageFilter.BoxBlur(radius)).filter(ImageFilter.BoxBlur(radius)), np.int32)
    rise = soft[2 * radius :, 2 * radius :] - soft[: -2 * radius, : -2 * radius]
    shine = np.clip(rise * light >> 8, -110, 90)[..., None]
    return np.clip(np.where(shine > 0, pixels + ((255 - pixels) * shine >> 8), pixels * (256 + shine) >> 8), 0, 255)
