"""Captions: read, carried through every stage, written, read again; what has none says so."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from conftest import box, image_bytes, make_image, make_manifest
from pycocotools import coco as pycoco
from staged import run_stages
from test_formats import raw_folder, read

from shardsmith.dataset.errors import StageError
from shardsmith.dataset.findings import Finding
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import IMAGES, Manifest
from shardsmith.formats.losses import find_losses, fitted
from shardsmith.formats.registry import WRITERS
from shardsmith.formats.shared.job import ExportJob
from shardsmith.formats.text.captions import detect
from shardsmith.ledger.fates import read_ledger
from shardsmith.ledger.reading import ReadSource, balance_read
from shardsmith.pipeline.ingest import build_manifest, ingest
from shardsmith.pipeline.params import IngestParams
from shardsmith.pipeline.stage import read_stage

TEXTS = {"a.jpg": ["a cat, grey"], "b.jpg": ["a dog", "ein Hund, \u732b"], "c.jpg": ["a cow"], "d.jpg": ["a hen"]}
PHOTOS = {name: image_bytes(64, 48, seed) for seed, name in enumerate(TEXTS)}
BOXES = {
    "images": [{"id": 1, "file_name": "a.jpg"}],
    "categories": [{"id": 1, "name": "cat"}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [2, 3, 20, 20]}],
}


def coco_captions(texts: dict[str, list[str]]) -> str:
    images = [{"id": number, "file_name": name} for number, name in enumerate(texts, start=1)]
    said = [(image["id"], text) for image in images for text in texts[str(image["file_name"])]]
    entries = [{"id": n, "image_id": image, "caption": text} for n, (image, text) in enumerate(said, start=1)]
    return json.dumps({"images": images, "annotations": entries})


def lines(key: str, text: str, **more: Any) -> str:
    return "".join(json.dumps({key: name, text: texts, **more}) + "\n" for name, texts in TEXTS.items())


def table(header: str) -> str:
    quoted = (f'{name},"{text}"' for name, texts in TEXTS.items() for text in texts)
    return "\n".join([header, *quoted])


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("captions.json", coco_captions(TEXTS)),
        ("a.jsonl", lines("image", "text")),
        ("a.ndjson", lines("file_name", "captions", width=64)),
        ("metadata.jsonl", lines("file_name", "caption")),
        ("metadata.csv", table("file_name,text")),
        ("captions.txt", table("image,caption")),
        ("blip.json", json.dumps([{"image": name, "caption": texts} for name, texts in TEXTS.items()])),
    ],
)
def test_captions_are_read(tmp_path: Path, file: str, content: str) -> None:
    source = read(tmp_path, {**PHOTOS, file: content})
    assert (source.captions(), source.shapes, source.findings[1:]) == (TEXTS, 5, [])
    assert all(entry.captions_alone for entry in source.entries.values())


@pytest.mark.parametrize(
    ("line", "code", "reason"),
    [
        ('{"image": "a.jpg", "text": 7}', "annotation-unreadable", "no text"),
        ('{"text": "a cat"}', "annotation-unreadable", "names no image"),
        ('{"image": "a.jpg", "te', "annotation-unreadable", "no row"),
        ('{"image": "z.jpg", "text": "x"}', "image-missing", ""),
        ('{"image": "a.jpg", "text": "x", "annotations": [{}]}', "shape-not-carried", "no boxes"),
        ('{"image": "a.jpg", "text": "x", "embedding": [1]}', "not-carried", "embedding"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, line: str, code: str, reason: str) -> None:
    (found,) = read(tmp_path, {**PHOTOS, "a.jsonl": lines("image", "text") + line}).findings
    assert (found.code, reason in found.reason) == (code, True)


@pytest.mark.parametrize(
    "line",
    ['{"image": "a.jpg", "prefix": "x", "suffix": "y"}', '{"image": "a.jpg", "text": "x", "objects": {"bbox": [[1]]}}'],
)
def test_other_rows_are_of_other_formats(tmp_path: Path, line: str) -> None:
    folder = raw_folder(tmp_path, {**PHOTOS, "a.jsonl": line})
    assert detect(folder) == []


@pytest.mark.parametrize(
    ("unlabelled", "expected"),
    [
        ("drop", {"a.jpg": True}),
        ("keep", dict.fromkeys(TEXTS, False) | {"a.jpg": True}),
        ("negative", dict.fromkeys(TEXTS, True)),
    ],
)
def test_an_image_with_captions_alone_is_no_negative(tmp_path: Path, unlabelled: Any, expected: dict) -> None:
    raw_folder(tmp_path, {**PHOTOS, "captions.json": coco_captions(TEXTS), "instances.json": json.dumps(BOXES)})
    manifest, _, _, _ = ingest(tmp_path, IngestParams(unlabelled=unlabelled), LabelMap("d"))
    assert {image.image_id: image.annotated for image in manifest.image_rows()} == expected
    assert {image.image_id: image.captions for image in manifest.image_rows()} == {one: TEXTS[one] for one in expected}


def test_two_formats_say_a_caption_once(tmp_path: Path) -> None:
    raw_folder(
        tmp_path, {**PHOTOS, "c.json": coco_captions(TEXTS), "a.jsonl": '{"image": "a.jpg", "text": "a cat, grey"}'}
    )
    manifest, _, findings, name = ingest(tmp_path, IngestParams(), LabelMap("d"))
    assert (name, [image.captions for image in manifest.image_rows()]) == ("captions + coco", [*TEXTS.values()])
    assert [one.value for one in findings if one.code == "not-carried"] == ["1"]


def test_the_ledger_misses_a_caption(tmp_path: Path) -> None:
    folder = raw_folder(tmp_path, {**PHOTOS, "a.jsonl": lines("image", "text")})
    source = read(tmp_path, {})
    seen = ReadSource(folder.image_files, source.annotations, source.captions())
    manifest, findings = build_manifest(folder, source, "drop")
    assert [(one.what, one.count) for one in balance_read(seen, manifest, findings)][-1] == ("captions", 5)
    source.entries["b.jpg"].captions.pop()
    manifest, findings = build_manifest(folder, source, "drop")
    with pytest.raises(StageError, match="other captions"):
        balance_read(seen, manifest, findings)


STEPS = """
split: {strategy: stable, fractions: {train: 1, valid: 0, test: 0}}
validate: {near_identical: 0}
preprocess: {enabled: true, steps: [resize: {width: 32, height: 32}]}
augment: {enabled: true, steps: [flip: {horizontal: 1}]}
export: {formats: [tfrecord, coco, jsonl, huggingface, webdataset]}
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("captions")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("SHARDSMITH_WORKERS", "1")
        raw_folder(folder / "data/raw", {**PHOTOS, "captions.json": coco_captions(TEXTS)})
        run_stages(STEPS)
    return folder / "data/export"


def test_a_copy_keeps_the_captions(built: Path) -> None:
    manifest, _ = read_stage(built.parent / "augment")
    copies = {image.parent_id: image.captions for image in manifest.image_rows() if image.copy}
    assert copies and all(texts == TEXTS[str(parent)] for parent, texts in copies.items())
    assert [(one.fate, one.count) for one in read_ledger(built.parent / "augment") if one.what == "captions"] == [
        ("kept", 5)
    ]


@pytest.mark.parametrize("name", ["tfrecord", "coco"])
def test_what_is_built_is_read_again(built: Path, tmp_path: Path, name: str) -> None:
    manifest, _, _, _ = ingest(built / name, IngestParams(), LabelMap("d"), tmp_path)
    texts = sorted(str(image.captions) for image in manifest.image_rows())
    assert texts == sorted(str(texts) for texts in TEXTS.values() for _ in range(2))
    assert not any(image.annotated for image in manifest.image_rows())


def test_other_programs_read_captions(built: Path) -> None:
    coco = pycoco.COCO(str(built / "coco/annotations/captions_train.json"))
    assert sorted(one["caption"] for one in coco.anns.values()) == sorted(
        2 * [text for one in TEXTS.values() for text in one]
    )
    assert not (built / "coco/annotations/instances_train.json").exists()
    rows = pq.read_table(built / "huggingface/train/metadata.parquet").to_pylist()
    assert [len(row["captions"]) for row in rows if "b" in row["file_name"]] == [2, 2]
    records = [json.loads(line) for line in (built / "jsonl/train.jsonl").read_text().splitlines()]
    assert {tuple(one["captions"]) for one in records} == set(map(tuple, TEXTS.values()))
    assert "captions of whole images" in (built / "tfrecord/README.md").read_text()


def test_tfds_reads_captions(built: Path) -> None:
    tfds = pytest.importorskip("tensorflow_datasets")
    rows = tfds.builder_from_directory(str(built / "tfrecord")).as_dataset(split="train").as_numpy_iterator()
    texts = [text.decode() for row in rows for text in row["image/caption"]]
    assert sorted(texts) == sorted(2 * [text for one in TEXTS.values() for text in one])


def with_captions(tmp_path: Path) -> Manifest:
    images = [make_image(tmp_path, f"{name}.png", image_bytes(format="PNG"), split="train") for name in "ab"]
    images[0].captions, images[1].captions, images[1].annotated = ["a cat"], ["a dog"], False
    return make_manifest(*images, box("a.png", "cat", 3, 2, 22, 20))


@pytest.mark.parametrize(
    ("name", "lost"),
    [("voc", ["1 images", "2 captions"]), ("ultralytics", ["1 images", "2 captions"]), ("coco", []), ("tfrecord", [])],
)
def test_a_format_without_captions_says_so(tmp_path: Path, name: str, lost: list[str]) -> None:
    found: list[Finding] = find_losses(with_captions(tmp_path), WRITERS[name], masks=False)
    assert [one.value for one in found] == lost


def test_a_format_without_captions_takes_no_dataset_of_them(tmp_path: Path) -> None:
    manifest = with_captions(tmp_path)
    alone = Manifest(manifest.images.slice(1), manifest.annotations.slice(1))
    with pytest.raises(StageError, match="captions alone"):
        fitted(alone, WRITERS["voc"].carries)


def test_cocos_instances_hold_no_image_of_captions_alone(tmp_path: Path) -> None:
    WRITERS["coco"].write(ExportJob(with_captions(tmp_path), LabelMap("d", {"cat": 1})), tmp_path / "out")
    files = {
        kind: json.loads((tmp_path / f"out/annotations/{kind}_train.json").read_text())
        for kind in ("instances", "captions")
    }
    assert {kind: len(content["images"]) for kind, content in files.items()} == {"instances": 1, "captions": 2}


MOSAIC = STEPS.replace("flip: {horizontal: 1}", "mosaic: {probability: 1}").replace(
    "[tfrecord, coco, jsonl, huggingface, webdataset]", "[tfrecord]"
)


def test_a_mosaic_has_no_caption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHARDSMITH_WORKERS", "1")
    raw_folder(tmp_path / "data/raw", {**PHOTOS, "captions.json": coco_captions(TEXTS)})
    run_stages(MOSAIC)
    manifest, findings = read_stage(Path("data/augment"))
    copies = [image for image in manifest.image_rows() if image.copy]
    assert [image.captions for image in copies] == [None] * len(copies)
    lost = [one.made for one in findings if one.code == "caption-lost"]
    assert sorted(lost) == sorted(image.image_id for image in copies)
    assert all(re.search(r"captions? tells? of", one.reason) for one in findings if one.code == "caption-lost")


def test_a_table_without_the_column_is_read(tmp_path: Path) -> None:
    manifest = with_captions(tmp_path)
    manifest.write(tmp_path / "old")
    older = manifest.images.select([name for name in IMAGES.names if name != "captions"])
    pq.write_table(older, tmp_path / "old/images.parquet")
    (tmp_path / "old/SHA256SUMS").unlink()
    assert [image.captions for image in Manifest.read(tmp_path / "old").image_rows()] == [None, None]
