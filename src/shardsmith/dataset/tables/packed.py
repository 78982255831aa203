"""Annotations as a reader finds them, on disk where there are many: by their columns, in the reader's order."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa

from shardsmith.dataset.tables.rows import ROWS_AT_ONCE, InMemory, Spool
from shardsmith.dataset.tables.schema import ANNOTATIONS, Annotation, kind_of, rows_of, table_of

MANY = 20_000  # rows; fewer are objects in a list


class PackedRows:
    """Rows that are put down as they come. Who takes one gets a copy of it."""

    def __init__(self) -> None:
        self._spool = Spool(ANNOTATIONS)
        self._waiting: list[Annotation] = []

    def append(self, row: Annotation) -> None:
        self._waiting.append(row)
        if len(self._waiting) >= ROWS_AT_ONCE:
            self._put_down()

    def __iadd__(self, rows: Iterable[Annotation]) -> PackedRows:
        for row in rows:
            self.append(row)
        return self

    def add(self, table: pa.Table) -> None:
        self._put_down()
        self._spool.add(table)

    def __len__(self) -> int:
        return self._spool.count + len(self._waiting)

    def __iter__(self) -> Iterator[Annotation]:
        return (row for table in self.batches() for row in rows_of(table, Annotation))

    def batches(self) -> Iterator[pa.Table]:
        self._put_down()
        return self._spool.batches(ROWS_AT_ONCE)

    def _put_down(self) -> None:
        for row in self._waiting:
            row.kind = kind_of(row)
        if self._waiting:
            self._spool.add(table_of(self._waiting, ANNOTATIONS))
        self._waiting = []

    def by_image(self, image_ids: Mapping[str, int]) -> Spool:
        """The rows in the order of their images; those of one image keep theirs.

        Args:
            image_ids: image_id -> its place.
        """
        places = [places_of(table["image_id"], image_ids) for table in self.batches()]
        every = np.concatenate([np.zeros(0, np.int32), *places])
        if (np.diff(every) >= 0).all():
            return self._spool
        # each range of images, of about as many rows as are read at once, gets a part of its own
        ends = np.cumsum(np.bincount(every, minlength=len(image_ids)))
        part_of = np.searchsorted(np.arange(ROWS_AT_ONCE, len(every) + ROWS_AT_ONCE, ROWS_AT_ONCE), ends)
        pieces = Spool(ANNOTATIONS)
        of_part: dict[int, list[int]] = {}
        count = 0
        for table, here in zip(self.batches(), places, strict=True):
            order = np.argsort(here, kind="stable")
            parts = part_of[here[order]]
            for rows in np.split(order, np.flatnonzero(np.diff(parts)) + 1):
                pieces.add(table.take(pa.array(rows)))
                of_part.setdefault(int(part_of[here[rows[0]]]), []).append(count)
                count += 1
        ordered = Spool(ANNOTATIONS)
        for part in sorted(of_part):
            table = pa.concat_tables([pieces.batch(number) for number in of_part[part]]).combine_chunks()
            ordered.add(table.take(pa.array(np.argsort(places_of(table["image_id"], image_ids), kind="stable"))))
        return ordered


def places_of(ids: pa.ChunkedArray, known: Mapping[str, int]) -> np.ndarray:
    """(n,) int32: the place of each id; -1 for an unknown one."""
    encoded = ids.combine_chunks().dictionary_encode()
    places = np.array([known.get(value, -1) for value in encoded.dictionary.to_pylist()], np.int32)
    return places[encoded.indices.to_numpy()] if len(places) else np.zeros(0, np.int32)


def repeated(pairs: Iterable[Iterable[tuple[str, str | None]]]) -> set[int]:
    """The hashes that several pairs have: with next to none besides, those of pairs that are there several times."""
    hashes = array("q")
    for some in pairs:
        hashes.extend(map(hash, some))
    every = np.sort(np.frombuffer(hashes, np.int64)) if hashes else np.zeros(0, np.int64)
    return set(every[1:][every[1:] == every[:-1]].tolist())


def with_keys(rows: PackedRows) -> Iterator[pa.Table]:
    """The rows with `source_image` and `source_key`: the source's id of each, else `n` and its number in its image; an
    id that an image has twice gets `~` and its number.
    """

    def named() -> Iterator[tuple[pa.Table, list[str], list[str]]]:
        numbers: Counter[str] = Counter()
        for table in rows.batches():
            ids, keys = table["image_id"].to_pylist(), table["source_key"].to_pylist()
            if all(keys):
                numbers.update(ids)
            else:
                for place, (image_id, key) in enumerate(zip(ids, keys, strict=True)):
                    numbers[image_id] += 1
                    keys[place] = key or f"n{numbers[image_id]}"
            yield table, ids, keys

    twice = repeated(zip(ids, keys, strict=True) for _, ids, keys in named())
    given: Counter[tuple[str, str]] = Counter()
    for table, ids, keys in named():
        for place, pair in enumerate(zip(ids, keys, strict=True)) if twice else ():
            if hash(pair) in twice:
                given[pair] += 1
                keys[place] += f"~{given[pair]}" if given[pair] > 1 else ""
        for name, column in (("source_image", table["image_id"]), ("source_key", pa.array(keys, pa.string()))):
            table = table.set_column(table.schema.get_field_index(name), ANNOTATIONS.field(name), column)
        yield table


def map_labels(table: pa.Table, label_of: Callable[[str], str]) -> pa.Table:
    encoded = table["label"].combine_chunks().dictionary_encode()
    labels = pa.array([label_of(label) for label in encoded.dictionary.to_pylist()], pa.string())
    return table.set_column(table.schema.get_field_index("label"), "label", labels.take(encoded.indices))


def in_tables(rows: Iterable[object], kind: pa.Schema) -> InMemory:
    """Objects as a table, few of them at a time as objects."""
    tables, some = [kind.empty_table()], []
    for row in rows:
        some.append(row)
        if len(some) == ROWS_AT_ONCE // 8:
            tables.append(table_of(some, kind))
            some = []
    return InMemory(pa.concat_tables([*tables, table_of(some, kind)]).combine_chunks())
