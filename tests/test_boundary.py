"""Masks traced along the edges of their pixels: what is drawn from the polygons is the very same mask."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import box, make_image, make_manifest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as rle_tools

from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.shapes import from_mask, skeleton_of, to_mask
from shardsmith.formats.losses import find_losses
from shardsmith.formats.registry import READERS, WRITERS
from shardsmith.formats.shapes.boundary import as_one_polygon, as_polygons, joined
from shardsmith.formats.shared.job import ExportJob
from shardsmith.formats.shared.raw_folder import RawFolder
from shardsmith.pipeline.ingest import probe_images

SIZE = (32, 24)


def drawn(text: str) -> str:
    """The RLE of a picture of # and dots, at the top left of an image of SIZE."""
    mask = np.zeros(SIZE[::-1], np.uint8)
    for y, line in enumerate(text.split()):
        mask[y, : len(line)] = [character == "#" for character in line]
    return from_mask(mask)


RING = drawn("###### #....# #.##.# #....# ###### ...... ..##.. ")
POINTS = st.tuples(st.floats(0, SIZE[0]), st.floats(0, SIZE[1]))
POLYGONS = st.lists(st.lists(POINTS, min_size=3, max_size=6).map(lambda points: [*sum(points, ())]), min_size=1)


@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 1)))
def test_the_polygons_of_a_mask_draw_it_again(mask: np.ndarray) -> None:
    height, width = mask.shape
    parts, one = as_polygons(from_mask(mask)), as_one_polygon(from_mask(mask), (width, height))
    for polygons in (parts, [one]):
        back = to_mask(json.dumps(polygons), width, height) if mask.any() else np.zeros_like(mask)
        assert np.array_equal(back, mask)


@given(POLYGONS)
def test_polygons_as_one_draw_the_same(polygons: list[list[float]]) -> None:
    one = as_one_polygon(json.dumps(polygons), SIZE)
    mask = to_mask(json.dumps(polygons), *SIZE)
    assert np.array_equal(to_mask(json.dumps([one]), *SIZE) if one else mask * 0, mask)


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        ("##. ##.", [[0, 0, 2, 0, 2, 2, 0, 2]]),  # no corner that is none
        ("#.. .#.", [[0, 0, 1, 0, 1, 1, 2, 1, 2, 2, 1, 2, 1, 1, 0, 1]]),  # pixels that touch at a corner are one part
        ("#.# ...", [[0, 0, 1, 0, 1, 1, 0, 1], [2, 0, 3, 0, 3, 1, 2, 1]]),
        ("... ...", []),
        ("### #.# ###", [[0, 0, 1, 1, 2, 1, 2, 2, 1, 2, 1, 1, 0, 0, 3, 0, 3, 3, 0, 3]]),  # the seam to its hole
    ],
)
def test_a_mask_is_traced_to(picture: str, expected: list[list[int]]) -> None:
    assert as_polygons(drawn(picture)) == expected


def test_an_island_in_a_hole_is_a_part_of_its_own() -> None:
    assert [min(part[1::2]) for part in as_polygons(RING)] == [0, 2, 6]


def test_rings_are_joined_where_they_are_nearest() -> None:
    rings = [np.array([[0, 0], [4, 0], [4, 4]]), np.array([[9, 9], [6, 4], [9, 4]]), np.array([[9, 0], [6, 3], [9, 2]])]
    expected = [0, 0, 4, 0, 4, 4, 6, 4, 6, 3, 9, 2, 9, 0, 6, 3, 6, 4, 9, 4, 9, 9, 6, 4, 4, 4]
    assert joined(rings).ravel().tolist() == expected


def test_a_mask_of_noise_takes_no_minutes() -> None:
    noise = np.random.default_rng(1).random((200, 200)) < 0.5
    assert np.array_equal(to_mask(json.dumps([as_one_polygon(from_mask(noise), (200, 200))]), 200, 200), noise)


def test_pycocotools_draws_the_same_mask_from_polygons(tmp_path: Path) -> None:
    from pycocotools.coco import COCO

    for name in ("coco", "coco_polygons"):
        objects = [box("a.jpg", "cat", 0, 0, 6, 7, segmentation=outline) for outline in (RING, drawn("##. .## #.#"))]
        manifest = make_manifest(make_image(tmp_path / "in", "a.jpg", split="train"), *objects)
        WRITERS[name].write(ExportJob(manifest, LabelMap("d", {"cat": 1})), tmp_path / name)
    read = [COCO(tmp_path / name / "annotations/instances_train.json") for name in ("coco", "coco_polygons")]
    one, other = (sorted(coco.annToMask(each).tobytes() for each in coco.dataset["annotations"]) for coco in read)
    assert one == other
    assert [type(each["segmentation"]) for each in read[1].dataset["annotations"]] == [list, list]


@pytest.mark.parametrize("name", ["ultralytics", "coco_polygons"])
def test_a_mask_leaves_as_polygons_without_a_loss(tmp_path: Path, name: str) -> None:
    at = ("a.jpg", "cat", 0, 0, 6, 7)
    crowd = [box(*at, segmentation=RING, is_crowd=True)] * (name == "coco_polygons")
    objects = [box(*at, segmentation=RING), *crowd]
    manifest = make_manifest(make_image(tmp_path / "in", "a.jpg", split="train"), *objects)
    assert find_losses(manifest, WRITERS[name], masks=False) == []
    WRITERS[name].write(ExportJob(manifest, LabelMap("d", {"cat": 1})), tmp_path / "out")
    folder = RawFolder.scan(tmp_path / "out")
    probe_images(folder)
    reader = READERS[name.removesuffix("_polygons")]
    read = [row.segmentation or "" for row in reader.read(folder, reader.detect(folder)).annotations]
    assert [outline[0] for outline in read] == ["[", "{"][: len(objects)]
    assert {to_mask(outline, *SIZE).tobytes() for outline in read} == {to_mask(RING, *SIZE).tobytes()}


def test_run_lengths_are_numbers_as_in_cocos_own_files(tmp_path: Path) -> None:
    """transformers, torchvision's references and their kin hand them to frPyObjects, which reads no strings."""
    manifest = make_manifest(make_image(tmp_path / "in", "a.jpg"), box("a.jpg", "cat", 0, 0, 6, 7, segmentation=RING))
    WRITERS["coco"].write(ExportJob(manifest, LabelMap("d", {"cat": 1})), tmp_path / "out")
    (row,) = json.loads((tmp_path / "out/annotations/instances.json").read_text())["annotations"]
    mask = rle_tools.decode(rle_tools.frPyObjects(row["segmentation"], SIZE[1], SIZE[0]))
    assert mask.tolist() == to_mask(RING, *SIZE).tolist()


@pytest.mark.parametrize("name", ["coco_polygons", "roboflow_coco"])
def test_a_box_among_outlines_is_an_outline_to_trainers(tmp_path: Path, name: str) -> None:
    """pycocotools and transformers fail where one object of a file has no segmentation."""
    objects = [box("a.jpg", "cat", 0, 0, 6, 7, segmentation=RING), box("a.jpg", "cat", 8, 2, 20, 12.5)]
    for of in (objects, objects[1:]):
        manifest = make_manifest(make_image(tmp_path / "in", "a.jpg", split="train"), *of)
        WRITERS[name].write(ExportJob(manifest, LabelMap("d", {"cat": 1})), tmp_path / f"{len(of)}")
    files = [next((tmp_path / folder).rglob("*.json")) for folder in ("2", "1")]
    mixed, boxes = (json.loads(file.read_text())["annotations"] for file in files)
    assert [row["segmentation"] for row in mixed if row["bbox"][0] == 8] == [[[8, 2, 20, 2, 20, 12.5, 8, 12.5]]]
    assert [(row["segmentation"], row["area"]) for row in boxes] == [([], 126)]


def test_every_object_says_how_many_keypoints_it_has(tmp_path: Path) -> None:
    """COCOeval asks each, of whatever class, where it measures keypoints."""
    points = {"keypoints": "[3,4,2]", "skeleton": skeleton_of(["nose"]).text()}
    objects = [box("a.jpg", "cat", 0, 0, 6, 7, **points), box("a.jpg", "dog", 0, 0, 6, 7)]
    labels = LabelMap("d", {"cat": 1, "dog": 2})
    for of in (objects, objects[1:]):
        manifest = make_manifest(make_image(tmp_path / "in", "a.jpg"), *of)
        WRITERS["coco"].write(ExportJob(manifest, labels), tmp_path / f"{len(of)}")
    files = [json.loads((tmp_path / folder / "annotations/instances.json").read_text()) for folder in ("2", "1")]
    counts = [[(row["category_id"], row.get("num_keypoints")) for row in file["annotations"]] for file in files]
    assert counts == [[(1, 1), (2, 0)], [(2, None)]]
