"""The three YOLO formats: which is which, what each line means, and what their own trainers would make of ours."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import image_bytes
from PIL import Image as PilImage
from test_formats import COCO, OBJECT, XML, codes, corners, raw_folder, read
from yolo_inputs import YOLO, A, B, C

from shardsmith.dataset.errors import RawDataError
from shardsmith.formats.registry import READERS
from shardsmith.formats.shared.raw_folder import Source
from shardsmith.formats.yolo import keras as yolo_keras
from shardsmith.formats.yolo import lines as yolo_lines
from shardsmith.formats.yolo import ultralytics
from shardsmith.formats.yolo.lines import ClassNames, LineError
from shardsmith.pipeline.ingest import find_format

LINE = "0 0.5 0.5 0.25 0.5\n"  # on 32 x 24 pixels: 12 6 20 18
YAML = "names: [cat, dog]\n"
KERAS = "a.jpg 12,6,20,18,0\n"
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
    content = yolo_lines.parse(f"\n{line}\n", "a.txt", ClassNames("n", ("cat", "dog")), (32, 24))
    (row,) = content.rows
    assert (row.label, corners(row), content.findings, content.shapes) == (label, expected, [], 1)
    assert (row.segmentation is None) == (len(line.split()) == 5)


def test_an_outline_is_a_polygon_in_pixels() -> None:
    (row,) = yolo_lines.parse("0 0.25 0.25 0.75 0.25 0.5 1", "a.txt", ClassNames("n", ("cat",)), (32, 24)).rows
    assert json.loads(row.segmentation or "") == [[8, 6, 24, 6, 16, 24]]


@pytest.mark.parametrize(
    ("line", "value", "reason"),
    [
        ("2 0.5 0.5 0.1 0.1", "2", "class 2, but n names 2 classes from 0"),
        ("-1 0.5 0.5 0.1 0.1", "-1", "class -1, but"),
        ("0.5 0.5 0.5 0.1 0.1", "0.5", "not a whole number"),
        ("cat 0.5 0.5 0.1 0.1", "cat", "not a number"),
        ("0 0.5 0.5 0.1", "0 0.5 0.5 0.1", "it has 4 columns"),
        ("0 0.5 0.5 0.1 0.1 0.9", "0 0.5 0.5 0.1 0.1 0.9", "its sixth column"),
        ("0 0.5 0.5 0.1 0.1 x", "0 0.5 0.5 0.1 0.1 x", "its sixth column"),
        ("0 0 0 1 1 0 1 1", "0 0 0 1 1 0 1 1", "it has 8 columns"),
        ("0 0,5,5 0.5 0.1 0.1", "0,5,5", "not a number"),
        ("0 nan 0.5 0.1 0.1", "nan", "not a finite number"),
        ("0 0.5 0.5 inf 0.1", "inf", "not a finite number"),
        ("0 0 0 1 0 1e9 1", "0 0 0 1 0 1e9 1", "no place on an image"),
        ("nan 0.5 0.5 0.1 0.1", "nan", "not a finite number"),
    ],
)
def test_a_line_that_cannot_be_read_costs_no_other(line: str, value: str, reason: str) -> None:
    names = ClassNames("n", ("cat", "dog"))
    content = yolo_lines.parse(f"{LINE}{line}\n{LINE}", "a.txt", names, (32, 24))
    (finding,) = content.findings
    assert (len(content.rows), content.shapes, finding.code) == (2, 3, "annotation-unreadable")
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
    assert list(source.entries) == sorted(name for name in ("images/a.jpg", *files) if name.endswith(".jpg"))


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


@pytest.mark.parametrize(
    ("more", "columns", "points", "names"),
    [
        ("kpt_shape: [2, 3]", ".25 .5 2 0 0 0", [8, 12, 2, 0, 0, 0], ["point_1", "point_2"]),
        ("kpt_shape: [2, 2]", ".25 .5 .5 .25", [8, 12, 2, 16, 6, 2], ["point_1", "point_2"]),
        ("kpt_shape: [2, 3]\nkpt_names: {0: [l, r]}", ".25 .5 1 .5 .25 2", [8, 12, 1, 16, 6, 2], ["l", "r"]),
        ("kpt_shape: [2, 3]\nkpt_names: [l, r]", ".25 .5 1 .5 .25 2", [8, 12, 1, 16, 6, 2], ["l", "r"]),
        ("", ".25 .5 1 .5 .25 2", [8, 12, 1, 16, 6, 2], ["point_1", "point_2"]),
    ],
)
def test_ultralytics_pose(tmp_path: Path, more: str, columns: str, points: list, names: list) -> None:
    line = f"0 0.5 0.5 0.25 0.5 {columns}"
    source = read(tmp_path, {"a.jpg": A, "a.txt": line, "data.yaml": f"{YAML}{more}"})
    (row,) = source.annotations
    assert (boxes(source), codes(source)) == ([("a.jpg", "cat", 12, 6, 20, 18)], [])
    assert (json.loads(row.keypoints), json.loads(row.skeleton)["names"]) == (points, names)


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
    lines, findings = yolo_keras.parse(f"{KERAS}{line}\n", "x.txt", ClassNames("n", ("cat", "dog")))
    (finding,) = [*findings, *(one for line in lines for one in line.findings)]
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
