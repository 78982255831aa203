"""The judge of records: wrong sets of records, each with right hashes and checksums unless they are the fault."""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from conftest import box, image_bytes, make_image, make_manifest
from PIL import Image as PilImage

from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.messages import Example
from shardsmith.formats.shared.job import ExportJob
from shardsmith.formats.tfrecord import format as tfrecord
from shardsmith.formats.tfrecord.frames import frame, read_frames
from shardsmith.pipeline.export import write_tables
from shardsmith.proof.folder import verify_pulled
from shardsmith.store.pulled import hash_files, stored_files, tree_hash

IDS = LabelMap("ds", {"cat": 1, "dog": 2})
OUTLINE = json.dumps([[2, 3, 12, 3, 12, 13, 2, 13]])
OBJECT = "image/object"
TRAIN, VALID = "tfrecord/ds-train.tfrecord-00000-of-00002", "tfrecord/ds-valid.tfrecord-00000-of-00001"
Features = Any


def write_set(folder: Path, whole_images: bool = False, masks: bool = True) -> Path:
    """Twelve images, of which c.png is a negative and b.jpg has no difficult box, as a version's export and pulled."""
    rows = []
    for number, name in enumerate("abcdefghijkl"):
        split = "valid" if number > 9 else "test" if number > 7 else "train"
        format, suffix = ("PNG", "png") if name == "c" else ("JPEG", "jpg")
        data = image_bytes(seed=number, format=format)
        rows.append(make_image(folder.parent / "raw", f"{name}.{suffix}", data, split=split))
        if whole_images:
            rows.append(box(f"{name}.{suffix}", ("cat", "dog")[number % 2], *[None] * 4))  # type: ignore[arg-type]
        elif name != "c":
            known = {} if name == "b" else {"attributes": '{"difficult": 1, "truncated": 0, "pose": "Left"}'}
            rows.append(box(f"{name}.{suffix}", "cat", segmentation=OUTLINE, area=100.0, **known))  # type: ignore[arg-type]
            rows.append(box(f"{name}.{suffix}", "dog", 1.0, 1.0, 20.0, 9.0))
    manifest = make_manifest(*rows)
    tfrecord.write(ExportJob(manifest, IDS, 0.006, masks), folder / "tfrecord")
    write_tables(manifest, folder)
    return record_files(folder)


def record_files(folder: Path) -> Path:
    """VERSION.json of what is there."""
    files = hash_files(folder)
    hashes = {"data/export": tree_hash(stored_files(files))}
    (folder / "VERSION.json").write_text(json.dumps({"tag": "ds@v1", "hashes": hashes, "files": files}))
    return folder


def wrong(folder: Path) -> str:
    _, checks = verify_pulled(folder, None)
    return "\n".join(str(damage) for check in checks for damage in check.damage)


def rewrite(path: Path, records: list[bytes]) -> None:
    path.write_bytes(b"".join(b"".join(frame(record)) for record in records))


def of(path: Path) -> list[bytes]:
    return [record for record, _ in read_frames(path)]


def record(change: Callable[[Features], object]) -> Callable[[Path], None]:
    """The first record of train that holds two boxes, changed."""

    def work(folder: Path) -> None:
        records = of(folder / TRAIN)
        for place, data in enumerate(records):
            example = Example.FromString(data)
            if len(example.features.feature[f"{OBJECT}/class/label"].int64_list.value) == 2:
                change(example.features.feature)
                records[place] = example.SerializeToString(deterministic=True)
                return rewrite(folder / TRAIN, records)
        raise AssertionError("no such record")

    return work


def put(key: str, *values: Any, at: int | None = None) -> Callable[[Path], None]:
    """A key's values; with `at`, that one alone."""
    kind = {bytes: "bytes_list", int: "int64_list", float: "float_list"}[type(values[0])]

    def change(features: Features) -> None:
        if at is not None:
            getattr(features[key], kind).value[at] = values[0]
            return
        del features[key]
        getattr(features[key], kind).value.extend(values)

    return record(change)


def side(name: str, value: float) -> Callable[[Path], None]:
    return put(f"{OBJECT}/bbox/{name}", value, at=0)


def lacks(key: str) -> Callable[[Path], None]:
    return record(lambda features: features.pop(key))


def shorter(key: str) -> Callable[[Path], None]:
    def change(features: Features) -> None:
        del getattr(features[f"{OBJECT}/{key}"], features[f"{OBJECT}/{key}"].WhichOneof("kind")).value[-1]

    return record(change)


def image(data: bytes, **more: int) -> Callable[[Path], None]:
    """Another image, with the hash of its bytes."""

    def change(features: Features) -> None:
        features["image/encoded"].bytes_list.value[0] = data
        features["image/key/sha256"].bytes_list.value[0] = hashlib.sha256(data).hexdigest().encode()
        for key, value in more.items():
            features[f"image/{key}"].int64_list.value[0] = value

    return record(change)


def mask(size: tuple[int, int], value: int) -> bytes:
    stream = io.BytesIO()
    PilImage.fromarray(np.full(size, value, np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def swap_sides(folder: Path) -> None:
    for name, value in (("xmin", 0.9), ("xmax", 0.1)):
        side(name, value)(folder)


def file(name: str, change: Callable[[Path], object]) -> Callable[[Path], None]:
    return lambda folder: change(folder / name) and None  # type: ignore[func-returns-value]


def text(name: str, old: str, new: str) -> Callable[[Path], None]:
    return file(f"tfrecord/{name}", lambda path: path.write_text(path.read_text().replace(old, new, 1)))


def copy_record(target: str) -> Callable[[Path], None]:
    return lambda folder: rewrite(folder / target, [*of(folder / target), of(folder / TRAIN)[0]])


def move_record(folder: Path) -> None:
    first, *others = of(folder / TRAIN)
    rewrite(folder / TRAIN, others)
    rewrite(folder / VALID, [*of(folder / VALID), first])
    fit_info(folder)


def fit_info(folder: Path) -> None:
    """dataset_info.json says what there is."""
    path = folder / "tfrecord/dataset_info.json"
    info = json.loads(path.read_text())
    for split in info["splits"]:
        shards = sorted(path.parent.glob(f"*-{split['name']}.tfrecord-*"))
        split["shardLengths"] = [str(len(of(shard))) for shard in shards]
        split["numBytes"] = str(sum(shard.stat().st_size for shard in shards))
    path.write_text(json.dumps(info))


def drop_box(features: Features) -> None:
    for key in list(features):
        if key.startswith(f"{OBJECT}/"):
            del getattr(features[key], features[key].WhichOneof("kind")).value[-1]


def without_tables(change: Callable[[Path], None]) -> Callable[[Path], None]:
    def work(folder: Path) -> None:
        change(folder)
        for name in ("images", "annotations"):
            (folder / f"{name}.parquet").unlink()

    return work


def no_records(folder: Path) -> None:
    for path in (folder / "tfrecord").glob("*.tfrecord-*"):
        path.write_bytes(b"")
    fit_info(folder)


def edit_table(name: str, column: str, value: Any) -> Callable[[Path], None]:
    def work(folder: Path) -> None:
        table = pq.read_table(folder / name)
        place = table.column_names.index(column)
        values = [value, *table[column].to_pylist()[1:]]
        pq.write_table(table.set_column(place, column, [values]), folder / name)

    return work


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def turned() -> bytes:
    exif = PilImage.Exif()
    exif[0x0112] = 6
    return image_bytes(seed=3, exif=exif)


LONG = "another number of "
WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    # the frame of a record, and the file
    "a flipped bit in the image": (file(TRAIN, lambda path: flip(path, 400)), "it is damaged (checksum)"),
    "a flipped bit in a length": (file(TRAIN, lambda path: flip(path, 1)), "its length is damaged"),
    "a flipped bit in the last checksum": (file(TRAIN, lambda path: flip(path, -1)), "it is damaged (checksum)"),
    "cut within a record": (file(TRAIN, lambda path: os.truncate(path, path.stat().st_size - 9)), "cut off"),
    "cut between two records": (lambda f: rewrite(f / TRAIN, of(f / TRAIN)[:-1]), "dataset_info.json says"),
    "an empty file": (file(TRAIN, lambda path: path.write_bytes(b"")), "0 records, and dataset_info.json says"),
    "no record at all": (no_records, "no record in any file"),
    "no tf.train.Example": (lambda f: rewrite(f / TRAIN, [b"\xff\xff"]), "it is no tf.train.Example"),
    "compressed": (lambda f: (f / TRAIN).write_bytes(b"\x1f\x8b" + bytes(30)), "compressed"),
    # its keys
    **{f"without {key}": (lacks(f"image/{key}"), f"image/{key} is missing")
       for key in ("encoded", "format", "filename", "height", "width", "key/sha256", "source_id")},
    "without texts": (lacks(f"{OBJECT}/class/text"), "2 class ids, but 0 class names"),
    "without ids": (lacks(f"{OBJECT}/class/label"), "0 class ids, but 2 class names"),
    "without xmax": (lacks(f"{OBJECT}/bbox/xmax"), f"{LONG}bbox/xmax: 0"),
    "without is_crowd": (lacks(f"{OBJECT}/is_crowd"), f"{LONG}is_crowd: 0"),
    "two images": (put("image/encoded", b"a", b"b"), "image/encoded has 2 values, not one"),
    "a height of two values": (put("image/height", 24, 24), "image/height has 2 values"),
    "a height in words": (put("image/height", b"24"), "image/height is a bytes_list"),
    "a width with a fraction": (put("image/width", 32.0), "image/width is a float_list"),
    "ids with fractions": (put(f"{OBJECT}/class/label", 1.0, 2.0), "class/label is a float_list"),
    "texts as numbers": (put(f"{OBJECT}/class/text", 1, 2), "class/text is a int64_list"),
    "boxes as whole numbers": (put(f"{OBJECT}/bbox/xmin", 0, 0), "bbox/xmin is a int64_list"),
    "an image as numbers": (put("image/encoded", 1), "image/encoded is a int64_list"),
    # its image
    "another hash": (put("image/key/sha256", b"0" * 64), "image/key/sha256 is not that of its bytes"),
    "another image": (put("image/encoded", image_bytes(seed=99)), "image/key/sha256 is not that of its bytes"),
    "no image": (image(b"no image"), "image/encoded does not open"),
    "an empty image": (image(b""), "image/encoded does not open: the file is empty"),
    "half an image": (image(image_bytes(seed=3)[:700]), "image/encoded: it does not decode"),
    "another size": (image(image_bytes(40, 24)), "image/width x image/height is 32 x 24, and its bytes have 40 x 24"),
    "another height": (put("image/height", 25), "is 32 x 25, and its bytes have 32 x 24"),
    "a width of 0": (put("image/width", 0), "is 0 x 24"),
    "sides changed over": (image(image_bytes(seed=3), height=32, width=24), "is 24 x 32"),
    "a JPEG called PNG": (put("image/format", b"png"), "image/format is 'png', and its bytes are jpeg"),
    "a PNG called JPEG": (image(image_bytes(format="PNG")), "image/format is 'jpeg', and its bytes are png"),
    "a GIF": (image(image_bytes(format="GIF")), "its bytes are gif"),
    "a format of no name": (put("image/format", b""), "image/format is ''"),
    "an image that EXIF turns": (image(turned(), height=32, width=24), "its EXIF orientation is 6"),
    "an empty name": (put("image/source_id", b""), "image/source_id is empty"),
    "another file's name": (put("image/filename", b"z.jpg"), "the image z.jpg is not in images.parquet"),
    "an older record, of another file's name": (put("image/source_id", b"z.jpg"), "not that of image/source_id"),
    "a name that is empty": (put("image/filename", b""), "image/filename is empty"),
    # its boxes
    **{f"{name} of {value}": (side(name, value), "a side that is no number")
       for name, value in (("xmin", math.nan), ("ymax", math.nan), ("xmax", math.inf))},
    "a box to the left of the image": (side("xmin", -0.1), "outside 0..1"),
    "a box below the image": (side("ymax", 1.5), "outside 0..1"),
    "a box in pixels": (side("xmax", 20.0), "outside 0..1"),
    "an empty box": (side("xmax", 2 / 32), "is empty, or its sides are swapped"),
    "a box with its sides swapped": (swap_sides, "is empty, or its sides are swapped"),
    **{f"fewer of {key}": (shorter(key), f"{LONG}{key}: 1")
       for key in ("bbox/xmin", "bbox/ymin", "bbox/xmax", "bbox/ymax", "is_crowd", "area", "mask")},
    "fewer ids": (shorter("class/label"), "1 class ids, but 2 class names"),
    "fewer texts": (shorter("class/text"), "2 class ids, but 1 class names"),
    "fewer of difficult": (put(f"{OBJECT}/difficult", 1), f"{LONG}difficult: 1"),
    "more of view": (put(f"{OBJECT}/view", b"a", b"b", b"c"), f"{LONG}view: 3"),
    "crowd of 7": (put(f"{OBJECT}/is_crowd", 7, at=0), "is_crowd is 7, no flag"),
    "an area that is no number": (put(f"{OBJECT}/area", math.nan, at=0), "area is no number"),
    # its labels
    "an id without a name": (put(f"{OBJECT}/class/label", 9, at=0), "class id 9 ('cat') is not in the label map"),
    "the id of the background": (put(f"{OBJECT}/class/label", 0, at=0), "class id 0 ('cat') is not in the label map"),
    "the id of another class": (put(f"{OBJECT}/class/label", 2, at=0), "class id 2 is 'cat' here, and 'dog' in the"),
    "the text of another class": (put(f"{OBJECT}/class/text", b"dog", at=0), "class id 1 is 'dog' here, and 'cat'"),
    "a label map of other names": (text("label_map.pbtxt", '"cat"', '"cow"'), "and 'cow' in the label map"),
    "a label map of other ids": (text("label_map.pbtxt", "id: 1", "id: 5"), "is not in the label map"),
    "no label map": (file("tfrecord/label_map.pbtxt", Path.unlink), "is not in the label map"),
    "half a label map": (file("tfrecord/label_map.pbtxt", lambda path: os.truncate(path, 30)), "cannot be read"),
    # its masks
    "a mask that does not open": (put(f"{OBJECT}/mask", b"no", at=0), "mask 1: it does not decode"),
    "a mask of another size": (put(f"{OBJECT}/mask", mask((9, 9), 1), at=0), "mask 1: 9 x 9 pixels"),
    "a mask of another value": (put(f"{OBJECT}/mask", mask((24, 32), 255), at=0), "other values than 0 and 1"),
    # all of them together
    "an image twice": (copy_record(TRAIN), "stands twice"),
    "an image in two splits": (copy_record(VALID), "stands in train too"),
    "an image moved to another split": (move_record, "is of train in images.parquet"),
    "a missing file": (file(TRAIN, Path.unlink), "missing, and dataset_info.json names it"),
    "a file too many": (lambda f: shutil.copy(f / TRAIN, f / f"{TRAIN[:-14]}00002-of-00002"), "one too many"),
    "files of two numbers": (lambda f: shutil.copy(f / TRAIN, f / f"{TRAIN[:-14]}00000-of-00001"), "which ones are"),
    "a file of another dataset": (lambda f: shutil.copy(f / VALID, f / VALID.replace("/ds", "/x")), "does not name"),
    "a split without files": (file(VALID, Path.unlink), "missing, and dataset_info.json names it"),
    "no dataset_info.json": (file("tfrecord/dataset_info.json", Path.unlink), "dataset_info.json: missing"),
    "no features.json": (file("tfrecord/features.json", Path.unlink), "features.json: missing"),
    "half of dataset_info.json": (text("dataset_info.json", '"splits"', '"split"'), "dataset_info.json: cannot be re"),
    "another size in dataset_info.json": (text("dataset_info.json", '"numBytes": "', '"numBytes": "1'), " bytes, and"),
    "other names for TFDS": (text("image-object-class-label.labels.txt", "cat", "cow"), "are not those of the label"),
    # and against the tables
    "a box that was moved": (side("xmin", 0.03125), "has other labels, boxes or size in the tables"),
    "a box that was left out": (record(drop_box), "has other labels, boxes or size in the tables"),
    "a row too many": (edit_table("images.parquet", "image_id", "0.jpg"), "0.jpg is in no record"),
    "an image of another split": (edit_table("images.parquet", "split", "test"), "is of test in images.parquet"),
    "another class in the table": (edit_table("annotations.parquet", "label", "dog"), "has other labels, boxes"),
    "a table that cannot be read": (file("images.parquet", lambda path: os.truncate(path, 90)), "cannot be read"),
    "swapped without tables": (without_tables(swap_sides), "is empty, or its sides are swapped"),
    "no record and no tables": (without_tables(no_records), "no record in any file"),
}  # fmt: skip


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("right") / "set")


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_set_is_rejected(right: Path, tmp_path: Path, name: str) -> None:
    change, expected = WRONG[name]
    shutil.copytree(right, tmp_path / "set")
    change(tmp_path / "set")
    assert expected in wrong(record_files(tmp_path / "set"))


def test_there_are_enough_of_them() -> None:
    assert len(WRONG) >= 57


@pytest.mark.parametrize("shape", [{}, {"whole_images": True}, {"masks": False}], ids=str)
def test_a_right_set_is_accepted(tmp_path: Path, shape: dict[str, bool]) -> None:
    folder = write_set(tmp_path / "set", **shape)
    assert wrong(folder) == ""
    without_tables(lambda _: None)(folder)
    assert wrong(record_files(folder)) == ""
