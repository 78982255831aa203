"""V7 Darwin JSON: what is read of each kind of annotation, and what of it has no place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import image_bytes
from test_formats import codes, corners, raw_folder, read

from shardsmith.dataset.shapes import area_px
from shardsmith.formats import darwin

FRAME = {"x": 2, "y": 3, "w": 10, "h": 10}
BOX = {"id": "b1", "name": "cat", "slot_names": ["0"], "bounding_box": FRAME}
RING = [{"x": x, "y": y} for x, y in ((2, 3), (12, 3), (12, 13), (2, 13))]
HOLE = [{"x": x, "y": y} for x, y in ((4, 5), (8, 5), (8, 9), (4, 9))]
FAR = [{"x": x, "y": y} for x, y in ((20, 10), (30, 10), (30, 20))]
MASKS = [{"id": "m1", "name": "cat", "mask": {}}, {"id": "m2", "name": "dog", "mask": {}}]
LAYER = {
    "id": "r", "name": "__raster_layer__",
    "raster_layer": {"dense_rle": [0, 32, 1, 5, 0, 27, 2, 7, 0, 24 * 32 - 71], "total_pixels": 768,
                     "mask_annotation_ids_mapping": {"m1": 1, "m2": 2}},
}  # fmt: skip


def v7(*annotations: object, name: str = "a.jpg", **more: object) -> str:
    slot = {"type": "image", "slot_name": "0", "width": 32, "height": 24, "source_files": [{"file_name": name}]}
    item = {"name": name, "path": "/", "slots": [slot], "source_info": {"dataset": {"name": "x"}}}
    return json.dumps({"version": "2.0", "item": item, "annotations": list(annotations), **more})


def files(text: str) -> dict[str, Any]:
    return {"images/a.jpg": image_bytes(), "a.json": text}


@pytest.mark.parametrize(
    ("annotation", "box", "area"),
    [
        (BOX, [2, 3, 12, 13], None),
        ({"name": "cat", "polygon": {"paths": [RING]}, "bounding_box": FRAME}, [2, 3, 12, 13], 100),
        ({"name": "cat", "polygon": {"path": RING}}, [2, 3, 12, 13], 100),
        ({"name": "cat", "polygon": {"paths": [RING, HOLE]}}, [2, 3, 12, 13], 84),
        ({"name": "cat", "polygon": {"paths": [RING, FAR]}}, [2, 3, 30, 20], 150),
        (
            {"name": "cat", "ellipse": {"angle": 0, "center": {"x": 12, "y": 10}, "radius": {"x": 8, "y": 4}}},
            [4, 6, 20, 14], 101,
        ),
        (
            {"name": "cat", "ellipse": {"angle": 1.5707963, "center": {"x": 12, "y": 10}, "radius": {"x": 8, "y": 4}}},
            [8, 2, 16, 18], 101,
        ),
    ],
)  # fmt: skip
def test_shapes_that_are_read(tmp_path: Path, annotation: dict, box: list, area: float | None) -> None:
    source = read(tmp_path, files(v7(annotation)))
    (row,) = source.annotations
    assert (row.image_id, row.label, source.findings, source.shapes) == ("images/a.jpg", "cat", [], 1)
    assert corners(row) == pytest.approx(box, abs=0.001)
    assert area is None if row.segmentation is None else area_px(row.segmentation, 32, 24) == pytest.approx(area, abs=6)


def test_masks_of_a_raster_layer_run_along_the_rows(tmp_path: Path) -> None:
    source = read(tmp_path, files(v7(*MASKS, LAYER)))
    assert [(row.label, row.source_key, corners(row)) for row in source.annotations] == [
        ("cat", "m1", [0, 1, 5, 2]), ("dog", "m2", [0, 2, 7, 3]),
    ]  # fmt: skip
    assert (source.findings, source.shapes) == ([], 2)


def test_tag_is_a_label_and_properties_are_attributes(tmp_path: Path) -> None:
    tag = {"id": "t", "name": "night", "tag": {}}
    more = {"properties": [{"name": "hue", "value": "red"}], "instance_id": {"value": 4}, "text": {"text": "old"}}
    source = read(tmp_path, files(v7(tag, {**BOX, **more, "inference": {"confidence": 0.5}})))
    label, box = source.annotations
    assert (label.label, label.xmin, label.source_key) == ("night", None, "t")
    assert box.attributes_dict() == {"hue": "red", "instance_id": 4, "text": "old", "confidence": 0.5}


def broken(**change: object) -> dict[str, Any]:
    return {"id": "x", "name": "cat", **change}


@pytest.mark.parametrize(
    ("annotation", "code", "value"),
    [
        (broken(line={"path": RING}), "shape-not-carried", "line"),
        (broken(keypoint={"x": 1, "y": 2}), "shape-not-carried", "keypoint"),
        (broken(skeleton={"nodes": []}), "shape-not-carried", "skeleton"),
        (broken(cuboid={"back": FRAME, "front": FRAME}), "shape-not-carried", "cuboid"),
        (broken(frames={"0": {"bounding_box": FRAME}}), "shape-not-carried", "frames of a video"),
        (broken(polygon={"paths": [RING[:2]]}), "annotation-unreadable", ""),
        (broken(polygon={"paths": []}), "annotation-unreadable", ""),
        (broken(bounding_box={"x": 1, "y": 2, "w": 3}), "annotation-unreadable", ""),
        (broken(boundingbox=FRAME), "annotation-unreadable", ""),
        (broken(mask={}), "annotation-unreadable", ""),
        ({"id": "x", "bounding_box": FRAME}, "annotation-unreadable", ""),
    ],
)
def test_what_is_lost_is_named_and_leaves_no_negative(tmp_path: Path, annotation: dict, code: str, value: str) -> None:
    source = read(tmp_path, files(v7(annotation)))
    (finding,) = source.findings
    assert (finding.code, finding.image_id, finding.source_key) == (code, "images/a.jpg", "x")
    assert (finding.value, finding.place) == (value, "annotation 1")
    assert (list(source.entries), source.annotations, source.shapes) == (["images/a.jpg"], [], 1)


@pytest.mark.parametrize(
    ("layer", "lost"),
    [
        ({"dense_rle": [0, 5]}, ["m1", "m2"]),
        ({"mask_annotation_ids_mapping": {"m1": 1}}, ["m2"]),
        ({"mask_annotation_ids_mapping": {"m1": 1, "m2": 9}}, ["m2"]),
        ({"mask_annotation_ids_mapping": {"m1": 1, "m2": 2, "m3": 2}}, ["m3"]),
    ],
)
def test_broken_raster_layers(tmp_path: Path, layer: dict, lost: list) -> None:
    raster = {**LAYER, "raster_layer": {**LAYER["raster_layer"], **layer}}  # type: ignore[dict-item]
    source = read(tmp_path, files(v7(*MASKS, raster)))
    assert [one.source_key for one in source.findings] == lost
    assert source.shapes == len(source.annotations) + len(lost)


def test_missing_or_misspelt_annotations_are_no_negative(tmp_path: Path) -> None:
    source = read(tmp_path, files(v7(BOX).replace('"annotations"', '"annotation"')))
    assert [(one.code, one.image_id) for one in source.findings] == [("annotation-unreadable", "images/a.jpg")]


def test_one_bad_file_costs_itself_alone(tmp_path: Path) -> None:
    good = {"images/a.jpg": image_bytes(), "a.json": v7(BOX), "images/b.jpg": image_bytes(seed=1)}
    source = read(tmp_path, {**good, "b.json": v7(BOX, name="b.jpg")[:-9]})
    assert (len(source.annotations), codes(source)) == (1, ["annotation-unreadable"])
    assert (source.findings[0].image_id, list(source.entries)) == ("images/b.jpg", ["images/a.jpg", "images/b.jpg"])


def test_slots_are_images_of_their_own(tmp_path: Path) -> None:
    slots = [
        {"slot_name": name, "width": 32, "height": 24, "source_files": [{"file_name": f"{name}.jpg"}]} for name in "ab"
    ]
    text = v7(BOX | {"slot_names": ["b"]}, item={"name": "pair", "path": "/", "slots": slots})
    source = read(tmp_path, {"a.jpg": image_bytes(), "b.jpg": image_bytes(seed=1), "pair.json": text})
    assert (list(source.entries), [row.image_id for row in source.annotations]) == (["a.jpg", "b.jpg"], ["b.jpg"])


def test_first_version_of_the_format(tmp_path: Path) -> None:
    image = {"width": 32, "height": 24, "filename": "a.jpg", "workview_url": "https://x"}
    text = json.dumps({"dataset": "x", "image": image, "annotations": [BOX]})
    assert corners(read(tmp_path, files(text)).annotations[0]) == [2, 3, 12, 13]


@pytest.mark.parametrize(
    ("text", "is_darwin"),
    [(v7(BOX), True), ('{"image": {"a": 1}, "annotations": []}', False), ('{"item": 3, "slots": []}', False)],
)
def test_what_is_darwin(tmp_path: Path, text: str, is_darwin: bool) -> None:
    assert bool(darwin.detect(raw_folder(tmp_path, files(text)))) == is_darwin
