"""COCO panoptic: segments and the pixels of their ids."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import image_bytes
from mask_files import mask
from test_formats import codes, corners, read
from test_masks import CAT, DOG

from shardsmith.dataset.errors import RawDataError
from shardsmith.formats.masks.panoptic import id_of_colour


def colour(key: int) -> int:
    """r << 16 | g << 8 | b of a segment's id."""
    return (key & 255) << 16 | (key >> 8 & 255) << 8 | key >> 16


SEGMENT = {"id": 7, "category_id": 17, "area": 100, "bbox": [2, 3, 10, 10], "iscrowd": 0}
ROAD = {"id": 70_000, "category_id": 30, "area": 100, "iscrowd": 1}
BOTH = mask((colour(7), CAT), (colour(70_000), DOG), mode="RGB")


def panoptic(*segments: object, **more: object) -> str:
    entry = {"image_id": 1, "file_name": "a.png", "segments_info": list(segments)}
    categories = [{"id": 17, "name": "cat", "isthing": 1}, {"id": 30, "name": "road", "isthing": 0}]
    content = {"images": [{"id": 1, "file_name": "a.jpg", "width": 32, "height": 24}], "annotations": [entry]}
    return json.dumps({**content, "categories": categories, **more})


def files(text: str, png: bytes = BOTH) -> dict[str, Any]:
    return {"val/a.jpg": image_bytes(), "panoptic_val.json": text, "panoptic_val/a.png": png}


def test_each_segment_is_an_annotation(tmp_path: Path) -> None:
    source = read(tmp_path, files(panoptic(SEGMENT, ROAD)))
    assert [(row.label, row.source_key, row.is_crowd, row.area, tuple(corners(row))) for row in source.annotations] == [
        ("cat", "7", False, 100, CAT), ("road", "70000", True, 100, DOG),
    ]  # fmt: skip
    assert all(row.segmentation for row in source.annotations)
    assert (source.findings, source.shapes, source.classes) == ([], 2, ["cat", "road"])
    assert (source.ids, source.entries["val/a.jpg"].split) == ({"cat": 17, "road": 30}, "valid")


def test_pngs_in_folders(tmp_path: Path) -> None:
    text = panoptic(SEGMENT).replace('"a.png"', '"x/y/a.png"').replace('"a.jpg"', '"x/y/a.jpg"')
    images = {"images/val/x/y/a.jpg": image_bytes(), "images/val/a.jpg": image_bytes(seed=1)}
    pngs = {"annotations/panoptic_val/x/y/a.png": mask((colour(7), CAT), mode="RGB"),
            "annotations/panoptic_val/a.png": mask((colour(9), DOG), mode="RGB")}  # fmt: skip
    source = read(tmp_path, {**images, **pngs, "annotations/panoptic_val.json": text})
    assert [(row.image_id, tuple(corners(row))) for row in source.annotations] == [("images/val/x/y/a.jpg", CAT)]
    assert source.findings == []


@pytest.mark.parametrize(
    ("text", "png", "kept", "lost"),
    [
        (panoptic(SEGMENT), BOTH, 1, ["70000"]),
        (panoptic(SEGMENT, {**ROAD, "id": 3}), mask((colour(7), CAT), mode="RGB"), 1, ["3"]),
        (panoptic(SEGMENT, {**ROAD, "category_id": 3}), BOTH, 1, ["70000"]),
        (panoptic(SEGMENT, {**ROAD, "category_id": [3]}, 5), BOTH, 1, ["70000", ""]),
        (panoptic(SEGMENT, ROAD), b"\x89PNG", 0, ["7", "70000"]),
        (panoptic(SEGMENT, ROAD), mask((colour(7), CAT), mode="RGB", size=(33, 24)), 0, ["7", "70000"]),
        (panoptic(SEGMENT, ROAD).replace('"a.png"', '"b.png"'), BOTH, 0, ["7", "70000"]),
        (panoptic(SEGMENT).replace("segments_info", "segments_inf") + " " * 9, BOTH, None, [""]),
    ],
)
def test_what_is_lost_is_named(tmp_path: Path, text: str, png: bytes, kept: int | None, lost: list) -> None:
    if kept is None:
        text = text.replace('"categories"', '"info": {"segments_info": 1}, "categories"')
    source = read(tmp_path, files(text, png))
    assert (len(source.annotations), codes(source)) == (kept or 0, ["annotation-unreadable"] * len(lost))
    assert [(one.image_id, one.source_key) for one in source.findings] == [("val/a.jpg", key) for key in lost]
    assert source.shapes == ((kept or 0) + len(lost) if kept is not None else 0)


def test_image_without_a_segment_is_a_negative(tmp_path: Path) -> None:
    source = read(tmp_path, files(panoptic(), mask(mode="RGB")))
    assert (list(source.entries), source.annotations, source.findings) == (["val/a.jpg"], [], [])


def test_missing_list_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(RawDataError, match=r"panoptic_val\.json: it has no list 'images'"):
        read(tmp_path, files(panoptic(SEGMENT).replace('"images"', '"pictures"')))


def test_ids_are_colours() -> None:
    assert [id_of_colour(colour(key)) for key in (1, 300, 70_000, 2**24 - 1)] == [1, 300, 70_000, 2**24 - 1]
