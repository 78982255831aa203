"""COCO: every annotation comes out as a row or as a finding that drops it; no image that lost all passes for empty."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from conftest import image_bytes
from hypothesis import given, settings
from hypothesis import strategies as st
from test_coco import ENTRY, SQUARE, with_annotations
from test_formats import COCO, codes, corners, raw_folder, read

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.findings import Finding
from shardsmith.dataset.label_map import LabelMap
from shardsmith.formats.coco import format as coco
from shardsmith.formats.coco.detect import lists_at_top
from shardsmith.formats.shared.raw_folder import Source
from shardsmith.pipeline.ingest import build_manifest, ingest
from shardsmith.pipeline.params import IngestParams, Params
from shardsmith.pipeline.validate import validate

BARE = {key: value for key, value in ENTRY.items() if key != "bbox"}
TEXT = {**ENTRY, "bbox": ["2", "3", "10", "10"]}
B = {"id": 8, "file_name": "b.jpg", "width": 32, "height": 24}


def dropped(source: Source) -> list[Finding]:
    return [finding for finding in source.findings if finding.action == "drop"]


@pytest.mark.parametrize(
    ("entry", "code", "value"),
    [
        ({"id": 5, "image_id": 7, "caption": ["a cat"]}, "shape-not-carried", "caption that is no text"),
        ({**ENTRY, "id": 5, "bbox": [3, 4, 0, 0], "segmentation": [3, 4]}, "shape-not-carried", "point"),  # VIA's
        ({**BARE, "id": 5, "segmentation": [[3, 4, 5, 6]]}, "shape-not-carried", "line"),
        ({"id": 1, "image_id": 7, "segments_info": [{"id": 5, "category_id": 3}]}, "shape-not-carried",
         "panoptic segment"),
        ({**BARE, "id": 5, "bbox": "here"}, "annotation-unreadable", ""),
        ({**BARE, "id": 5, "segmentation": {"size": [24, 32], "counts": [24 * 32]}}, "annotation-unreadable", ""),
        ({**ENTRY, "id": 5, "category_id": 99}, "annotation-unreadable", ""),
        ({**ENTRY, "id": 5, "category_id": None}, "annotation-unreadable", ""),
    ],
)  # fmt: skip
def test_a_loss_names_its_image_and_its_annotation(tmp_path: Path, entry: dict, code: str, value: str) -> None:
    source = read(tmp_path, {"a.jpg": image_bytes(), "l.json": with_annotations(entry)})
    (finding,) = dropped(source)
    assert (finding.code, finding.value, finding.image_id, finding.source_key) == (code, value, "a.jpg", "5")
    assert (source.shapes, source.annotations, list(source.entries)) == (1, [], ["a.jpg"])


@pytest.mark.parametrize("entry", [None, "text", {**ENTRY, "image_id": 99}, {**ENTRY, "image_id": None}])
def test_a_loss_of_no_image_is_counted_too(tmp_path: Path, entry: object) -> None:
    source = read(tmp_path, {"a.jpg": image_bytes(), "l.json": with_annotations(ENTRY, entry)})
    assert (source.shapes, len(source.annotations), len(dropped(source))) == (2, 1, 1)
    assert dropped(source)[0].image_id == ""


def test_an_image_that_lost_all_is_no_negative(tmp_path: Path) -> None:
    images = [*COCO["images"], B, {"id": 9, "file_name": "c.jpg"}]
    entries = [ENTRY, {**ENTRY, "id": 2, "image_id": 8, "bbox": "b"}]
    raw_folder(tmp_path / "raw", {f"{name}.jpg": image_bytes(64, 48, n) for n, name in enumerate("abc")})
    (tmp_path / "raw/l.json").write_text(with_annotations(*entries, images=images))
    manifest, _, findings, _ = ingest(tmp_path / "raw", IngestParams(), LabelMap("d"))
    after, all_findings = validate(manifest, findings, Params())
    assert after.images["image_id"].to_pylist() == ["a.jpg", "c.jpg"]  # c.jpg is a negative
    assert [one.image_id for one in all_findings if one.code == "image-left-empty"] == ["b.jpg"]


@pytest.mark.parametrize(
    "images",
    [
        [*COCO["images"], {"id": 7, "file_name": "b.jpg"}],  # whose annotations are whose?
        [*COCO["images"], {"file_name": "b.jpg"}],
    ],
)
def test_an_image_without_an_id_of_its_own_is_no_negative(tmp_path: Path, images: list) -> None:
    files = {"a.jpg": image_bytes(), "b.jpg": image_bytes(seed=1), "l.json": with_annotations(ENTRY, images=images)}
    source = read(tmp_path, files)
    assert [(finding.code, finding.image_id) for finding in dropped(source)] == [("annotation-unreadable", "b.jpg")]


def test_images_that_no_annotation_means_are_unlabelled(tmp_path: Path) -> None:
    """Where not one of them finds its image, nobody knows what is on these."""
    files = {"a.jpg": image_bytes(), "l.json": with_annotations({**ENTRY, "image_id": "a"})}
    assert read(tmp_path, files).entries == {}


def test_annotations_of_a_missing_image_are_counted(tmp_path: Path) -> None:
    images = [*COCO["images"], B]
    entries = [ENTRY, {**ENTRY, "id": 2, "image_id": 8}, {**ENTRY, "id": 3, "image_id": 8}]
    source = read(tmp_path, {"a.jpg": image_bytes(), "l.json": with_annotations(*entries, images=images)})
    assert [(finding.code, finding.source_key) for finding in dropped(source)] == [
        ("image-missing", "2"), ("image-missing", "3"),
    ]  # fmt: skip
    assert source.shapes == 3


def test_captions_alone_make_no_negative(tmp_path: Path) -> None:
    captions = {"images": [*COCO["images"], B], "annotations": [{"id": 2, "image_id": 7, "caption": "a cat"}]}
    files = {"a.jpg": image_bytes(), "b.jpg": image_bytes(seed=1), "l.json": json.dumps(captions)}
    source = read(tmp_path, files)
    assert (source.captions(), codes(source), source.shapes) == ({"a.jpg": ["a cat"]}, [], 1)
    assert source.entries["a.jpg"].captions_alone


def test_classes_without_a_place_are_of_the_whole_image_where_all_are(tmp_path: Path) -> None:
    """iNaturalist's files."""
    images = [*COCO["images"], B]
    files = {"a.jpg": image_bytes(), "b.jpg": image_bytes(seed=1)}
    source = read(tmp_path, files | {"l.json": with_annotations(BARE, {**BARE, "id": 2, "image_id": 8}, images=images)})
    assert [(row.image_id, row.label, row.xmin) for row in source.annotations] == [
        ("a.jpg", "cat", None), ("b.jpg", "cat", None),
    ]  # fmt: skip
    source = read(tmp_path, {"l.json": with_annotations(ENTRY, {**BARE, "id": 2, "image_id": 8}, images=images)})
    assert [(one.image_id, one.source_key) for one in dropped(source)] == [("b.jpg", "2")]
    assert source.shapes == 2


def test_what_is_read_leniently_is_named(tmp_path: Path) -> None:
    sized = {key: value for key, value in COCO["images"][0].items() if key not in ("width", "height")}
    said = []
    for images, entry in [([sized], ENTRY), ([{**sized, "width": 0, "height": 0}], ENTRY), (COCO["images"], TEXT)]:
        source = read(tmp_path, {"a.jpg": image_bytes(), "l.json": with_annotations(entry, images=images)})
        said.append([(one.code, one.reason.split(";")[0]) for one in source.findings])
    no_size = "images declare no width and height, or 0"
    assert said == [[("read-leniently", no_size)]] * 2 + [[("read-leniently", "annotations have numbers as text")]]


# --- ids


def test_ids_are_text_or_numbers(tmp_path: Path) -> None:
    """VIA writes ids of annotations as text, pandas as floats."""
    images = [{**COCO["images"][0], "id": "7"}, {**B, "id": "u-1"}]
    entries = [{**ENTRY, "category_id": "3"}, {**ENTRY, "id": "x9", "image_id": "u-1"}, {**ENTRY, "id": 4.0}]
    files = {"a.jpg": image_bytes(), "b.jpg": image_bytes(seed=1)}
    source = read(tmp_path, files | {"l.json": with_annotations(*entries, images=images)})
    assert [row.source_key for row in source.annotations] == ["1", "4", "x9"]
    assert [entry.source_id for entry in source.entries.values()] == ["7", "u-1"]


def test_annotations_with_one_id_stay_apart(tmp_path: Path) -> None:
    source = read(
        tmp_path, {"a.jpg": image_bytes(), "l.json": with_annotations(ENTRY, {**ENTRY, "bbox": [1, 1, 5, 5]})}
    )
    assert [row.source_key for row in source.annotations] == [None, None]  # ingest gives them numbers
    assert [(finding.code, finding.value) for finding in source.findings] == [("metadata-not-carried", "1")]


def test_one_file_under_two_image_ids_is_one_image(tmp_path: Path) -> None:
    images = [*COCO["images"], {**COCO["images"][0], "id": 9}]
    entries = [ENTRY, {**ENTRY, "id": 2, "image_id": 9, "bbox": [1, 1, 5, 5]}]
    source = read(tmp_path, {"a.jpg": image_bytes(), "l.json": with_annotations(*entries, images=images)})
    assert [corners(row) for row in source.annotations] == [[2, 3, 12, 13], [1, 1, 6, 6]]
    assert [(one.code, one.value, one.image_id) for one in source.findings] == [("not-carried", "7, 9", "a.jpg")]


def test_class_ids_are_those_of_the_source(tmp_path: Path) -> None:
    categories = [{"id": id_, "name": name} for id_, name in ((44, "d"), (0, "none"), (3, "b"), (200_000, "far"))]
    raw_folder(tmp_path, {"a.jpg": image_bytes(), "l.json": with_annotations(ENTRY, categories=categories)})
    _, label_map, _, _ = ingest(tmp_path, IngestParams(), LabelMap("d", {"old": 44}))
    assert dict(label_map.ids) == {"old": 44, "b": 3, "none": 1, "d": 2, "far": 4}  # where they are free, from 1 up


# --- classes


@pytest.mark.parametrize(
    ("categories", "group", "classes"),
    [
        ([("cats", "none"), ("cat", "cats"), ("dog", "cats")], "cats", ["cat", "dog"]),
        ([("cats", "none"), ("cat", "cats"), ("dog", "none")], "", ["cats", "cat", "dog"]),
        ([("dog", "none"), ("cat", "dog")], "dog", ["cat"]),
        ([("cat", "none"), ("dog", "cat")], "", ["cat", "dog"]),  # the first one has an annotation
        ([("cat", "none")], "", ["cat"]),
        ([("cat", ""), ("dog", "")], "", ["cat", "dog"]),
    ],
)
def test_a_category_that_names_the_others_is_no_class(
    tmp_path: Path, categories: list, group: str, classes: list
) -> None:
    listed = [{"id": n, "name": name, "supercategory": above} for n, (name, above) in enumerate(categories)]
    wanted = [name for name, _ in categories].index("cat")
    text = with_annotations({**ENTRY, "category_id": wanted}, categories=listed)
    source = read(tmp_path, {"a.jpg": image_bytes(), "l.json": text})
    assert (source.facts.get("annotation_group", ""), source.classes) == (group, classes)


@pytest.mark.parametrize(("crowds", "found"), [(1, False), (2, False), (3, True)])
def test_mostly_crowds_is_a_warning(tmp_path: Path, crowds: int, found: bool) -> None:
    entries = [{**ENTRY, "id": n, "bbox": [n, 1, 5, 5], "iscrowd": int(n <= crowds)} for n in (1, 2, 3, 4)]
    source = read(tmp_path, {"a.jpg": image_bytes(), "l.json": with_annotations(*entries)})
    assert codes(source) == (["crowd-mostly"] if found else [])


def test_a_turned_box_has_its_corners_as_outline(tmp_path: Path) -> None:
    """CVAT writes the frame before it is turned; by 90 degrees it lies across."""
    entry = {**ENTRY, "bbox": [10, 8, 8, 4], "segmentation": [], "attributes": {"rotation": 90.0}}
    (row,) = read(tmp_path, {"a.jpg": image_bytes(), "l.json": with_annotations(entry)}).annotations
    assert corners(row) == pytest.approx([12, 6, 16, 14])
    assert json.loads(row.segmentation or "")[0] == pytest.approx([16, 6, 16, 14, 12, 14, 12, 6])


# --- whole files


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"annotations": None}, "has no list 'annotations': what stands under that key is none"),
        ({"annotations": {}}, "has no list 'annotations'"),
        ({"anotations": [ENTRY]}, "has no list 'annotations', but 'anotations'"),
        ({}, "has no list 'annotations'"),
    ],
)
def test_a_missing_list_is_an_error_and_no_empty_dataset(tmp_path: Path, change: dict, message: str) -> None:
    text = json.dumps({key: value for key, value in COCO.items() if key != "annotations"} | change)
    with pytest.raises(RawDataError, match=message):
        read(tmp_path, {"a.jpg": image_bytes(), "l.json": text})


@pytest.mark.parametrize(
    ("content", "is_coco"),
    [
        ({"images": ["a.jpg"], "annotations": [{"image": "a.jpg", "boxes": []}]}, False),
        ({"images": [{"image_name": "a.jpg", "labels": []}], "annotations": [{"x": 1}]}, False),
        ({"data": {"images": COCO["images"], "annotations": COCO["annotations"]}}, False),
        ({"annotations": [{"bbox": []}], "categories": [{"label": "cat"}], "image": {}}, False),
        ({"images": [], "annotations": [], "categories": []}, True),
        ({"images": COCO["images"], "categories": COCO["categories"]}, True),  # read says what is missing
        ({"images": COCO["images"], "anotations": COCO["annotations"]}, True),
        ({"images": [{"id": 1, "coco_url": "http://x/a.jpg"}], "annotations": [ENTRY]}, True),  # LVIS
        ({"info": {"images": [1]}, **COCO}, True),
    ],
)
def test_what_is_coco(tmp_path: Path, content: dict, is_coco: bool) -> None:
    folder = raw_folder(tmp_path, {"a.jpg": image_bytes(), "l.json": json.dumps(content)})
    assert bool(coco.detect(folder)) == is_coco


@pytest.mark.parametrize(
    ("text", "lists"),
    [
        ('{"a": [{"b": 1, "c": {"d": 2}}, {"e": 3}], "f": []}', {"a": {"b", "c"}, "f": None}),
        ('{"a": [1, 2], "b": {"c": [{"d": 1}]}}', {"a": set()}),
        ('{"a": ["x{"], "b": [[{"c": 1}]]', {"a": set(), "b": set()}),
        ('{"a": [{"b": "\\"}', {"a": {"b"}}),
        ('{"a\\', {}),
    ],
)
def test_lists_at_the_top_of_a_text(text: str, lists: dict) -> None:
    assert lists_at_top(text) == lists


def test_lvis_names_a_file_by_its_address(tmp_path: Path) -> None:
    images = [{"id": 7, "coco_url": "http://images.cocodataset.org/val2017/a.jpg", "height": 24, "width": 32}]
    source = read(tmp_path, {"val2017/a.jpg": image_bytes(), "l.json": with_annotations(ENTRY, images=images)})
    assert list(source.entries) == ["val2017/a.jpg"]


# --- generated: all that COCO knows


def annotation(rng: Random, number: int) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": number, "image_id": rng.randrange(1, 4), "category_id": rng.randrange(1, 3)}
    size, mask = [24, 32], [100, 20, 24 * 32 - 120]
    shape = rng.randrange(9)
    bbox = {"bbox": [rng.randrange(9), rng.randrange(9), 9, 8.5]}
    more: dict[str, Any] = [
        bbox,
        {**bbox, "segmentation": [SQUARE]},
        {"segmentation": [SQUARE, SQUARE]},
        {**bbox, "segmentation": {"size": size, "counts": mask}, "iscrowd": 1},
        {**bbox, "keypoints": [1, 2, 2] * 17, "num_keypoints": 17, "segmentation": [[]]},
        {"keypoints": [1, 2, 2] * 17, "num_keypoints": 17},
        {"caption": "some words"},
        {"segments_info": [{"id": number * 10 + n, "category_id": 1, "bbox": [1, 1, 5, 5]} for n in range(2)]},
        {**bbox, "segmentation": [], "attributes": {"occluded": True, "rotation": 30}, "area": 12},
    ][shape]
    return entry | more


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False))
def test_shapes_in_the_source_are_rows_and_named_losses(tmp_path_factory: pytest.TempPathFactory, rng: Random) -> None:
    images = [{"id": number, "file_name": f"{number}.jpg", "width": 32, "height": 24} for number in (1, 2, 3)]
    entries = [annotation(rng, number) for number in range(1, rng.randrange(2, 12))]
    text = with_annotations(*entries, images=images, categories=[{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}])
    files = {f"{number}.jpg": image_bytes(seed=number) for number in (1, 2, 3)}
    folder = raw_folder(tmp_path_factory.mktemp("many"), files | {"l.json": text})
    source = coco.read(folder, ["l.json"])
    shapes = sum(len(entry.get("segments_info", [0])) for entry in entries)
    texts = sum(map(len, source.captions().values()))
    assert source.shapes == shapes == len(source.annotations) + texts + len(dropped(source))
    assert all(finding.image_id and finding.source_key for finding in dropped(source))
    negatives = {"1.jpg", "2.jpg", "3.jpg"} - {f"{entry['image_id']}.jpg" for entry in entries}
    manifest, _ = build_manifest(folder, source, "drop")
    empty = {image.image_id for image, rows in manifest.pairs() if not rows}
    lost = {finding.image_id for finding in dropped(source)}
    if not all("caption" in entry for entry in entries):
        assert empty - lost == negatives & set(source.entries) == negatives
