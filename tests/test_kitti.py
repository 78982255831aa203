"""KITTI: columns, regions that nobody labelled, image folders and sets."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import image_bytes
from test_drawn_inputs import balance
from test_formats import codes, corners, raw_folder, read

from shardsmith.formats.text import kitti

IN_SPACE = "1.5 1.6 3.8 1 2 30 1.1"
CAR = f"Car 0.4 2 -1.5 2 3 12 13 {IN_SPACE}"
FLAT = "Car 0 0 0 2 3 12 13 0 0 0 0 0 0 0"  # of a set without a third dimension
IGNORED = "DontCare -1 -1 -10 2 3 12 13 -1 -1 -1 -1000 -1000 -1000 -10"


def test_what_the_columns_say(tmp_path: Path) -> None:
    (row,) = read(tmp_path, {"image_2/a.jpg": image_bytes(), "label_2/a.txt": CAR}).annotations
    assert (row.label, corners(row)) == ("Car", [2, 3, 12, 13])
    assert row.attributes_dict() == {
        "truncated": 1, "truncated_share": 0.4, "occluded": 1, "occlusion": 2, "alpha_rad": -1.5, "height_m": 1.5,
        "width_m": 1.6, "length_m": 3.8, "x_m": 1, "y_m": 2, "z_m": 30, "rotation_y_rad": 1.1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("line", "label", "attributes"),
    [
        (FLAT, "Car", {"truncated": 0, "occluded": 0}),
        (FLAT.replace("Car 0 0", "Car 0 3"), "Car", {"truncated": 0}),  # not known
        (FLAT.replace("Car 0 0", "Car -1 0"), "Car", {"occluded": 0}),
        (FLAT.replace("Car", "Person sitting"), "Person sitting", {"truncated": 0, "occluded": 0}),
        (FLAT.replace("Car", "Person sitting") + " 1.0", "Person sitting", {"truncated": 0, "occluded": 0}),  # Datumaro
    ],
)
def test_what_is_not_known_is_left_out(line: str, label: str, attributes: dict) -> None:
    row = kitti.parse_line(line.split())
    assert (row.label, row.attributes_dict()) == (label, attributes)


@pytest.mark.parametrize(
    ("text", "boxes", "found"),
    [
        (f"{CAR}\n{IGNORED}\n", 1, ["region-ignored"]),
        (IGNORED, 0, ["region-ignored"]),
        (f"{CAR} 0.9", 0, ["annotation-unreadable"]),  # a detector's result
        (f"{CAR}\nCar 0 0 0 2 3\n{FLAT}", 2, ["annotation-unreadable"]),
        (CAR.replace(" 3 12", " x 12") + f"\n{CAR}", 1, ["annotation-unreadable"]),
        ("", 0, []),
    ],
)
def test_lines_that_are_lost_are_named_with_their_image(tmp_path: Path, text: str, boxes: int, found: list) -> None:
    images = {"image_2/a.jpg": image_bytes(), "image_2/b.jpg": image_bytes(seed=1)}
    source = read(tmp_path, {**images, "label_2/a.txt": text, "label_2/b.txt": FLAT})
    assert (len(source.annotations), codes(source)) == (boxes + 1, found)
    assert list(source.entries) == ["image_2/a.jpg", "image_2/b.jpg"]
    assert {one.image_id for one in source.findings} <= {"image_2/a.jpg"}
    assert balance(source)[0] == balance(source)[1]


def test_label_2_means_image_2_and_sets_are_splits(tmp_path: Path) -> None:
    images = {f"training/image_{n}/{name}.png": image_bytes(seed=n + ord(name)) for n in (2, 3) for name in "ab"}
    labels = {f"training/label_2/{name}.txt": FLAT for name in "ab"}
    for number in (2, 3):
        images[f"training/image_{number}/x/c.png"] = image_bytes(seed=9 + number)
    labels["training/label_2/x/c.txt"] = FLAT
    sets = {"ImageSets/train.txt": "a\n", "ImageSets/val.txt": "b\n"}
    entries = read(tmp_path, {**images, **labels, **sets}).entries
    assert {image: entry.split for image, entry in entries.items()} == {
        "training/image_2/a.png": "train", "training/image_2/b.png": "valid",
        "training/image_2/x/c.png": "train",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("a.txt", "0 0.5 0.5 0.1 0.1"),  # YOLO's
        ("calib/a.txt", "P0: 1 2 3 4 5 6 7 8 9 10 11 12"),
        ("a.txt", "2 3 12 3 12 13 2 13 car 0"),  # DOTA's
        ("notes.txt", "Car is a word among fifteen words that stand here and are no numbers at all"),
    ],
)
def test_what_is_not_kitti(tmp_path: Path, file: str, text: str) -> None:
    assert kitti.detect(raw_folder(tmp_path, {"a.jpg": image_bytes(), file: text})) == []
