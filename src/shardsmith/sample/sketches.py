"""The things that the sample dataset shows: each function makes one up, as coloured patches in the order of painting.

Coordinates are units of the object's size, x to the right, y down; what floats has its waterline at y = 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from shardsmith.sample.drawing import Colour, Patch, Point, band, oval, turned

WHITE, CREAM, DARK, WOOD = (246, 246, 242), (250, 236, 205), (38, 40, 52), (139, 94, 60)
RED, ORANGE, YELLOW, GREEN = (214, 48, 49), (240, 130, 34), (250, 204, 46), (34, 150, 94)
TEAL, BLUE, NAVY, PURPLE, PINK = (22, 160, 170), (44, 110, 206), (32, 58, 112), (126, 70, 172), (236, 98, 148)
BRIGHT = (RED, ORANGE, YELLOW, GREEN, TEAL, BLUE, PURPLE, PINK)


def balloon(rng: np.random.Generator) -> list[Patch]:
    """A hot-air balloon: gores in two or three colours, perhaps a belt, and a basket on ropes."""
    colours = _colours(rng, 3)
    gores = int(rng.integers(7, 11))
    pattern = [colours[0], colours[1]] if rng.integers(2) else [colours[0], WHITE, colours[1]]
    patches: list[Patch] = [
        ([(-0.17, 0.42), (-0.14, 0.42), (-0.09, 0.80), (-0.12, 0.80)], DARK),
        ([(0.17, 0.42), (0.14, 0.42), (0.09, 0.80), (0.12, 0.80)], DARK),
        ([(-0.14, 0.78), (0.14, 0.78), (0.11, 1.0), (-0.11, 1.0)], WOOD),
        ([(-0.15, 0.76), (0.15, 0.76), (0.15, 0.81), (-0.15, 0.81)], (92, 58, 36)),
    ]
    for gore in range(gores):
        left, right = (math.sin(math.pi * (i / gores - 0.5)) for i in (gore, gore + 1))
        patches.append((_envelope(left, right, -1.0, 0.5), pattern[gore % len(pattern)]))
    if rng.integers(2):
        patches.append((_envelope(-1, 1, -0.42, -0.22), colours[2]))
        patches.append((_envelope(-1, 1, -0.36, -0.28), WHITE))
    patches.append((_envelope(-1, 1, 0.44, 0.5), DARK))
    return patches


def boat(rng: np.random.Generator) -> list[Patch]:
    """A sailing boat or a fishing boat, bow to the right."""
    colours = _colours(rng, 3)
    hull_colour = (colours[0], NAVY, WHITE, colours[1])[int(rng.integers(4))]
    hull: list[Patch] = [
        ([(-0.82, -0.26), (1.0, -0.34), (0.86, -0.14), (0.68, 0.0), (-0.66, 0.0), (-0.76, -0.12)], hull_colour),
        ([(-0.82, -0.26), (1.0, -0.34), (0.96, -0.27), (-0.80, -0.19)], WHITE if hull_colour != WHITE else RED),
        ([(-0.71, -0.06), (0.77, -0.06), (0.68, 0.0), (-0.66, 0.0)], (120, 32, 36)),
    ]
    if rng.integers(5) < 3:
        sail, jib = (CREAM, colours[2]) if rng.integers(2) else (WHITE, CREAM)
        return [
            ([(0.06, -0.28), (0.12, -0.28), (0.11, -1.92), (0.07, -1.92)], WOOD),
            ([(0.04, -0.42), *_curve((0.04, -1.86), (-0.66, -0.85), (-0.74, -0.42))], sail),
            ([(-0.10, -1.42), (0.04, -1.50), (0.04, -1.28), (-0.23, -1.18)], colours[2]),
            ([(0.15, -0.42), *_curve((0.13, -1.74), (0.55, -0.90), (0.92, -0.40))], jib),
            ([(0.08, -1.92), (0.08, -2.08), (-0.16, -2.0)], colours[1]),
            *hull,
        ]  # fmt: skip
    portholes = [oval(x, -0.16, 0.045, 0.045, 14) for x in (-0.4, -0.1, 0.2, 0.5)]
    windows = [[(x, -0.70), (x + 0.14, -0.70), (x + 0.14, -0.50), (x, -0.50)] for x in (-0.36, -0.16, 0.04)]
    cabin = WHITE if hull_colour != WHITE else CREAM
    return [
        ([(-0.54, -0.8), (-0.50, -0.8), (-0.50, -1.45), (-0.54, -1.45)], DARK),
        ([(-0.52, -1.4), (-0.52, -1.12), (-0.86, -1.26)], colours[2]),
        ([(-0.42, -0.25), (0.28, -0.28), (0.22, -0.80), (-0.42, -0.80)], cabin),
        ([(-0.50, -0.80), (0.30, -0.80), (0.27, -0.90), (-0.46, -0.90)], colours[1]),
        ([(-0.20, -0.90), (0.00, -0.90), (-0.02, -1.22), (-0.18, -1.22)], colours[2]),
        ([(-0.20, -1.06), (0.00, -1.06), (-0.01, -1.14), (-0.19, -1.14)], WHITE),
        *[(window, (70, 110, 140)) for window in windows],
        *hull,
        *[(porthole, CREAM) for porthole in portholes],
    ]  # fmt: skip


def buoy(rng: np.random.Generator) -> list[Patch]:
    """A navigation mark: a pillar on a round float, or a ball with a mast; a light or a topmark above."""
    paint, second = [(RED, WHITE), (GREEN, WHITE), (YELLOW, DARK), (RED, DARK), (ORANGE, WHITE)][int(rng.integers(5))]
    if rng.integers(3) == 0:
        patches: list[Patch] = [
            ([(-0.05, -1.0), (0.05, -1.0), (0.04, -1.66), (-0.04, -1.66)], DARK),
            (oval(0, -0.46, 0.66, 0.64), paint),
            (band(lambda y: ((-_half_ball(y), y), (_half_ball(y), y)), -0.66, -0.36, 8), second),
        ]
        return [*patches, *_topmark(rng, paint, -1.62)]
    stripes = int(rng.integers(3, 6))

    def pillar(t: float) -> tuple[Point, Point]:
        half = 0.27 - 0.08 * t
        return (-half, -0.42 - 1.1 * t), (half, -0.42 - 1.1 * t)

    deck = [
        (-0.62, -0.26),
        (-0.5, -0.40),
        (0.5, -0.40),
        (0.62, -0.26),
        (0.62, -0.1),
        (0.4, 0.12),
        (-0.4, 0.12),
        (-0.62, -0.1),
    ]
    return [
        (deck, paint),
        ([(-0.62, -0.22), (0.62, -0.22), (0.62, -0.12), (-0.62, -0.12)], second),
        *[
            ([(0.5 * side, -0.40), (0.44 * side, -0.40), (0.16 * side, -1.1), (0.22 * side, -1.1)], DARK)
            for side in (-1, 1)
        ],
        *[(band(pillar, i / stripes, (i + 1) / stripes, 2), (paint, second)[i % 2]) for i in range(stripes)],
        ([(-0.28, -1.50), (0.28, -1.50), (0.28, -1.56), (-0.28, -1.56)], DARK),
        *_topmark(rng, paint, -1.56),
    ]


def _half_ball(y: float) -> float:
    return 0.66 * math.sqrt(max(1 - ((y + 0.46) / 0.64) ** 2, 0))


def _topmark(rng: np.random.Generator, paint: Colour, y: float) -> list[Patch]:
    mast: Patch = ([(-0.035, y), (0.035, y), (0.035, y - 0.14), (-0.035, y - 0.14)], DARK)
    kind = int(rng.integers(3))
    if kind == 0:
        return [mast, (oval(0, y - 0.26, 0.15, 0.15, 24), YELLOW if paint != YELLOW else RED)]
    if kind == 1:
        return [mast, ([(-0.2, y - 0.1), (0.2, y - 0.1), (0, y - 0.46)], paint)]
    lamp = [(-0.11, y - 0.1), (0.11, y - 0.1), (0.11, y - 0.36), (-0.11, y - 0.36)]
    return [mast, (lamp, (250, 236, 160)), ([(-0.14, y - 0.36), (0.14, y - 0.36), (0, y - 0.46)], DARK)]


def fish(rng: np.random.Generator) -> list[Patch]:
    """A fish that looks to the right: slim or tall, with bands or a back of its own colour."""
    colours = _colours(rng, 3)
    tall = (30 + int(rng.integers(34))) / 100
    body, fin = colours[0], colours[1]

    def side(x: float) -> tuple[Point, Point]:
        t = min(max((x + 0.78) / 1.66, 0.0), 1.0)
        half = tall * (abs(math.sin(math.pi * t**0.72)) ** 0.85 * 0.94 + 0.07 * (1 - t))
        return (x, -half), (x, half * 0.92)

    patches: list[Patch] = [
        ([(-0.66, 0), (-1.12, -tall * 0.9 - 0.12), (-0.98, 0), (-1.12, tall * 0.9 + 0.12)], fin),
        ([(0.35, -tall * 0.75), (0.05, -tall - 0.2), (-0.45, -tall * 0.75 - 0.12), (-0.55, -tall * 0.4)], fin),
        ([(0.12, tall * 0.7), (-0.12, tall + 0.16), (-0.4, tall * 0.6)], fin),
        (band(side, -0.78, 0.88, 30), body),
    ]
    style = int(rng.integers(3))
    if style == 0:
        for start, end in ((-0.58, -0.42), (-0.16, 0.08), (0.32, 0.44)):
            patches += [(band(side, start - 0.03, end + 0.03), DARK), (band(side, start, end), WHITE)]
    elif style == 1:
        patches += [(band(side, start, start + 0.09), colours[2]) for start in (-0.55, -0.33, -0.11, 0.11, 0.33)]
    else:
        patches.append((band(lambda x: (side(x)[0], (x, side(x)[0][1] * 0.25)), -0.78, 0.88, 30), colours[2]))
        patches.append((band(lambda x: ((x, tall * 0.42 * (side(x)[1][1] / tall)), side(x)[1]), -0.7, 0.86, 30), CREAM))
    return [
        *patches,
        ([(0.22, 0.04), (-0.12, -0.02), (-0.06, 0.16), (0.14, 0.16)], fin),
        (oval(0.56, -tall * 0.22, 0.105, 0.105, 20), WHITE),
        (oval(0.585, -tall * 0.22, 0.062, 0.062, 16), DARK),
        (oval(0.605, -tall * 0.22 - 0.025, 0.02, 0.02, 10), WHITE),
        ([(0.86, 0.05), (0.70, 0.10), (0.72, 0.13), (0.85, 0.08)], DARK),
    ]


def kite(rng: np.random.Generator) -> list[Patch]:
    """A diamond of four panels or a delta, with a winding tail of bows."""
    colours = _colours(rng, 4)
    sway = (14 + int(rng.integers(16))) / 100
    length = (70 + int(rng.integers(60))) / 100

    def tail(t: float) -> tuple[Point, Point]:
        x, y = sway * math.sin(2.2 * math.pi * t), 0.95 + length * t
        return (x - 0.035, y), (x + 0.035, y)

    patches: list[Patch] = [(band(tail, 0, 1, 24), (96, 84, 84))]
    for i, t in enumerate((0.22, 0.48, 0.74, 0.98)):
        (x, y), _ = tail(t)
        for flip in (1, -1):
            bow = turned([(0, 0), (0.2, -0.11), (0.2, 0.11)], 25 * (1 if i % 2 else -1), flip < 0)
            patches.append(([(x + 0.035 + dx, y + dy) for dx, dy in bow], colours[i % 3]))
    top, left, right, bottom, centre = (0, -1.0), (-0.68, -0.25), (0.68, -0.25), (0, 1.0), (0, -0.25)
    if rng.integers(3):
        corners = (top, right, bottom, left)
        panels = [(corners[i], corners[(i + 1) % 4], centre) for i in range(4)]
        patches += [(list(panel), colours[i % 2 if colours[3] < colours[2] else i]) for i, panel in enumerate(panels)]
    else:
        patches += [
            ([top, (-1.0, 0.55), (-0.3, 0.35), (0, 0.98)], colours[0]),
            ([top, (1.0, 0.55), (0.3, 0.35), (0, 0.98)], colours[1]),
            ([(0, -0.5), (-0.34, 0.36), (0, 0.7)], colours[2]),
            ([(0, -0.5), (0.34, 0.36), (0, 0.7)], colours[3]),
        ]
    return [*patches, ([(-0.022, -0.98), (0.022, -0.98), (0.022, 0.98), (-0.022, 0.98)], DARK)]


def starfish(rng: np.random.Generator) -> list[Patch]:
    """Five arms with rounded tips, a paler middle and rows of dots."""
    colour = (ORANGE, RED, PURPLE, (214, 120, 92), PINK)[int(rng.integers(5))]
    pale: Colour = (min(colour[0] + 40, 255), min(colour[1] + 50, 255), min(colour[2] + 50, 255))
    thin = (26 + int(rng.integers(14))) / 100

    def star(reach: float) -> list[Point]:
        points = []
        for i in range(100):
            wave = (math.cos(math.tau * 5 * i / 100) + 1) / 2
            radius = reach * (thin + (1 - thin) * wave**1.7)
            points.append((radius * math.sin(math.tau * i / 100), -radius * math.cos(math.tau * i / 100)))
        return points

    patches: list[Patch] = [(star(1.0), colour), (star(0.66), pale), (star(0.5), colour)]
    for arm in range(5):
        for step in range(1, 6):
            (dot,) = turned([(0, -0.15 * step)], 72 * arm)
            patches.append((oval(*dot, 0.055 - 0.005 * step, 0.055 - 0.005 * step, 10), CREAM))
    return patches


SKETCHES: dict[str, Callable[[np.random.Generator], list[Patch]]] = {
    "balloon": balloon,
    "boat": boat,
    "buoy": buoy,
    "fish": fish,
    "kite": kite,
    "starfish": starfish,
}


def _colours(rng: np.random.Generator, count: int) -> list[Colour]:
    return [BRIGHT[i] for i in rng.permutation(len(BRIGHT))[:count]]


def _envelope(left: float, right: float, top: float, bottom: float) -> list[Point]:
    """The part of a balloon's envelope between two meridians (-1 to 1 of its width) and two heights."""

    def edge(y: float) -> tuple[Point, Point]:
        t = max((y + 1) / 1.5, 0.0)
        width = 0.74 * math.sin(math.pi * min(t, 0.999) ** 0.8) ** 0.72 if t < 0.62 else 0.0
        if t >= 0.62:
            join = 0.74 * math.sin(math.pi * 0.62**0.8) ** 0.72
            width = join + (0.17 - join) * ((t - 0.62) / 0.38) ** 0.9
        return (left * width, y), (right * width, y)

    return band(edge, top, bottom, 26)


def _curve(start: Point, middle: Point, end: Point, steps: int = 12) -> list[Point]:
    """A quadratic Bézier curve."""
    points = []
    for i in range(steps + 1):
        t = i / steps
        a, b, c = (1 - t) ** 2, 2 * t * (1 - t), t**2
        points.append((a * start[0] + b * middle[0] + c * end[0], a * start[1] + b * middle[1] + c * end[1]))
    return points
