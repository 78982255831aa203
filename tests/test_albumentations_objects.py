"""Any transform of albumentations against a drawn truth: objects stay with their pixels, whatever moves those."""

import json

import numpy as np
import pytest

from shardsmith.dataset.shapes import from_mask, to_mask
from shardsmith.transforms.albumentations.checks import names
from shardsmith.transforms.catalogue import Sample
from shardsmith.transforms.geometry.objects import Objects
from shardsmith.transforms.run.recipe import prepare_process
from tests.scenes import done, draw_scene, iou, measure, overlaps, sample_of, step

BY_MATRIX = {
    "HorizontalFlip": {},
    "D4": {},
    "Affine": {"rotate": [-45, 45], "scale": [0.5, 1.5], "shear": [-10, 10]},
    "ShiftScaleRotate": {},
    "SafeRotate": {"limit": 90},
    "RandomResizedCrop": {"size": [300, 200]},
    "RandomSizedBBoxSafeCrop": {"height": 200, "width": 220},
    "CropAndPad": {"px": [-25, 25]},
    "Transpose": {},
}
BY_MAP = {
    "Perspective": {"scale": [0.05, 0.2]},
    "GridDistortion": {},
    "OpticalDistortion": {"distort_limit": [-0.3, 0.3]},
    "ElasticTransform": {"alpha": 100, "sigma": 10},
    "RandomGridShuffle": {},
}


@pytest.fixture(autouse=True, scope="module")
def _stable_opencv() -> None:
    prepare_process()


def one(name: str, **arguments: object) -> object:
    return step("albumentations", **{name: {"p": 1, **arguments}})


def outlined_scene(seed: int) -> Sample:
    """The scene's first rectangle as a mask, the second as a polygon, the third as a box."""
    scene = draw_scene(seed)
    mask = from_mask((scene.pixels[:, :, 0] > 0).astype(np.uint8))
    xmin, ymin, xmax, ymax = scene.objects.boxes()[1].tolist()
    polygon = json.dumps([[xmin, ymin, xmax, ymin, xmax, ymax, xmin, ymax]])
    return sample_of(scene.pixels, scene.objects.boxes(), [mask, polygon, None])


@pytest.mark.parametrize("name", BY_MATRIX)
def test_boxes_lie_where_the_pixels_went(name: str) -> None:
    found = overlaps(one(name, **BY_MATRIX[name]), 60)
    assert found.mean() >= 0.97
    assert found.min() >= 0.9


@pytest.mark.parametrize("name", BY_MAP)
def test_boxes_hold_what_was_bent(name: str) -> None:
    found = overlaps(one(name, **BY_MAP[name]), 60)
    assert found.mean() >= 0.97
    assert np.quantile(found, 0.05) >= 0.9


def test_flips_are_exact() -> None:
    assert overlaps(one("HorizontalFlip"), 40).min() == 1
    assert done(
        one("HorizontalFlip"), sample_of(np.zeros((20, 40, 3), np.uint8), [[1.25, 2, 8.5, 9]])
    ).objects.boxes().tolist() == [[31.5, 2, 38.75, 9]]


@pytest.mark.parametrize("name", [*BY_MATRIX, *BY_MAP])
def test_outlines_follow_too_and_boxes_hug_them(name: str) -> None:
    given, found = one(name, **(BY_MATRIX | BY_MAP)[name]), []
    for draw in range(20):
        after = done(given, outlined_scene(draw), draw)
        flat = [None if text is None else _mask_of(text, after) for text in after.objects.segmentations()]
        for row, box, mask in zip(after.objects.rows.tolist(), after.objects.boxes(), flat, strict=True):
            truth = after.pixels[:, :, row] > 127
            if row < 2 and truth.sum() > 400:
                found.append((truth & (mask > 0)).sum() / (truth | (mask > 0)).sum())
                assert iou(box, measure(after.pixels, row)) > 0.85
    assert np.mean(found) >= 0.97
    assert len(found) > 10


def _mask_of(text: str, sample: Sample) -> np.ndarray:
    return to_mask(text, sample.width, sample.height)


@pytest.mark.parametrize(
    ("box", "segmentation", "visible"),
    [
        ([0, 0, 40, 40], None, 0.25),
        ([20, 20, 60, 60], None, 1),
        ([0, 30, 40, 50], "[[0,30,40,30,40,50,0,50]]", 0.5),
        ([0, 0, 20, 20], None, None),
    ],
)
def test_what_a_crop_leaves_by_hand(box: list, segmentation: str | None, visible: float | None) -> None:
    sample = sample_of(np.zeros((100, 100, 3), np.uint8), [box], [segmentation])
    after = done(one("Crop", x_min=20, y_min=20, x_max=80, y_max=80), sample).objects
    assert after.visible.tolist() == ([] if visible is None else [visible])


def test_what_is_painted_over_is_less_visible() -> None:
    sample = sample_of(np.full((100, 100, 3), 9, np.uint8), [[10, 10, 90, 90], [40, 40, 50, 50]])
    after = done(one("Erasing", scale=[0.25, 0.25], ratio=[1, 1]), sample, 3)
    shown = (after.pixels[:, :, 0] == 9)[10:90, 10:90].mean()
    assert after.objects.boxes()[0].tolist() == [10, 10, 90, 90]
    assert after.objects.visible[0] == pytest.approx(shown, abs=0.001)


def test_a_bent_object_is_counted_by_what_is_left() -> None:
    sample = sample_of(np.zeros((200, 200, 3), np.uint8), [[80, 80, 120, 120], [90, 95, 97, 101], [0, 0, 200, 200]])
    for draw in range(10):
        after = done(one("Perspective", scale=[0.1, 0.1]), sample, draw).objects
        assert after.visible[:2].tolist() == [1, 1]
        assert 0.3 < after.visible[2] < 0.95
        assert after.scale[0] == pytest.approx(1 / after.visible[2], rel=0.3)


def test_what_is_drawn_by_the_objects_knows_them() -> None:
    for draw in range(20):
        safe = done(one("RandomSizedBBoxSafeCrop", height=100, width=100), draw_scene(draw), draw)
        assert safe.objects.visible.tolist() == [1, 1, 1]
        far = sample_of(np.zeros((400, 400, 3), np.uint8), [[300, 100 + 10 * draw, 310, 110 + 10 * draw]])
        for name in ("AtLeastOneBBoxRandomCrop", "CropNonEmptyMaskIfExists"):
            assert len(done(one(name, height=40, width=40), far, draw).objects.rows) == 1
        hidden = done(one("MaskDropout", max_objects=3), sample_of(draw_scene(draw).pixels, [[5, 5, 25, 25]]), draw)
        assert not hidden.pixels[5:25, 5:25].any() and not len(hidden.objects.rows)


def test_colours_leave_objects_alone() -> None:
    sample = outlined_scene(4)
    after = done(step("albumentations", CLAHE={"p": 1}, RandomRain={"p": 1}), sample)
    assert after.objects is sample.objects
    assert not np.array_equal(after.pixels, sample.pixels)


@pytest.mark.parametrize(
    "given",
    [{"HorizontalFlip": {"p": 0}}, {"NoOp": {"p": 1}}, {"OneOf": {"transforms": [{"D4": {}}], "p": 0}}, {"Pad": {}}],
)
def test_nothing_done_is_the_same_sample(given: dict) -> None:
    sample = outlined_scene(4)
    assert done(step("albumentations", **given), sample) is sample


def test_too_small_an_image_is_a_clear_error() -> None:
    dot = sample_of(np.zeros((1, 1, 3), np.uint8), [[0, 0, 1, 1]])
    with pytest.raises(ValueError, match="Crop size"):
        done(one("RandomCrop", height=64, width=64), dot)
    for name in set(names()) & {*BY_MATRIX, *BY_MAP, "CLAHE", "RandomRain", "CoarseDropout"}:
        try:
            after = done(one(name, **(BY_MATRIX | BY_MAP).get(name, {})), dot)
        except ValueError as error:
            assert str(error), name
        else:
            assert isinstance(after.objects, Objects), name
