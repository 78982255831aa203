"""Which images stand for thousands: the same ones for the same manifest, rare classes first."""

from __future__ import annotations

import hashlib
from collections import defaultdict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shardsmith.report.facts import Columns

GALLERY = 96
PARENTS = 6
COPIES = 3
_IDS_AT_ONCE = 1024


def shuffled(image_ids: pa.Array) -> np.ndarray:
    """(m,) each image's place in an order by hash: as good as chance, and always the same."""
    ids = (
        image_id
        for start in range(0, len(image_ids), _IDS_AT_ONCE)
        for image_id in image_ids[start : start + _IDS_AT_ONCE].to_pylist()
    )
    digests = np.frombuffer(b"".join(hashlib.blake2b(one.encode(), digest_size=8).digest() for one in ids), ">u8")
    by_name = pc.sort_indices(image_ids).to_numpy()  # where two hashes are one
    order = by_name[np.argsort(digests[by_name], kind="stable")]
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    return places


def choose_gallery(columns: Columns, places: np.ndarray, count: int = GALLERY) -> list[int]:
    """Rows of images: one more of each class in each split in turn, rare classes first; negatives are a class, too.

    Copies are taken only where a split has nothing else.
    """
    queues = _queues(columns, places, 2 * count)
    chosen: dict[int, None] = {}
    has: dict[tuple[int, int], int] = defaultdict(int)
    wanted = 0
    while len(chosen) < count and any(queues.values()):
        wanted += 1
        for key, queue in queues.items():
            while queue and has[key] < wanted and len(chosen) < count:
                if (row := queue.pop()) in chosen:
                    continue
                chosen[row] = None
                split = int(columns.split_of[row])
                for of in np.unique(columns.class_of[columns.image_of == row]).tolist() or [-1]:
                    has[split, of] += 1
    return list(chosen)


def _queues(columns: Columns, places: np.ndarray, most: int) -> dict[tuple[int, int], list[int]]:
    """(split, class or -1 for none) -> rows of its images, the first to take last, at most so many; rare ones first."""
    originals = np.bincount(columns.split_of[~columns.is_copy], minlength=3) > 0
    eligible = ~columns.is_copy | ~originals[columns.split_of]
    number = len(columns.names) + 1
    pairs = np.unique(columns.image_of.astype(np.int64) * number + columns.class_of + 1)
    empty = np.flatnonzero(columns.per_image == 0) * number
    rows, classes = np.divmod(np.concatenate([pairs, empty]), number)
    keep = eligible[rows]
    rows, classes = rows[keep], classes[keep]
    keys = columns.split_of[rows] * number + classes
    order = np.lexsort((-places[rows], keys))
    starts = np.flatnonzero(np.diff(keys[order], prepend=-1))
    groups = zip(keys[order][starts].tolist(), np.split(rows[order], starts[1:]), strict=True)
    queues = {(key // number, key % number - 1): group for key, group in groups}
    rarest_first = sorted(queues.items(), key=lambda item: (len(item[1]), item[0]))
    return {key: group[-most:].tolist() for key, group in rarest_first}


def choose_copies(images: pa.Table, columns: Columns, places: np.ndarray) -> list[tuple[int | None, list[int]]]:
    """(row of an original, or None where only its copies are left; rows of its first copies), PARENTS times.

    Args:
        images: with image_id and parent_id.
    """
    rows = np.flatnonzero(columns.is_copy)
    copies: dict[str, list[int]] = defaultdict(list)
    for row, parent in zip(rows.tolist(), images["parent_id"].take(pa.array(rows)).to_pylist(), strict=True):
        copies[parent or ""].append(row)
    order = sorted(copies, key=lambda parent: (not columns.per_image[copies[parent][0]], places[copies[parent][0]]))
    parents = order[:PARENTS]
    at = pc.index_in(pa.array(parents, pa.string()), images["image_id"].combine_chunks()).to_pylist()
    return [(row, copies[parent][:COPIES]) for parent, row in zip(parents, at, strict=True)]
