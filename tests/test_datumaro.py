"""Datumaro JSON: what is read of each kind of annotation, and what of it has no place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import image_bytes
from test_formats import codes, corners, raw_folder, read

from shardsmith.dataset.errors import RawDataError
from shardsmith.formats import datumaro

BOX = {"id": 1, "type": "bbox", "attributes": {"occluded": False, "hue": "red"}, "group": 0, "label_id": 0,
       "z_order": 0, "bbox": [2, 3, 10, 10]}  # fmt: skip
TRIANGLE = {"id": 2, "type": "polygon", "label_id": 1, "points": [2, 3, 12, 3, 12, 13]}
MASK = {"id": 3, "type": "mask", "label_id": 0, "rle": {"size": [24, 32], "counts": [48, 12, 12, 12, 24 * 32 - 84]}}
CAPTION = {"id": 9, "type": "caption", "caption": "a cat"}


def item(*annotations: object, name: str = "a", **more: object) -> dict[str, Any]:
    image = {"path": f"{name}.jpg", "size": [24, 32]}
    return {"id": name, "annotations": list(annotations), "attr": {"frame": 0}, "image": image, **more}


def dm(*items: object, **more: object) -> str:
    labels = [{"name": name, "parent": "", "attributes": []} for name in ("cat", "dog")]
    categories = {"label": {"labels": labels, "attributes": ["occluded"]}, "mask": {"colormap": []}}
    known = {"dm_format_version": "1.0", "media_type": 2, "infos": {}, "categories": categories, "items": list(items)}
    return json.dumps({**known, **more})


def files(text: str, subset: str = "train") -> dict[str, Any]:
    return {f"images/{subset}/a.jpg": image_bytes(), f"annotations/{subset}.json": text}


@pytest.mark.parametrize(
    ("annotation", "label", "box", "outline"),
    [
        (BOX, "cat", [2, 3, 12, 13], None),
        (TRIANGLE, "dog", [2, 3, 12, 13], "[[2.0,3.0,12.0,3.0,12.0,13.0]]"),
        (MASK, "cat", [2, 0, 4, 12], '{"size":[24,32],"counts":"`1<<0a'),
        ({"type": "ellipse", "label_id": 0, "points": [2, 3, 12, 13]}, "cat", [2, 3, 12, 13], "[[12.0,8.0,"),
        ({**BOX, "attributes": {"rotation": 90.0}, "bbox": [2, 3, 10, 6]}, "cat", [4, 1, 10, 11], "[["),
        ({"type": "rotated_bbox", "label_id": 0, "points": [7, 6, 10, 6, 90]}, "cat", [4, 1, 10, 11], "[["),
        ({"id": 4, "type": "label", "label_id": 1}, "dog", [None] * 4, None),
    ],
)
def test_kinds_that_are_read(tmp_path: Path, annotation: dict, label: str, box: list, outline: str | None) -> None:
    source = read(tmp_path, files(dm(item(annotation))))
    (row,) = source.annotations
    assert (row.image_id, row.label, source.findings, source.shapes) == ("images/train/a.jpg", label, [], 1)
    assert corners(row) == (pytest.approx(box) if box[0] is not None else box)
    assert row.segmentation is None if outline is None else str(row.segmentation).startswith(outline[:20])
    assert row.source_key == (str(annotation["id"]) if "id" in annotation else None)


def test_attributes_flags_and_crowd(tmp_path: Path) -> None:
    crowd = {**BOX, "id": 5, "attributes": {"is_crowd": True, "occluded": True}, "group": 3}
    source = read(tmp_path, files(dm(item(BOX, crowd))))
    one, other = source.annotations
    assert (one.attributes_dict(), one.is_crowd) == ({"hue": "red", "occluded": 0}, False)
    assert (other.attributes_dict(), other.is_crowd) == ({"group": 3, "occluded": 1}, True)


@pytest.mark.parametrize(
    ("annotation", "code", "value"),
    [
        (CAPTION, "shape-not-carried", "caption"),
        ({"id": 9, "type": "polyline", "label_id": 0, "points": [1, 2, 3, 4]}, "shape-not-carried", "polyline"),
        ({"id": 9, "type": "points", "label_id": 0, "points": [1, 2]}, "shape-not-carried", "points"),
        ({"id": 9, "type": "cuboid_3d", "label_id": 0}, "shape-not-carried", "cuboid_3d"),
        ({"id": 9, "type": "skeleton", "label_id": 0}, "shape-not-carried", "skeleton"),
        ({**BOX, "id": 9, "label_id": 7}, "annotation-unreadable", ""),
        ({**BOX, "id": 9, "bbox": [1, 2, 3]}, "annotation-unreadable", ""),
        ({**BOX, "id": 9, "bbox": [1, 2, 3, "x"]}, "annotation-unreadable", ""),
        ({"id": 9, "label_id": 0}, "annotation-unreadable", ""),
        ({**MASK, "id": 9, "rle": {"size": [24, 32], "counts": "x"}}, "annotation-unreadable", ""),
    ],
)
def test_what_is_lost_is_named_and_leaves_no_negative(tmp_path: Path, annotation: dict, code: str, value: str) -> None:
    source = read(tmp_path, files(dm(item(annotation))))
    (finding,) = source.findings
    assert (finding.code, finding.image_id, finding.source_key) == (code, "images/train/a.jpg", "9")
    assert (finding.value, finding.place) == (value, "item 1, annotation 1")
    assert (list(source.entries), source.annotations, source.shapes) == (["images/train/a.jpg"], [], 1)


@pytest.mark.parametrize(
    "broken", [{"annotations": None}, {"annotations": {}}, {"annotations": "x"}, {"annotation": [BOX]}]
)
def test_missing_or_misspelt_annotations_are_no_negative(tmp_path: Path, broken: dict) -> None:
    entry = item()
    del entry["annotations"]
    source = read(tmp_path, files(dm({**entry, **broken}), "default"))
    assert [(one.code, one.image_id) for one in source.findings] == [("annotation-unreadable", "images/default/a.jpg")]


def test_subsets_are_splits_and_name_their_images(tmp_path: Path) -> None:
    source = read(tmp_path, {**files(dm(item(BOX))), **files(dm(item()), "val")})
    assert {name: entry.split for name, entry in source.entries.items()} == {
        "images/train/a.jpg": "train", "images/val/a.jpg": "valid",
    }  # fmt: skip
    assert [row.image_id for row in source.annotations] == ["images/train/a.jpg"]


def test_ids_that_repeat_are_none(tmp_path: Path) -> None:
    source = read(tmp_path, files(dm(item(BOX, {**TRIANGLE, "id": 1}, MASK))))
    assert [row.source_key for row in source.annotations] == [None, None, "3"]


def test_mask_of_another_size_keeps_its_box(tmp_path: Path) -> None:
    small = {**MASK, "rle": {"size": [12, 16], "counts": [24, 6, 6, 6, 150]}}
    source = read(tmp_path, files(dm(item(small))))
    assert (len(source.annotations), source.annotations[0].segmentation, codes(source)) == (1, None, ["not-carried"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (dm(item(BOX))[:-9], "not JSON"),
        (dm().replace('"items"', '"item"'), "no list 'items'"),
        (dm(categories={"label": {"labels": [{}]}}), "no label names"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_clear_error(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RawDataError, match=f"annotations/train.json.*{message}"):
        read(tmp_path, files(text))


@pytest.mark.parametrize(
    ("text", "is_datumaro"),
    [
        (dm(item(BOX)), True),
        (dm(item(BOX)).replace("dm_format_version", "x"), True),
        ('{"images": [], "annotations": [], "categories": []}', False),
        ('{"shapes": [], "imagePath": "a.jpg"}', False),
    ],
)
def test_what_is_datumaro(tmp_path: Path, text: str, is_datumaro: bool) -> None:
    assert bool(datumaro.detect(raw_folder(tmp_path, files(text)))) == is_datumaro
