"""Which images stand for thousands: the same ones for the same manifest, rare classes first."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from shardsmith.report.facts import Columns

GALLERY = 96
PARENTS = 6
COPIES = 3


def shuffled(image_ids: Sequence[str]) -> np.ndarray:
    """(m,) each image's place in an order by hash: as good as chance, and always the same."""
    digests = [hashlib.blake2b(image_id.encode(), digest_size=8).digest() for image_id in image_ids]
    order = sorted(range(len(digests)), key=lambda row: (digests[row], image_ids[row]))
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    return places


def choose_gallery(columns: Columns, places: np.ndarray, count: int = GALLERY) -> list[int]:
    """Rows of images: one more of each class in each split in turn, rare classes first; negatives are a class, too.

    Copies are taken only where a split has nothing else.
    """
    queues = _queues(columns, places)
    chosen: dict[int, None] = {}
    has: dict[tuple[int, int], int] = defaultdict(int)
    classes = _classes_of(columns)
    wanted = 0
    while len(chosen) < count and any(queues.values()):
        wanted += 1
        for key, queue in queues.items():
            while queue and has[key] < wanted and len(chosen) < count:
                if (row := queue.pop()) in chosen:
                    continue
                chosen[row] = None
                split = int(columns.split_of[row])
                for of in classes.get(row, [-1]):
                    has[split, of] += 1
    return list(chosen)


def _queues(columns: Columns, places: np.ndarray) -> dict[tuple[int, int], list[int]]:
    """(split, class or -1 for none) -> rows of its images, the first to take last; rare ones first."""
    originals = np.bincount(columns.split_of[~columns.is_copy], minlength=3) > 0
    eligible = ~columns.is_copy | ~originals[columns.split_of]
    number = len(columns.names) + 1
    pairs = np.unique(columns.image_of * number + columns.class_of + 1)
    empty = np.flatnonzero(columns.per_image == 0) * number
    rows, classes = np.divmod(np.concatenate([pairs, empty]), number)
    keep = eligible[rows]
    rows, classes = rows[keep], classes[keep]
    keys = columns.split_of[rows] * number + classes
    order = np.lexsort((-places[rows], keys))
    starts = np.flatnonzero(np.diff(keys[order], prepend=-1))
    groups = zip(keys[order][starts].tolist(), np.split(rows[order], starts[1:]), strict=True)
    queues = {(key // number, key % number - 1): group.tolist() for key, group in groups}
    return dict(sorted(queues.items(), key=lambda item: (len(item[1]), item[0])))


def _classes_of(columns: Columns) -> dict[int, list[int]]:
    classes: dict[int, set[int]] = defaultdict(set)
    for row, of in zip(columns.image_of.tolist(), columns.class_of.tolist(), strict=True):
        classes[row].add(of)
    return {row: sorted(of) for row, of in classes.items()}


def choose_copies(
    image_ids: Sequence[str], parent_ids: Sequence[str | None], columns: Columns, places: np.ndarray
) -> list[tuple[int | None, list[int]]]:
    """(row of an original, or None where only its copies are left; rows of its first copies), PARENTS times."""
    copies: dict[str, list[int]] = defaultdict(list)
    for row in np.flatnonzero(columns.is_copy).tolist():
        copies[parent_ids[row] or ""].append(row)
    rows_by_id = {image_id: row for row, image_id in enumerate(image_ids)} if copies else {}
    order = sorted(copies, key=lambda parent: (not columns.per_image[copies[parent][0]], places[copies[parent][0]]))
    return [(rows_by_id.get(parent), copies[parent][:COPIES]) for parent in order[:PARENTS]]
