"""YOLO: lines of every kind that its tools write, counted; and Ultralytics NDJSON."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
from conftest import image_bytes
from test_formats import codes, corners, raw_folder

from shardsmith.dataset.label_map import LabelMap
from shardsmith.formats.registry import READERS
from shardsmith.formats.shared.raw_folder import Source
from shardsmith.pipeline.ingest import find_format, ingest
from shardsmith.pipeline.params import IngestParams, parse_params
from shardsmith.pipeline.validate import validate

A = image_bytes()
BOX = "0 0.5 0.5 0.25 0.5"  # 12 6 20 18 of 32 x 24
YAML = "names: [cat, dog]\n"
HEAD = {"type": "dataset", "task": "detect", "class_names": {"0": "cat", "1": "dog"}}


def read(tmp_path: Path, files: dict) -> Source:
    folder = raw_folder(tmp_path, files)
    name, found = find_format(folder)
    return READERS[name].read(folder, found)


def label_file(tmp_path: Path, text: str, more: str = "") -> Source:
    return read(tmp_path, {"a.jpg": A, "a.txt": text, "data.yaml": YAML + more, "b.jpg": image_bytes(seed=1)})


def ndjson(*rows: object) -> str:
    return "".join(row if isinstance(row, str) else f"{json.dumps(row)}\n" for row in rows)


LINES = [  # line, more of data.yaml, rows, codes, why
    (f"{BOX} 0.91", "", 0, ["annotation-unreadable"], "a confidence: a detector's output"),
    (f"{BOX} x", "", 0, ["annotation-unreadable"], "nobody knows what it is"),
    (f"{BOX} 17", "", 1, ["read-leniently"], "CVAT's number of a track"),
    ("0 .1 .1 .9 .1 .9 .9 .1 .9", "", 1, [], "an oriented box"),
    ("0 .1 .1 .9 .1 .9 .9 .1 .9 0.5", "", 0, ["annotation-unreadable"], "an oriented box with a confidence"),
    (f"{BOX} .1 .2 2 .3 .4 1", "kpt_shape: [2, 3]", 1, [], "a pose"),
    (f"{BOX} .1 .2 .3 .4", "kpt_shape: [2, 2]", 1, [], "a pose without visibility"),
    (f"{BOX} .1 .2 2", "kpt_shape: [2, 3]", 0, ["annotation-unreadable"], "a pose that lacks a keypoint"),
    (f"{BOX} .1 .2 .3 .4", "kpt_shape: [2, 3]", 0, ["annotation-unreadable"], "a pose, not a polygon"),
    (f"{BOX} .1 .2 2 .3 .4 1", "", 1, [], "a pose that nothing declares"),
    (f"{BOX} .1 .2 2 .3 .4 1 .1 .2 2.0 .3 .4 0", "", 1, [], "one with an odd count of columns"),
    ("0 0,5 0,5 0,25 0,5", "", 1, ["read-leniently"], "decimal commas"),
    ("0 0.5 0.5 0.25", "", 0, ["annotation-unreadable"], "cut short"),
    ("7 0.5 0.5 0.25 0.5", "", 0, ["annotation-unreadable"], "a class that has no name"),
]


@pytest.mark.parametrize(("line", "more", "rows", "expected", "why"), LINES, ids=[row[-1] for row in LINES])
def test_each_line_is_a_row_or_a_finding(
    tmp_path: Path, line: str, more: str, rows: int, expected: list, why: str
) -> None:
    source = label_file(tmp_path, f"{line}\n{BOX}\n\n", more)
    assert (len(source.annotations), source.shapes, codes(source)) == (rows + 1, 2, expected), why
    assert all(one.image_id == "a.jpg" for one in source.findings if one.code != "not-carried")


def test_an_oriented_box_keeps_its_corners(tmp_path: Path) -> None:
    row, _ = label_file(tmp_path, f"0 0.5 0 1 0.5 0.5 1 0 0.5\n{BOX}").annotations
    assert (corners(row), row.segmentation) == ([0, 0, 32, 24], "[[16.0,0.0,32.0,12.0,16.0,24.0,0.0,12.0]]")


def test_a_track_is_an_attribute(tmp_path: Path) -> None:
    assert label_file(tmp_path, f"{BOX} 17").annotations[0].attributes_dict() == {"track_id": 17}


@pytest.mark.parametrize(
    ("text", "negative"), [("", True), (" \n\n", True), (f"{BOX} 0.9", False), ("x", False), (b"\xff\x00\xfe", False)]
)
def test_only_a_file_without_a_line_is_a_negative(tmp_path: Path, text: str | bytes, negative: bool) -> None:
    files = {"a.jpg": A, "a.txt": text, "b.jpg": image_bytes(seed=1), "b.txt": BOX, "data.yaml": YAML}
    raw = raw_folder(tmp_path, files).root
    manifest, _, findings, _ = ingest(raw, IngestParams(), LabelMap("d"))
    valid, findings = validate(manifest, findings, parse_params(""))
    assert [row.image_id for row in valid.image_rows()] == ["a.jpg", "b.jpg"][1 - negative :]
    assert [one.image_id for one in findings if one.code == "image-left-empty"] == ["a.jpg"] * (not negative)


def test_a_set_of_six_columns_alone_is_yolo(tmp_path: Path) -> None:
    assert find_format(raw_folder(tmp_path, {"a.jpg": A, "a.txt": f"{BOX} 0.9", "data.yaml": YAML}))[0] == "ultralytics"


def test_a_second_label_file_of_an_image_does_not_leave_it_a_negative(tmp_path: Path) -> None:
    files = {"images/a.jpg": A, "labels/a.txt": "", "old/a.txt": BOX, "classes.txt": "cat"}
    files |= {"images/b.jpg": image_bytes(seed=1), "labels/b.txt": BOX}
    source = read(tmp_path, files)
    assert [(one.file, one.image_id) for one in source.findings] == [("old/a.txt", "images/a.jpg")]


def test_keras_counts_boxes_and_names_the_image(tmp_path: Path) -> None:
    source = read(
        tmp_path, {"a.jpg": A, "x.txt": "a.jpg 1,2,3,4,0 1,2,3,4 1,2,9,9,8\na.jpg 1,2,3,4,0", "classes.txt": "cat"}
    )
    assert (len(source.annotations), source.shapes) == (2, 4)
    assert [(one.code, one.image_id) for one in source.findings] == [("annotation-unreadable", "a.jpg")] * 2


ROWS = [  # annotations, shapes, labels, codes, why
    ({"boxes": [[0, 0.5, 0.5, 0.25, 0.5], [1, 0.5, 0.5, 0.1, 0.1]]}, 2, ["cat", "dog"], [], "boxes"),
    ({"segments": [[0, 0.1, 0.1, 0.9, 0.1, 0.5, 0.9]]}, 1, ["cat"], [], "an outline"),
    ({"obb": [[0, 0.5, 0, 1, 0.5, 0.5, 1, 0, 0.5]]}, 1, ["cat"], [], "an oriented box"),
    ({"pose": [[0, 0.5, 0.5, 0.25, 0.5, 0.1, 0.1, 2, 0.2, 0.2, 1]]}, 1, ["cat"], [], "a pose"),
    ({"pose": [[0, 0.5, 0.5, 0.25, 0.5, 0.1, 0.1]]}, 1, ["cat"], ["not-carried"], "a pose of two numbers"),
    ({"classification": [1]}, 1, ["dog"], [], "a class of the image"),
    ({"captions": ["a cat"]}, 1, [], ["shape-not-carried"], "another kind"),
    ({"boxes": [[0, 0.5], "x", None]}, 3, [], ["annotation-unreadable"] * 3, "bad items"),
    ({"boxes": []}, 0, [], [], "a negative"),
    ([[0, 0.5, 0.5, 0.25, 0.5]], 1, [], ["annotation-unreadable"], "no object"),
]


@pytest.mark.parametrize(("annotations", "shapes", "labels", "expected", "why"), ROWS, ids=[row[-1] for row in ROWS])
def test_ndjson(tmp_path: Path, annotations: object, shapes: int, labels: list, expected: list, why: str) -> None:
    row = {"type": "image", "file": "a.jpg", "split": "val", "width": 32, "height": 24, "annotations": annotations}
    source = read(tmp_path, {"images/a.jpg": A, "d.ndjson": ndjson(HEAD, row)})
    assert [one.label for one in source.annotations] == labels, why
    assert (source.shapes, codes(source), source.entries["images/a.jpg"].split) == (shapes, expected, "valid")
    assert all(one.image_id == "images/a.jpg" for one in source.findings if one.action == "drop")


def test_ndjson_names_what_it_cannot_place(tmp_path: Path) -> None:
    rows = [HEAD, {"file": "a.jpg"}, {"file": "gone.jpg", "url": "https://x/gone.jpg"}, {"url": "x"}, "{cut\n"]
    rows += [{"file": "b.jpg", "annotation": {"boxes": [[0, 0.5, 0.5, 0.1, 0.1]]}}]
    source = read(tmp_path, {"a.jpg": A, "b.jpg": image_bytes(seed=1), "d.ndjson": ndjson(*rows)})
    assert sorted(codes(source)) == ["annotation-unreadable"] * 2 + ["image-missing"] * 2
    assert [one.image_id for one in source.findings if one.image_id] == ["b.jpg"], "a misspelt key is no negative"
    assert list(source.entries) == ["a.jpg", "b.jpg"]


def test_ndjson_without_names_makes_no_negative(tmp_path: Path) -> None:
    head = {"type": "dataset", "class_names": 3}
    row = {"file": "a.jpg", "annotations": {"boxes": [[0] * 5]}}
    source = read(tmp_path, {"a.jpg": A, "d.ndjson": ndjson(head, row)})
    assert [(one.code, one.image_id) for one in source.findings] == [("annotation-unreadable", "a.jpg")]


def _line(rng: Random) -> str:
    numbers = [f"{rng.random():.4f}" for _ in range(60)]
    kind = rng.choice(("box", "outline", "obb", "pose", "confidence", "track", "odd"))
    number = rng.choice(("0", "1", "2", "x"))
    flags = [word for n in range(rng.randint(2, 17)) for word in (*numbers[2 * n : 2 * n + 2], rng.choice("012"))]
    return " ".join([number, *{
        "box": numbers[:4], "outline": numbers[: 2 * rng.randint(3, 20)], "obb": numbers[:8],
        "pose": [*numbers[:4], *flags], "confidence": numbers[:5], "track": [*numbers[:4], "12"],
        "odd": numbers[: rng.randint(1, 9)],
    }[kind]])  # fmt: skip


def test_shapes_in_are_rows_and_named_losses(tmp_path: Path) -> None:
    rng = Random(13)
    for case in range(60):
        texts = ["\n".join(_line(rng) for _ in range(rng.randrange(4))) for _ in range(4)]
        files = {f"{n}.jpg": A for n in range(4)} | {f"{n}.txt": text for n, text in enumerate(texts)}
        source = read(tmp_path / str(case), files | {"z.jpg": A, "z.txt": BOX, "data.yaml": YAML})
        dropped = sum(one.action == "drop" for one in source.findings)
        assert sum(len(text.split("\n")) for text in texts if text) + 1 == source.shapes
        assert source.shapes == len(source.annotations) + dropped
