"""Time a mask of TFRecord, as a ratio to the same mask decoded whole and saved by Pillow's defaults.

python benchmarks/masks.py [-n 200] [--runs 5]
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable

import numpy as np
from PIL import Image

from shardsmith.dataset.shapes import from_mask, parse_outline, to_mask
from shardsmith.formats.tfrecord.masks import mask_png

WIDTH, HEIGHT = 640, 480
GOAL_MS = 0.5


def outlines(count: int) -> list[str]:
    """Polygons of 40 points and discs as RLE, in turn, of sides between 20 and 300 pixels."""
    rng = np.random.default_rng(0)
    ys, xs = np.mgrid[:HEIGHT, :WIDTH]
    drawn = []
    for number in range(count):
        x, y, radius = rng.integers(0, WIDTH), rng.integers(0, HEIGHT), rng.integers(10, 150)
        if number % 2:
            drawn.append(from_mask((xs - x) ** 2 + (ys - y) ** 2 <= radius**2))
            continue
        angles, far = np.linspace(0, 2 * np.pi, 40, endpoint=False), radius * (1 + 0.3 * rng.random(40))
        points = np.stack([x + far * np.cos(angles), y + far * np.sin(angles)], axis=1).clip(0, [WIDTH, HEIGHT])
        drawn.append(parse_outline([points.ravel().tolist()]) or "")
    return drawn


def plainly(outline: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(to_mask(outline, WIDTH, HEIGHT))).save(stream, "PNG")
    return stream.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=200, help="masks")
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    drawn = outlines(given.n)

    def least_ms(encode: Callable[[str], bytes]) -> tuple[float, float]:
        """CPU of a mask, of the best run, and its bytes."""
        times, size = [], 0
        for _ in range(given.runs):
            start = time.process_time()
            size = sum(len(encode(outline)) for outline in drawn)
            times.append(time.process_time() - start)
        return min(times) / given.n * 1e3, size / given.n

    plain_ms, plain_bytes = least_ms(plainly)
    ours_ms, ours_bytes = least_ms(lambda outline: mask_png(outline, WIDTH, HEIGHT))
    verdict = f"{ours_ms / plain_ms:.2f} x, {'within' if ours_ms <= GOAL_MS else 'OVER'} {GOAL_MS:g} ms"
    print(f"{given.n} masks of {WIDTH} x {HEIGHT} pixels; CPU of the best of {given.runs} runs")
    print(f"plainly    {plain_ms:6.2f} ms  {plain_bytes:7,.0f} bytes")
    print(f"mask_png   {ours_ms:6.2f} ms  {ours_bytes:7,.0f} bytes   {verdict}")


if __name__ == "__main__":
    main()
