"""Through panlabel: what `auto` finds, what is read of each form, and what is lost by it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import image_bytes
from test_formats import codes, corners, raw_folder

from shardsmith.dataset.errors import ParamsError, RawDataError
from shardsmith.dataset.label_map import LabelMap
from shardsmith.formats.panlabel import format as panlabel
from shardsmith.formats.registry import PANLABEL, READERS
from shardsmith.formats.shared.raw_folder import Source
from shardsmith.pipeline.ingest import find_format, ingest
from shardsmith.pipeline.params import IngestParams, parse_params

CVAT_BOX = '<box label="cat" occluded="1" xtl="2" ytl="3" xbr="12" ybr="13"><attribute name="hue">red</attribute></box>'
LABEL_STUDIO_BOX = {
    "type": "rectanglelabels", "from_name": "label", "to_name": "image", "original_width": 32, "original_height": 24,
    "value": {"x": 25, "y": 25, "width": 50, "height": 50, "rectanglelabels": ["cat"]},
}  # fmt: skip
VIA_BOX = {
    "shape_attributes": {"name": "rect", "x": 2, "y": 3, "width": 10, "height": 10},
    "region_attributes": {"l": "cat"},
}
SHAPE = {"label": "cat", "points": [[2, 3], [12, 13]], "shape_type": "rectangle"}
BDD_BOX = {"category": "cat", "box2d": {"x1": 2, "y1": 3, "x2": 12, "y2": 13}}
XS, YS = [2, 12, 12], [3, 3, 13]


def cvat(*shapes: str) -> str:
    image = f'<image id="0" name="a.jpg" width="32" height="24">{"".join(shapes)}</image>'
    return f"<annotations><version>1.1</version>{image}</annotations>"


def studio(*results: object, image: str = "/data/upload/1/12345678-a.jpg", **more: object) -> str:
    return json.dumps([{"id": 1, "data": {"image": image}, "annotations": [{"result": list(results)}], **more}])


def via(*regions: object, name: str = "a.jpg") -> str:
    return json.dumps({f"{name}1": {"filename": name, "size": 1, "regions": list(regions), "file_attributes": {}}})


def labelme(*shapes: object) -> str:
    return json.dumps({"version": "5", "flags": {}, "shapes": list(shapes), "imagePath": "a.jpg", "imageData": None,
                       "imageHeight": 24, "imageWidth": 32})  # fmt: skip


def bdd(*boxes: object, image: str = "a.jpg") -> str:
    return json.dumps([{"name": image, "labels": list(boxes)}])


def read(tmp_path: Path, files: dict[str, str | bytes], form: str = "auto") -> tuple[str, Source]:
    folder = raw_folder(tmp_path, files)
    name, found = find_format(folder, form)
    return name, READERS[name].read(folder, found)


@pytest.mark.parametrize("labels", ["label-studio.json", "cvat.xml", "via.json", "labelme"])
def test_raccoon_reads_the_same_from_each_form(tmp_path: Path, raccoon: Path, labels: str) -> None:
    for name in ("JPEGImages", "Annotations"):
        shutil.copytree(raccoon / name, tmp_path / "voc" / name)
    shutil.copytree(raccoon / "JPEGImages", tmp_path / "raw" / "JPEGImages")
    source = raccoon / "as" / labels
    (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / "raw" / labels)
    manifest, label_map, findings, name = ingest(tmp_path / "raw", IngestParams(), LabelMap("d"))
    assert (name, dict(label_map.ids), findings) == (f"panlabel:{Path(labels).stem}", {"raccoon": 1}, [])
    expected = ingest(tmp_path / "voc", IngestParams(), LabelMap("d"))[0].annotation_rows()
    assert len(expected) == 217
    for one, other in zip(manifest.annotation_rows(), expected, strict=True):
        assert (one.image_id, corners(one)) == (other.image_id, pytest.approx(corners(other), abs=0.5))


@pytest.mark.parametrize(
    ("files", "form", "box"),
    [
        ({"l.xml": cvat(CVAT_BOX)}, "cvat", [2, 3, 12, 13]),
        ({"l.xml": '<?xml version="1.0" encoding="zlib"?>' + cvat(CVAT_BOX)}, "cvat", [2, 3, 12, 13]),
        ({"l.json": studio(LABEL_STUDIO_BOX)}, "label-studio", [8, 6, 24, 18]),
        ({"l.json": via(VIA_BOX)}, "via", [2, 3, 12, 13]),
        ({"l.json": json.dumps({"_via_img_metadata": json.loads(via(VIA_BOX))})}, "via", [2, 3, 12, 13]),
        ({"l.json": labelme(SHAPE)}, "labelme", [2, 3, 12, 13]),
        ({"a.json": labelme(SHAPE).replace("a.jpg", "..\\\\x\\\\gone.jpg")}, "labelme", [2, 3, 12, 13]),
        ({"a.json": labelme(SHAPE).replace("a.jpg", "/")}, "labelme", [2, 3, 12, 13]),
        ({"l.json": bdd(BDD_BOX)}, "bdd100k", [2, 3, 12, 13]),
        ({"label_2/a.txt": "cat 0.0 0 -1.5 2 3 12 13 1 1 1 1 1 1 1"}, "kitti", [2, 3, 12, 13]),
    ],
)
def test_forms_that_are_found(tmp_path: Path, files: dict, form: str, box: list) -> None:
    place = "image_2/a.jpg" if form == "kitti" else "images/a.jpg"
    name, source = read(tmp_path, {**files, place: image_bytes()})
    assert (name, source.findings) == (f"panlabel:{form}", [])
    assert [(row.image_id, row.label, corners(row)) for row in source.annotations] == [
        (place, "cat", pytest.approx(box))
    ]


def test_attributes_stay(tmp_path: Path) -> None:
    _, source = read(tmp_path, {"a.jpg": image_bytes(), "l.xml": cvat(CVAT_BOX)})
    assert source.annotations[0].attributes_dict() == {"hue": "red", "occluded": 1}


@pytest.mark.parametrize(
    ("text", "boxes", "reason"),
    [
        (cvat(CVAT_BOX, '<polygon label="cat" points="2,3;12,3;12,13"/>'), 2, "polygons"),
        (cvat(CVAT_BOX, '<polyline label="cat" points="2,3;12,3"/>'), 1, "<polyline>"),
        (cvat(CVAT_BOX, '<tag label="night"/>'), 1, "<tag>"),
        (studio(LABEL_STUDIO_BOX, {"type": "choices", "value": {"choices": ["x"]}}), 1, "choices"),
        (
            studio({**LABEL_STUDIO_BOX, "type": "polygonlabels",
                    "value": {"points": [[2, 3], [12, 3], [12, 13]], "polygonlabels": ["cat"]}}), 1, "polygons",
        ),
        (studio(LABEL_STUDIO_BOX, annotations=[{"result": [LABEL_STUDIO_BOX]}, {"result": []}]), 1, "by others"),
        (labelme(SHAPE, {**SHAPE, "shape_type": "line"}), 1, "line"),
        (labelme(SHAPE, {**SHAPE, "points": [[2, 3], [12, 3], [12, 13]], "shape_type": "polygon"}), 2, "outlines"),
        (via(VIA_BOX, {"shape_attributes": {"name": "polygon", "all_points_x": XS, "all_points_y": YS},
                       "region_attributes": {"l": "cat"}}), 2, "polygons"),
    ],
)  # fmt: skip
def test_what_is_lost_is_named_and_costs_nothing_else(tmp_path: Path, text: str, boxes: int, reason: str) -> None:
    name = "l.xml" if text.startswith("<") else "l.json"
    _, source = read(tmp_path, {"a.jpg": image_bytes(), name: text})
    assert (len(source.annotations), codes(source), source.findings[0].value) == (boxes, ["not-carried"], "1")
    assert reason in source.findings[0].reason


@pytest.mark.parametrize(
    ("text", "boxes", "code"),
    [
        (
            via(VIA_BOX, {"shape_attributes": {"name": "circle"}, "region_attributes": {"l": "cat"}}),
            1,
            "annotation-unreadable",
        ),
        (bdd(BDD_BOX, BDD_BOX | {"box2d": {"x1": "?"}}), 1, "annotation-unreadable"),
        (bdd(BDD_BOX, 7), 1, "annotation-unreadable"),
        (json.dumps(json.loads(via(VIA_BOX)) | json.loads(via(name="b.jpg"))), 1, "image-missing"),
    ],
)
def test_bad_items_cost_no_others(tmp_path: Path, text: str, boxes: int, code: str) -> None:
    _, source = read(tmp_path, {"a.jpg": image_bytes(), "l.json": text})
    assert (len(source.annotations), codes(source)) == (boxes, [code])


def test_task_without_a_box_is_a_negative_and_one_that_nobody_did_is_not(tmp_path: Path) -> None:
    tasks = json.loads(studio()) + json.loads(studio(image="b.jpg", annotations=[]))
    _, source = read(tmp_path, {"a.jpg": image_bytes(), "b.jpg": image_bytes(seed=1), "l.json": json.dumps(tasks)})
    assert (list(source.entries), source.annotations, source.findings) == (["a.jpg"], [], [])


def test_several_files_of_one_form_are_splits(tmp_path: Path) -> None:
    files = {"train.json": bdd(BDD_BOX), "test.json": bdd(BDD_BOX, image="b.jpg")}
    _, source = read(tmp_path, {"i/a.jpg": image_bytes(), "i/b.jpg": image_bytes(seed=1), **files})
    assert {image: entry.split for image, entry in source.entries.items()} == {"i/a.jpg": "train", "i/b.jpg": "test"}


def test_one_of_two_forms_is_forced_by_its_name(tmp_path: Path) -> None:
    files = {"a.jpg": image_bytes(), "l.json": bdd(BDD_BOX), "l.xml": cvat(CVAT_BOX)}
    assert read(tmp_path, files, "panlabel:cvat")[1].annotations


@pytest.mark.parametrize(
    ("files", "form", "message"),
    [
        ({"l.json": '{"name": "package"}'}, "auto", "no annotations found among 2 files"),
        ({"notes.txt": "x"}, "auto", "no annotations found"),
        ({"l.xml": cvat(CVAT_BOX.replace('xtl="2"', ""))}, "auto", "l.xml: panlabel cannot read it: .*xtl"),
        ({"l.xml": '<!DOCTYPE a [<!ENTITY b "c">]>' + cvat(CVAT_BOX)}, "auto", "no annotations found"),
        ({"l.json": bdd(BDD_BOX)}, "panlabel:kitti", "panlabel cannot read it"),
    ],
)
def test_what_it_cannot_read_is_one_clear_error(tmp_path: Path, files: dict, form: str, message: str) -> None:
    with pytest.raises(RawDataError, match=message) as error:
        read(tmp_path, {"a.jpg": image_bytes(), **files}, form)
    assert "/tmp" not in str(error.value).replace(str(tmp_path), "")


def test_it_is_not_asked_where_a_format_of_ours_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panlabel, "forms", lambda folder: pytest.fail("asked"))
    xml = "<annotation><object/></annotation>"
    assert find_format(raw_folder(tmp_path, {"a.jpg": image_bytes(), "a.xml": xml}))[0] == "voc"


def test_without_the_program_it_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panlabel.sysconfig, "get_path", lambda _: str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RawDataError, match="panlabel is not installed"):
        read(tmp_path, {"a.jpg": image_bytes(), "l.json": bdd(BDD_BOX)})


def test_forms_are_of_those_of_the_program() -> None:
    listed = subprocess.check_output([panlabel._program(), "list-formats", "--output", "json"], text=True)
    assert {each["name"] for each in json.loads(listed) if each["read"]} >= set(panlabel.FORMS)


def test_params_take_a_form_by_its_name() -> None:
    assert parse_params("ingest: {format: 'panlabel:kitti'}").ingest.format in PANLABEL
    with pytest.raises(ParamsError, match="panlabel:kitti"):
        parse_params("ingest: {format: 'panlabel:kity'}")
    with pytest.raises(ParamsError) as error:
        parse_params("ingest: {format: cocoo}")
    assert "panlabel:kitti" not in str(error.value)
