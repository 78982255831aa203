"""Ultralytics NDJSON: each task's annotations, what is not one, and that every one of them is counted."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from conftest import image_bytes
from hypothesis import given, settings
from hypothesis import strategies as st
from test_formats import COCO, codes, corners, raw_folder, read

from shardsmith.dataset.errors import RawDataError
from shardsmith.formats.shared.raw_folder import Source
from shardsmith.formats.yolo import ndjson

HEAD = {"type": "dataset", "task": "detect", "name": "t", "class_names": {"0": "person", "1": "car"}, "version": 1}
BOX = [1, 0.5, 0.5, 0.25, 0.5]  # of 32 x 24 pixels: 12 6 20 18


def lines(*entries: object, head: object = HEAD) -> str:
    return "\n".join(map(json.dumps, [head, *entries]))


def image(file: str = "a.jpg", **more: object) -> dict[str, Any]:
    return {"type": "image", "file": file, "url": f"https://x/{file}", "width": 32, "height": 24, "split": "val"} | more


def source_of(tmp_path: Path, *annotations: object) -> Source:
    entries = [image(annotations=each) for each in annotations]
    return read(tmp_path, {"images/a.jpg": image_bytes(), "d.ndjson": lines(*entries)})


@pytest.mark.parametrize(
    ("annotations", "expected", "outline"),
    [
        ({"boxes": [BOX]}, [12, 6, 20, 18], None),
        ({"segments": [[1, 0.25, 0.25, 0.5, 0.25, 0.5, 0.75]]}, [8, 6, 16, 18], [8, 6, 16, 6, 16, 18]),
        ({"obb": [[1, 0.5, 0, 1, 0.5, 0.5, 1, 0, 0.5]]}, [0, 0, 32, 24], [16, 0, 32, 12, 16, 24, 0, 12]),
        ({"pose": [[*BOX, 0.5, 0.5, 2]]}, [12, 6, 20, 18], None),
        ({"classification": [1]}, [None] * 4, None),
    ],
)
def test_each_task(tmp_path: Path, annotations: dict, expected: list, outline: list | None) -> None:
    source = source_of(tmp_path, annotations)
    (row,) = source.annotations
    assert (row.image_id, row.label, corners(row), source.shapes) == ("images/a.jpg", "car", expected, 1)
    assert json.loads(row.segmentation or "[null]")[0] == outline
    assert codes(source) == []
    assert [row.keypoints for row in source.annotations] == ["[16,12,2]" if "pose" in annotations else None]
    assert (source.entries["images/a.jpg"].split, source.classes) == ("valid", ["person", "car"])


@pytest.mark.parametrize(
    ("annotations", "code", "reason"),
    [
        ({"boxes": [[9, *BOX[1:]]]}, "annotation-unreadable", "class 9 is not in class_names"),
        ({"boxes": [BOX[:4]]}, "annotation-unreadable", "3 coordinates"),
        ({"boxes": [["1", *BOX[1:]]]}, "annotation-unreadable", "no list of numbers"),
        ({"boxes": [[1, 10**400, 1, 1, 1]]}, "annotation-unreadable", "too large"),
        ({"boxes": "x"}, "annotation-unreadable", "no list of numbers"),
        ("x", "annotation-unreadable", "no list of numbers"),
        ({"obb": [BOX]}, "annotation-unreadable", "4 coordinates"),
        ({"segments": [BOX]}, "annotation-unreadable", "2 points"),
        ({"classification": [None]}, "annotation-unreadable", "no list of numbers"),
        ({"cuboids": [BOX]}, "shape-not-carried", "no place"),
    ],
)
def test_what_is_none_is_named_and_its_image_is_no_negative(
    tmp_path: Path, annotations: object, code: str, reason: str
) -> None:
    source = source_of(tmp_path, annotations)
    (finding,) = source.findings
    assert (finding.code, finding.image_id, source.shapes, source.annotations) == (code, "images/a.jpg", 1, [])
    assert reason in finding.reason


def test_an_image_without_annotations_is_background(tmp_path: Path) -> None:
    files = {"a.jpg": image_bytes(), "b.jpg": image_bytes(seed=1)}
    text = lines(image(), image("b.jpg", annotations={"boxes": []}), image("c.jpg", annotations={"boxes": [BOX, BOX]}))
    source = read(tmp_path, files | {"d.ndjson": f"{text}\n\n{{oops\n"})
    assert (list(source.entries), source.annotations) == (["a.jpg", "b.jpg"], [])
    assert (codes(source), source.shapes) == (["image-missing"] * 2 + ["annotation-unreadable"], 3)
    assert source.findings[-1].place == "line 6"


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (lines(), True),
        (lines(head={"type": "dataset"}), False),
        (lines(head={"data_row": {"id": 1}, "projects": {}}), False),
        (json.dumps(COCO), False),
        ("", False),
    ],
)
def test_what_is_ultralytics_ndjson(tmp_path: Path, text: str, is_one: bool) -> None:
    folder = raw_folder(tmp_path, {"a.jpg": image_bytes(), "d.ndjson": text})
    assert bool(ndjson.detect(folder)) == is_one


def test_a_first_line_that_is_cut_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RawDataError, match=r"d\.ndjson:1: not the line of an Ultralytics dataset"):
        read(tmp_path, {"a.jpg": image_bytes(), "d.ndjson": lines()[:-3]})


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False))
def test_annotations_in_the_file_are_rows_and_named_losses(
    tmp_path_factory: pytest.TempPathFactory, rng: Random
) -> None:
    lengths = {"boxes": 4, "segments": 10, "obb": 8, "pose": 10, "classification": 0}

    def item(kind: str) -> Any:
        numbers = [rng.randrange(3), *(rng.random() for _ in range(lengths[kind]))]  # class 2 is none
        return numbers if lengths[kind] else numbers[0]

    said = [
        {kind: [item(kind) for _ in range(rng.randrange(4))] for kind in rng.sample(list(lengths), 2)} for _ in "ab"
    ]
    text = lines(*(image(f"{name}.jpg", annotations=each) for name, each in zip("ab", said, strict=True)))
    files = {f"{name}.jpg": image_bytes(seed=n) for n, name in enumerate("ab")}
    source = read(tmp_path_factory.mktemp("many"), files | {"d.ndjson": text})
    dropped = [finding for finding in source.findings if finding.action == "drop"]
    assert source.shapes == sum(len(items) for each in said for items in each.values())
    assert source.shapes == len(source.annotations) + len(dropped)
