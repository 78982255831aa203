"""The records of a version's TFRecords, judged: from the cache, the remote, a pulled folder, or as just written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from shardsmith.dataset.errors import StageError
from shardsmith.dataset.label_map import LabelMap, parse_label_map
from shardsmith.dataset.workers import map_items
from shardsmith.proof.checks import Check, Damage
from shardsmith.proof.records.contents import ShardContents, read_contents
from shardsmith.proof.records.sets import (
    Problem,
    compare_counts,
    compare_info,
    compare_names,
    compare_tables,
    is_shard,
    missing_shards,
    repeated_images,
)
from shardsmith.workspace.paths import LABEL_MAP, METRICS, TABLES

_INFO, _NAMES = "dataset_info.json", ".labels.txt"


def is_of_records(file: str) -> bool:
    """Whether a file of an export is looked at here."""
    return is_shard(file) or file in TABLES or file.endswith((_INFO, _NAMES))


def verify_records(
    places: Mapping[str, Path | None],
    label_map: str,
    counts: Mapping[str, Any],
    remedy: str,
    prefix: str = "",
    decode: bool = True,
) -> Check:
    """Every record of the shards, each by itself and all together.

    Args:
        places: file of the version -> where its bytes are; None for nowhere.
        label_map: the text of label_map.pbtxt.
        counts: metrics.json, or as much of it as is known.
        prefix: of the files, for messages.
        decode: the images, too.
    """
    shards = [file for file in places if is_shard(file)]
    there = {file: path for file, path in places.items() if path and path.is_file()}
    files = [file for file in shards if file in there]
    if not files:
        found = "not here; `--remote` reads them in the remote" if shards else "no TFRecord in this version"
        return Check("records", found, here=False)
    try:
        labels = parse_label_map(label_map, "label_map.pbtxt")
    except StageError as error:
        return Check("records", "", [Damage(LABEL_MAP, f"cannot be read ({error})", remedy)])
    read = partial(read_contents, names={id_: name for name, id_ in labels.ids.items()}, decode=decode)
    results = map_items(read, [there[file] for file in files], "reading records", "file", chunk=1)
    contents = dict(zip(files, results, strict=True))
    problems = [(file, problem) for file, of_file in contents.items() for problem in of_file.problems]
    problems += _of_the_set(places, there, contents, labels)
    damage = [Damage(prefix + file, why, remedy) for file, why in problems]
    unnamed = sorted({*counts.get("classes", {})} - {*labels.ids})
    damage += [Damage(METRICS, f"class {name!r} is not in the label map", remedy) for name in unnamed]
    if len(files) == len(shards) and not damage:
        different = compare_counts(contents, counts)
        damage = [Damage(METRICS, f"{key}: {was} counted, {now} in the records", remedy) for key, was, now in different]
    records = sum(of_file.records for of_file in contents.values())
    boxes = sum(of_file.boxes.total() for of_file in contents.values())
    found = f"{len(files):,} TFRecords, {records:,} records, {boxes:,} boxes: images, classes, boxes and counts"
    return Check("records", found, damage)


def _of_the_set(
    places: Mapping[str, Path | None],
    there: Mapping[str, Path],
    contents: Mapping[str, ShardContents],
    labels: LabelMap,
) -> Iterator[Problem]:
    """What is wrong beside single records; what takes all of them is asked where all are here."""
    yield from missing_shards(places)
    yield from repeated_images(contents)
    whole = all(file in contents for file in places if is_shard(file))
    if whole and not any(of_file.records for of_file in contents.values()):
        yield next(iter(contents)), "no record in any file"
    folder = next(iter(contents)).rpartition("/")[0]
    folder = f"{folder}/" if folder else ""
    for name in (_INFO, "features.json"):
        if f"{folder}{name}" not in places:
            yield f"{folder}{name}", "missing, and TFDS needs it"
    for file, path in there.items():
        if file == f"{folder}{_INFO}":
            sizes = {shard: there[shard].stat().st_size for shard in contents}
            yield from compare_info(path.read_bytes(), folder, filter(is_shard, places), contents, sizes)
        elif file.startswith(folder) and file.endswith(_NAMES) and (why := compare_names(path.read_bytes(), labels)):
            yield file, why
    if whole and all(table in there for table in TABLES):
        yield from compare_tables(contents, *(there[table] for table in TABLES))
