"""The places where the sample dataset's pictures are set: each function paints one and says what belongs where in it.

Pictures are (height, width, 3) int32, RGB; see drawing.py for the tools.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from shardsmith.sample.drawing import Colour, Stamp, band, land, mix, noise, oval, ramp, receding, ridge, stamp


@dataclass(frozen=True)
class Zone:
    """Where a class may stand: rows of its origin from top to bottom in pixels, its size at each, and how it lies.

    `ground` is what is under it: "water" cuts it off at its waterline, "floor" catches its shadow, "" is open space.
    """

    top: int
    bottom: int
    size_top_px: int
    size_bottom_px: int
    lean_degrees: int
    ground: str = ""


@dataclass(frozen=True)
class Backdrop:
    """A painted place, its zones by class, and the colour that distance gives to things."""

    picture: np.ndarray
    zones: dict[str, Zone]
    haze: Colour


DAY: list[Colour] = [(48, 118, 204), (112, 174, 232), (206, 230, 242)]
EVENING: list[Colour] = [(74, 66, 140), (226, 118, 118), (252, 196, 124)]
MORNING: list[Colour] = [(96, 156, 196), (186, 210, 214), (250, 226, 190)]
GREY: list[Colour] = [(126, 142, 158), (176, 188, 198), (216, 222, 224)]
SKIES = (DAY, DAY, MORNING, EVENING, GREY)


def paint_sky(rng: np.random.Generator, width: int, height: int, colours: list[Colour], cover: int) -> np.ndarray:
    """A sky with clouds that are lit from above; `cover` 0 (clear) to 100."""
    picture = ramp(colours, width, height)
    cloud = noise(rng, width, height + 12, 150, 64, 5)
    thick = np.clip((cloud[12:] - 176 + cover) * 6, 0, 240)
    shade = np.clip(128 + (cloud[12:] - cloud[:-12]) * 5, 0, 256)
    bright, dark = rgb(np.asarray(colours[-1]) + 24), rgb(np.asarray(colours[1]) - 8)
    body = mix(dark, bright, shade)
    return np.clip(mix(picture, body, thick), 0, 255)


def paint_water(rng: np.random.Generator, width: int, rows: int, sky: list[Colour]) -> np.ndarray:
    """Open water up to the horizon: it takes its colour from the sky, with crests and a few glints."""
    far = np.asarray(sky[1]) // 2 + np.asarray((10, 30, 50))
    near = np.asarray((14, 74, 104)) + np.asarray(sky[0]) // 6
    waves = receding(noise(rng, 512, 512, 48, 10, 4), width, rows) - 128
    fade = np.minimum(np.arange(rows, dtype=np.int32)[:, None] + 24, 150)
    water = ramp([rgb(far), rgb(near)], width, rows) + (waves * fade >> 7)[..., None] * 2 // 3
    crest = np.clip((10 - np.abs(waves - 12)) * fade >> 3, 0, 90) + np.clip((waves - 52) * fade >> 4, 0, 120)
    return np.clip(mix(water, sky[-1], crest), 0, 255)


def coast(rng: np.random.Generator, width: int, height: int) -> Backdrop:
    """The sea under a wide sky, land far off: boats and buoys on the water, kites and a balloon above."""
    colours = SKIES[int(rng.integers(len(SKIES)))]
    horizon = height * int(rng.integers(34, 50)) // 100
    picture = paint_sky(rng, width, height, colours, int(rng.integers(30, 75)))
    hills = ridge(rng, width, horizon - height // 30, height // 14, max(width // 4, 8))
    far = rgb((np.asarray(colours[0]) + np.asarray((60, 84, 96))) // 2)
    picture = land(picture, hills, [far, far], noise(rng, width, height, 30, 12) // 4 - 32)
    picture[horizon:] = paint_water(rng, width, height - horizon, colours)
    near = height // 5
    zones = {
        "boat": Zone(horizon + height // 24, height - height // 12, height // 16, near, 5, "water"),
        "buoy": Zone(horizon + height // 16, height + height // 40, height // 26, height // 8, 12, "water"),
        "kite": Zone(height // 10, horizon * 3 // 4, height // 14, height // 11, 40),
        "balloon": Zone(height // 8, horizon * 2 // 3, height // 14, height // 10, 6),
    }
    return Backdrop(picture, zones, far)


def sky(rng: np.random.Generator, width: int, height: int) -> Backdrop:
    """High among the clouds: balloons, and kites that got loose."""
    colours = SKIES[int(rng.integers(len(SKIES)))]
    picture = paint_sky(rng, width, height, colours, int(rng.integers(45, 95)))
    for step in range(2):
        hills = ridge(rng, width, height * (90 + 5 * step) // 100, height // 14, max(width // 3, 8))
        dark = rgb(np.asarray(colours[1]) * (5 - 2 * step) // 8 + np.asarray((10, 34, 44)))
        picture = land(picture, hills, [dark, dark], noise(rng, width, height, 24, 12) // 4 - 32)
    zones = {
        "balloon": Zone(height // 6, height * 4 // 5, height // 10, height // 5, 8),
        "kite": Zone(height // 10, height * 3 // 4, height // 14, height // 8, 60),
    }
    return Backdrop(picture, zones, colours[-1])


def meadow(rng: np.random.Generator, width: int, height: int) -> Backdrop:
    """Hills behind a flowering meadow: kites low over the grass, balloons further off."""
    colours = SKIES[int(rng.integers(3))]
    horizon = height * int(rng.integers(52, 64)) // 100
    picture = paint_sky(rng, width, height, colours, int(rng.integers(30, 75)))
    for step, (green, lift) in enumerate((((104, 140, 158), 20), ((92, 142, 116), 10), ((84, 146, 74), 3))):
        hills = ridge(
            rng, width, horizon - height * lift // 100, height // (10 + 6 * step), max(width // (2 + step), 8)
        )
        grain = noise(rng, width, height, 20 - 5 * step, 12, 3) // 3 - 42
        low: Colour = (green[0] + 20, green[1] + 24, green[2] + 4)
        picture = land(picture, hills, [green, low], grain)
    rows = height - horizon
    _grow_trees(rng, picture, horizon)
    patches = receding(noise(rng, 512, 512, 40, 24, 4), width, rows, 20) - 128
    blades = (noise(rng, width, rows, 2, 10, 2) - 96) * (np.arange(rows, dtype=np.int32)[:, None] + 30) // rows
    ground = ramp([(128, 168, 84), (104, 156, 60), (66, 122, 42)], width, rows)
    picture[horizon:] = np.clip(ground + (patches // 3 + blades // 3)[..., None], 0, 255)
    _strew_flowers(rng, picture, horizon)
    zones = {
        "kite": Zone(height // 10, horizon * 5 // 6, height // 12, height // 8, 45),
        "balloon": Zone(height // 8, horizon * 3 // 4, height // 16, height // 9, 5),
    }
    return Backdrop(picture, zones, (150, 184, 206))


def reef(rng: np.random.Generator, width: int, height: int) -> Backdrop:
    """Under water: light from above, rocks and weeds, sand below; fish everywhere, starfish on the sand."""
    top, deep = [((96, 208, 214), (8, 78, 118)), ((70, 176, 224), (10, 52, 112)), ((126, 210, 176), (12, 84, 92))][
        int(rng.integers(3))
    ]
    picture = ramp([top, deep], width, height)
    streaks = np.clip(noise(rng, width + height, 2, 44, 2, 4)[0] - 128, 0, 96)
    slanted = np.arange(width)[None] + (height - np.arange(height)[:, None]) // 2
    fade = 180 * (height - np.arange(height, dtype=np.int32)[:, None]) // height
    picture = mix(picture, (230, 252, 240), streaks[slanted] * fade >> 7)
    floor = height * int(rng.integers(72, 84)) // 100
    for step in range(2):
        rocks = ridge(rng, width, floor - height * (10 - 8 * step) // 100, height // 7, max(width // 4, 8))
        tint = (deep[0] + 16 * step + 14, deep[1] - 8 + 10 * step, deep[2] - 6 - 8 * step)
        picture = land(picture, rocks, [tint, tint], noise(rng, width, height, 28, 24) * 2 // 3 - 84)
    rows = height - floor
    ripples = receding(noise(rng, 512, 512, 60, 14, 4), width, rows, 20) - 128
    sand = ramp([(150, 168, 146), (214, 200, 152)], width, rows) + ripples[..., None] * 2 // 5
    edge = np.clip(np.arange(rows, dtype=np.int32)[:, None] * 24, 0, 256)
    picture[floor:] = np.clip(mix(picture[floor:], sand, np.broadcast_to(edge, (rows, width))), 0, 255)
    _plant_weeds(rng, picture, floor)
    _blow_bubbles(rng, picture)
    zones = {
        "fish": Zone(height // 12, height * 7 // 8, height // 15, height // 7, 22),
        "starfish": Zone(floor + rows // 3, height - rows // 8, height // 20, height // 12, 180, "floor"),
    }
    return Backdrop(picture, zones, rgb((np.asarray(top) + np.asarray(deep)) // 2))


def beach(rng: np.random.Generator, width: int, height: int) -> Backdrop:
    """A beach seen from above: foam along the water's edge, starfish, stranded buoys and kites on the sand."""
    dunes = noise(rng, width, height, 90, 34, 3)
    grains = noise(rng, width, height, 4, 4, 2)
    sand = np.asarray((226, 200, 152), np.int32) + ((dunes - 128) // 5 + (grains - 96) // 5)[..., None]
    line = ridge(rng, width, height * int(rng.integers(20, 36)) // 100, height // 9, max(width // 3, 8))
    line = line + np.arange(width, dtype=np.int32) * int(rng.integers(-20, 21)) // 100
    below = np.arange(height, dtype=np.int32)[:, None] - line[None] + (dunes - 128) // 12
    wet = np.clip(230 - below * 3, 0, 150)
    picture = mix(sand, (150, 122, 88), wet)
    caustics = noise(rng, width, height, 34, 20, 4)
    depth = np.clip(-below * 2, 0, 256)
    water = mix((122, 208, 200), (24, 124, 168), depth)
    water = water + np.clip(14 - np.abs(caustics - 128), 0, 14)[..., None] * 3
    picture = mix(picture, water, np.clip(8 - below, 0, 16) * 14)
    foam = np.clip(13 - np.abs(below - 2), 0, 13) * np.clip(caustics - 88, 0, 70) // 4
    picture = np.clip(mix(picture, (250, 252, 250), np.clip(foam, 0, 240)), 0, 255)
    _strew_pebbles(rng, picture, line)
    low = int(line.max()) + height // 10
    zones = {
        "starfish": Zone(low, height - height // 14, height // 13, height // 9, 180, "floor"),
        "buoy": Zone(low, height, height // 9, height // 7, 180, "floor"),
        "kite": Zone(low, height - height // 10, height // 9, height // 7, 180, "floor"),
    }
    return Backdrop(picture, zones, (226, 200, 152))


SCENES: dict[str, Callable[[np.random.Generator, int, int], Backdrop]] = {
    "beach": beach,
    "coast": coast,
    "meadow": meadow,
    "reef": reef,
    "sky": sky,
}


def rgb(values: np.ndarray) -> Colour:
    red, green, blue = (int(value) for value in values)
    return red, green, blue


def blend(picture: np.ndarray, colour: np.ndarray, share: np.ndarray, left: int, top: int) -> None:
    """Put colour (h, w, 3) into the picture with a share (h, w) of 256ths, clipped at the picture's edges."""
    height, width = share.shape
    x, y = max(left, 0), max(top, 0)
    right, bottom = min(left + width, picture.shape[1]), min(top + height, picture.shape[0])
    if x < right and y < bottom:
        inside = np.s_[y - top : bottom - top, x - left : right - left]
        picture[y:bottom, x:right] = mix(picture[y:bottom, x:right], colour[inside], share[inside])


def _plant_weeds(rng: np.random.Generator, picture: np.ndarray, floor: int) -> None:
    height, width, _ = picture.shape
    for _ in range(int(rng.integers(10, 20))):
        x, y = int(rng.integers(width)), int(rng.integers(floor, height))
        bend, green = int(rng.integers(-40, 41)) / 100, int(rng.integers(60, 130))
        colour = (int(rng.integers(10, 60)), green, int(rng.integers(50, 90)))

        def blade(t: float, bend: float = bend) -> tuple[tuple[float, float], tuple[float, float]]:
            sway = bend * t * t + 0.06 * (1 - abs(4 * (t * 2 % 1) - 2)) * t
            half = 0.07 * (1 - t) + 0.015
            return (sway - half, -t), (sway + half, -t)

        weed = stamp([(band(blade, 0, 1, 20), colour)], int(rng.integers(height // 10, height // 4)))
        blend(picture, weed.colour, weed.alpha * 200 >> 8, x - weed.origin_x, y - weed.origin_y)


def _blow_bubbles(rng: np.random.Generator, picture: np.ndarray) -> None:
    height, width, _ = picture.shape
    for _ in range(int(rng.integers(8, 22))):
        patches = [(oval(0, 0, 1, 1, 28), (206, 240, 246)), (oval(-0.35, -0.4, 0.24, 0.18, 14), (255, 255, 255))]
        bubble = stamp(patches, int(rng.integers(2, 8)))
        x, y = int(rng.integers(width)), int(rng.integers(height))
        blend(picture, bubble.colour, bubble.alpha * 120 >> 8, x - bubble.origin_x, y - bubble.origin_y)


def _grow_trees(rng: np.random.Generator, picture: np.ndarray, horizon: int) -> None:
    height, width, _ = picture.shape
    for _ in range(int(rng.integers(8, 18))):
        shade = int(rng.integers(0, 34))
        crown = [
            (oval(int(x) / 100, -0.85 + int(y) / 100, 0.5, 0.42, 16), (54 + shade, 108 + shade, 62))
            for x, y in rng.integers(-34, 35, (5, 2))
        ]
        trunk = ([(-0.07, 0.05), (0.07, 0.05), (0.05, -0.7), (-0.05, -0.7)], (86, 70, 54))
        tree = stamp([trunk, *crown], int(rng.integers(height // 36, height // 16)))
        x, y = int(rng.integers(width)), horizon + int(rng.integers(-2, 5))
        blend(picture, tree.colour, tree.alpha * 220 >> 8, x - tree.origin_x, y - tree.origin_y)


def _strew_flowers(rng: np.random.Generator, picture: np.ndarray, horizon: int) -> None:
    """In tufts of one kind, larger near the viewer; each kind and size is drawn once."""
    height, width, _ = picture.shape
    kinds = [
        (_flower((250, 244, 240), size), _flower((252, 204, 66), size), _flower((232, 76, 96), size))
        for size in range(2, 8)
    ]
    rows = height - horizon
    for y in sorted(int(depth) for depth in rng.integers(8, rows, 30)):
        x, kind = int(rng.integers(width)), int(rng.integers(3))
        for _ in range(int(rng.integers(3, 9))):
            flower = kinds[min(y * 6 // rows, 5)][kind]
            right = x + int(rng.integers(-y // 4 - 6, y // 4 + 7))
            below = horizon + y + int(rng.integers(-y // 14 - 2, y // 14 + 3))
            blend(picture, flower.colour, flower.alpha, right - flower.origin_x, below - flower.origin_y)


def _flower(colour: Colour, size_px: int) -> Stamp:
    around = ((0.58, 0.0), (0.18, 0.4), (-0.48, 0.26), (-0.48, -0.26), (0.18, -0.4))
    petals = [(oval(x, y, 0.42, 0.32, 12), colour) for x, y in around]
    return stamp([*petals, (oval(0, 0, 0.26, 0.2, 10), (236, 168, 40))], size_px, light=60)


def _strew_pebbles(rng: np.random.Generator, picture: np.ndarray, line: np.ndarray) -> None:
    height, width, _ = picture.shape
    for _ in range(60):
        x, shade = int(rng.integers(width)), int(rng.integers(70, 190))
        y = int(line[x]) + int(rng.integers(20, height))
        stone = stamp([(oval(0, 0, 1, 0.7, 16), (shade, shade - 8, shade - 18))], int(rng.integers(2, 6)))
        blend(picture, stone.colour, stone.alpha * 220 >> 8, x - stone.origin_x, y - stone.origin_y)
