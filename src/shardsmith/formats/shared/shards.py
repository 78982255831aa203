"""Which image goes into which shard: old images stay where they were, new ones open a shard of their own.

A full plan puts the images whose id's hash begins with a shard's number into it, and seals every shard. Images that
come later go to the split's open shard until that is as large as is wanted; then it is sealed, and the next one opened.
So a file is written anew only where one of its images is new, gone or edited. A copy goes with its parent, and within a
shard images stand in the order of a hash.

What a plan leaves, given as its record, brings the same plan again: a version is rebuilt from its own record.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from shardsmith.dataset.manifest import SPLITS
from shardsmith.formats.shared.job import ExportJob, Place, stored_size

_PLAN_ANEW = 4  # where shards are so many times too large or too many
_MANY_IMAGES = 500
_SHARDS_OF_MANY = 8  # so that as many are read, and written, at once


@dataclass(frozen=True)
class ShardPlan:
    """A file to be written, and the rows of the manifest's images that go into it, in order."""

    path: Path
    rows: np.ndarray


def place_images(job: ExportJob) -> dict[str, Place]:
    """image_id (of a copy: of its parent) -> its place; a split without images has none."""
    sizes: dict[str, dict[str, int]] = {split: defaultdict(int) for split in SPLITS}
    for some in job.manifest.image_batches("image_id", "parent_id", "split", "path"):
        for image_id, parent_id, split, path in zip(*some.to_pydict().values(), strict=True):
            sizes[split or "train"][parent_id or image_id] += stored_size(path)
    places: dict[str, Place] = {}
    for split, of_split in sizes.items():
        old = {name: place for name in of_split if (place := job.places.get(name)) and place.split == split}
        shards = max((place.shard for place in old.values()), default=-1) + 1
        enough = shard_count(sum(of_split.values()), job.shard_size_mb, job.min_shards)
        most = max(enough, _SHARDS_OF_MANY) * _PLAN_ANEW
        if shards < job.min_shards or not enough / _PLAN_ANEW < shards < most:
            many = split == "train" and len(of_split) >= _MANY_IMAGES
            planned = max(enough, _SHARDS_OF_MANY if many else 1)
            every = [Place(split, number) for number in range(planned)]
            places |= {name: every[_share(name, planned)] for name in of_split}
        else:
            places |= _appended(split, old, of_split, shards, job.shard_size_mb * 1e6)
    return places


def _appended(
    split: str, old: Mapping[str, Place], sizes: Mapping[str, int], shards: int, wanted_bytes: float
) -> dict[str, Place]:
    """The places of old images as they are, and those of new ones behind them."""
    places = dict(old)
    last = [name for name, place in old.items() if place.open]
    number = max((old[name].shard for name in last), default=shards)
    filled = sum(sizes[name] for name in last)
    for name in sorted(sizes.keys() - old.keys(), key=_hash):
        if filled and filled + sizes[name] > wanted_bytes:
            places |= {other: replace(places[other], open=False) for other in last}
            last, filled, number = [], 0, max(number + 1, shards)
        places[name] = Place(split, number, open=True)
        last.append(name)
        filled += sizes[name]
    return places


def shard_count(size_bytes: int, shard_size_mb: float, least: int = 1) -> int:
    """The power of two that brings a shard nearest to the wanted size."""
    return 1 << max(math.ceil(math.log2(least)), round(math.log2(max(size_bytes, 1) / (shard_size_mb * 1e6))))


def plan_shards(job: ExportJob, out: Path) -> dict[str, list[ShardPlan]]:
    """split -> its shards, in order: DATASET-SPLIT.tfrecord-00000-of-00004 and so on."""
    places = place_images(job)
    image_ids, parents = (column.to_pylist() for column in job.manifest.image_columns("image_id", "parent_id"))
    members: dict[str, dict[int, list[int]]] = {split: defaultdict(list) for split in SPLITS}
    for row, (image_id, parent_id) in enumerate(zip(image_ids, parents, strict=True)):
        place = places[parent_id or image_id]
        members[place.split][place.shard].append(row)
    plans: dict[str, list[ShardPlan]] = {}
    for split, shards in members.items():
        if shards:
            count = max(*shards, job.min_shards - 1) + 1
            rows = [sorted(shards[number], key=lambda row: _hash(image_ids[row])) for number in range(count)]
            name = f"{job.label_map.dataset}-{split}.tfrecord"
            plans[split] = [
                ShardPlan(out / f"{name}-{number:05d}-of-{count:05d}", np.array(of_shard, np.int64))
                for number, of_shard in enumerate(rows)
            ]
    return plans


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _share(name: str, count: int) -> int:
    return int.from_bytes(_hash(name)) * count >> 256
