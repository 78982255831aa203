"""The rows of a table, in memory or on disk, some thousands at a time: what a stage holds must not grow with them."""

from __future__ import annotations

import os
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import IO, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shardsmith.dataset.boxes import with_columns

ROWS_AT_ONCE = 16_384  # a row group of a file
_LATER = ("kind", "keypoints", "skeleton", "batch", "captions")  # columns that older versions have not


class Rows(Protocol):
    @property
    def schema(self) -> pa.Schema: ...

    @property
    def count(self) -> int: ...

    @property
    def table(self) -> pa.Table:
        """All of them."""

    def batches(self, most: int, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Them in order, at most so many at once."""


class InMemory:
    def __init__(self, table: pa.Table) -> None:
        self.table = table

    @property
    def schema(self) -> pa.Schema:
        return self.table.schema

    @property
    def count(self) -> int:
        return int(self.table.num_rows)

    def batches(self, most: int, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        table = self.table if columns is None else self.table.select(columns)
        return (table.slice(start, most) for start in range(0, table.num_rows, most))


class InParquet:
    """Of a file that a stage wrote, in the types of `schema`."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        """
        Raises:
            OSError, KeyError, ValueError, ArrowInvalid: the file is none, or has other columns.
        """
        self.path, self.schema = path, schema
        with pq.ParquetFile(path) as file:
            self.count = int(file.metadata.num_rows)
            self._cast(file.schema_arrow.empty_table(), schema)

    @cached_property
    def table(self) -> pa.Table:
        with pq.ParquetFile(self.path) as file:  # not pq.read_table, which imports pandas: 0.5 s
            return self._cast(file.read(use_threads=False), self.schema)

    def batches(self, most: int, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        schema = self.schema if columns is None else pa.schema([self.schema.field(name) for name in columns])
        with pq.ParquetFile(self.path) as file:
            there = None if columns is None else [name for name in columns if name in file.schema_arrow.names]
            for group in range(file.num_row_groups):  # iter_batches reads far ahead
                rows = self._cast(file.read_row_group(group, columns=there, use_threads=False), schema)
                yield from InMemory(rows).batches(most)

    def _cast(self, table: pa.Table, schema: pa.Schema) -> pa.Table:
        return with_columns(table, schema, _LATER)


def scratch_file() -> IO[bytes]:
    """A file that no name leads to, gone with this process; beside the dataset, as /tmp may be memory."""
    return tempfile.TemporaryFile(dir="." if os.access(".", os.W_OK) else None)


class Spool:
    """Rows that are put down as they are made."""

    def __init__(self, schema: pa.Schema) -> None:
        self.schema, self.count = schema, 0
        self._places: list[tuple[int, int]] = []
        self._file = scratch_file()

    def add(self, table: pa.Table) -> None:
        for batch in filter(len, table.to_batches(ROWS_AT_ONCE)):
            data = batch.serialize()
            self._places.append((self._file.tell(), data.size))
            self._file.write(data)
            self.count += batch.num_rows

    @property
    def table(self) -> pa.Table:
        return pa.concat_tables([self.schema.empty_table(), *self.batches(ROWS_AT_ONCE)]).combine_chunks()

    def batches(self, most: int, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        for number in range(len(self._places)):
            yield from InMemory(self.batch(number)).batches(most, columns)

    def batch(self, number: int) -> pa.Table:
        """One of those that were added."""
        self._file.flush()
        place, size = self._places[number]
        data = pa.py_buffer(os.pread(self._file.fileno(), size, place))
        return pa.Table.from_batches([pa.ipc.read_record_batch(data, self.schema)])


class Groups:
    """Rows that are put down as they are made, and read a group at a time, in the order in which they came."""

    def __init__(self, count: int) -> None:
        self._places = [array("q") for _ in range(count)]
        self._file = scratch_file()
        self._schema: pa.Schema | None = None

    def add(self, table: pa.Table, group_of: np.ndarray) -> None:
        """
        Args:
            group_of: (n,) the number of each row's group.
        """
        self._schema = table.schema
        order = np.argsort(group_of, kind="stable")
        rows, groups = table.take(pa.array(order)).combine_chunks(), group_of[order]
        starts = np.flatnonzero(np.diff(groups, prepend=-1)).tolist()
        for start, end in zip(starts, [*starts, len(groups)][1:], strict=True):
            for batch in rows.slice(start, end - start).to_batches():
                data = batch.serialize()
                self._places[groups[start]].extend((self._file.tell(), data.size))
                self._file.write(data)

    def read(self, group: int) -> pa.Table | None:
        """None where no row is of it."""
        self._file.flush()
        places = self._places[group]
        batches = [
            pa.ipc.read_record_batch(pa.py_buffer(os.pread(self._file.fileno(), size, place)), self._schema)
            for place, size in zip(places[::2], places[1::2], strict=True)
        ]
        return pa.Table.from_batches(batches) if batches else None


def ascends(rows: Rows, once: bool) -> bool:
    """Whether rows are in the order of image_id, each there once or not; a spool's are."""
    follows = pc.less if once else pc.less_equal
    last = pa.nulls(0, pa.string())
    for some in () if isinstance(rows, Spool) else rows.batches(ROWS_AT_ONCE, ["image_id"]):
        ids = pa.concat_arrays([last, *some["image_id"].chunks])
        if pc.all(follows(ids[:-1], ids[1:])).as_py() is False:
            return False
        last = ids[-1:]
    return True


class Cursor:
    """Rows in the order of image_id, taken image by image."""

    def __init__(self, rows: Rows, columns: Sequence[str] | None = None) -> None:
        self._batches = rows.batches(ROWS_AT_ONCE, columns)
        self._left: pa.Table | None = next(self._batches, None)

    def up_to(self, image_id: pa.Scalar) -> list[pa.Table]:
        """Those that follow, as far as this image's."""
        taken = []
        while self._left is not None:
            ids = self._left["image_id"]
            count = pc.sum(pc.less_equal(ids, image_id)).as_py() or 0
            taken.append(self._left.slice(0, count))
            self._left = self._left.slice(count) if count < len(ids) else next(self._batches, None)
            if count < len(ids):
                break
        return taken

    def rest(self) -> list[pa.Table]:
        taken = [] if self._left is None else [self._left, *self._batches]
        self._left = None
        return taken


def in_groups(batches: Iterable[pa.Table], most: int = ROWS_AT_ONCE) -> Iterator[pa.Table]:
    """The same rows, so many at a time but for the last ones."""
    waiting: list[pa.Table] = []
    count = 0
    for batch in batches:
        waiting.append(batch)
        count += batch.num_rows
        while count >= most:
            whole = pa.concat_tables(waiting)
            yield whole.slice(0, most)
            waiting, count = [whole.slice(most)], count - most
    if count:
        yield pa.concat_tables(waiting)


def write_parquet(batches: Iterable[pa.Table], schema: pa.Schema, path: Path) -> None:
    """A row group after the other; the same rows always give the same bytes, however they come."""
    part = path.with_suffix(".part")
    with pq.ParquetWriter(part, schema, compression="zstd") as file:
        groups = in_groups(batches)
        for group in chain([next(groups, schema.empty_table())], groups):
            file.write_table(group.combine_chunks(), ROWS_AT_ONCE)
    part.replace(path)
