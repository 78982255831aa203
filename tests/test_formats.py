"""Readers and writers: what is read, what becomes a finding, and that reading what was written gives the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import box, image_bytes, make_image, make_manifest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import Annotation, Manifest
from shardsmith.formats.coco import format as coco
from shardsmith.formats.csv import tfod as tfod_csv
from shardsmith.formats.registry import READERS
from shardsmith.formats.shared.job import ExportJob, leaving_names
from shardsmith.formats.shared.raw_folder import RawFolder, Source
from shardsmith.formats.shared.splits import split_in_name, split_in_path
from shardsmith.formats.voc import xml as voc
from shardsmith.pipeline.ingest import find_format, probe_images

XML = "<annotation><filename>a.jpg</filename><size><width>32</width><height>24</height></size>{}</annotation>"
OBJECT = "<object><name>{}</name><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox></object>"
COCO = {
    "images": [{"id": 7, "file_name": "a.jpg", "width": 32, "height": 24}],
    "categories": [{"id": 3, "name": "cat"}, {"id": 1, "name": "dog"}],
    "annotations": [{"id": 1, "image_id": 7, "category_id": 3, "bbox": [2, 3, 10, 10]}],
}


def raw_folder(tmp_path: Path, files: dict[str, str | bytes]) -> RawFolder:
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    folder = RawFolder.scan(tmp_path)
    probe_images(folder)
    return folder


def read(tmp_path: Path, files: dict[str, str | bytes]) -> Source:
    folder = raw_folder(tmp_path, files)
    name, found = find_format(folder)
    return READERS[name].read(folder, found)


def corners(row: Annotation) -> list[float | None]:
    return [row.xmin, row.ymin, row.xmax, row.ymax]


def codes(source: Source) -> list[str]:
    return [finding.code for finding in source.findings]


# --- PASCAL VOC


def test_voc_takes_coordinates_as_written() -> None:
    sheet = voc.parse(XML.format(OBJECT.format("cat", 2, "3.5", 12, 13)).encode(), "a.xml").sheet
    assert [(row.label, corners(row)) for row in sheet.rows] == [("cat", [2, 3.5, 12, 13])]
    assert sheet.declared_px == (32, 24)


def test_voc_reads_only_objects_not_their_parts() -> None:
    part = "<part><name>head</name><bndbox><xmin>9</xmin><ymin>9</ymin><xmax>10</xmax><ymax>10</ymax></bndbox></part>"
    text = XML.format(OBJECT.format("cat", 2, 3, 12, 13).replace("</object>", f"{part}</object>"))
    assert [row.label for row in voc.parse(text.encode(), "a.xml").sheet.rows] == ["cat"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no xml at all", "it is not XML"),
        ("<annotation><object>", "it is not XML"),
        ("<annotations/>", "it is not VOC"),
        ("", "it is not XML"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>', "it is not XML"),
        (XML.format(OBJECT.format("cat", "left", 3, 12, 13)), "no numbers"),
        (XML.format("<object><name>cat</name></object>"), "no numbers"),
    ],
)
def test_voc_names_what_it_cannot_read(text: str, reason: str) -> None:
    parsed = voc.parse(text.encode(), "a.xml")
    assert reason in parsed.problem or reason in parsed.sheet.findings[0].reason


def test_one_broken_xml_costs_no_other(tmp_path: Path) -> None:
    good = XML.format(OBJECT.format("cat", 2, 3, 12, 13))
    source = read(tmp_path, {"a.jpg": image_bytes(), "a.xml": good, "b.jpg": image_bytes(seed=1), "b.xml": "<oops"})
    assert list(source.entries) == ["a.jpg", "b.jpg"]  # somebody looked at it: it must be no unlabelled image
    assert [(one.code, one.image_id) for one in source.findings] == [("annotation-unreadable", "b.jpg")]


def test_voc_image_sets_are_the_source_split(tmp_path: Path) -> None:
    files = {f"JPEGImages/{name}.jpg": image_bytes(seed=seed) for seed, name in enumerate("abc")}
    files |= {f"Annotations/{name}.xml": XML.format("").replace("a.jpg", f"{name}.jpg") for name in "abc"}
    sets = {"ImageSets/Main/train.txt": "a\n", "ImageSets/Main/val.txt": "b  1\n", "ImageSets/Main/cat_test.txt": "c"}
    source = read(tmp_path, {**files, **sets})
    assert [entry.split for entry in source.entries.values()] == ["train", "valid", None]


@pytest.mark.parametrize(
    ("filename", "images", "expected"),
    [
        ("a.jpg", ["a.jpg"], "a.jpg"),
        ("a.jpg", ["images/a.jpg"], "images/a.jpg"),
        ("photo.jpg", ["a.jpg"], "a.jpg"),  # <filename> is stale: the XML's own name counts
        ("photo.jpg", ["photo.jpg"], "photo.jpg"),
        ("a", ["a.png"], "a.png"),  # no extension
        ("C:\\pictures\\a.jpg", ["a.jpg"], "a.jpg"),
        ("", ["a.jpg"], "a.jpg"),
        ("a.jpg", ["A.JPG"], "A.JPG"),
        ("a.jpg", ["one/a.jpg", "Annotations/a.jpg"], "Annotations/a.jpg"),
    ],
)
def test_voc_finds_its_image(tmp_path: Path, filename: str, images: list[str], expected: str) -> None:
    xml = XML.format("").replace("a.jpg", filename)
    source = read(tmp_path, {"Annotations/a.xml": xml, **{name: image_bytes() for name in images}})
    assert list(source.entries) == [expected]


def test_file_name_in_two_folders_is_ambiguous_unless_a_folder_says_which(tmp_path: Path) -> None:
    images = {"train/a.jpg": image_bytes(), "test/a.jpg": image_bytes(seed=1)}
    source = read(tmp_path, {**images, "Annotations/a.xml": XML.format(""), "Annotations/test/a.xml": XML.format("")})
    assert (list(source.entries), codes(source)) == (["test/a.jpg"], ["image-ambiguous"])


# --- COCO


def test_coco_keeps_the_order_of_its_ids(tmp_path: Path) -> None:
    source = read(tmp_path, {"a.jpg": image_bytes(), "labels.json": json.dumps(COCO)})
    assert source.classes == ["dog", "cat"]
    assert [(row.image_id, row.label, corners(row)) for row in source.annotations] == [("a.jpg", "cat", [2, 3, 12, 13])]


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        ({"image_id": 8, "category_id": 3, "bbox": [1, 1, 2, 2]}, "its image_id 8 is not in images"),
        ({"image_id": 7, "category_id": 9, "bbox": [1, 1, 2, 2]}, "its category_id 9 is not in categories"),
        ({"image_id": 7, "category_id": 3, "bbox": [1, 1, 2]}, "its bbox is not four numbers"),
        ({"image_id": 7, "category_id": 3}, "it has neither bbox nor segmentation"),
        ("text", "it is no annotation"),
        ({"image_id": [7], "category_id": 3, "bbox": [1, 1, 2, 2]}, "image_id"),
        ({"image_id": 7, "category_id": [3], "bbox": [1, 1, 2, 2]}, "category_id"),
    ],
)
def test_coco_names_what_it_cannot_read(tmp_path: Path, annotation: object, reason: str) -> None:
    text = json.dumps(COCO | {"annotations": [annotation, *COCO["annotations"]]})
    source = read(tmp_path, {"a.jpg": image_bytes(), "labels.json": text})
    assert len(source.annotations) == 1
    assert (codes(source), source.findings[0].place) == (["annotation-unreadable"], "annotations[0]")
    assert reason in source.findings[0].reason


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (json.dumps(COCO)[:-40], "not JSON"),
        (json.dumps({"images": [], "annotations": []}), "no list 'categories'"),
    ],
)
def test_coco_cut_short_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RawDataError, match=message):
        read(tmp_path, {"a.jpg": image_bytes(), "labels.json": text})


# --- TF Object Detection CSV


def test_csv_columns_come_in_any_order(tmp_path: Path) -> None:
    text = "class,xmax,ymax,xmin,ymin,filename\ncat,12,13,2,3,a.jpg\n"
    (row,) = read(tmp_path, {"a.jpg": image_bytes(), "labels.csv": text}).annotations
    assert (row.label, corners(row)) == ("cat", [2, 3, 12, 13])


def test_csv_shares_are_told_by_their_values(tmp_path: Path) -> None:
    text = "filename,width,height,class,xmin,ymin,xmax,ymax\na.jpg,1,1,cat,0.25,0.5,1.001,1\n"
    (row,) = read(tmp_path, {"a.jpg": image_bytes(32, 24), "labels.csv": text}).annotations
    assert corners(row) == pytest.approx([8, 12, 32.032, 24])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("a.jpg,32,24,cat,1,2,3", "it has 7 columns, the header has 8"),
        ("a.jpg,32,24,cat,one,2,3,4", "could not convert"),
        (",32,24,cat,1,2,3,4", "it names no image"),
    ],
)
def test_csv_names_the_line_it_cannot_read(line: str, reason: str) -> None:
    rows, (finding,) = tfod_csv.parse(f"{','.join(tfod_csv.COLUMNS)}\na.jpg,32,24,cat,1,2,3,4\n{line}\n", "labels.csv")
    assert (len(rows), finding.place) == (1, "line 3")
    assert reason in finding.reason


@pytest.mark.parametrize(("encoding", "mark"), [("utf-8-sig", ";"), ("utf-16", "\t")])
def test_csv_reads_what_excel_writes(tmp_path: Path, encoding: str, mark: str) -> None:
    text = "filename;width;height;class;xmin;ymin;xmax;ymax\r\na.jpg;32;24;cät;2;3;12;13\r\n".replace(";", mark)
    raw_folder(tmp_path, {"a.jpg": image_bytes()})
    (tmp_path / "labels.csv").write_bytes(text.encode(encoding))
    assert read(tmp_path, {}).annotations[0].label == "cät"


def test_csv_row_without_class_and_box_is_a_negative(tmp_path: Path) -> None:
    text = "filename,width,height,class,xmin,ymin,xmax,ymax\na.jpg,32,24,,,,,\n"
    source = read(tmp_path, {"a.jpg": image_bytes(), "labels.csv": text})
    assert (list(source.entries), source.annotations) == (["a.jpg"], [])


# --- all of them


@pytest.mark.parametrize("format_name", ["coco", "tfod_csv", "voc"])
def test_reading_what_was_written_gives_the_same(tmp_path: Path, format_name: str) -> None:
    rows = [
        make_image(tmp_path / "in", "a.jpg", image_bytes(seed=1), split="train"),
        make_image(tmp_path / "in", "b/a.jpg", image_bytes(seed=2), split="valid"),
        make_image(tmp_path / "in", "ü ö.png", image_bytes(seed=3, format="PNG"), split="test"),
    ]
    boxes = [
        box("a.jpg", "cat & <dog>", 0.25, 0, 31.5, 24),
        box("a.jpg", 'q"uote', 1, 2, 3, 4),
        box("b/a.jpg", "naïve, x", 5, 6, 7, 8),
        box("ü ö.png", "cat & <dog>", 1, 1, 2.125, 2),
    ]
    manifest = make_manifest(*rows, *boxes)
    labels = LabelMap("d").extended(['q"uote', "cat & <dog>", "naïve, x"])
    READERS[format_name].write(ExportJob(manifest, labels), tmp_path / "out")
    folder = RawFolder.scan(tmp_path / "out")
    probe_images(folder)
    found, files = find_format(folder)
    source = READERS[found].read(folder, files)
    assert (found, source.findings) == (format_name, [])
    assert _by_content(folder, source) == _expected(manifest)


def _by_content(folder: RawFolder, source: Source) -> dict:
    by_image: dict = {}
    for image_id, entry in source.entries.items():
        rows = [(row.label, corners(row)) for row in source.annotations if row.image_id == image_id]
        by_image[folder.images[image_id].sha256] = (entry.split, rows)
    return by_image


def _expected(manifest: Manifest) -> dict:
    boxes = manifest.annotations_by_image()
    return {
        image.sha256: (image.split, [(row.label, corners(row)) for row in boxes[image.image_id]])
        for image in manifest.image_rows()
    }


def test_names_that_would_collide_in_one_folder_get_a_hash(tmp_path: Path) -> None:
    images = [make_image(tmp_path, name) for name in ("a.jpg", "x/a.jpg", "b.jpg", "B.png")]
    names = leaving_names(images)
    assert len({Path(name).stem.lower() for name in names.values()}) == 4
    assert names["b.jpg"].startswith("b-")


@pytest.mark.parametrize(
    ("path", "split"),
    [("train/a.jpg", "train"), ("val2017/a.jpg", "valid"), ("x/Test/cat/a.jpg", "test"), ("training.jpg", None)],
)
def test_split_in_a_path(path: str, split: str | None) -> None:
    assert split_in_path(path) == split


@pytest.mark.parametrize(
    ("file", "split"),
    [
        ("instances_val2017.json", "valid"),
        ("train_labels.csv", "train"),
        ("_annotations.coco.json", None),
        ("contest_labels.csv", None),
    ],
)
def test_split_in_a_name(file: str, split: str | None) -> None:
    assert split_in_name(file) == split


@pytest.mark.parametrize(
    ("declared", "turned", "code"),
    [
        ((24, 32), False, None),  # declared as displayed
        ((32, 24), True, None),  # declared as stored: the box is turned with the image
        (None, False, "orientation-ambiguous"),
        ((50, 50), False, "orientation-ambiguous"),
    ],
)
def test_boxes_of_a_turned_image(tmp_path: Path, declared: tuple | None, turned: bool, code: str | None) -> None:
    from PIL import Image as PilImage

    exif = PilImage.Exif()
    exif[0x0112] = 6  # stored 32 x 24, displayed 24 x 32
    size = "<size><width>{}</width><height>{}</height></size>".format(*declared) if declared else ""
    xml = f"<annotation>{size}{OBJECT.format('cat', 2, 3, 12, 13)}</annotation>"
    source = read(tmp_path, {"a.jpg": image_bytes(32, 24, exif=exif), "a.xml": xml})
    assert corners(source.annotations[0]) == ([11, 2, 21, 12] if turned else [2, 3, 12, 13])
    assert codes(source) == ([code] if code else [])


def test_truncated_coco_is_still_found_to_be_coco(tmp_path: Path) -> None:
    folder = raw_folder(tmp_path, {"a.jpg": image_bytes(), "labels.json": json.dumps(COCO)[:60]})
    assert coco.detect(folder) == ["labels.json"]


def test_pycocotools_reads_what_coco_writes(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    from pycocotools import coco as theirs

    row = make_image(tmp_path / "in", "a.jpg", image_bytes(), split="train")
    manifest = make_manifest(row, box("a.jpg", "dog", 1, 2, 11, 22), box("a.jpg", "cat", 0, 0, 4, 4, is_crowd=True))
    coco.write(ExportJob(manifest, LabelMap("d", {"cat": 1, "dog": 4})), tmp_path / "out")
    reader = theirs.COCO(str(tmp_path / "out/annotations/instances_train.json"))
    (dog,) = reader.loadAnns(reader.getAnnIds(catIds=[4]))
    assert (dog["bbox"], dog["area"], dog["iscrowd"]) == ([1, 2, 10, 20], 200, 0)
    assert [ann["bbox"] for ann in reader.loadAnns(reader.getAnnIds(iscrowd=True))] == [[0, 0, 4, 4]]
    assert reader.loadCats([1, 4]) == [{"id": 1, "name": "cat"}, {"id": 4, "name": "dog"}]


NAMES = (
    st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=12)
    .map(lambda name: " ".join(name.split()))
    .filter(bool)
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.parametrize("format_name", ["coco", "tfod_csv", "voc"])
def test_any_names_and_boxes_come_back(tmp_path_factory: pytest.TempPathFactory, format_name: str, data: Any) -> None:
    folder = tmp_path_factory.mktemp("any")
    labels = data.draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    rows: list = []
    for number in range(data.draw(st.integers(1, 3))):
        size = data.draw(st.integers(4, 60)), data.draw(st.integers(4, 60))
        rows.append(make_image(folder / "in", f"{number}.jpg", image_bytes(*size, seed=number), split="train"))
        for _ in range(data.draw(st.integers(1, 3))):
            # boxes that all end before 1.5 pixels would be taken for shares of the sides in a CSV
            low = [data.draw(st.floats(0, side - 3)) for side in size]
            high = [data.draw(st.floats(at + 2, side)) for at, side in zip(low, size, strict=True)]
            rows.append(box(f"{number}.jpg", data.draw(st.sampled_from(labels)), *low, *high))
    manifest = make_manifest(*rows)
    READERS[format_name].write(ExportJob(manifest, LabelMap("d").extended(labels)), folder / "out")
    raw = RawFolder.scan(folder / "out")
    probe_images(raw)
    source = READERS[format_name].read(raw, find_format(raw)[1])
    seen, expected = _by_content(raw, source), _expected(manifest)
    assert seen.keys() == expected.keys()
    for sha256, (split, boxes) in expected.items():
        assert (seen[sha256][0], [label for label, _ in seen[sha256][1]]) == (split, [label for label, _ in boxes])
        for (_, one), (_, other) in zip(seen[sha256][1], boxes, strict=True):
            assert one == pytest.approx(other, abs=1e-9)


@pytest.mark.parametrize(("format_name", "theirs"), [("coco", "coco"), ("voc", "voc")])
def test_panlabel_reads_the_same_boxes(tmp_path: Path, format_name: str, theirs: str) -> None:
    rows = [make_image(tmp_path / "in", f"{n}.jpg", image_bytes(40, 30, n), split="train") for n in range(3)]
    boxes = [box(f"{n}.jpg", "cat", 1 + n, 2, 20.5, 25) for n in range(3)]
    READERS[format_name].write(ExportJob(make_manifest(*rows, *boxes), LabelMap("d", {"cat": 1})), tmp_path / "out")
    source = {"coco": "annotations/instances_train.json", "voc": "."}[format_name]
    panlabel = str(Path(sys.executable).with_name("panlabel"))
    command = [panlabel, "convert", "--from", theirs, "--to", "coco", "--allow-lossy"]
    arguments = ["-i", str(tmp_path / "out" / source), "-o", str(tmp_path / "theirs.json")]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    read = json.loads((tmp_path / "theirs.json").read_text())
    corners_read = sorted(annotation["bbox"] for annotation in read["annotations"])
    for one, n in zip(corners_read, range(3), strict=True):
        assert one == pytest.approx([1 + n, 2, 19.5 - n, 23], abs=0.01)
