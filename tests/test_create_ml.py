"""Create ML JSON: each box is an annotation or a finding that names its image."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from random import Random

import pytest
from conftest import image_bytes
from test_formats import codes, corners, raw_folder, read

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.label_map import LabelMap
from shardsmith.formats import create_ml
from shardsmith.formats.registry import READERS
from shardsmith.pipeline.ingest import ingest
from shardsmith.pipeline.params import IngestParams

A = image_bytes()
BOX = {"label": "cat", "coordinates": {"x": 7, "y": 8, "width": 10, "height": 10}}
GOOD = {"image": "b.jpg", "annotations": [BOX]}


def coordinates(**changes: object) -> dict:
    return {"label": "cat", "coordinates": BOX["coordinates"] | changes}  # type: ignore[operator]


ENTRIES = [  # entry of a.jpg, annotations, codes, why
    ({"image": "a.jpg", "annotations": [BOX, BOX]}, 2, [], "boxes"),
    ({"imagefilename": "x\\a.jpg", "annotation": [BOX]}, 1, [], "as Apple's example has it"),
    ({"image": "a.jpg", "annotations": []}, 0, [], "a negative"),
    ({"image": "a.jpg"}, 0, ["annotation-unreadable"], "no list"),
    ({"image": "a.jpg", "anotations": [BOX]}, 0, ["annotation-unreadable"], "a misspelt key"),
    ({"image": "a.jpg", "annotations": None}, 0, ["annotation-unreadable"], "null"),
    ({"image": "a.jpg", "annotations": {"label": "cat"}}, 0, ["annotation-unreadable"], "no list, but an object"),
    ({"image": "a.jpg", "annotations": [BOX, coordinates(x="?")]}, 1, ["annotation-unreadable"], "a bad number"),
    ({"image": "a.jpg", "annotations": [BOX, coordinates(x=10**400)]}, 1, ["annotation-unreadable"], "a huge number"),
    ({"image": "a.jpg", "annotations": [{"label": "cat"}, 3]}, 0, ["annotation-unreadable"] * 2, "no coordinates"),
    ({"image": "a.jpg", "annotations": [coordinates(x="7,5")]}, 1, ["read-leniently"], "a decimal comma"),
]


@pytest.mark.parametrize(("entry", "count", "expected", "why"), ENTRIES, ids=[row[-1] for row in ENTRIES])
def test_each_box_is_counted(tmp_path: Path, entry: dict, count: int, expected: list, why: str) -> None:
    source = read(tmp_path, {"a.jpg": A, "b.jpg": image_bytes(seed=1), "l.json": json.dumps([GOOD, entry])})
    assert sum(row.image_id == "a.jpg" for row in source.annotations) == count, why
    assert (codes(source), set(source.entries)) == (expected, {"a.jpg", "b.jpg"})
    dropped = [one for one in source.findings if one.action == "drop"]
    assert [one.image_id for one in dropped] == ["a.jpg"] * len(dropped)
    assert source.shapes == len(source.annotations) + len(dropped)


def test_coordinates_are_of_the_centre(tmp_path: Path) -> None:
    (row,) = read(tmp_path, {"b.jpg": A, "train.json": json.dumps([GOOD])}).annotations
    assert (row.label, corners(row)) == ("cat", [2, 3, 12, 13])


@pytest.mark.parametrize(
    "text",
    [
        '[{"data": {"image": "a.jpg"}, "annotations": [{"result": []}]}]',  # Label Studio
        '[{"image": "a.jpg", "label": [{"x": 1}], "id": 1}]',  # its JSON-MIN
        '[{"name": "a.jpg", "labels": []}]', '{"images": []}', "[3]", "[", "", "[" * 9000,
    ],
)  # fmt: skip
def test_other_json_is_none(tmp_path: Path, text: str) -> None:
    assert create_ml.detect(raw_folder(tmp_path, {"a.jpg": A, "l.json": text})) == []


def test_a_file_that_is_cut_short_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(RawDataError, match=r"l\.json:1: not JSON"):
        read(tmp_path, {"b.jpg": A, "l.json": json.dumps([GOOD, GOOD])[:-20]})


def test_a_missing_image_and_an_entry_without_one_cost_no_other(tmp_path: Path) -> None:
    entries = [GOOD, {"image": "gone.jpg", "annotations": [BOX]}, {"annotations": [BOX]}, 7]
    source = read(tmp_path, {"b.jpg": A, "l.json": json.dumps(entries)})
    assert (len(source.annotations), codes(source)) == (1, ["image-missing", *["annotation-unreadable"] * 2])


def test_raccoon_reads_the_same(tmp_path: Path, raccoon: Path) -> None:
    for name in ("JPEGImages", "Annotations"):
        shutil.copytree(raccoon / name, tmp_path / "voc" / name)
    shutil.copytree(raccoon / "JPEGImages", tmp_path / "raw" / "JPEGImages")
    shutil.copy(raccoon / "as" / "create-ml.json", tmp_path / "raw")
    manifest, label_map, findings, name = ingest(tmp_path / "raw", IngestParams(), LabelMap("d"))
    assert (name, dict(label_map.ids), findings) == ("create_ml", {"raccoon": 1}, [])
    expected = ingest(tmp_path / "voc", IngestParams(), LabelMap("d"))[0].annotation_rows()
    assert len(expected) == 217
    for one, other in zip(manifest.annotation_rows(), expected, strict=True):
        assert (one.image_id, corners(one)) == (other.image_id, pytest.approx(corners(other), abs=0.5))


def test_shapes_in_are_rows_and_named_losses(tmp_path: Path) -> None:
    rng = Random(5)
    odd = [None, True, "x", "1,5", 10**400, -3, 1e308, [], {}, float("nan")]
    folder = raw_folder(tmp_path, {"a.jpg": A})
    for _ in range(500):
        boxes: list = [BOX] * rng.randrange(3)
        for _ in range(rng.randrange(4)):
            at = BOX["coordinates"] | {rng.choice("xy"): rng.choice(odd)}  # type: ignore[operator]
            boxes.append(rng.choice([{"label": rng.choice(["cat", None, 3, ""]), "coordinates": at}, *odd]))
        (tmp_path / "l.json").write_text(json.dumps([{"image": "a.jpg", "annotations": boxes}]))
        source = READERS["create_ml"].read(folder, ["l.json"])
        dropped = [one for one in source.findings if one.action == "drop"]
        assert source.shapes == len(boxes) == len(source.annotations) + len(dropped)
