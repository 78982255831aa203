"""Keypoints and oriented boxes against a drawn truth: they stay with their pixels through every step."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from scenes import done, step
from test_albumentations_objects import BY_MAP, BY_MATRIX

from shardsmith.dataset.shapes import Skeleton, to_mask
from shardsmith.transforms.catalogue import AUGMENT, OPERATIONS, PREPROCESS, Sample
from shardsmith.transforms.geometry.objects import Objects
from shardsmith.transforms.run.recipe import prepare_process
from shardsmith.transforms.steps.flip import FLIP

FACE = Skeleton(("left_eye", "right_eye", "nose"), (), (1, 0, 2))
GEOMETRY = {
    "resize": {"width": 200, "height": 160, "mode": "fit"},
    "crop": {"zoom_min": 0.1, "zoom_max": 0.4},
    "flip": {"horizontal": 0.5, "vertical": 0.5},
    "rotate": {"degrees": 40},
    "rotate_90": {"turns": ["clockwise", "counter_clockwise", "upside_down"]},
    "shear": {"horizontal": 20, "vertical": 20},
}
WARPS = {name: more for name, more in (BY_MATRIX | BY_MAP).items() if name != "RandomGridShuffle"}  # it tears
STEPS = [
    *((name, step(name, **arguments)) for name, arguments in GEOMETRY.items()),
    *((name, step("albumentations", **{name: {"p": 1, **more}})) for name, more in WARPS.items()),
]


@pytest.fixture(autouse=True, scope="module")
def _stable_opencv() -> None:
    prepare_process()


def disc_scene(seed: int) -> Sample:
    """Three discs that do not touch, one in each colour channel: the points of one object."""
    rng = np.random.default_rng(seed)
    height, width = (int(side) for side in rng.integers(160, 300, 2))
    places = np.array([[0.3, 0.35], [0.7, 0.3], [0.5, 0.7]]) * (width, height) + rng.uniform(-15, 15, (3, 2))
    pixels = np.zeros((height, width, 3), np.uint8)
    y, x = np.mgrid[:height, :width] + 0.5
    for channel, (at_x, at_y) in enumerate(places):
        pixels[(x - at_x) ** 2 + (y - at_y) ** 2 < 64, channel] = 255
    points = json.dumps([value for at in places.tolist() for value in (*at, 2)])
    return Sample(pixels, Objects.of([[0, 0, width, height]], [None], [points], [FACE.mirror]))


def centre(channel: np.ndarray) -> tuple[float, float] | None:
    """Of a disc that is wholly there and in one piece."""
    weight = channel.astype(float) / 255
    rows, columns = np.nonzero(channel)
    if not 100 < weight.sum() < 500 or min(np.ptp(rows), np.ptp(columns)) > 40:
        return None
    if rows.min() < 2 or columns.min() < 2 or rows.max() > len(channel) - 3 or columns.max() > channel.shape[1] - 3:
        return None
    y, x = np.mgrid[: channel.shape[0], : channel.shape[1]] + 0.5
    return (x * weight).sum() / weight.sum(), (y * weight).sum() / weight.sum()


@pytest.mark.parametrize(("name", "one"), STEPS, ids=[name for name, _ in STEPS])
def test_keypoints_lie_where_the_pixels_went(name: str, one: object) -> None:
    away, sides = [], set()
    for draw in range(24):
        after = done(one, disc_scene(draw), draw)
        (text,) = after.objects.keypoints() if len(after.objects.rows) else [None]
        points = np.reshape(json.loads(text), (3, 3)) if text else np.zeros((3, 3))
        eyes = [centre(after.pixels[:, :, channel]) for channel in range(2)]
        nose = centre(after.pixels[:, :, 2])
        if nose:
            away.append(np.hypot(*(points[2, :2] - nose)))
        if all(eyes) and nose:
            mirrored = _turn(*eyes, nose) < 0
            sides.add(mirrored)
            for at, eye in zip(points[:2], eyes[::-1] if mirrored else eyes, strict=True):
                away.append(np.hypot(*(at[:2] - eye)))
        for at in points:
            assert at[2] or not at.any()
            assert (at >= 0).all() and at[0] <= after.width and at[1] <= after.height
    assert len(away) > 20
    assert np.quantile(away, 0.97) < (3 if name in BY_MAP else 1)
    assert sides == {"flip": {True, False}, "D4": {True, False}, "HorizontalFlip": {True}}.get(name, sides)


def _turn(one: tuple, other: tuple, third: tuple) -> float:
    """Above 0 where the three lie clockwise."""
    (ax, ay), (bx, by), (cx, cy) = one, other, third
    return (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)


def leaning_scene(seed: int) -> Sample:
    """A white rectangle that leans, as an oriented box."""
    rng = np.random.default_rng(seed)
    height, width = (int(side) for side in rng.integers(160, 300, 2))
    rect = ((width / 2, height / 2), tuple(rng.uniform(40, 100, 2)), float(rng.uniform(5, 85)))
    corners = cv2.boxPoints(rect).astype(float).round(2)
    text = json.dumps([corners.ravel().tolist()])
    pixels = np.repeat(to_mask(text, width, height)[:, :, None] * 255, 3, axis=2)
    box = [*corners.min(axis=0), *corners.max(axis=0)]
    return Sample(pixels, Objects.of([box], [text], oriented=[True]))


@pytest.mark.parametrize(("name", "one"), STEPS, ids=[name for name, _ in STEPS])
def test_oriented_boxes_lie_where_the_pixels_went(name: str, one: object) -> None:
    found = []
    for draw in range(16):
        after = done(one, leaning_scene(draw), draw)
        for text in after.objects.segmentations():
            (corners,) = json.loads(text)
            assert len(corners) == 8
            drawn = after.pixels[:, :, 0] > 127
            whole = not (drawn[0].any() or drawn[-1].any() or drawn[:, 0].any() or drawn[:, -1].any())
            if drawn.sum() > 400 and (whole or name not in BY_MAP):
                inside = to_mask(text, after.width, after.height) > 0
                # what is cut off leaves a corner more; the smallest rectangle around it holds all of it
                found.append((inside & drawn).sum() / ((inside | drawn) if whole else drawn).sum())
    limit = 0.75 if name in BY_MAP else 0.93  # a bent rectangle is none
    assert len(found) > 6
    assert min(found, default=1) > limit


def test_after_a_cut_four_corners_are_a_rectangle() -> None:
    diamond = Objects.of([[0, 0, 40, 40]], ["[[20,0,40,20,20,40,0,20]]"], oriented=[True])
    sample = Sample(np.zeros((40, 40, 3), np.uint8), diamond)
    after = OPERATIONS["cut"].apply(sample, {"left": 0, "top": 0, "width": 26, "height": 40})
    corners = np.reshape(json.loads(after.objects.segmentations()[0]), (4, 2))
    sides = np.roll(corners, -1, axis=0) - corners
    assert np.abs((sides * np.roll(sides, -1, axis=0)).sum(axis=1)).max() < 0.1


def test_what_is_painted_over_is_hidden() -> None:
    sample = disc_scene(3)
    left, top = json.loads(sample.objects.keypoints()[0])[:2]
    holes = [
        [(left - 9) / sample.width, (top - 9) / sample.height, (left + 9) / sample.width, (top + 9) / sample.height]
    ]
    after = OPERATIONS["cutout"].apply(sample, {"holes": holes, "colour": "black"})
    assert json.loads(after.objects.keypoints()[0])[2::3] == [1, 2, 2]


def test_a_mosaic_has_the_points_of_all_four() -> None:
    scenes = [disc_scene(seed) for seed in range(4)]
    values = {"x": 0.5, "y": 0.5, "place": 0, "partners": []}
    after = OPERATIONS["mosaic"].apply(replace(scenes[0], others=scenes[1:]), values)
    assert len(after.objects.keypoints()) == 4
    for text in after.objects.keypoints():
        for channel, (x, y, seen) in enumerate(np.reshape(json.loads(text), (3, 3))):
            assert not seen or after.pixels[int(y), int(x), channel] > 127


def test_a_step_that_forgets_the_points_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    class Forgetful:
        def apply(self, sample: Sample, values: dict) -> Sample:
            after = FLIP.apply(sample, values)
            return replace(after, objects=replace(after.objects, points=sample.objects.points))

    monkeypatch.setitem(OPERATIONS, "flip", Forgetful())
    with pytest.raises(AssertionError):
        test_keypoints_lie_where_the_pixels_went("flip", step("flip"))


def test_every_step_is_tried() -> None:
    tried = {*GEOMETRY, "cutout", "mosaic", "albumentations"}
    operators = {name: one for name, one in OPERATIONS.items() if not name.startswith("box_")}  # test_box_steps.py
    moves = {name for name, operator in operators.items() if type(operator).__name__ != "Recolour"}
    assert moves - tried <= {"cut", "zoom"}, "a step that moves pixels is missing in this file"
    assert tried <= {*AUGMENT, *PREPROCESS}
