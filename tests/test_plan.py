"""Steps that choose, cut and join: what is planned, and how little of it changes as a dataset grows."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import box, image_bytes, make_image, make_manifest

from shardsmith.dataset.manifest import Annotation, Image, Manifest
from shardsmith.pipeline.params import PreprocessParams
from shardsmith.pipeline.preprocess import preprocess
from shardsmith.transforms.catalogue import AUGMENT, PREPROCESS, build_steps
from shardsmith.transforms.run.plan import CopyPlan, plan_preprocess, repeat_factors
from shardsmith.transforms.run.recipe import Recipe
from shardsmith.transforms.scene import Planned

RECIPE = Recipe(0.1, 1)


def image(image_id: str, width: int = 100, height: int = 80, **columns: object) -> Image:
    return Image(image_id, f"raw/{image_id}", image_id, width, height, "jpeg", **columns)  # type: ignore[arg-type]


def plan(rows: list, *listed: dict) -> tuple[list[Planned], list]:
    images = [row for row in rows if isinstance(row, Image)]
    boxes = [row for row in rows if isinstance(row, Annotation)]
    planned = [Planned(one, [b for b in boxes if b.image_id == one.image_id]) for one in images]
    after, findings = plan_preprocess(planned, build_steps(listed, PREPROCESS), RECIPE)
    return list(after), findings


def copies_of(images: list[Planned], listed: list, copies: int = 1, seed: int = 0) -> list[Planned]:
    plan = CopyPlan(lambda: images, build_steps(listed, AUGMENT), copies, seed)
    return [copy for one in images for copy in plan.of(one)]


def ids(planned: list[Planned]) -> list[str]:
    return [one.image.image_id for one in planned]


def cuts(planned: list[Planned]) -> list[tuple]:
    return [tuple(one.operations[-1][1].values()) for one in planned]


def test_tiles_by_rows_and_columns() -> None:
    planned, _ = plan([image("a.jpg", 101, 80)], {"tile": {"rows": 1, "columns": 2}})
    assert ids(planned) == ["a.jpg#r1c1", "a.jpg#r1c2"]
    assert [one.image.parent_id for one in planned] == ["a.jpg", "a.jpg"]
    assert cuts(planned) == [(0, 0, 50, 80), (50, 0, 51, 80)]


@pytest.mark.parametrize(
    ("width", "overlap", "expected"),
    [
        (50, 0, [(0, 50), (50, 50)]),
        (50, 0.5, [(0, 50), (25, 50), (50, 50)]),
        (60, 0, [(0, 60), (40, 60)]),
        (60, 0.2, [(0, 60), (40, 60)]),
        (40, 0.1, [(0, 40), (30, 40), (60, 40)]),  # evenly, not 0 36 60
    ],
)
def test_tiles_by_size(width: int, overlap: float, expected: list) -> None:
    planned, findings = plan([image("a.jpg", 100, 10)], {"tile": {"width": width, "height": 10, "overlap": overlap}})
    assert [(cut[0], cut[2]) for cut in cuts(planned)] == expected
    assert not findings


@pytest.mark.parametrize("tile", [{"width": 640, "height": 640}, {"rows": 90, "columns": 1}])
def test_an_image_smaller_than_a_tile_is_named_and_kept(tile: dict) -> None:
    planned, findings = plan([image("a.jpg")], {"tile": tile})
    assert [(one.code, one.file, one.value) for one in findings] == [
        ("image-smaller-than-tile", "a.jpg", "100 x 80 pixels")
    ]
    assert ids(planned) == ["a.jpg"] if "width" in tile else len(planned) == 80


def test_each_object_an_image(tmp_path: Path) -> None:
    rows = [make_image(tmp_path, name, split="train") for name in ("a.jpg", "b.jpg", "c.jpg")]
    manifest = make_manifest(
        *rows,
        box("a.jpg", "cat", 2.5, 4, 12, 14, attributes='{"pose": "left"}'),
        box("a.jpg", "crowd", 0, 0, 9, 9, is_crowd=True),
        box("a.jpg", "dog", 0, 0, 32, 24),
        box("c.jpg", "whole", None, None, None, None),  # type: ignore[arg-type]
    )
    params = PreprocessParams(enabled=True, steps=[{"isolate_objects": {"padding": 0.1}}])
    result, findings, _ = preprocess(manifest, params, tmp_path / "out")
    assert [(row.image_id, row.width, row.height) for row in result.image_rows()] == [
        ("a.jpg#object1", 12, 12),  # 1.55 to 12.95, 3 to 15
        ("a.jpg#object3", 32, 24),
        ("c.jpg", 32, 24),
    ]
    assert [(row.label, row.xmin, row.attributes) for row in result.annotation_rows()] == [
        ("cat", None, '{"pose": "left"}'),
        ("dog", None, None),
        ("whole", None, None),
    ]
    assert [(one.code, one.file, one.place) for one in findings] == [
        ("box-left-out", "a.jpg", "object 2"),
        ("image-left-out", "b.jpg", ""),
    ]


def test_steps_work_in_the_order_listed() -> None:
    """A box that a tile leaves too little of makes no positive; the size is judged after the resize before."""
    rows = [image("a.jpg", 100, 100), box("a.jpg", "cat", 5, 5, 51, 45), box("a.jpg", "dog", 5, 60, 15, 70)]
    halves = {"tile": {"rows": 1, "columns": 2}}
    resize = {"resize": {"width": 50, "height": 50}}
    small = {"min_box_size": {"side": 8}}
    assert ids(plan(rows, halves, {"filter_negatives": {"keep": 0}})[0]) == ["a.jpg#r1c1"]
    planned, findings = plan(rows, resize, small)
    assert [row.label for row in planned[0].annotations] == ["cat"]
    assert [(one.code, one.place, one.value) for one in findings] == [("box-left-out", "object 2", "dog")]
    assert not plan(rows, small, resize)[1]


@pytest.mark.parametrize(
    ("step", "left"),
    [
        ({"filter_tags": {"keep": ["night"]}}, ["a"]),
        ({"filter_tags": {"drop": ["night", "fog"]}}, ["c", "d", "e", "f"]),
        ({"filter_classes": {"keep": ["cat"]}}, ["a", "b"]),
        ({"filter_classes": {"drop": ["dog"]}}, ["a", "d", "e", "f"]),
        ({"filter_negatives": {"keep": 0.25}}, ["a", "b", "c", "?"]),
        ({"filter_negatives": {"keep": 0.9}}, ["a", "b", "c", "d", "e", "f"]),
        ({"random_sample": {"images": 4}}, ["?"] * 4),
        ({"random_sample": {"images": 40}}, ["a", "b", "c", "d", "e", "f"]),
    ],
)
def test_what_is_left_out_is_named(step: dict, left: list) -> None:
    rows = [image("a", tags=["night"]), image("b", tags=["fog"]), *map(image, "cdef")]
    boxes = [box("a", "cat"), box("b", "cat"), box("b", "dog"), box("c", "dog")]
    planned, findings = plan([*rows, *boxes], step)
    assert len(planned) == len(left)
    if "?" not in left:
        assert ids(planned) == left
    gone = {row.image_id for row in rows} - set(ids(planned))
    assert {one.file for one in findings} == gone
    assert {one.code for one in findings} <= {"image-left-out"}


def test_a_sample_for_each_class() -> None:
    rows = [image(f"{number}") for number in range(40)]
    boxes = [box(row.image_id, "rare" if number < 3 else "common") for number, row in enumerate(rows)]
    planned, _ = plan([*rows, *boxes], {"random_sample": {"per_class": 5}})
    assert Counter(one.annotations[0].label for one in planned) == {"rare": 3, "common": 5}


MANY = [image(f"{number:04}.jpg", split="train") for number in range(1010)]


def test_one_image_in_a_hundred_more_changes_about_that_share() -> None:
    def chosen(count: int, step: dict) -> set[str]:
        return set(ids(plan(MANY[:count], step)[0]))

    before, after = (chosen(count, {"random_sample": {"images": 500}}) for count in (1000, 1010))
    assert len(before - after) <= 12

    listed = [{"mosaic": {"probability": 1}}, {"rotate": {}}]
    copies = []
    for count in (1000, 1010):
        images = [Planned(row, ()) for row in MANY[:count]]
        copies.append({one.image.image_id: one for one in copies_of(images, listed, 2)})
    old, new = copies
    partners = [{row.image_id for row, _ in one.partners} for one in old.values()]
    assert {len(one) for one in partners} == {3}
    assert all(one.image.parent_id not in names for one, names in zip(old.values(), partners, strict=True))
    uses = Counter(name for names in partners for name in names)
    assert max(uses.values()) < 20  # of 6 on average: nobody is in every mosaic
    changed = sum(new[name].operations != one.operations for name, one in old.items())
    assert 0 < changed / len(old) < 0.05  # one of three partners, each with a chance of 1 in 100


def test_images_that_come_later_change_no_mosaic_and_take_from_all() -> None:
    batches = [replace(row, batch=1 if number < 1000 else 2) for number, row in enumerate(MANY)]
    listed = [{"mosaic": {"probability": 1}}]
    old, new = (copies_of([Planned(row, ()) for row in batches[:count]], listed, 2) for count in (1000, 1010))
    operations = {one.image.image_id: one.operations for one in new}
    assert all(operations[one.image.image_id] == one.operations for one in old)
    later = [one for one in new if one.image.batch == 2]
    assert {image.batch for one in later for image, _ in one.partners} == {1} and len(later) == 20


def test_draws_depend_on_nothing_but_seed_image_copy_and_place() -> None:
    images = [Planned(row, ()) for row in MANY[:20]]

    def rotations(listed: list, seed: int = 0) -> list:
        return [dict(one.operations).get("rotate") for one in copies_of(images, listed, seed=seed)]

    same = rotations([{"flip": {}}, {"rotate": {}}])
    assert rotations([{"flip": {"horizontal": 0.1}}, {"rotate": {}}]) == same
    assert rotations([{"flip": {}}, {"rotate": {}}], seed=1) != same
    often = rotations([{"flip": {}}, {"rotate": {"probability": 0.5}}])
    assert {str(one) for one in often} < {str(one) for one in [*same, None]}


def test_shares_of_copies_and_classes() -> None:
    images = [Planned(image(f"{n}"), [box(f"{n}", "cat" if n % 2 else "left arrow")]) for n in range(400)]
    listed = [
        {"flip": {"horizontal": 1, "except_classes": ["left arrow"]}},
        {"shear": {"probability": 0.3, "classes": ["cat"]}},
    ]
    planned = copies_of(images, listed)
    done = Counter((one.annotations[0].label, name) for one in planned for name, _ in one.operations)
    assert done["left arrow", "flip"] == done["left arrow", "shear"] == 0
    assert done["cat", "flip"] == 200
    assert done["cat", "shear"] == pytest.approx(60, abs=20)


def test_repeat_factors_are_the_square_root_of_how_rare() -> None:
    images = [Planned(image(f"{n}"), [box(f"{n}", "rare" if n == 0 else "common")]) for n in range(10)]
    assert repeat_factors([*images, Planned(image("none"), ())]) == {"rare": 3, "common": 1}


def test_a_mosaic_brings_the_boxes_of_its_partners(tmp_path: Path) -> None:
    from shardsmith.pipeline.augment import augment
    from shardsmith.pipeline.params import AugmentParams

    rows = [make_image(tmp_path, f"{n}.jpg", image_bytes(64, 48, n), split="train") for n in range(8)]
    boxes = [box(row.image_id, f"class {n}", 0, 0, 64, 48) for n, row in enumerate(rows)]
    manifest: Manifest = make_manifest(*rows, *boxes)
    params = AugmentParams(enabled=True, copies=1, steps=[{"mosaic": {"probability": 1}}])
    result, findings, _ = augment(manifest, params, tmp_path / "out")
    assert not findings
    for row in result.image_rows():
        held = result.annotations_by_image()[row.image_id]
        if row.copy:
            assert len({one.label for one in held}) == 4
            areas = [(one.xmax - one.xmin) * (one.ymax - one.ymin) for one in held]  # type: ignore[operator]
            assert np.isclose(sum(areas), 64 * 48)
