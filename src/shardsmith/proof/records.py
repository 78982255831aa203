"""`shardsmith verify`: the records of a version's TFRecords, from the cache, the remote or a pulled folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from shardsmith.dataset.errors import StageError
from shardsmith.dataset.label_map import parse_label_map
from shardsmith.dataset.workers import map_items
from shardsmith.proof.checks import Check, Damage, check_records, is_shard, shard_lengths
from shardsmith.proof.contents import read_contents
from shardsmith.workspace.paths import LABEL_MAP, METRICS

INFO = "dataset_info.json"


def verify_records(
    places: Mapping[str, Path | None], label_map: str, counts: Mapping[str, Any], remedy: str, prefix: str = ""
) -> Check:
    """Every record of the shards: checksums, message, class ids and names, counts.

    Args:
        places: file of the version -> where its bytes are; None for nowhere.
        label_map: the text of label_map.pbtxt.
        counts: metrics.json, or as much of it as is known.
        prefix: of the files, for messages.
    """
    shards = [file for file in places if is_shard(file)]
    there = {file: path for file, path in places.items() if path and path.is_file()}
    files = [file for file in shards if file in there]
    if not files:
        found = "not here; `--remote` reads them in the remote" if shards else "no TFRecord in this version"
        return Check("records", found, here=False)
    try:
        ids = parse_label_map(label_map, "label_map.pbtxt").ids
    except StageError as error:
        return Check("records", "", [Damage(LABEL_MAP, f"cannot be read ({error})", remedy)])
    read = partial(read_contents, names={id_: name for name, id_ in ids.items()})
    results = map_items(read, [there[file] for file in files], "reading records", "file", chunk=1)
    contents = dict(zip(files, results, strict=True))
    lengths = {name: length for file in there if file.endswith(INFO) for name, length in _lengths(file, there[file])}
    unnamed = sorted({*counts.get("classes", {})} - {*ids})
    damage = [Damage(METRICS, f"class {name!r} is not in the label map", remedy) for name in unnamed]
    damage += check_records(contents, lengths, counts, prefix, remedy)
    records = sum(of_file.records for of_file in contents.values())
    boxes = sum(of_file.boxes.total() for of_file in contents.values())
    found = f"{len(files):,} TFRecords, {records:,} records, {boxes:,} boxes: checksums, classes and counts"
    return Check("records", found, damage)


def _lengths(file: str, path: Path) -> list[tuple[str, int]]:
    try:
        return list(shard_lengths(json.loads(path.read_bytes()), file.removesuffix(INFO)).items())
    except (ValueError, KeyError, TypeError):
        return []  # damaged, which its hash says
