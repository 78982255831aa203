"""COCO: outlines, crowds, what is not carried, odd ids and numbers, large files; pycocotools is the judge."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import box, image_bytes, make_image, make_manifest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as PilImage
from pycocotools import mask as rle_tools
from pycocotools.coco import COCO as THEIRS
from test_formats import COCO, codes, corners, raw_folder, read

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.findings import Finding
from shardsmith.dataset.images import decode
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import Annotation
from shardsmith.dataset.shapes import (
    OutlineError,
    area_px,
    box_around,
    from_mask,
    parse_outline,
    to_mask,
    upright_outline,
)
from shardsmith.formats.coco import format as coco
from shardsmith.formats.coco.content import CocoFile
from shardsmith.formats.coco.entries import parse
from shardsmith.formats.registry import READERS
from shardsmith.formats.shared.job import ExportJob
from shardsmith.formats.shared.json import elements, members
from shardsmith.formats.shared.raw_folder import RawFolder
from shardsmith.pipeline.ingest import find_format, probe_images

SQUARE = [2, 3, 12, 3, 12, 13, 2, 13]
ENTRY = {"id": 1, "image_id": 7, "category_id": 3, "bbox": [2, 3, 10, 10]}


def with_annotations(*entries: object, **more: object) -> str:
    return json.dumps(COCO | {"annotations": list(entries)} | more)


def parsed(*entries: object, **more: object) -> CocoFile:
    return parse(with_annotations(*entries, **more), "l.json")


def findings_of(content: CocoFile) -> list[Finding]:
    """All of them, those of the images last."""
    return [*content.findings, *(finding for image in content.images for finding in [*image.lost, *image.notes])]


def rows_of(content: CocoFile) -> list[Annotation]:
    return [row.annotation for image in content.images for row in image.rows]


# --- outlines


@pytest.mark.parametrize(
    ("segmentation", "expected"),
    [
        ([SQUARE], "[[2,3,12,3,12,13,2,13]]"),
        (SQUARE, "[[2,3,12,3,12,13,2,13]]"),  # one polygon without its list
        ([[0.5, 1, 2, 3, 4, 5], [1, 1, 2, 2, 3, 1]], "[[0.5,1,2,3,4,5],[1,1,2,2,3,1]]"),
        ([], None),
        ([[]], None),  # CVAT wrote it for a plain box
        ([[], [1, 1, 2, 2, 3, 1]], "[[1,1,2,2,3,1]]"),
        (None, None),
        ({"size": [2, 3], "counts": [1, 2, 3]}, '{"size":[2,3],"counts":"123"}'),
        ({"size": [2, 3], "counts": "123"}, '{"size":[2,3],"counts":"123"}'),
    ],
)
def test_outlines_are_polygons_or_compressed_runs(segmentation: Any, expected: str | None) -> None:
    assert parse_outline(segmentation) == expected


@pytest.mark.parametrize(
    ("segmentation", "reason"),
    [
        ([[1, 2, 3, 4, 5]], "an odd count"),
        ([[1, 2, 3, 4]], "2 points"),
        ([[1, 2, 3, 4, "5", 6]], "not a list of numbers"),
        ([[1, 2, 3, 4, True, 6]], "not a list of numbers"),
        ([SQUARE, 7], "polygon 2 is not a list"),
        ([[1, 2, 3, 4, math.nan, 6]], "no place"),
        ([[math.nan, 2, 3, 4, 5, 6]], "no place"),
        ([[1, 2, 3, 4, math.inf, 6]], "no place"),
        ([[1, 2, 3, 4, 10**400, 6]], "no place"),
        ("text", "a str"),
        ({"counts": [6]}, "no size"),
        ({"size": [2, -3], "counts": [6]}, "no size"),
        ({"size": [2.0, 3], "counts": [6]}, "no size"),
        ({"size": [10**9, 10**9], "counts": [6]}, "says 1000000000"),
        ({"size": [2, 3], "counts": [1, 2]}, "cover 3 pixels"),
        ({"size": [2, 3], "counts": [10**30]}, "cover 1"),
        ({"size": [2, 3], "counts": [8, -2]}, "negative"),
        ({"size": [2, 3], "counts": [1.5]}, "no counts"),
        ({"size": [2, 3]}, "no counts"),
        ({"size": [2, 3], "counts": ""}, "cut short"),
        ({"size": [2, 3], "counts": "12"}, "cover 3 pixels"),
        ({"size": [2, 3], "counts": "12P"}, "cut short"),
        ({"size": [2, 3], "counts": "12\u00e9"}, "a character"),
        ({"size": [2, 3], "counts": "12~"}, "a character"),
        ({"size": [2, 3], "counts": "P" * 20 + "1"}, "too large"),
    ],
)
def test_outlines_that_are_none(segmentation: Any, reason: str) -> None:
    with pytest.raises(OutlineError, match=reason):
        parse_outline(segmentation)


masks = st.integers(1, 40).flatmap(
    lambda height: st.integers(1, 40).flatmap(
        lambda width: st.binary(min_size=height * width, max_size=height * width).map(
            lambda data: (np.frombuffer(data, np.uint8).reshape(height, width) > 127).astype(np.uint8)
        )
    )
)


@given(masks)
def test_runs_are_those_of_pycocotools(mask: np.ndarray) -> None:
    height, width = mask.shape
    outline = from_mask(mask)
    theirs = rle_tools.encode(np.asfortranarray(mask))
    assert json.loads(outline)["counts"] == theirs["counts"].decode()
    assert parse_outline(json.loads(outline)) == outline
    column = mask.ravel(order="F")
    edges = np.flatnonzero(np.diff(column)) + 1
    runs = np.diff([0, *edges, len(column)]).tolist()
    assert parse_outline({"size": [height, width], "counts": ([0] if column[0] else []) + runs}) == outline
    assert np.array_equal(to_mask(outline, width, height), mask)
    assert area_px(outline, width, height) == mask.sum()


def test_box_around_an_outline() -> None:
    mask = np.zeros((10, 20), np.uint8)
    assert box_around(from_mask(mask)) is None
    mask[2:5, 3:9] = 1
    assert box_around(from_mask(mask)) == (3, 2, 9, 5)
    assert box_around("[[1,2,3,4.5,0,1],[7,1,8,1,9,3]]") == (0, 1, 9, 4.5)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_outlines_turn_as_images_do(orientation: int) -> None:
    mask = np.zeros((24, 32), np.uint8)
    mask[3:13, 2:12] = 1
    mask[13:20, 2:5] = 1
    exif = PilImage.Exif()
    exif[0x0112] = orientation
    grey = PilImage.fromarray(mask * 255).convert("RGB")
    stream = io.BytesIO()
    grey.save(stream, "PNG", exif=exif)
    shown = (decode(stream.getvalue())[:, :, 0] > 127).astype(np.uint8)
    height, width = shown.shape
    turned = upright_outline(from_mask(mask), orientation, width, height)
    assert np.array_equal(to_mask(turned, width, height), shown)
    polygon = "[[2,3,12,3,12,13,5,13,5,20,2,20]]"
    turned = upright_outline(polygon, orientation, width, height)
    assert np.array_equal(to_mask(turned, width, height), shown)


def test_outlines_of_an_image_declared_as_stored_turn_with_its_boxes(tmp_path: Path) -> None:
    exif = PilImage.Exif()
    exif[0x0112] = 6  # stored 32 x 24, displayed 24 x 32
    mask = np.zeros((24, 32), np.uint8)
    mask[3:13, 2:12] = 1
    runs = {**ENTRY, "segmentation": json.loads(from_mask(mask))}
    text = with_annotations({**ENTRY, "segmentation": [SQUARE]}, {**runs, "id": 2})
    first, second = read(tmp_path, {"a.jpg": image_bytes(32, 24, exif=exif), "l.json": text}).annotations
    assert corners(first) == [11, 2, 21, 12] == list(box_around(first.segmentation or ""))
    assert corners(second) == [11, 2, 21, 12] == list(box_around(second.segmentation or ""))


# --- entries


@pytest.mark.parametrize(
    ("segmentation", "outline", "reason"),
    [
        ([[1, 2, 3]], None, "the box stays"),
        ([[1, 2, 3, 4]], None, "the box stays"),
        ({"size": [24, 31], "counts": [24 * 31]}, None, "the box stays"),  # not the image's size
        ([SQUARE, [1, 2, 3, 4]], "[[2,3,12,3,12,13,2,13]]", "the rest stays"),
        ("text", None, "the box stays"),
    ],
)
def test_bad_outline_costs_no_box(tmp_path: Path, segmentation: Any, outline: str | None, reason: str) -> None:
    text = with_annotations({**ENTRY, "segmentation": segmentation})
    source = read(tmp_path, {"a.jpg": image_bytes(), "l.json": text})
    assert [(corners(row), row.segmentation) for row in source.annotations] == [([2, 3, 12, 13], outline)]
    (finding,) = source.findings
    assert (finding.code, finding.place) == ("not-carried", "annotations[0].segmentation")
    assert (finding.image_id, finding.source_key) == ("a.jpg", "1")
    assert reason in finding.reason


@pytest.mark.parametrize(
    "segmentation", [[SQUARE], {"size": [24, 32], "counts": [2 * 24 + 3, *[10, 14] * 9, 10, 24 * 20 + 11]}]
)
def test_box_is_that_of_the_outline_where_there_is_none(segmentation: Any) -> None:
    entry = {key: value for key, value in ENTRY.items() if key != "bbox"}
    content = parsed({**entry, "segmentation": segmentation})
    assert ([corners(row) for row in rows_of(content)], content.findings) == ([[2, 3, 12, 13]], [])


@pytest.mark.parametrize(
    ("change", "column", "expected"),
    [
        ({"iscrowd": 1}, "is_crowd", True),
        ({"iscrowd": 0}, "is_crowd", False),
        ({"iscrowd": "0"}, "is_crowd", False),
        ({"area": 81.5}, "area", 81.5),
        ({"area": "81"}, "area", 81),
        ({"area": "x"}, "area", None),
        ({"area": math.nan}, "area", None),
        ({"area": 10**400}, "area", None),
        ({"attributes": {"occluded": 1}}, "attributes", '{"occluded": 1}'),
        ({"score": 0.5, "track": "x"}, "attributes", '{"score": 0.5, "track": "x"}'),
        ({"image_id": 7.0, "category_id": 3.0}, "label", "cat"),  # as pandas writes them
        ({"bbox": ["2", 3, 10, 10]}, "xmin", 2),
    ],
)
def test_what_an_annotation_holds(change: dict, column: str, expected: object) -> None:
    (row,) = rows_of(parsed({**ENTRY, **change}))
    assert getattr(row, column) == expected


@pytest.mark.parametrize(
    ("entries", "value", "kind"),
    [
        ([{**ENTRY, "mesh": [1, 2]}, {**ENTRY, "id": 2, "mesh": [1]}], "2", "mesh"),
        ([{**ENTRY, "attributes": [1]}], "1", "attributes that are no JSON object"),
        ([{**ENTRY, "caption": "a cat"}], "1", "captions"),
    ],
)
def test_what_a_box_has_beside_it_is_one_finding_a_kind(tmp_path: Path, entries: list, value: str, kind: str) -> None:
    source = read(tmp_path, {"a.jpg": image_bytes(), "l.json": with_annotations(*entries)})
    assert (source.shapes, len(source.annotations)) == (len(entries), len(entries))
    (finding,) = [one for one in source.findings if one.code != "metadata-not-carried"]
    assert (finding.code, finding.value) == ("not-carried", value)
    assert kind in finding.reason


def test_supercategories_are_named(tmp_path: Path) -> None:
    categories = [{"id": 3, "name": "cat", "supercategory": "animal"}, {"id": 9, "name": "x", "supercategory": "none"}]
    source = read(tmp_path, {"a.jpg": image_bytes(), "l.json": with_annotations(ENTRY, categories=categories)})
    assert [(finding.code, finding.value) for finding in source.findings] == [("not-carried", "1")]


def test_captions_alone_are_coco(tmp_path: Path) -> None:
    captions = {"images": COCO["images"], "annotations": [{"id": 2, "image_id": 7, "caption": "a cat"}]}
    files = {"a.jpg": image_bytes(), "instances.json": json.dumps(COCO), "captions.json": json.dumps(captions)}
    source = read(tmp_path, files)
    assert (len(source.annotations), source.captions(), codes(source)) == (1, {"a.jpg": ["a cat"]}, [])
    assert not source.entries["a.jpg"].captions_alone


@pytest.mark.parametrize(
    ("change", "place", "reason"),
    [
        ({"images": [*COCO["images"], {"id": 7, "file_name": "b.jpg"}]}, "images[1]", "used twice"),
        ({"images": [*COCO["images"], {"file_name": "b.jpg"}]}, "images[1]", "no id"),
        ({"images": [*COCO["images"], {"id": True, "file_name": "b.jpg"}]}, "images[1]", "no id"),
        ({"images": [*COCO["images"], None]}, "images[1]", "it is no image"),
        ({"categories": [*COCO["categories"], {"id": 3, "name": "cow"}]}, "categories[2]", "used twice"),
        ({"annotations": [ENTRY, {**ENTRY, "bbox": [10**400, 1, 2, 3]}]}, "annotations[1]", "four numbers"),
        ({"annotations": [ENTRY, {**ENTRY, "image_id": None}]}, "annotations[1]", "image_id None"),
        ({"annotations": [ENTRY, {**ENTRY, "bbox": None, "segmentation": [[1, 2]]}]}, "annotations[1]", ""),
    ],
)
def test_bad_entry_costs_no_other(change: dict, place: str, reason: str) -> None:
    content = parse(json.dumps(COCO | change), "l.json")
    assert len(rows_of(content)) == 1
    assert findings_of(content)[0].place.startswith(place)
    assert reason in findings_of(content)[0].reason


def test_lists_come_in_any_order() -> None:
    text = json.dumps({key: COCO[key] for key in ("annotations", "categories", "images")})
    assert [row.label for row in rows_of(parse(text, "l.json"))] == ["cat"]


def test_numbers_that_json_does_not_have_are_for_validate(tmp_path: Path) -> None:
    text = with_annotations({**ENTRY, "bbox": [math.nan, 3, math.inf, 10]})
    (row,) = read(tmp_path, {"a.jpg": image_bytes(), "l.json": text}).annotations
    assert math.isnan(row.xmin or 0) and row.ymin == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"images": [], "annotations": [' + "[" * 100_000, "nested too deep"),
        ('{"images": [], "annotations": [' + "1" * 5000 + '], "categories": []}', "4300 digits"),
        ('{"images": [1 2]}', "l.json:1: not JSON"),
        ('{"images": [], "annotations": [], "categories": []} x', "Extra data"),
        ('{"images": [],}', "not JSON"),
        ('{"images" []}', "not JSON"),
        ("[]", "not JSON"),
        ('{"images": 3, "annotations": [], "categories": []}', "no list 'images'"),
    ],
)
def test_no_json_is_one_clear_error(text: str, message: str) -> None:
    with pytest.raises(RawDataError, match=message):
        parse(text, "l.json")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=4), json_values, max_size=5), st.sampled_from([None, 1]))
def test_json_an_element_at_a_time_is_json(content: dict, indent: int | None) -> None:
    joined: dict[str, Any] = {}
    for key, position, value in members(json.dumps(content, indent=indent), "f"):
        if position is None:
            joined[key] = value
        else:
            joined.setdefault(key, []).extend([value] if position >= 0 else [])
    assert repr(joined) == repr(json.loads(json.dumps(content)))
    assert repr(list(elements(json.dumps([content], indent=indent), "f"))) == repr([json.loads(json.dumps(content))])


@settings(max_examples=60)
@given(st.lists(json_values | st.fixed_dictionaries({}, optional=dict.fromkeys(ENTRY, json_values)), max_size=4))
def test_whatever_stands_there_is_no_traceback(entries: list) -> None:
    parse(json.dumps(COCO | {"annotations": entries}), "l.json")
    parse(json.dumps(COCO | {"images": entries, "categories": entries}), "l.json")


# --- files


@pytest.mark.parametrize(
    ("files", "splits"),
    [
        (["train/_annotations.coco.json", "valid/_annotations.coco.json"], ["train", "valid"]),
        (["annotations/instances_train2017.json", "annotations/instances_val2017.json"], ["train", "valid"]),
    ],
)
def test_one_file_a_split(tmp_path: Path, files: list[str], splits: list[str]) -> None:
    contents = {file: json.dumps(COCO).replace("a.jpg", f"{n}.jpg") for n, file in enumerate(files)}
    images = {f"{split}/{n}.jpg": image_bytes(seed=n) for n, split in enumerate(splits)}
    source = read(tmp_path, {**contents, **images})
    assert [entry.split for entry in source.entries.values()] == splits


def test_several_files_of_one_image_add_up_and_repeat_nothing(tmp_path: Path) -> None:
    more = with_annotations(ENTRY, {**ENTRY, "id": 2, "bbox": [1, 1, 2, 2], "keypoints": [1, 1, 2]})
    source = read(tmp_path, {"a.jpg": image_bytes(), "instances.json": json.dumps(COCO), "persons.json": more})
    assert [corners(row) for row in source.annotations] == [[2, 3, 12, 13], [1, 1, 3, 3]]
    assert [finding.value for finding in source.findings] == ["1"]


def test_image_in_two_splits_is_named(tmp_path: Path) -> None:
    files = {"train.json": json.dumps(COCO), "val.json": with_annotations({**ENTRY, "id": 2})}
    source = read(tmp_path, {"a.jpg": image_bytes(), **files})
    assert (source.entries["a.jpg"].split, codes(source)) == ("train", ["split-leak"])


def test_tags_of_roboflow(tmp_path: Path) -> None:
    images = [{**COCO["images"][0], "extra": {"user_tags": ["dusk"]}}]
    source = read(tmp_path, {"a.jpg": image_bytes(), "l.json": with_annotations(images=images)})
    assert source.entries["a.jpg"].tags == ["dusk"]


@pytest.mark.parametrize(
    ("text", "is_coco"),
    [
        (json.dumps({"annotations": [ENTRY] * 2000, "categories": [], "images": COCO["images"] * 2000}), True),
        (json.dumps({"images": [{"name": "a.jpg", "labels": []}]}), False),  # Hasty's
        (json.dumps({"shapes": [], "imagePath": "a.jpg", "imageData": None}), False),
        (json.dumps({"a.jpg1": {"filename": "a.jpg", "regions": []}}), False),
        (json.dumps([COCO]), False),
        (json.dumps({"info": {}, "categories": {}, "items": [{"annotations": []}]}), False),  # Datumaro's
    ],
)
def test_what_is_coco(tmp_path: Path, text: str, is_coco: bool) -> None:
    folder = raw_folder(tmp_path, {"a.jpg": image_bytes(), "l.json": text})
    assert bool(coco.detect(folder)) == is_coco


# --- round trips


names = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=8).map(str.strip)
sides = st.floats(0, 24, allow_subnormal=False)


@st.composite
def objects(draw: st.DrawFn) -> Annotation:
    x1, x2 = sorted([draw(sides), draw(sides)])
    y1, y2 = sorted([draw(sides), draw(sides)])
    row = box("a.jpg", draw(names.filter(bool)), x1, y1, x2 + 0.25, y2 + 0.25, is_crowd=draw(st.booleans()))
    row.segmentation = draw(st.sampled_from(["polygon", "runs", None]))
    if row.segmentation == "polygon":
        row.segmentation = parse_outline([draw(st.lists(sides, min_size=6, max_size=6))])
    elif row.segmentation == "runs":
        data = np.frombuffer(draw(st.binary(min_size=24 * 32, max_size=24 * 32)), np.uint8)
        row.segmentation = from_mask(data.reshape(24, 32) > 200)
    row.area = draw(st.none() | st.floats(0, 100))
    row.attributes = draw(st.sampled_from([None, '{"difficult": 1, "pose": "Left"}']))
    return row


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(objects(), max_size=4))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, rows: list[Annotation]) -> None:
    top = tmp_path_factory.mktemp("coco")
    manifest = make_manifest(make_image(top / "in", "a.jpg", image_bytes(), split="train"), *rows)
    labels = LabelMap("d").extended(sorted({row.label for row in rows}))
    coco.write(ExportJob(manifest, labels), top / "out")
    folder = RawFolder.scan(top / "out")
    probe_images(folder)
    name, files = find_format(folder)
    source = READERS[name].read(folder, files)
    mostly = ["crowd-mostly"] * (sum(row.is_crowd for row in rows) * 2 > len(rows))
    assert (name, codes(source), list(source.entries)) == ("coco", mostly, ["train/a.jpg"])
    assert source.classes == list(labels.ids)
    theirs = THEIRS(str(top / "out" / "annotations" / "instances_train.json"))
    entries = theirs.dataset["annotations"]
    for row, read_row, entry in zip(rows, source.annotations, entries, strict=True):
        assert corners(read_row) == pytest.approx(corners(row), abs=1e-9)
        for column in ("label", "is_crowd", "segmentation", "attributes"):
            assert getattr(read_row, column) == getattr(row, column)
        assert row.area is None or read_row.area == row.area
        if row.segmentation:
            ours = to_mask(row.segmentation, 32, 24)
            assert np.array_equal(theirs.annToMask(entry), ours)  # IoU 1.0
            assert row.area is not None or entry["area"] == ours.sum()
