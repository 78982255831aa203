"""Labelbox: current rows, the older JSON with `Label`, and what of them has no place."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import image_bytes
from hypothesis import given
from test_coco import json_values
from test_formats import COCO, corners, raw_folder, read

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.label_map import LabelMap
from shardsmith.formats.labelbox import format as labelbox
from shardsmith.formats.labelbox.rows import LabelboxRow, RowError, parse_row
from shardsmith.pipeline.ingest import ingest
from shardsmith.pipeline.params import IngestParams

BOX = {
    "name": "cat",
    "annotation_kind": "ImageBoundingBox",
    "bounding_box": {"top": 3, "left": 2, "height": 10, "width": 10},
}
TRIANGLE = [{"x": 2, "y": 3}, {"x": 12, "y": 3}, {"x": 12, "y": 13}]
SQUARE = [*TRIANGLE, {"x": 2, "y": 13}]
NIGHT = {"name": "time", "radio_answer": {"name": "night", "classifications": []}}


def current(*objects: object, classifications: object = (), image: str = "a.jpg", **more: object) -> dict[str, Any]:
    annotations = {"objects": list(objects), "classifications": list(classifications), "relationships": []}  # type: ignore[call-overload]
    projects = {"p": {"name": "x", "labels": [{"label_kind": "Default", "annotations": annotations}]}}
    size = {"width": 32, "height": 24}
    row = {"data_row": {"id": "1", "external_id": image}, "media_attributes": size, "projects": projects}
    return {**row, **more}


def older(label: object, **more: object) -> dict[str, Any]:
    return {
        "ID": "1",
        "DataRow ID": "2",
        "External ID": "a.jpg",
        "Labeled Data": "https://x/y.jpg",
        "Label": label,
        **more,
    }


def boxes(row: LabelboxRow) -> list:
    return [(box.label, corners(box), box.segmentation) for box in row.objects.rows]


CAT = ("cat", [2, 3, 12, 13], None)
CUT = ("cat", [2, 3, 12, 13], "[[2.0,3.0,12.0,3.0,12.0,13.0]]")


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (current(BOX), [CAT]),
        (current({"name": "cat", "annotation_kind": "ImagePolygon", "polygon": TRIANGLE}), [CUT]),
        (older({"objects": [{"title": "cat", "value": "c", "bbox": BOX["bounding_box"]}]}), [CAT]),
        (older({"objects": [{"title": "cat", "polygon": TRIANGLE}]}), [CUT]),
        (older({"cat": [{"geometry": SQUARE}]}), [CAT]),
        (older({"cat": [{"geometry": TRIANGLE}]}), [CUT]),
        (older({"cat": [SQUARE]}), [CAT]),
        (older(json.dumps({"objects": [{"title": "cat", "bbox": BOX["bounding_box"]}]})), [CAT]),
        (older({"objects": []}), []),
    ],
)
def test_objects(entry: dict, expected: list) -> None:
    row = parse_row(entry)
    assert (row.labelled, boxes(row), row.objects.lost, +row.passed_over) == (True, expected, [], {})


@pytest.mark.parametrize(
    "entry", [older("Skip"), older({}), {**current(), "projects": {}}, {**current(), "projects": None}]
)
def test_row_that_nobody_labelled(entry: dict) -> None:
    assert not parse_row(entry).labelled


def test_row_that_nobody_labelled_is_no_negative(tmp_path: Path) -> None:
    files = {"a.jpg": image_bytes(), "b.jpg": image_bytes(seed=1), "c.jpg": image_bytes(seed=2)}
    rows = [current(BOX), current(image="b.jpg"), current(image="c.jpg") | {"projects": {}}]
    assert list(read(tmp_path, {**files, "l.json": json.dumps(rows)}).entries) == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize(
    ("answer", "attributes"),
    [
        ({"name": "hue", "radio_answer": {"name": "red"}}, {"hue": "red"}),
        ({"name": "hue", "checklist_answers": [{"name": "red"}, {"name": "blue"}]}, {"hue": ["red", "blue"]}),
        ({"name": "note", "text_answer": {"content": "old"}}, {"note": "old"}),
        ({"title": "hue", "answer": {"title": "red"}}, {"hue": "red"}),
        ({"name": "a", "radio_answer": {"name": "b", "classifications": [NIGHT]}}, {"a": "b", "time": "night"}),
    ],
)
def test_answers_about_an_object_are_its_attributes(answer: dict, attributes: dict) -> None:
    (box,) = parse_row(current({**BOX, "classifications": [answer]})).objects.rows
    assert box.attributes_dict() == attributes


def test_answers_about_the_image_are_its_labels(tmp_path: Path) -> None:
    text = json.dumps([current(classifications=[NIGHT])])
    (row,) = read(tmp_path, {"a.jpg": image_bytes(), "l.json": text}).annotations
    assert (row.image_id, row.label, row.xmin, row.ymax) == ("a.jpg", "night", None, None)


def test_answers_to_several_questions_say_which(tmp_path: Path) -> None:
    rain = {"name": "weather", "checklist_answers": [{"name": "rain"}, {"name": "wind"}]}
    files = {"a.jpg": image_bytes(), "b.jpg": image_bytes(seed=1)}
    rows = [current(classifications=[NIGHT]), current(classifications=[rain], image="b.jpg")]
    source = read(tmp_path, {**files, "l.ndjson": "\n".join(map(json.dumps, rows))})
    assert [row.label for row in source.annotations] == ["time: night", "weather: rain", "weather: wind"]


MASK = {"name": "road", "annotation_kind": "ImageSegmentationMask", "mask": {"url": "https://x"}}
LINE = {"name": "lane", "annotation_kind": "ImagePolyline", "line": TRIANGLE, "feature_id": "c7"}
NOTE = {"name": "note", "text_answer": {"content": "x"}}


@pytest.mark.parametrize(
    ("entry", "place", "value"),
    [
        (current(classifications=[NOTE]), "row 1, question note", "answer in free text"),
        (current(MASK), "row 1, object 1", "mask, of which only the URL is here"),
        (current(LINE), "row 1, object 1", "line"),
        (current({"name": "eye", "point": {"x": 1, "y": 1}}), "row 1, object 1", "point"),
        (older({"objects": [{"title": "x", "instanceURI": "u"}]}), "row 1, object 1", "mask, of which"),
    ],
)
def test_what_is_not_carried_is_named_and_leaves_no_negative(
    tmp_path: Path, entry: dict, place: str, value: str
) -> None:
    folder = {"a.jpg": image_bytes(), "b.jpg": image_bytes(seed=1)}
    rows = [entry, current(BOX, image="b.jpg")]
    source = read(tmp_path, {**folder, "l.json": json.dumps(rows)})
    (finding,) = source.findings
    assert (finding.code, finding.place, finding.image_id) == ("shape-not-carried", place, "a.jpg")
    assert (value in finding.value, len(source.annotations), source.shapes) == (True, 1, 2)


def test_ids_are_kept_of_what_comes_out_and_of_what_does_not(tmp_path: Path) -> None:
    text = json.dumps([current({**BOX, "feature_id": "c1"}, LINE, BOX)])
    source = read(tmp_path, {"a.jpg": image_bytes(), "l.json": text})
    assert [row.source_key for row in source.annotations] == ["c1", None]
    assert [finding.source_key for finding in source.findings] == ["c7"]


def test_mask_in_run_lengths_is_an_outline(tmp_path: Path) -> None:
    inline = {"name": "road", "mask": {"size": [24, 32], "counts": [48, 12, 12, 12, 24 * 32 - 84]}}
    (row,) = read(tmp_path, {"a.jpg": image_bytes(), "l.json": json.dumps([current(inline)])}).annotations
    assert corners(row) == [2, 0, 4, 12]
    assert row.segmentation


@pytest.mark.parametrize(
    "entry",
    [
        current() | {"projects": {"p": {"label": []}}},
        current() | {"projects": {"p": {"labels": [{"annotation": {"objects": [BOX]}}]}}},
        current() | {"projects": {"p": {"labels": [{"annotations": {"object": [BOX], "classifications": []}}]}}},
        older({"objects": {"0": BOX}}),
        older({"object": [BOX], "classifications": []}),
        older({"object": []}),
    ],
)
def test_missing_or_misspelt_key_is_no_negative(tmp_path: Path, entry: dict) -> None:
    source = read(tmp_path, {"a.jpg": image_bytes(), "l.json": json.dumps([entry])})
    assert (list(source.entries), source.annotations) == (["a.jpg"], [])
    assert {(one.code, one.image_id) for one in source.findings} == {("annotation-unreadable", "a.jpg")}


def of_several(*labels: dict, status: str = "DONE") -> dict:
    return current() | {"projects": {"p": {"labels": list(labels), "project_details": {"workflow_status": status}}}}


LABEL = {"annotations": {"objects": [BOX], "classifications": []}}
EMPTY = {"annotations": {"objects": [], "classifications": []}}
SKIPPED = {**EMPTY, "performance_details": {"skipped": True}}


@pytest.mark.parametrize(
    ("entry", "boxes", "reason"),
    [
        (of_several(LABEL, EMPTY), 1, "further labels of an image, by others, are not taken"),
        (of_several(SKIPPED, LABEL), 1, "labels that were skipped are not taken"),
        (of_several(SKIPPED), None, "labels that were skipped are not taken"),
        (of_several(LABEL, status="IN_REVIEW"), None, "labels that are not final (IN_REVIEW) are not taken"),
        (older({"objects": []}, Skipped=True), None, ""),
    ],
)
def test_which_label_counts(tmp_path: Path, entry: dict, boxes: int | None, reason: str) -> None:
    files = {"a.jpg": image_bytes(), "b.jpg": image_bytes(seed=1)}
    rows = [entry, current(image="b.jpg")]
    source = read(tmp_path, {**files, "l.json": json.dumps(rows)})
    assert ("a.jpg" in source.entries, len(source.annotations)) == (boxes is not None, boxes or 0)
    assert [(one.code, one.reason, one.value) for one in source.findings] == (
        [("not-carried", reason, "1")] * bool(reason)
    )


@pytest.mark.parametrize(
    ("data_row", "expected"),
    [
        ({"external_id": "a.jpg"}, ["a.jpg"]),
        ({"external_id": "x/a.jpg"}, ["a.jpg"]),
        ({"external_id": "none.jpg", "global_key": "a.jpg"}, ["a.jpg"]),
        ({"external_id": "1", "row_data": "https://x/y/a.jpg?Expires=3"}, ["a.jpg"]),
        ({"row_data": "a.jpg"}, ["a.jpg"]),
    ],
)
def test_image_is_found_by_any_of_its_names(tmp_path: Path, data_row: dict, expected: list) -> None:
    text = json.dumps([current(BOX, data_row=data_row)])
    assert list(read(tmp_path, {"img/a.jpg": image_bytes(), "l.json": text}).entries) == ["img/a.jpg"]


def test_image_only_at_its_url_is_missing_and_the_finding_says_how_to_get_it(tmp_path: Path) -> None:
    far = current(BOX, data_row={"external_id": "b.jpg", "row_data": "https://x/b.jpg"})
    source = read(tmp_path, {"a.jpg": image_bytes(), "l.json": json.dumps([current(BOX), far])})
    (finding,) = source.findings
    assert (finding.code, finding.place, finding.value) == ("image-missing", "row 2", "b.jpg")
    assert "shardsmith fetch --images" in finding.reason


@pytest.mark.parametrize(
    ("value", "split"), [("train", "train"), ("validation", "valid"), ("unassigned", None), (None, None)]
)
def test_split_stands_in_the_metadata(value: str | None, split: str | None) -> None:
    assert parse_row(current(metadata_fields=[{"schema_name": "split", "value": value}])).split == split


def test_bad_items_cost_no_others(tmp_path: Path) -> None:
    flat = {"name": "cat", "bounding_box": {"top": 1, "left": "x", "height": 1, "width": 1}}
    line = {"name": "cat", "polygon": TRIANGLE[:2]}
    rows = [json.dumps(current(BOX, flat, line, None)), '{"data_row": ', "7", json.dumps({"x": 1})]
    source = read(tmp_path, {"a.jpg": image_bytes(), "l.ndjson": "\n".join(rows)})
    assert len(source.annotations) == 1
    places = ["line 1, object 2", "line 1, object 3", "line 1, object 4", "line 2", "line 3", "line 4"]
    assert [(finding.code, finding.place) for finding in source.findings] == [
        ("annotation-unreadable", at) for at in places
    ]
    assert [finding.image_id for finding in source.findings] == ["a.jpg"] * 3 + [""] * 3
    assert source.shapes == 4


@pytest.mark.parametrize("text", [json.dumps([current(BOX)])[:-9], json.dumps(current(BOX))[:-9]])
def test_cut_short_is_one_clear_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(RawDataError, match=r"l\.json.*cut short"):
        read(tmp_path, {"a.jpg": image_bytes(), "l.json": text})


def test_raccoon_is_that_of_voc(tmp_path: Path, raccoon: Path) -> None:
    for folder, labels in (("l", raccoon / "as" / "labelbox.json"), ("v", raccoon / "Annotations")):
        shutil.copytree(raccoon / "JPEGImages", tmp_path / folder / "JPEGImages")
        (shutil.copytree if labels.is_dir() else shutil.copy)(labels, tmp_path / folder / labels.name)
    manifest, label_map, findings, name = ingest(tmp_path / "l", IngestParams(), LabelMap("d"))
    assert (name, dict(label_map.ids), findings, manifest.annotations.num_rows) == ("labelbox", {"raccoon": 1}, [], 217)
    theirs = ingest(tmp_path / "v", IngestParams(), LabelMap("d"))[0].annotation_rows()
    for one, other in zip(manifest.annotation_rows(), theirs, strict=True):
        assert (one.image_id, corners(one)) == (other.image_id, pytest.approx(corners(other), abs=0.5))


@given(json_values)
def test_whatever_stands_there_is_no_traceback(value: Any) -> None:
    for entry in (value, older(value), current(value), current(BOX, classifications=[value]), current(projects=value)):
        try:
            parse_row(entry)
        except RowError as error:
            assert str(error)


@pytest.mark.parametrize(
    ("name", "content", "is_labelbox"),
    [
        ("l.json", json.dumps([current(BOX)]), True),
        ("l.ndjson", json.dumps(current(BOX)) + "\n" + json.dumps(current(BOX)), True),
        ("l.json", json.dumps([older({})]), True),
        ("l.json", json.dumps(COCO), False),
        ("l.json", json.dumps([{"data": {"image": "a.jpg"}, "annotations": []}]), False),  # Label Studio's
        ("l.json", json.dumps([{"image": "a.jpg", "annotations": [{"label": "cat"}]}]), False),  # CreateML's
    ],
)
def test_what_is_labelbox(tmp_path: Path, name: str, content: str, is_labelbox: bool) -> None:
    assert bool(labelbox.detect(raw_folder(tmp_path, {"a.jpg": image_bytes(), name: content}))) == is_labelbox
