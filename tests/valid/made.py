"""What the makers of valid files share: a source with how many shapes each image of it has, and shapes of all kinds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any

from conftest import image_bytes

WIDTH, HEIGHT = 32, 24
CLASSES = ("cat", "dog", "a b")


@dataclass
class Made:
    """files: by their path. shapes: image_id -> how many stand in the source."""

    files: dict[str, bytes] = field(default_factory=dict)
    shapes: dict[str, int] = field(default_factory=dict)


Maker = Callable[[Random], Made]


@cache
def picture(number: int, format: str = "JPEG") -> bytes:
    return image_bytes(WIDTH, HEIGHT, number, format)


def box(rng: Random) -> tuple[int, int, int, int]:
    """x, y, width, height."""
    x, y = rng.randrange(20), rng.randrange(12)
    return x, y, rng.randint(3, WIDTH - x), rng.randint(3, HEIGHT - y)


def corners(rng: Random) -> tuple[int, int, int, int]:
    """xmin, ymin, xmax, ymax."""
    x, y, width, height = box(rng)
    return x, y, x + width, y + height


def ring(rng: Random) -> list[tuple[int, int]]:
    left, top, right, bottom = corners(rng)
    return [(left, top), (right, top), (right, bottom), (left, bottom)][: rng.choice((3, 4))]


def flat(points: list[tuple[int, int]]) -> list[int]:
    return [at for point in points for at in point]


def xy(points: list[tuple[int, int]]) -> list[dict[str, int]]:
    return [{"x": x, "y": y} for x, y in points]


def rle(rng: Random) -> dict[str, Any]:
    first, inside = rng.randrange(300), rng.randint(1, 300)
    return {"size": [HEIGHT, WIDTH], "counts": [first, inside, HEIGHT * WIDTH - first - inside]}


def some(rng: Random, make: Callable[[Random], Any]) -> list[Any]:
    return [make(rng) for _ in range(rng.choice((0, 1, 1, 2, 5)))]
