"""A set of TFRecord files as a whole: its files, splits, counts, what TFDS reads of it, and the tables beside it."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shardsmith.dataset.label_map import LabelMap
from shardsmith.proof.records.contents import ShardContents
from shardsmith.proof.records.judge import digest

_SHARD = re.compile(r"(?P<name>.*-(?P<split>train|valid|test)\.tfrecord)-(?P<number>\d{5})-of-(?P<count>\d{5})")
_SIDES = (("xmin", "width"), ("ymin", "height"), ("xmax", "width"), ("ymax", "height"))

Problem = tuple[str, str]  # file, what is wrong with it


def is_shard(file: str) -> bool:
    return _SHARD.fullmatch(file) is not None


def split_of(file: str) -> str:
    match = _SHARD.fullmatch(file)
    return match["split"] if match else ""


def missing_shards(files: Iterable[str]) -> Iterator[Problem]:
    """Each shard that the names of the others promise, and each that is one too many."""
    numbers: dict[tuple[str, int], set[int]] = defaultdict(set)
    for file in files:
        if match := _SHARD.fullmatch(file):
            numbers[match["name"], int(match["count"])].add(int(match["number"]))
    names = Counter(name for name, _ in numbers)
    for (name, count), there in sorted(numbers.items()):
        if names[name] > 1:
            yield f"{name}-*-of-{count:05d}", "beside shards of another number: which ones are meant?"
        for number in sorted({*range(count)} - there):
            yield f"{name}-{number:05d}-of-{count:05d}", "this shard is missing"
        for number in sorted(there - {*range(count)}):
            yield f"{name}-{number:05d}-of-{count:05d}", "this shard is one too many"


def repeated_images(contents: Mapping[str, ShardContents]) -> Iterator[Problem]:
    """Each image that stands in two records, of one split or two."""
    first: dict[str, str] = {}
    for file, of_file in contents.items():
        for image_id, _ in of_file.images:
            if image_id in first:
                before = split_of(first[image_id])
                place = f"in {before} too" if before != split_of(file) else "twice"
                yield file, f"the image {image_id} stands {place}, in {Path(first[image_id]).name}"
            first.setdefault(image_id, file)


def compare_counts(contents: Mapping[str, ShardContents], counts: Mapping[str, Any]) -> Iterator[tuple[str, int, int]]:
    """(what, counted, read) for each count that is not that of the records; what was not counted is not compared."""
    images: Counter[str] = Counter()
    boxes: Counter[tuple[str, str]] = Counter()  # class, split
    for file, of_file in contents.items():
        split = split_of(file)
        images[split] += of_file.records
        for name, number in of_file.boxes.items():
            boxes[name, split] += number
    read = {"images": images.total(), "boxes": boxes.total()}
    counted = {key: counts[key] for key in read if key in counts}
    for split, of_split in counts.get("splits", {}).items():
        in_split = {"images": images[split], "boxes": sum(boxes[cell] for cell in boxes if cell[1] == split)}
        read |= {f"{key} of {split}": value for key, value in in_split.items()}
        counted |= {f"{key} of {split}": of_split[key] for key in in_split}
    if "classes" in counts:
        cells = {(name, split): number for name, per in counts["classes"].items() for split, number in per.items()}
        for cell in sorted({*cells, *boxes}):
            key = f"boxes of {cell[0]!r} in {cell[1]}"
            counted[key], read[key] = cells.get(cell, 0), boxes[cell]
    for key, number in counted.items():
        if number != read[key]:
            yield key, number, read[key]


def compare_info(
    text: bytes, folder: str, listed: Iterable[str], contents: Mapping[str, ShardContents], sizes: Mapping[str, int]
) -> Iterator[Problem]:
    """TFDS's dataset_info.json names these files, with as many records and bytes.

    Args:
        folder: where it stands, "tfrecord/".
        listed: the set's files, here or not.
        sizes: file -> bytes, of those that are here.
    """
    where = f"{folder}dataset_info.json"
    listed = {*listed}
    try:
        lengths: dict[str, int] = {}
        of_splits: dict[str, tuple[list[str], int]] = {}
        for split in (info := json.loads(text))["splits"]:
            of_split = [int(length) for length in split["shardLengths"]]
            names = [f"{folder}{info['name']}-{split['name']}.tfrecord-{n:05d}-of-{len(of_split):05d}"
                     for n in range(len(of_split))]  # fmt: skip
            lengths |= dict(zip(names, of_split, strict=True))
            of_splits[split["name"]] = names, int(split["numBytes"])
    except (ValueError, KeyError, TypeError) as error:
        yield where, f"cannot be read ({error!r})"
        return
    for file in sorted(listed - {*lengths}):
        yield file, "dataset_info.json does not name this file"
    for file, length in lengths.items():
        if file not in listed:
            yield file, "missing, and dataset_info.json names it"
        elif file in contents and contents[file].records != length:
            yield file, f"{contents[file].records} records, and dataset_info.json says {length}"
    for split, (names, size) in of_splits.items():
        if {*names} <= {*sizes} and sum(sizes[name] for name in names) != size:
            yield where, f"says that {split} has {size} bytes, and it has {sum(sizes[name] for name in names)}"


def compare_names(text: bytes, label_map: LabelMap) -> str:
    """What TFDS's list of class names says otherwise than the label map; "" for nothing."""
    said, expected = text.decode(errors="replace"), "".join(f"{name}\n" for name in label_map.names_by_id())
    return "" if said == expected else "its class names are not those of the label map"


def compare_tables(contents: Mapping[str, ShardContents], images: Path, annotations: Path) -> Iterator[Problem]:
    """Each record holds the image, split, size, labels and boxes that the tables say, and none is missing.

    Args:
        images, annotations: the tables' files.
    """
    try:
        expected = _digests(*(pq.ParquetFile(path).read(use_threads=False) for path in (images, annotations)))
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError, IndexError) as error:
        yield "images.parquet", f"it or annotations.parquet cannot be read ({error!r:.200})"
        return
    for file, of_file in contents.items():
        for image_id, found in of_file.images:
            split, said = expected.pop(image_id, ("", b""))
            if not said:
                yield file, f"the image {image_id} is not in images.parquet"
            elif (split or "train") != split_of(file):
                yield file, f"the image {image_id} is of {split} in images.parquet"
            elif found and found != said:
                yield file, f"the image {image_id} has other labels, boxes or size in the tables"
    for image_id in expected:
        yield "images.parquet", f"the image {image_id} is in no record"


def _digests(images: pa.Table, table: pa.Table) -> dict[str, tuple[str, bytes]]:
    """image_id -> (split, digest as records have it)."""
    row = pc.index_in(table["image_id"], images["image_id"].combine_chunks()).fill_null(-1).to_numpy()
    order = np.argsort(row, kind="stable")
    starts = np.searchsorted(row[order], np.arange(images.num_rows + 1))
    boxes = np.empty((table.num_rows, 4), np.float32)
    for column, (side, size) in enumerate(_SIDES):
        boxes[:, column] = table[side].to_numpy() / images[size].to_numpy()[row]
    labels = np.array(table["label"].to_pylist(), object)
    crowd = table["is_crowd"].to_numpy(zero_copy_only=False).astype(int)
    columns = (images[name].to_pylist() for name in ("image_id", "split", "width", "height"))
    digests = {}
    for number, (image_id, split, width, height) in enumerate(zip(*columns, strict=True)):
        rows = order[starts[number] : starts[number + 1]]
        whole = np.isnan(boxes[rows, 0])
        of_box = rows[~whole]
        said = digest(
            (width, height), labels[rows[whole]].tolist(), labels[of_box].tolist(), crowd[of_box].tolist(),
            boxes[of_box],
        )  # fmt: skip
        digests[image_id] = split, said
    return digests
