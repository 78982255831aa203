"""CSV and class folders: each row is an annotation or a finding that names its image, and all are counted."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from conftest import image_bytes
from test_formats import codes, corners, raw_folder, read

from shardsmith.formats import class_folders

A, B = image_bytes(), image_bytes(seed=1)
TFOD = "filename,width,height,class,xmin,ymin,xmax,ymax\n"
GOOD = {"tfod": f"{TFOD}b.jpg,32,24,cat,2,3,12,13\n", "retina": "b.jpg,2,3,12,13,cat\n" * 3,
        "multi": "filename, Red Car, truck\nb.jpg, 1, 0\n"}  # fmt: skip

ROWS = [  # kind, line, annotations of a.jpg, codes, why
    ("tfod", "a.jpg,32,24,cat,2,3,12,13", 1, [], "a box"),
    ("tfod", "a.jpg,32,24,,,,,", 0, [], "a negative"),
    ("tfod", "a.jpg,32,24,cat,,,,", 0, ["annotation-unreadable"], "a class without a box"),
    ("tfod", "a.jpg,32,24,cat,2,,12,13", 0, ["annotation-unreadable"], "a box that lacks a side"),
    ("tfod", "a.jpg,32,24,cat,2,3", 0, ["annotation-unreadable"], "a line cut short"),
    ("tfod", 'a.jpg,32,24,cat,"2,5",3,12,13', 1, ["read-leniently"], "a decimal comma"),
    ("tfod", "a.jpg,0,0,cat,2,3,12,13", 1, ["read-leniently"], "a declared size of 0"),
    ("tfod", "a.jpg,,,cat,2,3,12,13", 1, ["read-leniently"], "a declared size left out"),
    ("retina", "a.jpg,2,3,12,13,cat", 1, [], "a box"),
    ("retina", "a.jpg,,,,,", 0, [], "a negative"),
    ("retina", "a.jpg,,,,,cat", 0, ["annotation-unreadable"], "a class without a box"),
    ("retina", 'a.jpg,2,"3,5",12,13,cat', 1, ["read-leniently"], "a decimal comma"),
    ("retina", "a.jpg,2,3,12,13,cat,0.9", 0, ["annotation-unreadable"], "a confidence"),
    ("multi", "a.jpg, 1, 1", 2, [], "two classes"),
    ("multi", "a.jpg, 0, 0", 0, [], "a negative"),
    ("multi", "a.jpg, 1, maybe", 0, ["annotation-unreadable"], "no 0 or 1"),
    ("multi", "a.jpg, 1", 0, ["annotation-unreadable"], "a line cut short"),
]


@pytest.mark.parametrize(("kind", "line", "count", "expected", "why"), ROWS, ids=[f"{r[0]} {r[-1]}" for r in ROWS])
def test_each_row_is_counted(tmp_path: Path, kind: str, line: str, count: int, expected: list, why: str) -> None:
    source = read(tmp_path, {"a.jpg": A, "b.jpg": B, "l.csv": GOOD[kind] + line + "\n"})
    assert sum(row.image_id == "a.jpg" for row in source.annotations) == count, why
    assert (codes(source), set(source.entries)) == (expected, {"a.jpg", "b.jpg"})
    dropped = [one for one in source.findings if one.action == "drop"]
    assert [one.image_id for one in dropped] == ["a.jpg"] * len(dropped)
    assert source.shapes == len(source.annotations) + len(dropped)


def test_a_decimal_comma_is_a_point(tmp_path: Path) -> None:
    text = TFOD.replace(",", ";") + "a.jpg;32;24;cat;2,5;3;12,25;13\n"
    (row,) = read(tmp_path, {"a.jpg": A, "l.csv": text}).annotations
    assert corners(row) == [2.5, 3, 12.25, 13]


def test_a_bad_line_before_a_good_one_costs_it_nothing(tmp_path: Path) -> None:
    text = "filename, Red Car, truck\na.jpg, 1\na.jpg, 1, 1\nb.jpg, 0, 1\n"
    source = read(tmp_path, {"a.jpg": A, "b.jpg": B, "_classes.csv": text})
    assert [row.label for row in source.annotations] == ["Red Car", "truck", "truck"]
    assert (codes(source), source.shapes) == (["annotation-unreadable"], 4)


def test_class_folders_count(tmp_path: Path) -> None:
    folder = raw_folder(tmp_path, {"cat/a.jpg": A, "dog/b.jpg": B, "c.jpg": A})
    assert class_folders.read(folder, class_folders.detect(folder)).shapes == 2


def test_shapes_in_are_rows_and_named_losses(tmp_path: Path) -> None:
    rng = Random(7)
    sides = ("2", "3.5", "12", "13", "", "x", "1e400", '"4,5"', "nan", "-3")
    for case in range(40):
        lines = []
        for _ in range(rng.randint(1, 8)):
            cells = [rng.choice(("a.jpg", "b.jpg")), rng.choice(("32", "0", "")), "24", rng.choice(("cat", "dog"))]
            lines.append(",".join([*cells, *(rng.choice(sides) for _ in range(rng.choice((4, 4, 4, 3, 5))))]))
        text = f"{GOOD['tfod']}{chr(10).join(lines)}\n"
        source = read(tmp_path / str(case), {"a.jpg": A, "b.jpg": B, "l.csv": text})
        dropped = [one for one in source.findings if one.action == "drop"]
        assert source.shapes == len(lines) + 1 == len(source.annotations) + len(dropped), text
        assert all(one.image_id for one in dropped)
