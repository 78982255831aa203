"""The three YOLO formats: which is which, what each line means, and what their own trainers would make of ours."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from conftest import box, image_bytes, make_image, make_manifest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as PilImage
from test_formats import COCO, OBJECT, XML, codes, corners, raw_folder, read

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import Annotation, Image, Manifest
from shardsmith.dataset.shapes import to_mask
from shardsmith.formats.registry import READERS, WRITERS
from shardsmith.formats.shared.job import ExportJob
from shardsmith.formats.shared.raw_folder import RawFolder, Source
from shardsmith.formats.yolo import darknet as yolo_darknet
from shardsmith.formats.yolo import keras as yolo_keras
from shardsmith.formats.yolo import lines as yolo_lines
from shardsmith.formats.yolo import ultralytics
from shardsmith.formats.yolo.lines import ClassNames, LineError
from shardsmith.pipeline.ingest import find_format, ingest, probe_images
from shardsmith.pipeline.params import IngestParams

A, B, C = (image_bytes(32, 24, seed=seed) for seed in range(3))
LINE = "0 0.5 0.5 0.25 0.5\n"  # on 32 x 24 pixels: 12 6 20 18
YAML = "names: [cat, dog]\n"
KERAS = "a.jpg 12,6,20,18,0\n"
YOLO = ["ultralytics", "yolo_darknet", "yolo_keras"]
Files = dict[str, str | bytes]


def boxes(source: Source) -> list[tuple]:
    return [
        (row.image_id, row.label, *(round(at, 3) for at in corners(row) if at is not None))
        for row in source.annotations
    ]


def splits(source: Source) -> dict[str, str | None]:
    return {image_id: entry.split for image_id, entry in source.entries.items()}


# --- which format


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"a.jpg": A, "a.txt": LINE, "classes.txt": "cat"}, "yolo_darknet"),
        ({"data/obj.names": "cat", "data/obj/a.jpg": A, "data/obj/a.txt": LINE}, "yolo_darknet"),
        ({"train/_darknet.labels": "cat", "train/a.jpg": A, "train/a.txt": LINE}, "yolo_darknet"),
        ({"images/a.jpg": A, "labels/a.txt": LINE, "classes.txt": "cat", "notes.json": "{}"}, "yolo_darknet"),
        ({"a.jpg": A, "a.txt": "", "obj.names": "cat"}, "yolo_darknet"),  # negatives alone
        ({"images/train/a.jpg": A, "labels/train/a.txt": LINE, "data.yaml": YAML}, "ultralytics"),
        ({"train/images/a.jpg": A, "train/labels/a.txt": LINE, "d.yml": YAML, "classes.txt": "cat"}, "ultralytics"),
        ({"a.jpg": A, "a.txt": LINE, "data.yaml": "train: .\nnc: 1\n"}, "ultralytics"),
        ({"a.jpg": A, "train.txt": KERAS, "classes.txt": "cat"}, "yolo_keras"),
        ({"train/a.jpg": A, "train/_annotations.txt": KERAS, "train/_classes.txt": "cat"}, "yolo_keras"),
        ({"a.jpg": A, "_annotations.txt": "a.jpg\n", "_classes.txt": "cat"}, "yolo_keras"),  # negatives alone
        ({"a.jpg": A, "a.xml": XML.format(OBJECT.format("cat", 1, 2, 3, 4)), "classes.txt": "cat"}, "voc"),
        ({"a.jpg": A, "labels.json": json.dumps(COCO), "classes.txt": "cat", "train.txt": "a.jpg"}, "coco"),
    ],
)
def test_each_is_found_and_no_other(tmp_path: Path, files: dict, expected: str) -> None:
    about = {"README.txt": "About 0 things", "requirements.txt": "numpy==2\n", "hyp.yaml": "lr: 1\n"}
    assert find_format(raw_folder(tmp_path, files | about))[0] == expected


@pytest.mark.parametrize(
    "files",
    [
        {"a.jpg": A, "a.txt": "A cat on 1 mat 2 3 4", "classes.txt": "cat"},  # captions
        {"a.jpg": A, "a.txt": "Car 0.00 0 -1.58 587.01 173.33 614.12 200.12 1.65 1.67 3.64 -0.65 1.71 46.70 -1.59"},
        {"a.jpg": A, "gt.txt": "1,1,912,484,97,109,0,7,1"},  # MOT
        {"a.jpg": A, "notes.txt": LINE, "model.yaml": YAML},
        {"a.jpg": A, "train.txt": "a.jpg\n", "classes.txt": "cat"},  # a list alone
        {"a.jpg": A, "a.txt": KERAS},  # one text an image
    ],
)
def test_other_text_files_are_no_yolo(tmp_path: Path, files: dict) -> None:
    folder = raw_folder(tmp_path, files)
    assert [name for name in YOLO if READERS[name].detect(folder)] == []


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.jpg": A, "a.txt": LINE}, r"a.txt: its classes are numbers.*add obj.names or classes.txt.*data.yaml"),
        ({"a.jpg": A, "x.txt": KERAS}, r"x.txt: its classes are numbers.*add _classes.txt or classes.txt"),
        ({"a.jpg": A, "a.txt": LINE, "classes.txt": " \n"}, "classes.txt: the file is empty"),
        ({"a.jpg": A, "a.txt": LINE, "classes.txt": b"caf\xe9"}, "classes.txt: not UTF-8"),
        ({"a.jpg": A, "a.txt": LINE, "classes.txt": "cat", "b.names": "dog"}, "b.names and classes.txt.*differently"),
        ({"a.jpg": A, "a.txt": LINE, "data.yaml": "names: [a\ntrain: x"}, "data.yaml:2: not YAML"),
        ({"a.jpg": A, "a.txt": LINE, "data.yaml": "names: coco.names"}, "is no list of names"),
        ({"a.jpg": A, "a.txt": LINE, "data.yaml": "names: {99999999: a}"}, "'99999999' is not the number of a class"),
        ({"a.jpg": A, "a.txt": LINE, "data.yaml": "names: {one: a}"}, "'one' is not the number of a class"),
        ({"a.jpg": A, "a.txt": LINE, "data.yaml": "names: [[a]]"}, "class 0 is no name"),
        ({"a.jpg": A, "a.txt": LINE, "data.yaml": YAML, "b.yaml": "names: [x]"}, "b.yaml and data.yaml.*differently"),
    ],
)
def test_names_that_cannot_be_read_are_one_clear_error(tmp_path: Path, files: dict, message: str) -> None:
    with pytest.raises(RawDataError, match=message):
        read(tmp_path, files)


@pytest.mark.parametrize("name", ["ultralytics", "yolo_darknet"])
def test_a_name_that_is_forced_where_nothing_names_the_classes(tmp_path: Path, name: str) -> None:
    folder = raw_folder(tmp_path, {"a.jpg": A, "a.txt": LINE})
    with pytest.raises(RawDataError, match=r"add .*data\.yaml"):
        READERS[name].read(folder, [])


# --- a line of Darknet and of Ultralytics


@pytest.mark.parametrize(
    ("line", "label", "expected"),
    [
        ("0 0.5 0.5 0.25 0.5", "cat", [12, 6, 20, 18]),
        ("\t1.0  5e-1 .5 1 1 \r", "dog", [0, 0, 32, 24]),
        ("1 0.25 0.25 0.75 0.25 0.5 1", "dog", [8, 6, 24, 24]),
    ],
)
def test_a_line(line: str, label: str, expected: list) -> None:
    (row,), findings = yolo_lines.parse(f"\n{line}\n", "a.txt", ClassNames("n", ("cat", "dog")), (32, 24))
    assert (row.label, corners(row), findings) == (label, expected, [])
    assert (row.segmentation is None) == (len(line.split()) == 5)


def test_an_outline_is_a_polygon_in_pixels() -> None:
    (row,), _ = yolo_lines.parse("0 0.25 0.25 0.75 0.25 0.5 1", "a.txt", ClassNames("n", ("cat",)), (32, 24))
    assert json.loads(row.segmentation or "") == [[8, 6, 24, 6, 16, 24]]


@pytest.mark.parametrize(
    ("line", "value", "reason"),
    [
        ("2 0.5 0.5 0.1 0.1", "2", "class 2, but n names 2 classes from 0"),
        ("-1 0.5 0.5 0.1 0.1", "-1", "class -1, but"),
        ("0.5 0.5 0.5 0.1 0.1", "0.5", "not a whole number"),
        ("cat 0.5 0.5 0.1 0.1", "cat", "not a number"),
        ("0 0.5 0.5 0.1", "0 0.5 0.5 0.1", "it has 4 columns"),
        ("0 0.5 0.5 0.1 0.1 0.9", "0 0.5 0.5 0.1 0.1 0.9", "it has 6 columns"),
        ("0 0 0 1 1 0 1 1", "0 0 0 1 1 0 1 1", "it has 8 columns"),
        ("0 0,5 0.5 0.1 0.1", "0,5", "not a number"),
        ("0 nan 0.5 0.1 0.1", "nan", "not a finite number"),
        ("0 0.5 0.5 inf 0.1", "inf", "not a finite number"),
        ("0 0 0 1 0 1e9 1", "0 0 0 1 0 1e9 1", "no place on an image"),
        ("nan 0.5 0.5 0.1 0.1", "nan", "not a finite number"),
    ],
)
def test_a_line_that_cannot_be_read_costs_no_other(line: str, value: str, reason: str) -> None:
    names = ClassNames("n", ("cat", "dog"))
    rows, (finding,) = yolo_lines.parse(f"{LINE}{line}\n{LINE}", "a.txt", names, (32, 24))
    assert (len(rows), finding.code) == (2, "annotation-unreadable")
    assert (finding.file, finding.place, finding.value) == ("a.txt", "line 2", value)
    assert reason in finding.reason


@pytest.mark.parametrize(
    ("text", "names", "ids"),
    [
        ("cat\r\n big dog \n\n\n", ("cat", "big dog"), {"cat": 1, "big dog": 2}),
        ("cat\n\n\u2028d'\"og\n", ("cat", "", "d'\"og"), {"cat": 1, "d'\"og": 3}),
        ("cat\nunused-2\ncat\ndog", ("cat", "unused-2", "cat", "dog"), {"cat": 1, "dog": 4}),
    ],
)
def test_names_keep_their_number(text: str, names: tuple, ids: dict) -> None:
    classes = yolo_lines.parse_names(text, "n")
    assert (classes.names, classes.ids()) == (names, ids)


def test_a_number_without_a_name() -> None:
    with pytest.raises(LineError, match="class 1 has no name in n"):
        ClassNames("n", ("cat", "", "dog")).name("1")


# --- Darknet


def test_darknet_lists_are_the_split(tmp_path: Path) -> None:
    files: Files = {f"data/obj/{name}.jpg": data for name, data in zip("abc", (A, B, C), strict=True)}
    files |= {f"data/obj/{name}.txt": LINE for name in "abc"} | {"data/obj.names": "cat"}
    lists: Files = {"data/train.txt": "/home/me/data/obj/a.jpg\r\n", "data/valid.txt": "build\\x64\\data\\obj\\b.jpg\n"}
    assert splits(read(tmp_path, files | lists)) == {
        "data/obj/a.jpg": "train",
        "data/obj/b.jpg": "valid",
        "data/obj/c.jpg": None,
    }


def test_darknet_data_file_says_which_list_and_which_names(tmp_path: Path) -> None:
    files: Files = {
        "x/a.jpg": A,
        "x/a.txt": LINE,
        "y/a.jpg": B,
        "y/a.txt": LINE,
        "coco.names": "person",
        "my.names": "cat",
    }
    files |= {"one.txt": "d/x/a.jpg\nd/gone.jpg", "two.txt": "d/y/a.jpg"}
    source = read(tmp_path, files | {"my.data": "classes= 1\ntrain = d/one.txt\nvalid=d/two.txt\nnames = d/my.names\n"})
    assert (splits(source), source.classes) == ({"x/a.jpg": "train", "y/a.jpg": "valid"}, ["cat"])
    assert [(f.code, f.file, f.place, f.value) for f in source.findings] == [
        ("image-missing", "one.txt", "line 2", "d/gone.jpg")
    ]


def test_darknet_empty_text_is_a_negative_and_none_is_unlabelled(tmp_path: Path) -> None:
    source = read(tmp_path, {"a.jpg": A, "a.txt": LINE, "b.jpg": B, "b.txt": " \n", "c.jpg": C, "classes.txt": "cat"})
    assert (list(source.entries), boxes(source)) == (["a.jpg", "b.jpg"], [("a.jpg", "cat", 12, 6, 20, 18)])
    assert source.findings == []


def test_a_list_or_a_note_is_no_label_file(tmp_path: Path) -> None:
    files: Files = {"img/a.jpg": A, "img/a.txt": LINE, "img/train.jpg": B, "obj.names": "cat"}
    source = read(tmp_path, {**files, "train.txt": "img/a.jpg\n", "test_notes.txt": "none yet\n"})
    assert (splits(source), source.findings) == ({"img/a.jpg": "train"}, [])


def test_labels_below_labels_count_before_those_beside(tmp_path: Path) -> None:
    files: Files = {"images/x/a.jpg": A, "images/x/a.txt": "1 0.5 0.5 0.25 0.5", "labels/x/a.txt": LINE}
    source = read(tmp_path, {**files, "data.yaml": YAML})
    assert ([row.label for row in source.annotations], codes(source)) == (["cat"], ["annotation-unreadable"])


def test_each_folder_has_names_of_its_own(tmp_path: Path) -> None:
    files: Files = {"train/a.jpg": A, "train/a.txt": LINE, "train/_darknet.labels": "cat"}
    files |= {"valid/b.jpg": B, "valid/b.txt": LINE, "valid/_darknet.labels": "dog"}
    source = read(tmp_path, files)
    assert [row.label for row in source.annotations] == ["cat", "dog"]
    assert (source.classes, source.ids, set(splits(source).values())) == (["cat", "dog"], {}, {"train", "valid"})


@pytest.mark.parametrize(
    ("files", "code", "file"),
    [
        ({"labels/z.txt": LINE}, "image-missing", "labels/z.txt"),
        ({"labels/z.txt": ""}, "image-missing", "labels/z.txt"),
        ({"old/a.txt": LINE}, "annotation-unreadable", "old/a.txt"),  # a second file for one image
        ({"images/b.jpg": B, "labels/b.txt": b"\xff\x00\xfe"}, "annotation-unreadable", "labels/b.txt"),
    ],
)
def test_a_label_file_without_an_image_is_named(tmp_path: Path, files: dict, code: str, file: str) -> None:
    source = read(tmp_path, {"images/a.jpg": A, "labels/a.txt": LINE, "classes.txt": "cat", "README.txt": "x", **files})
    assert [(finding.code, finding.file) for finding in source.findings] == [(code, file)]
    assert list(source.entries) == ["images/a.jpg"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_part_of_a_line(tmp_path: Path, encoding: str) -> None:
    files: Files = {
        "a.jpg": A,
        "a.txt": LINE,
        "b.jpg": B,
        "b.txt": LINE.encode(encoding),
        "classes.txt": "cät".encode(encoding),
    }
    assert [row.label for row in read(tmp_path, files).annotations] == ["cät", "cät"]


@pytest.mark.parametrize("labels", [{"a.txt": LINE, "classes.txt": "cat"}, {"x.txt": KERAS, "classes.txt": "cat"}])
def test_boxes_of_a_turned_image_are_taken_as_displayed(tmp_path: Path, labels: dict) -> None:
    exif = PilImage.Exif()
    exif[0x0112] = 6  # stored 24 x 32, displayed 32 x 24
    source = read(tmp_path, {"a.jpg": image_bytes(24, 32, exif=exif), **labels})
    assert (boxes(source), codes(source)) == ([("a.jpg", "cat", 12, 6, 20, 18)], ["orientation-ambiguous"])


def test_an_unreadable_image_keeps_its_row(tmp_path: Path) -> None:
    assert list(read(tmp_path, {"a.jpg": b"no", "a.txt": LINE, "classes.txt": "cat"}).entries) == ["a.jpg"]


# --- Ultralytics


@pytest.mark.parametrize(
    ("image", "label", "data", "split"),
    [
        ("images/train/a.jpg", "labels/train/a.txt", "train: images/train", "train"),
        ("train/images/a.jpg", "train/labels/a.txt", "train: ../train/images", "train"),  # as Roboflow writes it
        ("one/images/a.jpg", "one/labels/a.txt", "val: [two, one/images]", "valid"),
        ("images/one/a.jpg", "labels/one/a.txt", "path: /home/me/set\ntest: images/one", "test"),
        ("images/one/a.jpg", "labels/one/a.txt", "train: /home/me/set/images/one", "train"),
        ("images/one/a.jpg", "labels/one/a.txt", "train: images\nval: images", None),  # said twice: by its path
        ("images/val/a.jpg", "labels/val/a.txt", "train: images\nval: images", "valid"),
        ("images/a.jpg", "labels/a.txt", "train: mine.txt", "train"),
        ("train/images/a.jpg", "train/labels/a.txt", "val: valid/images", "train"),  # a folder that is not there
        ("JPEGImages/a.jpg", "yolo_labels/a.txt", "", None),
        ("a.jpg", "a.txt", "train: .", "train"),
        ("set/images/one/a.jpg", "set/labels/one/a.txt", "train: images/one", "train"),
    ],
)
def test_ultralytics_layouts(tmp_path: Path, image: str, label: str, data: str, split: str | None) -> None:
    files: Files = {image: A, label: LINE, "data.yaml": f"{YAML}{data}\n", "mine.txt": "./images/a.jpg\n"}
    source = read(tmp_path, files)
    assert (splits(source), boxes(source)) == ({image: split}, [(image, "cat", 12, 6, 20, 18)])
    missing = [name for name in ("two", "valid/images") if name in data]
    assert [(f.code, f.file, f.place, f.value) for f in source.findings] == [
        ("split-empty", "data.yaml", "val", name) for name in missing
    ]


@pytest.mark.parametrize(
    ("data", "entries"),
    [
        ("train: images/train", ["images/train/a.jpg", "images/train/b.jpg"]),  # other/c.jpg is in no split: unlabelled
        ("", ["images/train/a.jpg", "images/train/b.jpg", "other/c.jpg"]),
    ],
)
def test_ultralytics_image_without_text_is_a_negative(tmp_path: Path, data: str, entries: list[str]) -> None:
    files: Files = {"images/train/a.jpg": A, "images/train/b.jpg": B, "other/c.jpg": C, "labels/train/a.txt": LINE}
    assert sorted(read(tmp_path, {**files, "data.yaml": YAML + data}).entries) == entries


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("names: [cat, 'big dog']", ("cat", "big dog")),
        ("names: {0: cat, 2: 7}", ("cat", "", "7")),
        ('names:\n  "1": no\n  "0": été', ("été", "no")),
        ("nc: 2\ntrain: x", ("class_0", "class_1")),
        ("names:\n- a\n- \n", ("a", "")),
    ],
)
def test_ultralytics_names(names: str, expected: tuple) -> None:
    assert ultralytics.parse_data(names, "data.yaml").classes.names == expected


def test_ultralytics_pose_keeps_the_box_and_names_the_loss(tmp_path: Path) -> None:
    files: Files = {
        "a.jpg": A,
        "a.txt": "0 0.5 0.5 0.25 0.5" + " 0.1 0.2 2" * 2,
        "data.yaml": f"{YAML}kpt_shape: [2, 3]",
    }
    source = read(tmp_path, files)
    assert (boxes(source), codes(source)) == ([("a.jpg", "cat", 12, 6, 20, 18)], ["not-carried"])


@pytest.mark.parametrize("shape", ["[-1, 1]", "[2, -3]", "[0, 3]", "[2]", "[a, b]", "17", "[2, 3, 4]"])
def test_ultralytics_no_keypoints_of_an_odd_shape(tmp_path: Path, shape: str) -> None:
    """Found by fuzzing: of a negative number of columns a box lacked one."""
    files: Files = {
        "a.jpg": A,
        "a.txt": "0 0.5 0.5 0.25 0.5\n0 0.5 0.5 0.25",
        "data.yaml": f"{YAML}kpt_shape: {shape}",
    }
    source = read(tmp_path, files)
    assert (boxes(source), codes(source)) == ([("a.jpg", "cat", 12, 6, 20, 18)], ["annotation-unreadable"])


# --- Keras


@pytest.mark.parametrize(
    ("line", "path", "expected"),
    [
        ("a.jpg 1,2,3,4,0 5,6,7,8,1", "a.jpg", [("cat", (1, 2, 3, 4)), ("dog", (5, 6, 7, 8))]),
        ("my pics/a b, 1.JPG.png 1.5,2,3,4,1 ", "my pics/a b, 1.JPG.png", [("dog", (1.5, 2, 3, 4))]),
        ("x.jpg y.png 1,2,3,4,0", "x.jpg y.png", [("cat", (1, 2, 3, 4))]),
        ("a.jpg", "a.jpg", []),  # a negative
    ],
)
def test_a_keras_line(line: str, path: str, expected: list) -> None:
    (parsed,), findings = yolo_keras.parse(f"\n{line}\r\n", "x.txt", ClassNames("n", ("cat", "dog")))
    assert (parsed.path, list(zip(parsed.labels, parsed.boxes, strict=True)), findings) == (path, expected, [])


@pytest.mark.parametrize(
    ("line", "value", "reason"),
    [
        ("a.jpg 1,2,3,4,2 1,2,3,4,0", "1,2,3,4,2"[-1], "class 2, but n names 2"),
        ("a.jpg 1,2,3,4 1,2,3,4,0", "1,2,3,4", "it has 4 values"),
        ("a.jpg 1,2,x,4,0 1,2,3,4,0", "x", "not a number"),
        ("a.jpg 1,2,inf,4,0 1,2,3,4,0", "inf", "not a finite number"),
        ("1,2,3,4,0", "1,2,3,4,0", "does not begin with the path"),
    ],
)
def test_keras_names_what_it_cannot_read(line: str, value: str, reason: str) -> None:
    lines, (finding,) = yolo_keras.parse(f"{KERAS}{line}\n", "x.txt", ClassNames("n", ("cat", "dog")))
    assert (sum(len(line.boxes) for line in lines), finding.place) == (2 if "a.jpg" in line else 1, "line 2")
    assert (finding.code, finding.value) == ("annotation-unreadable", value)
    assert reason in finding.reason


def test_keras_missing_image_costs_no_other(tmp_path: Path) -> None:
    source = read(tmp_path, {"a.jpg": A, "val.txt": f"gone.jpg 1,2,3,4,0\n{KERAS}", "classes.txt": "cat"})
    assert (codes(source), splits(source)) == (["image-missing"], {"a.jpg": "valid"})


@pytest.mark.parametrize(
    ("corners_px", "expected"),
    [
        ((1.4, 1.5, 9.6, 23.9), (1, 2, 10, 24)),
        ((3.1, 3.1, 3.2, 3.2), (3, 3, 4, 4)),  # smaller than a pixel
        ((31.9, 23.9, 32, 24), (31, 23, 32, 24)),
    ],
)
def test_keras_writes_whole_pixels_inside_the_image(corners_px: tuple, expected: tuple) -> None:
    assert yolo_keras.whole_pixels(corners_px, (32, 24)) == expected


# --- writing


def written(folder: Path, name: str, manifest: Manifest, label_map: LabelMap) -> tuple[RawFolder, Source]:
    WRITERS[name].write(ExportJob(manifest, label_map), folder)
    raw = RawFolder.scan(folder)
    probe_images(raw)
    found, files = find_format(raw)
    assert found == name
    source = READERS[found].read(raw, files)
    source.findings = [finding for finding in source.findings if finding.code != "split-empty"]
    return raw, source


def told(raw: RawFolder, source: Source) -> dict:
    """sha256 of an image -> its split and its annotations."""
    rows = {
        raw.images[image_id].sha256: (entry.split, [row for row in source.annotations if row.image_id == image_id])
        for image_id, entry in source.entries.items()
    }
    return {
        key: (split, [(row.label, corners(row), row.segmentation) for row in of]) for key, (split, of) in rows.items()
    }


def assert_same(told_back: dict, manifest: Manifest, within: float, outlines: bool = False) -> None:
    by_image = manifest.annotations_by_image()
    images = manifest.image_rows()
    assert {key: split for key, (split, _) in told_back.items()} == {image.sha256: image.split for image in images}
    for image in images:
        rows = by_image.get(image.image_id, [])
        back = told_back[image.sha256][1]
        assert [label for label, _, _ in back] == [row.label for row in rows]
        for row, (_, at, segmentation) in zip(rows, back, strict=True):
            tolerance = within * max(image.width or 0, image.height or 0)
            assert at == pytest.approx(corners(row), abs=tolerance)
            if outlines and row.segmentation:
                back_px, px = (np.ravel(json.loads(text)) for text in (segmentation, row.segmentation))
                assert back_px == pytest.approx(px, abs=tolerance)


ODD = ['q"uote', "naïve, x", "no", "7", "#1 {a}: b", "name 名前 😀"]


@pytest.mark.parametrize("name", YOLO)
@pytest.mark.parametrize("split", ["train", "valid", "test", None])
def test_reading_what_was_written_gives_the_same(tmp_path: Path, name: str, split: str | None) -> None:
    rows: list[Image | Annotation] = [
        make_image(tmp_path / "in", "a.jpg", image_bytes(seed=1), split=split),
        make_image(tmp_path / "in", "b/a.jpg", image_bytes(seed=2), split=split),
        make_image(tmp_path / "in", "ü ö.Jpeg", image_bytes(seed=3), split=split),
        make_image(tmp_path / "in", "train.PNG", image_bytes(seed=4, format="PNG"), split=split),
        make_image(tmp_path / "in", "classes.jfif", image_bytes(seed=5), split=split),
    ]
    rows += [box("a.jpg", label, 1 + at, 2, 11 + at, 24) for at, label in enumerate(ODD)]
    rows += [box("ü ö.Jpeg", "no", 0, 0, 32, 24), box("classes.jfif", "7", 3, 4, 5, 6)]
    manifest = make_manifest(*rows)
    labels = LabelMap("d", {label: number for number, label in enumerate(ODD, start=1)})
    raw, source = written(tmp_path / "out", name, manifest, labels)
    assert (source.findings, source.ids) == ([], dict(labels.ids))
    assert_same(told(raw, source), manifest, 1e-6)


@pytest.mark.parametrize("name", YOLO)
def test_an_id_keeps_its_number_across_a_gap(tmp_path: Path, name: str) -> None:
    manifest = make_manifest(make_image(tmp_path / "in", split="train"), box("a.jpg", "dog"), box("a.jpg", "cat"))
    _, source = written(tmp_path / "out", name, manifest, LabelMap("d", {"cat": 1, "dog": 4}))
    assert ([row.label for row in source.annotations], source.ids) == (["dog", "cat"], {"cat": 1, "dog": 4})


def test_an_unlabelled_image_stays_unlabelled_in_darknet_and_keras(tmp_path: Path) -> None:
    images = [make_image(tmp_path / "in", f"{n}.jpg", image_bytes(seed=n), annotated=n > 0) for n in range(2)]
    for name in ("yolo_darknet", "yolo_keras"):
        manifest = make_manifest(*images, box("1.jpg"))
        _, source = written(tmp_path / name, name, manifest, LabelMap("d", {"cat": 1}))
        assert [Path(image_id).name for image_id in source.entries] == ["1.jpg"]


def test_darknet_finds_what_its_data_file_names(tmp_path: Path) -> None:
    """By the rules of its get_paths, read_data_cfg (which takes every blank out) and replace_image_to_label."""
    image = make_image(tmp_path / "in", "A b.JPEG", split="train")
    written(tmp_path / "out", "yolo_darknet", make_manifest(image, box("A b.JPEG")), LabelMap("d", {"cat": 2}))
    lines = (tmp_path / "out/data/obj.data").read_text().replace(" ", "").splitlines()
    options = dict(line.split("=") for line in lines)
    assert options["classes"] == "2"
    assert (tmp_path / "out" / options["names"]).read_text() == "unused-1\ncat\n"
    (path,) = (tmp_path / "out" / options["train"]).read_text().splitlines()
    assert path.endswith(".jpg")
    label = (tmp_path / "out" / path.replace(".jpg", ".txt")).read_text()
    assert [float(word) for word in label.split()] == pytest.approx([1, 7 / 32, 8 / 24, 10 / 32, 10 / 24])


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        ({"train": "t", "test": "e"}, "classes = 2\ntrain = t\ntest = e\n"),
        ({"": "all"}, "classes = 2\ntrain = all\nvalid = all\n"),
    ],
)
def test_darknet_data_file(lists: dict, expected: str) -> None:
    assert yolo_darknet.format_options(2, lists) == f"{expected}names = data/obj.names\nbackup = backup/\n"


def test_keras_names_no_path_with_a_blank(tmp_path: Path) -> None:
    """keras-yolo3 takes the first word of a line for the path; names that would fall together stay apart."""
    images = [make_image(tmp_path / "in", name, A, split="train") for name in ("a b.jpg", "a\u00a0b.jpg", "a_b.jpg")]
    written(tmp_path / "out", "yolo_keras", make_manifest(*images, box("a b.jpg")), LabelMap("d", {"cat": 1}))
    words = [line.split()[0] for line in (tmp_path / "out/train/_annotations.txt").read_text().splitlines()]
    assert {*words, "_annotations.txt", "_classes.txt"} == {path.name for path in (tmp_path / "out/train").iterdir()}
    assert len(set(words)) == 3


def test_ultralytics_data_file_is_what_its_loader_wants(tmp_path: Path) -> None:
    """YAML 1.1; `train` and `val` always; no `path`, which would be looked up from the folder that it runs in."""
    yaml = pytest.importorskip("yaml")
    manifest = make_manifest(make_image(tmp_path / "in", split="train"), box("a.jpg", "no"))
    written(tmp_path / "out", "ultralytics", manifest, LabelMap("d", {"no": 1, "1": 3}))
    assert yaml.safe_load((tmp_path / "out/data.yaml").read_text(encoding="utf-8")) == {
        "train": "images/train",
        "val": "images/valid",
        "names": {0: "no", 1: "unused-2", 2: "1"},
    }


@pytest.mark.parametrize(("name", "theirs"), [("ultralytics", "."), ("yolo_keras", "train/_annotations.txt")])
def test_panlabel_reads_the_same(tmp_path: Path, name: str, theirs: str) -> None:
    panlabel = Path(sys.executable).with_name("panlabel")
    if not panlabel.exists():
        pytest.skip("panlabel is not installed")
    rows = [make_image(tmp_path / "in", f"{at} x.jpg", image_bytes(seed=at), split="train") for at in range(2)]
    manifest = make_manifest(*rows, box("1 x.jpg", "no", 2, 3, 12, 13), box("1 x.jpg", "cät", 0, 0, 32, 24))
    written(tmp_path / "out", name, manifest, LabelMap("d", {"cät": 1, "no": 2}))
    kind = "yolo" if name == "ultralytics" else "yolo-keras"
    command = [str(panlabel), "convert", "--from", kind, "--to", "coco", "--allow-lossy"]
    files = ["-i", str(tmp_path / "out" / theirs), "-o", str(tmp_path / "coco.json")]
    subprocess.run([*command, *files], check=True, timeout=60)
    content = json.loads((tmp_path / "coco.json").read_text(encoding="utf-8"))
    read_boxes = [(row["category_id"], *row["bbox"]) for row in content["annotations"]]
    assert len(content["images"]) == 2
    assert np.array(read_boxes) == pytest.approx(np.array([(2, 2, 3, 10, 10), (1, 0, 0, 32, 24)]), abs=1e-6)


SQUARE = [2.0, 3.0, 12.0, 3.0, 12.0, 13.0, 2.0, 13.0]
TRIANGLE = [3.0, 3.0, 9.0, 3.0, 6.0, 9.0]


@pytest.mark.parametrize(
    ("segmentations", "columns"),
    [
        ([None, None], {5}),
        ([[TRIANGLE], [SQUARE]], {7, 9}),
        ([[TRIANGLE], None], {7, 9}),  # a box among outlines stands as its corners
        ([{"size": [24, 32], "counts": "0"}, None], {5}),  # a mask is no outline
    ],
)
def test_ultralytics_never_mixes_boxes_and_outlines(tmp_path: Path, segmentations: list, columns: set[int]) -> None:
    images = [make_image(tmp_path / "in", f"{n}.jpg", image_bytes(seed=n), split="train") for n in range(2)]
    rows = [
        box(f"{n}.jpg", segmentation=json.dumps(content) if content else None)
        for n, content in enumerate(segmentations)
    ]
    written(tmp_path / "out", "ultralytics", make_manifest(*images, *rows), LabelMap("d", {"cat": 1}))
    texts = [path.read_text() for path in (tmp_path / "out/labels").rglob("*.txt")]
    assert {len(line.split()) for text in texts for line in text.splitlines()} == columns


def test_parts_of_an_outline_are_joined_without_area() -> None:
    parts = [SQUARE, [20.0, 4.0, 30.0, 4.0, 25.0, 20.0], [1.0, 20.0, 9.0, 20.0, 9.0, 23.0]]
    joined = yolo_lines.outline_of(box(segmentation=json.dumps(parts)))
    assert joined is not None
    assert {*pairwise(joined)} >= {(x, y) for part in parts for x, y in zip(part[::2], part[1::2], strict=True)}
    shoelace = [sum(p[i - 2] * p[i + 1] - p[i] * p[i - 1] for i in range(0, len(p), 2)) / 2 for p in (joined, *parts)]
    assert shoelace[0] == pytest.approx(sum(shoelace[1:]))
    one, other = (to_mask(json.dumps(outline), 32, 24) for outline in ([joined], parts))
    assert (one & other).sum() / (one | other).sum() > 0.85  # a seam is as wide as its pixels


def test_parts_are_joined_where_they_are_nearest() -> None:
    parts = [[0, 0, 4, 0, 4, 4], [9, 9, 6, 4, 9, 4]]
    expected = [0, 0, 4, 0, 4, 4, 6, 4, 9, 4, 9, 9, 6, 4, 4, 4]
    assert yolo_lines.outline_of(box(segmentation=json.dumps(parts))) == expected


def test_points_outside_the_image_are_moved_to_its_edge() -> None:
    assert yolo_lines.format_outline(0, [-3, 6, 40, 6, 16, 24], (32, 24)) == "0 0 0.25 1 0.25 0.5 1"


@st.composite
def manifests(draw: st.DrawFn) -> tuple[list, LabelMap, bool]:
    """Sizes, rows per image and names; the images themselves are drawn by the test."""
    name = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)
    stripped = name.map(str.strip).filter(lambda text: text and not text.startswith("unused-"))
    names = draw(st.lists(stripped, min_size=1, max_size=4, unique=True))
    ids = draw(st.lists(st.integers(1, 9), min_size=len(names), max_size=len(names), unique=True))
    outlined = draw(st.booleans())
    images = []
    for _ in range(draw(st.integers(1, 3))):
        width, height = draw(st.integers(1, 3000)), draw(st.integers(1, 3000))
        share = st.floats(0, 1)
        rows = draw(st.lists(st.tuples(st.sampled_from(names), *[st.tuples(share, share)] * 3), max_size=3))
        images.append((width, height, draw(st.sampled_from(["train", "valid", "test"])), rows))
    return images, LabelMap("d", dict(zip(names, ids, strict=True))), outlined


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=manifests(), name=st.sampled_from(YOLO))
def test_any_manifest_comes_back(tmp_path: Path, drawn: tuple, name: str) -> None:
    contents, labels, outlined = drawn
    outlined = outlined and name == "ultralytics"
    shutil.rmtree(tmp_path / "case", ignore_errors=True)
    rows: list[Image | Annotation] = []
    for number, (width, height, split, of_image) in enumerate(contents):
        image_id = f"{number} x.png"
        pixels = PilImage.new("L", (width, height), number)
        (tmp_path / "case").mkdir(exist_ok=True)
        pixels.save(tmp_path / "case" / "i.png", compress_level=1)
        rows.append(make_image(tmp_path / "case/in", image_id, (tmp_path / "case/i.png").read_bytes(), split=split))
        for label, *points in of_image:
            outline = np.array(points) * (width, height)
            if name == "yolo_keras":
                outline = outline.round()
                outline[1] = np.maximum(outline[1], outline[0] + 1).clip(max=(width, height))
                outline[0] = np.minimum(outline[0], outline[1] - 1)
                outline[2] = outline[0]
            at = (*outline.min(axis=0).tolist(), *outline.max(axis=0).tolist())
            segmentation = json.dumps([outline.ravel().tolist()]) if outlined else None
            rows.append(box(image_id, label, *at, segmentation=segmentation))
    manifest = make_manifest(*rows)
    raw, source = written(tmp_path / "case/out", name, manifest, labels)
    assert source.findings == []
    assert source.ids == dict(labels.ids)
    assert_same(told(raw, source), manifest, 1e-6, outlined)


# --- the raccoon set


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        (
            "ultralytics",
            {"JPEGImages": "JPEGImages", "as/yolo_labels": "yolo_labels", "as/yolo_data.yaml": "yolo_data.yaml"},
        ),
        (
            "ultralytics",
            {"JPEGImages": "images/train", "as/yolo_labels": "labels/train", "as/yolo_data.yaml": "data.yaml"},
        ),
        (
            "ultralytics",
            {"JPEGImages": "train/images", "as/yolo_labels": "train/labels", "as/yolo_data.yaml": "data.yaml"},
        ),
        ("yolo_darknet", {"JPEGImages": "data/obj", "as/yolo_labels": "data/obj", "as/classes.txt": "data/obj.names"}),
        ("yolo_darknet", {"JPEGImages": "JPEGImages", "as/yolo_labels": "labels", "as/classes.txt": "classes.txt"}),
        (
            "yolo_keras",
            {"JPEGImages": "JPEGImages", "as/yolo-keras.txt": "yolo-keras.txt", "as/classes.txt": "classes.txt"},
        ),
    ],
)
def test_raccoon_reads_as_its_voc_files(tmp_path: Path, raccoon: Path, name: str, layout: dict[str, str]) -> None:
    for source, target in layout.items():
        (tmp_path / target).parent.mkdir(parents=True, exist_ok=True)
        if (raccoon / source).is_dir():
            shutil.copytree(raccoon / source, tmp_path / target, dirs_exist_ok=True)
        else:
            shutil.copy(raccoon / source, tmp_path / target)
    manifest, label_map, findings, found = ingest(tmp_path, IngestParams(), LabelMap("d"))
    assert (found, findings, dict(label_map.ids)) == (name, [], {"raccoon": 1})
    assert (manifest.images.num_rows, manifest.annotations.num_rows) == (200, 217)
    folder = RawFolder.scan(raccoon)
    folder = RawFolder(raccoon, [file for file in folder.files if file.startswith(("JPEGImages/", "Annotations/"))])
    probe_images(folder)
    voc = READERS["voc"].read(folder, READERS["voc"].detect(folder))
    expected = sorted((Path(row.image_id).name, corners(row)) for row in voc.annotations)
    ours = sorted((Path(row.image_id).name, corners(row)) for row in manifest.annotation_rows())
    assert [image for image, _ in ours] == [image for image, _ in expected]
    for (_, one), (_, other) in zip(ours, expected, strict=True):
        assert one == pytest.approx(other, abs=0.5)
