"""LabelMe: its shapes, flags, the image's name and the image that stands in the file."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from random import Random

import pytest
from conftest import image_bytes
from drawn_inputs import mask_text
from PIL import Image as PilImage
from test_drawn_inputs import balance
from test_formats import codes, corners, raw_folder, read

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.shapes import area_px
from shardsmith.formats.labelme import format as labelme
from shardsmith.pipeline.ingest import ingest
from shardsmith.pipeline.params import IngestParams

SQUARE = {"label": "cat", "points": [[12, 13], [2, 3]], "shape_type": "rectangle"}
DIAMOND = [[7, 3], [12, 8], [7, 13], [2, 8]]
CIRCLE = {"label": "cat", "points": [[16, 12], [20, 12]], "shape_type": "circle"}


def text(*shapes: object, image: str = "a.jpg", **more: object) -> str:
    size = {"imageHeight": 24, "imageWidth": 32}
    content = {"version": "5", "flags": {}, "shapes": list(shapes), "imagePath": image, "imageData": None}
    return json.dumps(content | size | more)


@pytest.mark.parametrize(
    ("shape", "box", "has_outline"),
    [
        (SQUARE, [2, 3, 12, 13], False),  # two corners in any order
        (CIRCLE, [12, 8, 20, 16], True),
        ({**SQUARE, "shape_type": "polygon", "points": [[2, 3], [12, 3], [12, 13]]}, [2, 3, 12, 13], True),
        ({"label": "cat", "points": [[2, 3], [12, 3], [12, 13]]}, [2, 3, 12, 13], True),  # of a file older than 3.0
        (
            {**SQUARE, "shape_type": "oriented_rectangle", "points": [[7, 3], [12, 8], [7, 13], [2, 8]]},
            [2, 3, 12, 13],
            1,
        ),
    ],
)
def test_shapes(tmp_path: Path, shape: dict, box: list, has_outline: bool) -> None:
    source = read(tmp_path, {"a.jpg": image_bytes(), "a.json": text(shape)})
    (row,) = source.annotations
    assert (row.label, corners(row), bool(row.segmentation)) == ("cat", box, bool(has_outline))
    assert (source.findings, source.shapes) == ([], 1)


def test_mask_is_pasted_where_its_points_say(tmp_path: Path) -> None:
    full = base64.b64encode(image_bytes(7, 5, format="PNG")).decode()
    shape = {**SQUARE, "shape_type": "mask", "points": [[3, 4], [9, 8]], "mask": full}
    (row,) = read(tmp_path, {"a.jpg": image_bytes(), "a.json": text(shape)}).annotations
    assert (corners(row), area_px(row.segmentation or "", 32, 24)) == ([3, 4, 10, 9], 35)


@pytest.mark.parametrize(
    ("shape", "code", "said"),
    [
        ({**SQUARE, "shape_type": "line"}, "shape-not-carried", "line"),
        ({**SQUARE, "shape_type": "points"}, "shape-not-carried", "points"),
        ({**SQUARE, "shape_type": "cuboid"}, "shape-not-carried", "cuboid"),
        ({**SQUARE, "points": [[1, "x"], [2, 3]]}, "annotation-unreadable", "no number"),
        ({**SQUARE, "points": None}, "annotation-unreadable", "no list"),
        ({**SQUARE, "shape_type": "polygon"}, "annotation-unreadable", "3 are the least"),
        ({**SQUARE, "shape_type": "mask", "mask": "AAAA"}, "annotation-unreadable", "no image"),
        ("cat", "annotation-unreadable", "no JSON object"),
    ],
)
def test_what_is_lost_is_named_with_its_image(tmp_path: Path, shape: object, code: str, said: str) -> None:
    source = read(tmp_path, {"a.jpg": image_bytes(), "a.json": text(shape)})
    (finding,) = source.findings
    assert (finding.code, finding.image_id, list(source.entries)) == (code, "a.jpg", ["a.jpg"])
    assert said in finding.value + finding.reason
    assert balance(source) == (1, 1)


@pytest.mark.parametrize(
    "broken", [text(SQUARE).replace('"shapes"', '"shape"'), text(SQUARE)[:-30], text(shapes={}), "[" * 9000]
)
def test_broken_file_costs_its_own_image_alone(tmp_path: Path, broken: str) -> None:
    images = {"a.jpg": image_bytes(), "b.jpg": image_bytes(seed=1)}
    folder = raw_folder(tmp_path, {**images, "a.json": broken, "b.json": text(SQUARE, image="b.jpg")})
    source = labelme.read(folder, ["a.json", "b.json"])
    assert [(one.code, one.image_id) for one in source.findings] == [("annotation-unreadable", "a.jpg")]
    assert (len(source.annotations), list(source.entries)) == (1, ["a.jpg", "b.jpg"])


def test_flags_are_labels_of_the_image_and_attributes_of_a_shape(tmp_path: Path) -> None:
    shape = {**SQUARE, "flags": {"occluded": True, "wet": False}, "group_id": 3, "description": "x"}
    source = read(tmp_path, {"a.jpg": image_bytes(), "a.json": text(shape, flags={"night": True, "rain": False})})
    labels = [(row.label, row.xmin, row.attributes_dict()) for row in source.annotations]
    known = {"occluded": 1, "wet": False, "group_id": 3, "description": "x"}
    assert labels == [("night", None, {}), ("cat", 2, known)]
    ignored = read(tmp_path / "2", {"a.jpg": image_bytes(), "a.json": text(SQUARE, flags={"__ignore__": True})})
    assert (len(ignored.annotations), codes(ignored)) == (1, ["not-carried"])


@pytest.mark.parametrize(
    ("image", "files", "expected"),
    [
        ("..\\images\\a.jpg", ["images/a.jpg", "b/a.jpg"], "images/a.jpg"),
        ("C:\\x\\a.jpg", ["images/a.jpg"], "images/a.jpg"),
        ("gone.png", ["images/a.jpg"], "images/a.jpg"),  # the file's own stem
        ("/", ["labels/a.jpg"], "labels/a.jpg"),
    ],
)
def test_image_is_found(tmp_path: Path, image: str, files: list, expected: str) -> None:
    images: dict[str, str | bytes] = {name: image_bytes(seed=seed) for seed, name in enumerate(files)}
    assert list(read(tmp_path, {**images, "labels/a.json": text(SQUARE, image=image)}).entries) == [expected]


def test_image_in_the_file_is_unpacked_where_its_own_is_missing(tmp_path: Path) -> None:
    raw, out = tmp_path / "raw", tmp_path / "out"
    inside = base64.b64encode(image_bytes()).decode()
    (raw / "x").mkdir(parents=True)
    (raw / "b.jpg").write_bytes(image_bytes(seed=1))
    (raw / "b.json").write_text(text(SQUARE, image="b.jpg", imageData=inside))
    for folder in (raw, raw / "x"):
        (folder / "a.json").write_text(text(SQUARE, image="..\\photos\\a.jpg", imageData=inside))
    manifest, _, findings, name = ingest(raw, IngestParams(), LabelMap("d"), out)
    rows = {row.image_id: row.path for row in manifest.image_rows()}
    assert (name, list(rows), findings) == ("labelme", ["a.jpg", "b.jpg", "x/a.jpg"], [])
    assert rows["b.jpg"] == (raw / "b.jpg").as_posix()
    assert all(Path(rows[one]).is_relative_to(out) for one in ("a.jpg", "x/a.jpg"))
    with pytest.raises(RawDataError, match="imageData"):
        ingest(raw, IngestParams(), LabelMap("d"))


def test_masks_of_noughts_and_ones(tmp_path: Path) -> None:
    shape = {**SQUARE, "shape_type": "mask", "points": [[30, 20], [36, 24]], "mask": mask_text(Random(1), 7, 5)}
    (row,) = read(tmp_path, {"a.jpg": image_bytes(), "a.json": text(shape)}).annotations
    assert (row.xmin, row.ymin) == (30, 20)
    assert row.xmax is not None and row.xmax <= 32


def test_turned_image(tmp_path: Path) -> None:
    exif = PilImage.Exif()
    exif[0x0112] = 6
    data = image_bytes(32, 24, exif=exif)  # displayed 24 x 32
    source = read(tmp_path, {"a.jpg": data, "a.json": text(CIRCLE)})  # declared 32 x 24: drawn on the stored pixels
    (row,) = source.annotations
    assert (corners(row), source.findings) == ([8, 12, 16, 20], [])
