"""TFRecord: byte for byte what TensorFlow writes, read by TensorFlow and TFDS, in shards that change little."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import box, image_bytes, make_image, make_manifest
from PIL import Image as PilImage

from shardsmith.dataset.errors import StageError
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import Manifest
from shardsmith.formats.shared.ids import image_ids
from shardsmith.formats.shared.job import ExportJob
from shardsmith.formats.tfrecord import format as tfrecord

NAMES = ["cat", 'naïve "dog"', "<b>"]


def job(tmp_path: Path, images: int = 24, **settings: float) -> ExportJob:
    rows: list = []
    for number in range(images):
        split = ("train", "train", "valid", "test")[number % 4]
        rows.append(make_image(tmp_path / "in", f"{number:03}.jpg", image_bytes(seed=number), split=split))
        rows += [box(f"{number:03}.jpg", NAMES[k % 3], k, k, k + 9.5, k + 7) for k in range(number % 4)]
    return ExportJob(make_manifest(*rows), LabelMap("ds").extended(NAMES), **settings)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def tf():
    return pytest.importorskip("tensorflow")


def records(tf, folder: Path, split: str = "*") -> list[bytes]:
    files = sorted(str(path) for path in folder.glob(f"*-{split}.tfrecord-*"))
    return [record.numpy() for record in tf.data.TFRecordDataset(files)]


def examples(tf, folder: Path, split: str = "*") -> list[dict]:
    parsed = []
    for record in records(tf, folder, split):
        features = tf.train.Example.FromString(record).features.feature
        parsed.append({key: list(getattr(f, f.WhichOneof("kind")).value) for key, f in features.items()})
    return parsed


def test_bytes_are_those_that_tensorflow_writes(tf, tmp_path: Path) -> None:
    tfrecord.write(job(tmp_path), tmp_path / "out")
    for path in (tmp_path / "out").glob("*.tfrecord-*"):
        with tf.io.TFRecordWriter(str(tmp_path / "theirs")) as writer:
            for record in tf.data.TFRecordDataset(str(path)):
                example = tf.train.Example.FromString(record.numpy())
                writer.write(example.SerializeToString(deterministic=True))
        assert path.read_bytes() == (tmp_path / "theirs").read_bytes()


def test_keys_hold_what_readers_of_the_object_detection_api_expect(tf, tmp_path: Path) -> None:
    data = image_bytes(40, 20)
    attributes = '{"difficult": 1, "pose": "Left"}'
    manifest = make_manifest(
        make_image(tmp_path, "x/a.jpg", data, split="train"),
        box("x/a.jpg", "dog", 4, 5, 20, 15, attributes=attributes, area=7.0),
        box("x/a.jpg", "cat", 0, 0, 40, 20, is_crowd=True),
    )
    tfrecord.write(ExportJob(manifest, LabelMap("ds", {"cat": 1, "dog": 5})), tmp_path / "out")
    (example,) = examples(tf, tmp_path / "out")
    assert example == {
        "image/encoded": [data],
        "image/filename": [b"x/a.jpg"],
        "image/format": [b"jpeg"],
        "image/height": [20],
        "image/width": [40],
        "image/key/sha256": [hashlib.sha256(data).hexdigest().encode()],
        "image/source_id": [str(image_ids(manifest.images)["x/a.jpg"]).encode()],
        "image/object/bbox/xmin": pytest.approx([0.1, 0]),
        "image/object/bbox/ymin": pytest.approx([0.25, 0]),
        "image/object/bbox/xmax": pytest.approx([0.5, 1]),
        "image/object/bbox/ymax": pytest.approx([0.75, 1]),
        "image/object/class/label": [5, 1],
        "image/object/class/text": [b"dog", b"cat"],
        "image/object/is_crowd": [0, 1],
        "image/object/area": pytest.approx([7, 800]),
        "image/object/difficult": [1, 0],
        "image/object/view": [b"Left", b"Unspecified"],
    }


@pytest.mark.slow
def test_tfds_loads_every_split_with_none_of_our_code(tmp_path: Path) -> None:
    tfrecord.write(job(tmp_path, 40, shard_size_mb=0.004), tmp_path / "out")
    code = f"""
import json, sys, tensorflow_datasets as tfds
builder = tfds.builder_from_directory({str(tmp_path / "out")!r})
seen = {{split: 0 for split in builder.info.splits}}
for split in seen:
    for example in builder.as_dataset(split=split):
        assert example["image"]["encoded"].shape == (24, 32, 3)
        seen[split] += len(example["image"]["object"]["bbox"]["xmin"])
assert not [name for name in sys.modules if name.startswith("stages")]
print(json.dumps([seen, builder.info.features["image"]["object"]["class"]["label"].feature.names]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == (
        '[{"train": 10, "valid": 20, "test": 30}, ["background", "cat", "na\\u00efve \\"dog\\"", "<b>"]]'
    )


def shard_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.tfrecord-*")}


@pytest.mark.parametrize("workers", ["1", "3"])
def test_bytes_depend_on_neither_workers_nor_order(tmp_path: Path, monkeypatch, workers: str) -> None:
    first = job(tmp_path, 30, shard_size_mb=0.004)
    tfrecord.write(first, tmp_path / "one")
    monkeypatch.setenv("SHARDSMITH_WORKERS", workers)
    monkeypatch.setattr("shardsmith.dataset.workers.ALONE_S", 0)
    rows, boxes = first.manifest.image_rows(), first.manifest.annotation_rows()
    shuffled = ExportJob(Manifest.of(rows[::-1], boxes), first.label_map, 0.004)
    tfrecord.write(shuffled, tmp_path / "two")
    assert shard_of(tmp_path / "one") == shard_of(tmp_path / "two")


def test_a_new_image_changes_one_shard(tmp_path: Path) -> None:
    before = job(tmp_path, 64, shard_size_mb=0.02)
    tfrecord.write(before, tmp_path / "one")
    new = make_image(tmp_path / "in", "new.jpg", image_bytes(seed=999), split="train")
    more = Manifest.of([*before.manifest.image_rows(), new], before.manifest.annotation_rows())
    tfrecord.write(ExportJob(more, before.label_map, 0.02), tmp_path / "two")
    one, two = shard_of(tmp_path / "one"), shard_of(tmp_path / "two")
    assert one.keys() == two.keys()
    assert len(one) > 3
    assert sum(one[name] != two[name] for name in one) == 1


@pytest.mark.parametrize(
    ("format", "orientation", "leaves"), [("JPEG", 6, "jpeg"), ("GIF", 1, "png"), ("TIFF", 1, "png")]
)
def test_no_image_leaves_sideways_or_unreadable(tf, tmp_path: Path, format: str, orientation: int, leaves: str) -> None:
    exif = PilImage.Exif()
    exif[0x0112] = orientation
    data = image_bytes(40, 20, format=format, exif=exif) if orientation != 1 else image_bytes(40, 20, format=format)
    manifest = make_manifest(make_image(tmp_path, "a", data, split="train"))
    tfrecord.write(ExportJob(manifest, LabelMap("ds")), tmp_path / "out")
    (example,) = examples(tf, tmp_path / "out")
    decoded = tf.io.decode_image(example["image/encoded"][0], channels=3).numpy()
    assert decoded.shape == (*example["image/height"], *example["image/width"], 3)
    assert example["image/format"] == [leaves.encode()]
    assert PilImage.open(io.BytesIO(example["image/encoded"][0])).format == leaves.upper()
    assert example["image/key/sha256"] == [hashlib.sha256(example["image/encoded"][0]).hexdigest().encode()]


@pytest.mark.parametrize(
    ("damage", "message"),
    [(lambda path: path.unlink(), "gone"), (lambda path: path.write_bytes(image_bytes(seed=5)), "changed")],
)
def test_an_image_that_is_not_the_ingested_one_stops_the_export(tmp_path: Path, damage, message: str) -> None:
    broken = job(tmp_path, 4)
    damage(Path(broken.manifest.image_rows()[0].path))
    with pytest.raises(StageError, match=message):
        tfrecord.write(broken, tmp_path / "out")


def test_raw_export_of_the_raccoons_keeps_every_byte(tf, tmp_path: Path, raccoon: Path) -> None:
    from defusedxml.ElementTree import parse

    from shardsmith.pipeline.ingest import ingest
    from shardsmith.pipeline.params import IngestParams

    raw = tmp_path / "raw"
    raw.mkdir()
    for name in ("JPEGImages", "Annotations"):
        shutil.copytree(raccoon / name, raw / name)
    manifest, label_map, _, _ = ingest(raw, IngestParams(), LabelMap("raccoon"))
    rows = manifest.image_rows()
    for row in rows:
        row.split = "train"
    tfrecord.write(ExportJob(Manifest.of(rows, manifest.annotation_rows()), label_map), tmp_path / "out")
    seen = examples(tf, tmp_path / "out")
    assert len(seen) == 200
    for example in seen:
        name = example["image/filename"][0].decode()
        assert example["image/encoded"][0] == (raccoon / name).read_bytes()
        root = parse(raccoon / "Annotations" / Path(name).with_suffix(".xml").name).getroot()
        width, height = example["image/width"][0], example["image/height"][0]
        for side, size in (("xmin", width), ("ymin", height), ("xmax", width), ("ymax", height)):
            expected = [np.float32(float(element.findtext(f"bndbox/{side}")) / size) for element in root.iter("object")]
            assert example[f"image/object/bbox/{side}"] == expected
