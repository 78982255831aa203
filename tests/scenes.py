"""Drawn truth: objects of one flat colour each, whose true place is measured from the pixels after any step."""

from __future__ import annotations

import numpy as np

from shardsmith.transforms.base import FixedStep, RandomStep
from shardsmith.transforms.catalogue import AUGMENT, PREPROCESS, Sample, Step, build_steps, perform
from shardsmith.transforms.geometry.objects import Objects

MIN_SIDE_PX = 12


def step(name: str, **arguments: object) -> Step:
    return build_steps([{name: arguments}], AUGMENT if name in AUGMENT else PREPROCESS)[0]


def operations(one: Step, draw: int = 0) -> list:
    """What the step becomes for one image."""
    assert isinstance(one, FixedStep | RandomStep)
    return one.operations() if isinstance(one, FixedStep) else one.draw(np.random.default_rng(draw))


def done(one: Step, sample: Sample, draw: int = 0) -> Sample:
    return perform(sample, operations(one, draw))


def sample_of(pixels: np.ndarray, boxes: object, segmentations: list[str | None] | None = None) -> Sample:
    return Sample(pixels, Objects.of(boxes, segmentations))


def draw_scene(seed: int) -> Sample:
    """Three flat rectangles that may overlap, one in each colour channel."""
    rng = np.random.default_rng(seed)
    height, width = rng.integers(80, 400, 2)
    pixels, boxes = np.zeros((height, width, 3), np.uint8), []
    for channel in range(3):
        xmin, ymin = rng.integers(0, [width - 30, height - 30])
        xmax, ymax = rng.integers([xmin + 20, ymin + 20], [width + 1, height + 1])
        pixels[ymin:ymax, xmin:xmax, channel] = 255
        boxes.append([xmin, ymin, xmax, ymax])
    return sample_of(pixels, boxes)


def measure(pixels: np.ndarray, channel: int) -> np.ndarray:
    """The box of what is drawn in a channel; a pixel at an edge counts by how much of it is covered."""
    covered = pixels[:, :, channel] / 255
    return np.array([edge for ends in zip(_ends(covered.max(0)), _ends(covered.max(1)), strict=True) for edge in ends])


def _ends(profile: np.ndarray) -> tuple[float, float]:
    full = np.flatnonzero(profile > 0.98)
    if not len(full):
        return 0, 0
    return full[0] - profile[: full[0]].sum(), full[-1] + 1 + profile[full[-1] + 1 :].sum()


def iou(a: np.ndarray, b: np.ndarray) -> float:
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = sides.clip(0).prod()
    return shared / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - shared)


def overlaps(one: Step, draws: int = 200) -> np.ndarray:
    """IoU of each box with what is measured, for boxes large enough to measure."""
    found = []
    for draw in range(draws):
        after = done(one, draw_scene(draw), draw)
        for box, row in zip(after.objects.boxes(), after.objects.rows, strict=True):
            if (box[2:] - box[:2]).min() > MIN_SIDE_PX:
                found.append(iou(box, measure(after.pixels, row)))
    assert len(found) > draws
    return np.array(found)
