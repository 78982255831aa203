"""Augmentation inside boxes: nothing outside changes, and inside it is what the step of the whole image does."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scenes import done, operations, step

from shardsmith.dataset.shapes import Skeleton, to_mask
from shardsmith.transforms.boxes import STEPS
from shardsmith.transforms.catalogue import AUGMENT, OPERATIONS, Sample, build_steps, perform
from shardsmith.transforms.geometry.objects import Objects
from shardsmith.transforms.run.recipe import prepare_process

BOXES = [[10, 12, 70, 52], [90, 20, 141, 99], [40, 90, 41, 100]]  # the last one is too thin
FACE = Skeleton(("left_eye", "right_eye"), (), (1, 0))


@pytest.fixture(autouse=True, scope="module")
def _stable_opencv() -> None:
    prepare_process()


def photograph(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (120, 160, 3), dtype=np.uint8)


def always(name: str) -> object:
    more = {
        "box_flip": {"horizontal": 1},
        "box_exposure": {"share": 0.9},
        "box_rotate_90": {"probability": 1},
        "box_crop": {"zoom_min": 0.1},
    }
    return step(name, **more.get(name, {}))


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("draw", range(3))
def test_only_what_is_inside_the_boxes_changes(name: str, draw: int) -> None:
    before = Sample(photograph(draw), Objects.of(BOXES))
    after = done(always(name), before, draw)
    outside = np.ones((120, 160), bool)
    for left, top, right, bottom in BOXES[:2]:
        outside[top:bottom, left:right] = False
        assert not np.array_equal(after.pixels[top:bottom, left:right], before.pixels[top:bottom, left:right])
    assert np.array_equal(after.pixels[outside], before.pixels[outside])
    assert after.objects.boxes().tolist() == BOXES
    assert after.objects.visible.tolist() == [1, 1, 1]


@pytest.mark.parametrize("name", ["box_flip", "box_rotate", "box_shear", "box_brightness", "box_exposure", "box_noise"])
def test_inside_it_is_what_the_whole_image_would_get(name: str) -> None:
    drawn = operations(always(name))
    after = perform(Sample(photograph(), Objects.of(BOXES[:1])), drawn)
    part = Sample(np.ascontiguousarray(photograph()[12:52, 10:70]), Objects.of([]))
    whole = perform(part, [(name_.removeprefix("box_"), values) for name_, values in drawn])
    assert np.array_equal(after.pixels[12:52, 10:70], whole.pixels)


def test_a_turned_content_is_fitted_to_its_box() -> None:
    pixels = np.zeros((60, 80, 3), np.uint8)
    pixels[10:50, 20:30] = 255  # the left quarter of a box of 40 x 40
    after = OPERATIONS["box_rotate_90"].apply(Sample(pixels, Objects.of([[20, 10, 60, 50]])), {"turn": "clockwise"})
    assert (after.pixels[10:20, 20:60] == 255).all()
    assert not after.pixels[20:50].any()


def test_keypoints_and_outlines_follow_inside_their_box() -> None:
    outline = "[[12,14,30,14,30,50,12,50]]"
    pixels = np.repeat(to_mask(outline, 160, 120)[:, :, None] * 255, 3, axis=2)
    objects = Objects.of([BOXES[0]], [outline], ["[20,20,2,60,20,2]"], [FACE.mirror])
    after = OPERATIONS["box_flip"].apply(Sample(pixels, objects), {"axis": "horizontal"})
    assert json.loads(after.objects.keypoints()[0]) == [20, 20, 2, 60, 20, 2]  # sides change, and so do their places
    assert np.array_equal(to_mask(after.objects.segmentations()[0], 160, 120) * 255, after.pixels[:, :, 0])
    assert after.objects.boxes().tolist() == [BOXES[0]]


def test_an_image_without_boxes_stays_as_it_is() -> None:
    sample = Sample(photograph(), Objects.of([]))
    assert all(done(always(name), sample) is sample for name in STEPS)


@pytest.mark.parametrize(("sides", "low", "high"), [("both", -1, 1), ("plus", 0, 1), ("minus", -1, 0)])
@pytest.mark.parametrize(
    ("name", "key", "most"),
    [("brightness", "share", 0.3), ("saturation", "share", 0.2), ("hue", "degrees", 40), ("rotate", "degrees", 15)],
)
def test_one_side_alone(name: str, key: str, most: float, sides: str, low: int, high: int) -> None:
    one = build_steps([{name: {key: most, "sides": sides}}], AUGMENT)[0]
    drawn = [operations(one, draw)[0][1][key] for draw in range(40)]
    assert low * most <= min(drawn) < max(drawn) <= high * most
    assert (min(drawn) < 0 < max(drawn)) == (sides == "both")
    assert f"{0 if sides == 'plus' else -100 * most if key == 'share' else -most:g}" in one.describe()


@pytest.mark.parametrize(("sides", "words"), [("plus", "from 1 to 1.1"), ("minus", "from 0.91 to 1")])
def test_exposure_of_one_side(sides: str, words: str) -> None:
    one = build_steps([{"exposure": {"sides": sides}}], AUGMENT)[0]
    drawn = [operations(one, draw)[0][1]["gamma"] for draw in range(20)]
    assert all(gamma >= 1 for gamma in drawn) if sides == "plus" else all(gamma <= 1 for gamma in drawn)
    assert words in one.describe()
