"""RetinaNet CSV: which files it is, what is read, whole pixels out, and the other CSV formats left alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from conftest import box, image_bytes, make_image, make_manifest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_formats import codes, corners, raw_folder, read

from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import Image
from shardsmith.formats.csv import retinanet as retinanet_csv
from shardsmith.formats.csv.lines import format_lines
from shardsmith.formats.shared.job import ExportJob
from shardsmith.pipeline.ingest import find_format, ingest
from shardsmith.pipeline.params import IngestParams

RETINA = "a.jpg,2,3,12,13,cat\n"
TFOD = "filename,width,height,class,xmin,ymin,xmax,ymax\na.jpg,32,24,cat,2,3,12,13\n"


@pytest.mark.parametrize(
    ("text", "format_name"),
    [
        (RETINA, "retinanet_csv"),
        ("a.jpg,,,,,\n", "retinanet_csv"),
        ("path,x1,y1,x2,y2,class\n" + RETINA, "retinanet_csv"),
        ("a.jpg;2;3;12;13;cat\n", "retinanet_csv"),
        ("oops\n" + 3 * RETINA, "retinanet_csv"),
        (TFOD, "tfod_csv"),
        ("filename,class,xmin,ymin,xmax,ymax\na.jpg,cat,2,3,12,13\n", "tfod_csv"),
        ("filename,xmin,ymin,xmax,ymax,class\na.jpg,2,3,12,13,cat\n", "tfod_csv"),
        ("filename, cat, dog\na.jpg, 1, 0\n", "multiclass_csv"),
        ("filename,a,b,c,d,e\na.jpg,1,0,0,0,1\n", "multiclass_csv"),
    ],
)
def test_which_csv_it_is(tmp_path: Path, text: str, format_name: str) -> None:
    assert find_format(raw_folder(tmp_path, {"a.jpg": image_bytes(), "l.csv": text})) == (format_name, ["l.csv"])


@pytest.mark.parametrize("text", ["cat,0\ndog,1\n", "a.jpg,cat,1,2,3,4\n", "", "a,b,c,d,e,f\n"])
def test_other_csv_files_are_none(tmp_path: Path, text: str) -> None:
    assert retinanet_csv.detect(raw_folder(tmp_path, {"a.jpg": image_bytes(), "l.csv": text})) == []


def test_rows_negatives_and_the_class_file(tmp_path: Path) -> None:
    files = {"x/a.jpg": image_bytes(), "b.jpg": image_bytes(seed=1), "classes.csv": "dog,1\ncat,0\n"}
    source = read(tmp_path, {**files, "valid.csv": "/data/x/a.jpg,2,3,12,13.5,cat\nb.jpg,,,,,\n"})
    assert {name: entry.split for name, entry in source.entries.items()} == {"x/a.jpg": "valid", "b.jpg": "valid"}
    assert [(row.label, corners(row)) for row in source.annotations] == [("cat", [2, 3, 12, 13.5])]
    assert (source.classes, source.findings) == (["cat", "dog"], [])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("a.jpg,1,2,3,cat", "it has 5 columns"),
        ("a.jpg,1,2,3,4,cat,0.9", "it has 7 columns"),
        ("a.jpg,1,,3,4,cat", "could not convert"),
        ("a.jpg,one,2,3,4,cat", "could not convert"),
        ("a.jpg,,,,,cat", "could not convert"),
        (",1,2,3,4,cat", "it names no image"),
    ],
)
def test_line_that_cannot_be_read(line: str, reason: str) -> None:
    rows, (finding,) = retinanet_csv.parse(RETINA + line + "\n", "l.csv")
    assert (len(rows), finding.file, finding.place, finding.value) == (1, "l.csv", "line 2", line)
    assert reason in finding.reason


def test_separators_inside_a_name_do_not_count() -> None:
    text = format_lines([("a b.jpg", 1, 2, 3, 4, ";;;;;;;"), (" a;.jpg", "", "", "", "", "")])
    rows, findings = retinanet_csv.parse(text, "l.csv")
    assert ([(row.filename, row.label) for row in rows], findings) == ([("a b.jpg", ";;;;;;;"), ("a;.jpg", "")], [])


def test_missing_image_is_named_once(tmp_path: Path) -> None:
    source = read(tmp_path, {"a.jpg": image_bytes(), "l.csv": RETINA + 2 * "b.jpg,1,1,2,2,cat\n"})
    assert (codes(source), source.findings[0].place) == (["image-missing"], "line 2")


@pytest.mark.parametrize(
    ("low", "high", "size", "pixels"),
    [
        (2, 12, 32, (2, 12)),
        (2.4, 12.6, 32, (2, 13)),
        (5.1, 5.3, 32, (5, 6)),
        (31.8, 32, 32, (31, 32)),
        (0, 0.1, 1, (0, 1)),
    ],
)
def test_pixels_are_whole_and_no_box_is_empty(low: float, high: float, size: int, pixels: tuple[int, int]) -> None:
    at = retinanet_csv.whole_pixels((low, low, high, high), Image("a", "a", "", size, size, "jpeg"))
    assert at == (pixels[0], pixels[0], pixels[1], pixels[1])


def test_layout_is_that_of_keras_retinanet(tmp_path: Path) -> None:
    rows = [make_image(tmp_path / "in", name, image_bytes(seed=s), split="train") for s, name in enumerate("ab")]
    manifest = make_manifest(*rows, box("a", "x, y", 1.2, 2, 3, 4))
    retinanet_csv.write(ExportJob(manifest, LabelMap("d", {"cat": 1, "x, y": 3})), tmp_path / "out")
    assert (tmp_path / "out/train/_annotations.csv").read_text() == 'a.jpg,1,2,3,4,"x, y"\nb.jpg,,,,,\n'
    assert (tmp_path / "out/train/_classes.csv").read_text() == 'cat,0\n"x, y",2\n'


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=9)
SIDE = st.floats(0, 31, allow_nan=False).flatmap(lambda low: st.tuples(st.just(low), st.floats(low + 1, 32)))


@settings(deadline=None)
@given(st.lists(st.tuples(NAMES, SIDE, SIDE), max_size=5))
def test_reading_what_was_written_is_within_half_a_pixel(boxes: list) -> None:
    lines = [("a;b,c.jpg", x[0], y[0], x[1], y[1], name) for name, x, y in boxes]
    rows, findings = retinanet_csv.parse(format_lines(lines), "l.csv")
    assert ([row.label for row in rows], findings) == ([name for name, _, _ in boxes], [])
    for row, (_, x, y) in zip(rows, boxes, strict=True):
        assert row.box == (x[0], y[0], x[1], y[1])
        assert row.box is not None
        assert retinanet_csv.whole_pixels(row.box, Image("a", "", "", 32, 32, "jpeg")) == pytest.approx(
            row.box, abs=0.5
        )


def test_raccoons_have_the_boxes_of_voc(tmp_path: Path, raccoon: Path) -> None:
    seen = {}
    for name in ("as/retinanet.csv", "Annotations"):
        raw = tmp_path / Path(name).name
        shutil.copytree(raccoon / "JPEGImages", raw / "JPEGImages")
        (shutil.copytree if name == "Annotations" else shutil.copy)(raccoon / name, raw / Path(name).name)
        manifest, labels, findings, format_name = ingest(raw, IngestParams(), LabelMap("d"))
        assert (dict(labels.ids), findings) == ({"raccoon": 1}, [])
        seen[format_name] = manifest.annotation_rows()
    assert len(seen["retinanet_csv"]) == 217
    for one, other in zip(seen["retinanet_csv"], seen["voc"], strict=True):
        assert (one.image_id, corners(one)) == (other.image_id, pytest.approx(corners(other), abs=0.5))
