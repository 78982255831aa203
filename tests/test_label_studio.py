"""Label Studio: JSON, JSON-MIN and CSV, with what each tag's results become; every result is kept or named."""

from __future__ import annotations

import base64
import csv
import io
import json
import math
import shutil
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from conftest import image_bytes
from hypothesis import given
from PIL import Image as PilImage
from test_coco import json_values
from test_formats import codes, corners, raw_folder, read

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.images import probe
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.shapes import parse_skeleton, to_mask
from shardsmith.formats.label_studio import format as label_studio
from shardsmith.formats.label_studio.addresses import names
from shardsmith.formats.registry import READERS
from shardsmith.formats.shared.raw_folder import RawFolder, Source
from shardsmith.pipeline.ingest import ingest, read_raw
from shardsmith.pipeline.params import IngestParams

SIZE = {"original_width": 200, "original_height": 100}
BOX = {"x": 10, "y": 20, "width": 30, "height": 40}
# 8 x 6 pixels with columns 3 to 6 of rows 2 to 4, as label-studio-sdk 2.1.2 writes them (mask2rle)
MASK = [0, 0, 0, 192, 57, 27, 254, 75, 0, 191, 255, 124, 2, 255, 253, 240, 11, 255, 248, 140, 0]


def result(kind: str, value: dict, labels: object = ("cat",), **more: Any) -> dict:
    tag = kind if kind.endswith("labels") else f"{kind}labels"
    return {"type": tag, "from_name": tag, "to_name": "image", **SIZE, "value": {**value, tag: labels}, **more}


def task(*results: object, image: str = "/data/upload/1/0f6142fb-a.jpg", **more: Any) -> dict:
    return {"id": 1, "annotations": [{"id": 1, "result": list(results)}], "data": {"image": image}, **more}


def read_tasks(tmp_path: Path, *tasks: object, images: dict[str, bytes] | None = None) -> Source:
    files = images or {"a.jpg": image_bytes(200, 100)}
    return read(tmp_path, {**files, "l.json": json.dumps(list(tasks))})


def at(source: Source) -> list:
    return [
        (row.label, corners(row) if row.xmin is None else [round(float(side or 0), 3) for side in corners(row)])
        for row in source.annotations
    ]


CAT = ("cat", [20, 20, 80, 60])


@pytest.mark.parametrize(
    ("results", "expected", "has_outline"),
    [
        ([result("rectangle", BOX)], [CAT], False),
        ([result("rectangle", BOX | {"rotation": 360})], [CAT], False),
        (
            [result("rectangle", BOX | {"rotation": 90})],
            [("cat", [-20, 20, 20, 80])],
            True,
        ),  # about its top left corner
        ([result("rectangle", BOX | {"rotation": 270})], [("cat", [20, -40, 60, 20])], True),
        ([result("rectangle", {"x": 40, "y": 96, "width": 10, "height": -60})], [("cat", [80, 96, 100, 36])], False),
        ([result("ellipse", {"x": 50, "y": 50, "radiusX": 10, "radiusY": 5})], [("cat", [80, 45, 120, 55])], True),
        (
            [result("ellipse", {"x": 50, "y": 50, "radiusX": 10, "radiusY": 5, "rotation": 90})],
            [("cat", [95, 30, 105, 70])],
            True,
        ),
        ([result("polygon", {"points": [[10, 20], [40, 20], [40, 60]]})], [CAT], True),
        (
            [
                {"type": "rectangle", "from_name": "r", "id": "1", **SIZE, "value": BOX},
                {"type": "labels", "from_name": "l", "id": "1", **SIZE, "value": BOX | {"labels": ["cat"]}},
            ],
            [CAT],
            False,
        ),
        ([result("rectangle", BOX, ["cat", "dog"])], [CAT, ("dog", CAT[1])], False),
        ([result("rectangle", BOX, [])], [("", CAT[1])], False),
        ([{"type": "rectangle", **SIZE, "value": BOX}], [("", CAT[1])], False),
        ([result("rectangle", BOX, id="r"), result("rectangle", BOX, ["dog"], id="r")], [CAT, ("dog", CAT[1])], False),
        ([{"type": "choices", "from_name": "c", "value": {"choices": ["day"]}}], [("day", [None] * 4)], False),
        (
            [{"type": "taxonomy", "from_name": "c", "value": {"taxonomy": [["a", "b"], ["a"]]}}],
            [("a/b", [None] * 4), ("a", [None] * 4)],
            False,
        ),
    ],
)
def test_results(tmp_path: Path, results: list, expected: list, has_outline: bool) -> None:
    source = read_tasks(tmp_path, task(*results))
    assert (at(source), source.findings, source.shapes) == (expected, [], len(expected))
    assert [bool(row.segmentation) for row in source.annotations] == [has_outline] * len(expected)


def test_turning_is_done_in_pixels_and_about_the_corner(tmp_path: Path) -> None:
    (row,) = read_tasks(tmp_path, task(result("rectangle", BOX | {"rotation": 30}))).annotations
    (x, y, right, top, *_), cos, sin = json.loads(row.segmentation or "")[0], math.cos(math.pi / 6), 0.5
    assert [x, y, right, top] == pytest.approx([20, 20, 20 + 60 * cos, 20 + 60 * sin])
    assert corners(row) == pytest.approx([20 - 40 * sin, 20, 20 + 60 * cos, 20 + 60 * sin + 40 * cos])


@pytest.mark.parametrize("kind", ["brush", "bitmask", "labels"])
def test_masks(tmp_path: Path, kind: str) -> None:
    mask = np.zeros((6, 8), np.uint8)
    mask[2:5, 3:7] = 255
    stream = io.BytesIO()
    PilImage.fromarray(mask).save(stream, "PNG")
    url = "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
    value = {"imageDataURL": url} if kind == "bitmask" else {"format": "rle", "rle": MASK}
    drawn = result(kind, value, original_width=8, original_height=6)
    source = read_tasks(tmp_path, task(drawn), images={"a.jpg": image_bytes(8, 6)})
    assert (at(source), source.findings) == ([("cat", [3, 2, 7, 5])], [])
    assert to_mask(source.annotations[0].segmentation or "", 8, 6).tolist() == (mask // 255).tolist()
    larger = read_tasks(tmp_path, task(drawn), images={"a.jpg": image_bytes(16, 12)})
    assert at(larger) == [("cat", [6, 4, 14, 10])]


def test_image_made_smaller_since_keeps_its_places(tmp_path: Path) -> None:
    source = read_tasks(tmp_path, task(result("rectangle", BOX)), images={"a.jpg": image_bytes(100, 50)})
    assert (at(source), codes(source)) == ([("cat", [10, 10, 40, 30])], ["size-declared-wrong"])


def test_answers_about_a_region_are_its_attributes(tmp_path: Path) -> None:
    hue = {"type": "choices", "from_name": "hue", "id": "1", "value": BOX | {"choices": ["red"]}}
    text = {"type": "textarea", "from_name": "text", "id": "1", "value": BOX | {"text": ["KL 12"]}}
    source = read_tasks(tmp_path, task(result("rectangle", BOX, id="1", score=0.5, meta={"text": ["x"]}), hue, text))
    assert source.annotations[0].attributes_dict() == {"hue": "red", "text": "KL 12", "confidence": 0.5, "note": "x"}
    assert (source.annotations[0].source_key, source.shapes, source.findings) == ("1", 1, [])


@pytest.mark.parametrize(
    ("lost", "code", "kind"),
    [
        (result("keypoint", {"x": 1, "y": 1}), "shape-not-carried", "keypoint"),
        (result("vector", {"vertices": []}), "shape-not-carried", "vector"),
        (result("videorectangle", {"sequence": []}), "shape-not-carried", "videorectangle"),
        (result("hypertext", {"start": 1, "end": 2}), "shape-not-carried", "hypertext"),
        ({"type": "textarea", "from_name": "t", "value": {"text": ["a dog runs"]}}, "shape-not-carried", "textarea"),
        ({"type": "rating", "from_name": "t", "value": {"rating": 3}}, "shape-not-carried", "rating"),
        ({"type": "choices", "value": {"choice": ["a"]}}, "annotation-unreadable", ""),
        (result("brush", {"format": "rle", "rle": MASK[:-4]}), "annotation-unreadable", "brush"),
        (result("brush", {"format": "rle", "rle": "x"}), "annotation-unreadable", "brush"),
        (result("polygon", {"points": [[1, 2], [3, 4]]}), "annotation-unreadable", "polygon"),
        (result("rectangle", {"x": "?", "y": 2, "width": 1, "height": 1}), "annotation-unreadable", "rectangle"),
        (result("rectangle", BOX | {"x": 10**400}), "annotation-unreadable", "rectangle"),
        ({"type": "rectanglelabels"}, "annotation-unreadable", ""),
        (7, "annotation-unreadable", ""),
    ],
)
def test_what_is_lost_is_named_alone_and_its_image_is_no_negative(
    tmp_path: Path, lost: dict, code: str, kind: str
) -> None:
    source = read_tasks(tmp_path, task(result("rectangle", BOX, id="a"), lost))
    assert (len(source.annotations), source.shapes) == (1, 2)
    assert [(one.code, one.action, one.value, one.image_id) for one in source.findings] == [
        (code, "drop", kind, "a.jpg")
    ]
    assert list(read_tasks(tmp_path, task(lost)).entries) == ["a.jpg"]


def test_keypoints_of_a_region_are_a_facet(tmp_path: Path) -> None:
    named = [("tail", 20, 30), ("nose", 10, 40), ("nose", 1, 1)]
    points = [
        result("keypoint", {"x": x, "y": y, "width": 1}, [name], id=f"p{number}", parentID="r")
        for number, (name, x, y) in enumerate(named)
    ]
    source = read_tasks(tmp_path, task(result("rectangle", BOX, id="r"), *points, {"type": "relation", "from_id": "r"}))
    assert (at(source), codes(source)) == ([CAT], ["not-carried", "not-carried"])
    (row,) = source.annotations
    assert (json.loads(row.keypoints), parse_skeleton(row.skeleton).names) == ([40, 30, 2, 20, 40, 2], ("tail", "nose"))


@pytest.mark.parametrize(
    ("entry", "entries", "found_codes"),
    [
        ({"annotations": []}, [], []),
        ({"annotations": [{"result": [], "was_cancelled": True}]}, [], []),
        ({"completions": [{"result": [], "skipped": True}]}, [], []),
        ({"predictions": [{"result": [result("rectangle", BOX)]}]}, [], ["not-carried"]),
        ({"annotations": [{"result": []}]}, ["a.jpg"], []),  # a negative
        ({"annotation": [{"result": []}]}, ["a.jpg"], ["annotation-unreadable"]),
        ({"annotations": {}}, ["a.jpg"], ["annotation-unreadable"]),
        ({"annotations": [{"results": []}]}, ["a.jpg"], ["annotation-unreadable"]),
        ({"annotations": [7]}, ["a.jpg"], ["annotation-unreadable"]),
    ],
)
def test_who_looked_at_the_image(tmp_path: Path, entry: dict, entries: list, found_codes: list) -> None:
    first = task(result("rectangle", BOX), image="b.jpg")
    images = {"a.jpg": image_bytes(200, 100), "b.jpg": image_bytes(200, 100, 1)}
    source = read_tasks(tmp_path, first, {"data": {"image": "a.jpg"}, **entry}, images=images)
    assert ([*source.entries], codes(source)) == (["b.jpg", *entries], found_codes)
    assert all(one.image_id == "a.jpg" for one in source.findings if one.action == "drop")


@pytest.mark.parametrize(
    ("annotations", "label"),
    [
        ([{"created_at": "2024-01-02"}, {"created_at": "2024-01-03"}], "n1"),
        ([{"created_at": "2024-01-03"}, {"created_at": "2024-01-02"}], "n0"),
        ([{"ground_truth": True, "created_at": "2024-01-01"}, {"created_at": "2024-01-02"}], "n0"),
        ([{}, {}], "n0"),
        ([{"was_cancelled": True}, {}], "n1"),
    ],
)
def test_ground_truth_or_the_newest_counts(tmp_path: Path, annotations: list, label: str) -> None:
    made = [{**each, "result": [result("rectangle", BOX, [f"n{n}"])]} for n, each in enumerate(annotations)]
    source = read_tasks(tmp_path, task(annotations=made))
    assert ([row.label for row in source.annotations], source.shapes) == ([label], 1)
    passed_over = len([each for each in annotations if not each.get("was_cancelled")]) - 1
    assert codes(source) == ["not-carried"] * (2 * passed_over)


def test_several_images_of_a_task(tmp_path: Path) -> None:
    images = {name: image_bytes(200, 100, seed) for seed, name in enumerate(("a.jpg", "b.jpg", "c.jpg"))}
    pages = task(result("rectangle", BOX, item_index=1), data={"image": ["a.jpg", "b.jpg", "c.jpg"]})
    source = read_tasks(tmp_path, pages, images=images)
    assert (list(source.entries), source.annotations[0].image_id) == (["a.jpg", "b.jpg", "c.jpg"], "b.jpg")
    pair = task({**result("rectangle", BOX), "to_name": "right"}, data={"left": "a.jpg", "right": "b.jpg"})
    assert list(read_tasks(tmp_path, pair, images=images).entries) == ["b.jpg"]


def test_a_task_of_text_is_named(tmp_path: Path) -> None:
    text = task(result("labels", {"start": 1, "end": 2}), data={"text": "some words"})
    source = read_tasks(tmp_path, task(result("rectangle", BOX)), text)
    assert (at(source), codes(source), source.shapes) == ([CAT], ["shape-not-carried"], 2)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("/data/upload/1/0f6142fb-a.jpg", "a.jpg"),
        ("/data/local-files/?d=x/b%20c.jpg", "x/b c.jpg"),
        ("s3://bucket/x/b%20c.jpg", "x/b c.jpg"),
        ("https://h/x/a.jpg?sig=1", "x/a.jpg"),
        ("/tasks/1/resolve/?fileuri=czM6Ly9iL3gvYS5qcGc=", "x/a.jpg"),
        ("a b.jpg", "a b.jpg"),
        ("http://[", "http://["),
    ],
)
def test_addresses(address: str, name: str) -> None:
    assert name in names(address)


def test_two_uploads_of_one_name_are_not_joined(tmp_path: Path) -> None:
    tasks = [task(result("rectangle", BOX), image=f"/data/upload/1/{n}{n:07}-a.jpg") for n in (1, 2)]
    raw_folder(tmp_path, {"a.jpg": image_bytes(200, 100), "l.json": json.dumps(tasks)})
    source = read_raw(tmp_path, IngestParams())[1]
    assert (source.annotations, codes(source)) == ([], ["image-ambiguous", "image-ambiguous"])


ABOUT = {"annotator": 1, "annotation_id": 1, "created_at": "2024-01-01", "updated_at": "2024-01-01", "lead_time": 1.5}
REGION = BOX | SIZE | {"rectanglelabels": ["cat"]}


def row(image: str = "a.jpg", about: dict | None = None, **controls: object) -> dict:
    return {"image": f"/data/upload/1/0f6142fb-{image}", "id": image, **controls, **(ABOUT if about is None else about)}


@pytest.mark.parametrize(
    ("controls", "expected", "found_codes"),
    [
        ({"label": [REGION]}, [CAT], []),
        ({"rect": [BOX | SIZE], "label": [BOX | SIZE | {"labels": ["cat"]}]}, [CAT], []),
        ({"label": [REGION], "time": "night"}, [CAT, ("night", [None] * 4)], []),
        ({"time": {"choices": ["a", "b"]}}, [("a", [None] * 4), ("b", [None] * 4)], []),
        ({}, [], []),
        ({"label": [{"x": 1, "y": 1, "width": 1, "keypointlabels": ["e"]} | SIZE]}, [], ["shape-not-carried"]),
        ({"text": "A dog runs over a wet street at night"}, [], ["shape-not-carried"]),
    ],
)
@pytest.mark.parametrize("form", ["json", "csv"])
def test_json_min_and_csv(tmp_path: Path, form: str, controls: dict, expected: list, found_codes: list) -> None:
    rows = [row(**controls)]
    if form == "csv" and "text" in controls:
        return  # nothing tells it from the task's own data
    text = json.dumps(rows) if form == "json" else as_csv(rows)
    source = read(tmp_path, {"a.jpg": image_bytes(200, 100), f"l.{form}": text})
    assert (sorted(at(source), key=str), codes(source)) == (sorted(expected, key=str), found_codes)
    assert (list(source.entries), source.shapes) == (["a.jpg"], len(expected) + len(found_codes))


def test_words_of_a_csv_that_may_be_choices_are_named(tmp_path: Path) -> None:
    words = ["cat", "dog", "cow", "hen", "fox"]
    rows = [row(f"{n}.jpg", choice=word) for n, word in enumerate(words)] + [row("5.jpg", choice="pig", box=[REGION])]
    images = {f"{n}.jpg": image_bytes(200, 100, n) for n in range(6)}
    source = read(tmp_path, {**images, "l.csv": as_csv(rows)})
    assert (at(source), codes(source)) == ([CAT], ["annotation-unreadable"] * 5 + ["not-carried"])
    assert {one.image_id for one in source.findings} == {*list(images)[:5], ""}


def as_csv(rows: list[dict]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, sorted({key for each in rows for key in each}), quoting=csv.QUOTE_NONNUMERIC)
    writer.writeheader()
    for each in rows:
        cells = {
            key: value if isinstance(value, str | int | float) else json.dumps(value) for key, value in each.items()
        }
        writer.writerow({key: "" if value == "null" else value for key, value in cells.items()})
    return stream.getvalue()


@pytest.mark.parametrize("form", ["json", "csv"])
def test_rows_of_others_and_of_nobody(tmp_path: Path, form: str) -> None:
    later = ABOUT | {"annotation_id": 2, "updated_at": "2024-02-01"}
    rows = [row(label=[REGION]), row(about=later, label=[REGION, REGION]), row("b.jpg", dict.fromkeys(ABOUT))]
    images = {"a.jpg": image_bytes(200, 100), "b.jpg": image_bytes(200, 100, 1)}
    source = read(tmp_path, {**images, f"l.{form}": json.dumps(rows) if form == "json" else as_csv(rows)})
    assert (list(source.entries), len(source.annotations), codes(source)) == (["a.jpg"], 2, ["not-carried"])


@pytest.mark.parametrize(
    ("name", "content", "is_ours"),
    [
        ("l.json", [task(result("rectangle", BOX))], True),
        ("l.json", [task()], True),
        ("l.json", task(result("rectangle", BOX)), True),
        ("l.json", {"id": 1, "result": [], "was_cancelled": False, "task": {"data": {"image": "a.jpg"}}}, True),
        ("l.json", [row(label=[REGION])], True),
        ("l.json", [{"image": "a.jpg", "annotations": [{"label": "cat"}]}], False),  # CreateML's
        ("l.json", {"images": [], "annotations": [], "categories": []}, False),
        ("l.json", [{"data_row": {"id": 1}, "projects": {}}], False),  # Labelbox's
        ("l.json", [1], False),
    ],
)
def test_what_is_label_studio_s(tmp_path: Path, name: str, content: object, is_ours: bool) -> None:
    folder = raw_folder(tmp_path, {"a.jpg": image_bytes(), name: json.dumps(content)})
    assert bool(label_studio.detect(folder)) == is_ours


def test_cut_short_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(RawDataError, match=r"l\.json.*cut short"):
        read(tmp_path, {"a.jpg": image_bytes(), "l.json": json.dumps([task(result("rectangle", BOX))])[:-9]})


def test_raccoon_is_that_of_voc(tmp_path: Path, raccoon: Path) -> None:
    for folder, labels in (("l", raccoon / "as" / "label-studio.json"), ("v", raccoon / "Annotations")):
        shutil.copytree(raccoon / "JPEGImages", tmp_path / folder / "JPEGImages")
        (shutil.copytree if labels.is_dir() else shutil.copy)(labels, tmp_path / folder / labels.name)
    manifest, label_map, findings, name = ingest(tmp_path / "l", IngestParams(), LabelMap("d"))
    assert (name, dict(label_map.ids), findings) == ("label_studio", {"raccoon": 1}, [])
    theirs = ingest(tmp_path / "v", IngestParams(), LabelMap("d"))[0].annotation_rows()
    for one, other in zip(manifest.annotation_rows(), theirs, strict=True):
        assert (one.image_id, corners(one)) == (other.image_id, pytest.approx(corners(other), abs=0.5))


def any_result(rng: Random, number: int) -> dict:
    """A valid result of one of the tags, with an id of its own."""
    x, y = rng.uniform(0, 60), rng.uniform(0, 60)
    box = {"x": x, "y": y, "width": rng.uniform(1, 30), "height": rng.uniform(1, 30), "rotation": rng.choice((0, 33))}
    value = rng.choice((
        ("rectangle", box), ("ellipse", {"x": x, "y": y, "radiusX": 5, "radiusY": 3, "rotation": 20}),
        ("polygon", {"points": [[x, y], [x + 9, y], [x, y + 9]], "closed": True}), ("keypoint", {"x": x, "y": y}),
        ("vector", {"vertices": [{"x": x, "y": y}]}), ("brush", {"format": "rle", "rle": MASK}),
        ("choices", {"choices": ["day"]}), ("textarea", {"text": ["a dog"]}), ("rating", {"rating": 3}),
    ))  # fmt: skip
    kind, said = value
    if kind in ("choices", "textarea", "rating"):
        return {"type": kind, "from_name": kind, "to_name": "image", "id": f"i{number}", "value": said}
    return result(kind, said, rng.choice((["cat"], ["dog"], ["cat", "dog"], [])), id=f"i{number}") | {
        "original_width": 8, "original_height": 6,
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(60))
def test_results_in_are_kept_or_named(tmp_path: Path, seed: int) -> None:
    rng = Random(seed)
    results = [any_result(rng, number) for number in range(rng.randrange(9))]
    source = read_tasks(tmp_path, task(*results), images={"a.jpg": image_bytes(8, 6)})
    kept = {str(one.source_key).partition(":")[0] for one in source.annotations}
    named = {one.source_key for one in source.findings if one.action == "drop" and one.image_id == "a.jpg"}
    assert (kept | named, kept & named) == ({each["id"] for each in results}, set())
    assert source.shapes == len(source.annotations) + len([one for one in source.findings if one.action == "drop"])


@given(json_values)
def test_whatever_stands_there_is_no_traceback(value: Any) -> None:
    folder = RawFolder(Path(), ["a.jpg"])
    folder.images = {"a.jpg": probe(image_bytes(8, 6))}
    nested = value if isinstance(value, dict) else {"x": value}
    entries = [
        *(value, task(value), task(annotations=value), task(data={"image": value}), row(label=value)),
        *(task(result(kind, nested, value)) for kind in ("rectangle", "brush", "labels")),
        *(task(result("polygon", {"points": value})), task(result("brush", {"rle": value}))),
        *({"data": value, "annotations": [{"result": value}]}, row(label=[nested]), row(about=ABOUT | nested)),
    ]
    for entry in entries:
        text = json.dumps([entry])
        folder.text = lambda file, text=text: text  # type: ignore[method-assign, misc]
        assert READERS["label_studio"].read(folder, ["l.json"]).shapes is not None
