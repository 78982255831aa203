"""Open Images: boxes in shares, names of codes, groups, and labels of whole images."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import image_bytes
from test_drawn_inputs import balance
from test_formats import codes, corners, read

HEADER = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside"
BOX = "a,xclick,/m/01,1,0.25,0.75,0.25,0.5,0,1,0,-1,0"
NAMES = {"class-descriptions-boxable.csv": '/m/01,"Cat, big"\n/m/02,Dog\n'}
FILES = {"validation/a.jpg": image_bytes(), "validation/b.jpg": image_bytes(seed=1), **NAMES}


def table(*lines: str) -> str:
    return "\n".join([HEADER, *lines, ""])


def test_boxes(tmp_path: Path) -> None:
    lines = (BOX, BOX.replace("/m/01", "/m/09").replace(",0,1,0,-1,0", ",0,0,1,0,0"))
    source = read(tmp_path, {**FILES, "validation-annotations-bbox.csv": table(*lines)})
    said = [(row.label, corners(row), row.is_crowd) for row in source.annotations]
    assert said == [("Cat, big", [8, 6, 24, 12], False), ("/m/09", [8, 6, 24, 12], True)]
    assert source.annotations[0].attributes_dict() == {"inside": 0, "occluded": 0, "truncated": 1}
    assert {image: entry.split for image, entry in source.entries.items()} == {"validation/a.jpg": "valid"}
    assert (source.findings, source.classes, balance(source)) == ([], [], (2, 2))


@pytest.mark.parametrize(
    ("line", "code", "image_id"),
    [
        (BOX.replace("0.75", "x"), "annotation-unreadable", "validation/a.jpg"),
        ("a,xclick,/m/01,1", "annotation-unreadable", "validation/a.jpg"),
        (BOX.replace("a,", "c,", 1), "image-missing", ""),
        (BOX.replace("a,", ",", 1), "image-missing", ""),
    ],
)
def test_what_is_lost_is_named(tmp_path: Path, line: str, code: str, image_id: str) -> None:
    source = read(tmp_path, {**FILES, "train-boxes.csv": table(line, BOX.replace("a,", "b,", 1))})
    assert [(one.code, one.image_id) for one in source.findings] == [(code, image_id)]
    assert [row.image_id for row in source.annotations] == ["validation/b.jpg"]


def test_name_with_its_extension(tmp_path: Path) -> None:
    source = read(tmp_path, {**FILES, "boxes.csv": table(BOX.replace("a,", "a.jpg,", 1))})
    assert list(source.entries) == ["validation/a.jpg"]


def test_labels_of_whole_images_are_those_that_people_verified(tmp_path: Path) -> None:
    lines = [
        "ImageID,Source,LabelName,Confidence", "a,verification,/m/01,1", "a,verification,/m/02,0",
        "b,machine,/m/02,0.7", "a,crowdsource-verification,/m/02,0.5",
    ]  # fmt: skip
    source = read(tmp_path, {**FILES, "validation-labels.csv": "\n".join(lines)})
    (row,) = source.annotations
    assert (row.image_id, row.label, row.xmin) == ("validation/a.jpg", "Cat, big", None)
    assert sorted(codes(source)) == ["annotation-unreadable", "not-carried", "not-carried"]
    assert (list(source.entries), balance(source)) == (["validation/a.jpg"], (2, 2))


def test_masks_and_points_of_it_are_named(tmp_path: Path) -> None:
    masks = "MaskPath,ImageID,LabelName,BoxID\nx.png,a,/m/01,1\n"
    boxes = table(BOX + ",1").replace("IsInside", "IsInside,XClick1X")
    source = read(tmp_path, {**FILES, "boxes.csv": boxes, "masks.csv": masks})
    assert (len(source.annotations), codes(source)) == (1, ["not-carried", "not-carried"])
