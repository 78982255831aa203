"""Supervisely: what is read of each geometry, image tags, and what has no place."""

from __future__ import annotations

import base64
import io
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import image_bytes
from PIL import Image as PilImage
from test_formats import codes, corners, raw_folder, read

from shardsmith.dataset.shapes import area_px
from shardsmith.formats import supervisely


def shape(kind: str, **more: object) -> dict[str, Any]:
    return {"id": 7, "classId": 1, "geometryType": kind, "classTitle": "cat", "tags": [], "description": "", **more}


def points(*exterior: list, interior: object = ()) -> dict[str, Any]:
    return {"exterior": list(exterior), "interior": list(interior)}  # type: ignore[call-overload]


def bitmap(pixels: np.ndarray, origin: tuple[int, int] = (2, 3), mode: str = "1", zipped: bool = True) -> dict:
    stream = io.BytesIO()
    image = PilImage.fromarray((pixels * 255).astype(np.uint8))
    if mode == "RGBA":
        image = PilImage.merge("RGBA", [image, image, image, image])
    image.convert(mode).save(stream, "PNG")
    data = zlib.compress(stream.getvalue()) if zipped else stream.getvalue()
    return {"data": base64.b64encode(data).decode(), "origin": list(origin)}


def ann(*objects: object, **more: object) -> str:
    size = {"height": 24, "width": 32}
    return json.dumps({"description": "", "tags": [], "size": size, "objects": list(objects), **more})


META = json.dumps({"classes": [{"title": title, "shape": "any"} for title in ("dog", "cat")], "tags": []})
BOX = shape("rectangle", points=points([2, 3], [12, 13]))
FULL = np.ones((10, 10))
RING = FULL.copy()
RING[2:6, 2:6] = 0


def files(text: str) -> dict[str, Any]:
    return {"meta.json": META, "ds/img/a.jpg": image_bytes(), "ds/ann/a.jpg.json": text}


@pytest.mark.parametrize(
    ("item", "box", "area"),
    [
        (BOX, [2, 3, 12, 13], None),
        (shape("polygon", points=points([2, 3], [12, 3], [12, 13], [2, 13])), [2, 3, 12, 13], 100),
        (
            shape("polygon", points=points([2, 3], [12, 3], [12, 13], [2, 13],
                                           interior=[[[4, 5], [8, 5], [8, 9], [4, 9]]])),
            [2, 3, 12, 13], 84,
        ),
        (shape("bitmap", bitmap=bitmap(FULL)), [2, 3, 12, 13], 100),
        (shape("bitmap", bitmap=bitmap(RING, mode="RGBA")), [2, 3, 12, 13], 84),
        (shape("bitmap", bitmap=bitmap(RING, mode="L", zipped=False)), [2, 3, 12, 13], 84),
        (shape("bitmap", bitmap=bitmap(FULL, (-4, 20))), [0, 20, 6, 24], 24),
        (shape("oriented_bbox", points=[[2, 3], [12, 9]], angle=1.5707963), [4, 1, 10, 11], 60),
        (shape("oriented_bbox", points=[[2, 3], [12, 13]], angle=0), [2, 3, 12, 13], None),
    ],
)  # fmt: skip
def test_shapes_that_are_read(tmp_path: Path, item: dict, box: list, area: float | None) -> None:
    source = read(tmp_path, files(ann(item)))
    (row,) = source.annotations
    assert (row.image_id, row.label, row.source_key) == ("ds/img/a.jpg", "cat", "7")
    assert (source.findings, source.shapes, source.classes) == ([], 1, ["dog", "cat"])
    assert corners(row) == pytest.approx(box, abs=0.001)
    assert area is None if row.segmentation is None else area_px(row.segmentation, 32, 24) == pytest.approx(area, abs=6)


def test_tags_of_images_are_labels_and_splits_and_those_of_objects_attributes(tmp_path: Path) -> None:
    tags = [{"name": "night", "value": None}, {"name": "weather", "value": "rain"}, {"name": "val", "value": None}]
    boxed = {**BOX, "tags": [{"name": "occluded", "value": None}, {"name": "hue", "value": "red"}]}
    source = read(tmp_path, files(ann(boxed, tags=tags)))
    assert [(row.label, row.xmin) for row in source.annotations] == [
        ("cat", 2),
        ("night", None),
        ("weather: rain", None),
    ]
    assert source.annotations[0].attributes_dict() == {"occluded": 1, "hue": "red"}
    assert (source.entries["ds/img/a.jpg"].split, source.shapes) == ("valid", 3)


@pytest.mark.parametrize(
    ("item", "code", "value"),
    [
        (shape("line", points=points([2, 3], [12, 13])), "shape-not-carried", "line"),
        (shape("point", points=points([2, 3])), "shape-not-carried", "point"),
        (shape("graph", nodes={}), "shape-not-carried", "graph"),
        (shape("cuboid"), "shape-not-carried", "cuboid"),
        (shape("rectangle", points=points([2, 3])), "annotation-unreadable", ""),
        (shape("rectangle"), "annotation-unreadable", ""),
        (shape("polygon", points=points([2, 3], [4, "x"])), "annotation-unreadable", ""),
        (shape("bitmap", bitmap={"data": "eA==", "origin": [1, 2]}), "annotation-unreadable", ""),
        (shape("bitmap", bitmap=bitmap(FULL, (90, 90))), "annotation-unreadable", ""),
        (shape("bitmap", bitmap=bitmap(FULL * 0)), "annotation-unreadable", ""),
        ({"id": 7, "classTitle": "cat"}, "annotation-unreadable", ""),
        ({**BOX, "classTitle": None}, "annotation-unreadable", ""),
    ],
)
def test_what_is_lost_is_named_and_leaves_no_negative(tmp_path: Path, item: dict, code: str, value: str) -> None:
    source = read(tmp_path, files(ann(item)))
    (finding,) = source.findings
    assert (finding.code, finding.image_id, finding.source_key) == (code, "ds/img/a.jpg", "7")
    assert (finding.value, finding.place) == (value, "object 1")
    assert (list(source.entries), source.annotations, source.shapes) == (["ds/img/a.jpg"], [], 1)


@pytest.mark.parametrize("text", [ann(BOX).replace('"objects"', '"object"'), ann(objects={}), ann(BOX)[:-9]])
def test_missing_or_misspelt_objects_are_no_negative(tmp_path: Path, text: str) -> None:
    source = read(tmp_path, files(text))
    assert [(one.code, one.image_id) for one in source.findings] == [("annotation-unreadable", "ds/img/a.jpg")]
    assert list(source.entries) == ["ds/img/a.jpg"]


def test_image_without_objects_is_a_negative(tmp_path: Path) -> None:
    source = read(tmp_path, files(ann()))
    assert (list(source.entries), source.annotations, source.findings) == (["ds/img/a.jpg"], [], [])


def test_predicted_labels_are_not_taken_and_named(tmp_path: Path) -> None:
    source = read(tmp_path, files(ann(BOX, probabilityLabels=[BOX, BOX])))
    assert (len(source.annotations), codes(source), source.findings[0].value) == (1, ["not-carried"], "2")


@pytest.mark.parametrize(
    ("text", "place", "is_supervisely"),
    [
        (ann(BOX), "ds/ann/a.jpg.json", True),
        (ann(BOX), "a.json", True),
        (ann(), "ds/ann/a.jpg.json", True),
        ('{"size": {"width": 3}, "regions": []}', "a.json", False),
        ('{"objects": []}', "a.json", False),
        (META, "meta.json", False),
    ],
)
def test_what_is_supervisely(tmp_path: Path, text: str, place: str, is_supervisely: bool) -> None:
    folder = raw_folder(tmp_path, {"ds/img/a.jpg": image_bytes(), place: text})
    assert bool(supervisely.detect(folder)) == is_supervisely
