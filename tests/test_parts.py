"""How much of the tables is in memory at once changes no byte and no finding."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path

import pytest
from conftest import image_bytes
from staged import draw_raw, enter, run_stages

from shardsmith.dataset import manifest
from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.tables import packed
from shardsmith.formats.coco import reader
from shardsmith.formats.shared import json as big_json

PARAMS = """
ingest: {classes: {junk: null, tiny: small}, unlabelled: negative}
export: {formats: [tfrecord, coco, ultralytics, jsonl, class_folders], shard_size_mb: 0.01}
"""
FOLDERS = ("ingest", "validate", "split", "preprocess", "augment", "export")
RECORDS = ("splits.csv", "label_map.pbtxt", "shards.csv", "metrics.json")


def outputs() -> dict[str, bytes]:
    files = [file for folder in FOLDERS for file in Path("data", folder).rglob("*") if file.is_file()]
    return {file.as_posix(): file.read_bytes() for file in [*files, *(Path("data", name) for name in RECORDS)]}


def draw_coco(folder: Path) -> None:
    """Annotations in no order, some without an id, with one that another has, without a class, or of no image."""
    rng = random.Random(0)
    names = [f"{number:02}.jpg" for number in rng.sample(range(20), 20)]
    for number, name in enumerate(names):
        (folder / name).write_bytes(image_bytes(64, 48, number))
    rows = [
        {"id": number, "image_id": number % 22, "category_id": number % 5,
         "bbox": [number % 30, number % 20, 10 + number % 7, 9]}
        for number in range(90)
    ]  # fmt: skip
    for row in rows[::9]:
        row["id"] = rng.choice([None, 4, "x"])
    rng.shuffle(rows)
    images = [{"id": number, "file_name": name, "width": 64, "height": 48} for number, name in enumerate(names)]
    labels = [{"id": number, "name": name} for number, name in enumerate(["cat", "dog", "junk", "tiny"])]
    (folder / "l.json").write_text(json.dumps({"annotations": rows, "images": images, "categories": labels}))


@pytest.mark.parametrize("draw", [draw_raw, draw_coco])
def test_parts_make_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, draw: object) -> None:
    enter(tmp_path, monkeypatch)
    draw(Path("data/raw"))  # type: ignore[operator]
    stages = list(FOLDERS)
    run_stages(PARAMS, stages)
    whole = outputs()
    for name in RECORDS:
        Path("data", name).unlink()
    monkeypatch.setattr(manifest, "_IMAGES_AT_ONCE", 3)
    monkeypatch.setattr(manifest, "ROWS_AT_ONCE", 7)
    monkeypatch.setattr(packed, "ROWS_AT_ONCE", 7)
    monkeypatch.setattr(reader, "MANY", 0)
    monkeypatch.setattr(big_json, "_WINDOW", 5)
    run_stages(PARAMS, stages)
    assert outputs() == whole


TEXT = json.dumps(
    {"a": [1.5e10, '\\ \ud83d\ude00 "]}', {"b": [[]]}, -12345], "n": 3, "c": [], "d": {"e": None}}, indent=1
)


@pytest.mark.parametrize("window", [1, 2, 3, 7, 1 << 20])
def test_a_window_reads_what_the_whole_does(window: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(big_json, "_WINDOW", window)
    assert list(big_json.stream_members(io.StringIO(TEXT).read, "l.json")) == list(big_json.members(TEXT, "l.json"))


@pytest.mark.parametrize("cut", range(0, len(TEXT), 9))
def test_an_error_names_its_line(cut: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(big_json, "_WINDOW", 4)
    text = f"{TEXT[:cut]}?{TEXT[cut:]}"
    said = []
    for members in (big_json.stream_members(io.StringIO(text).read, "l.json"), big_json.members(text, "l.json")):
        try:
            said.append(str(list(members)))
        except RawDataError as error:
            said.append(str(error))
    assert said[0] == said[1]
