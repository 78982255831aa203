"""The images that a stage makes, in a folder that is kept between runs so that nothing is made twice.

    FOLDER/images/<2 hex>/<digest>.<jpg|png|webp>   named by a digest of all that the file depends on: Recipe.digest
    FOLDER/outputs.parquet                          a row a file: its sha256, and the objects on it

The folder may hold anything: what another run left half-made, damaged or of other parameters. So a file is written
under a temporary name and renamed; reused only where its sha256 is the one in the table; deleted when it is not in the
new table. The table is written last, or as far as things got when a run is interrupted.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from shardsmith.dataset.errors import StageError
from shardsmith.dataset.manifest import SUMS, check_sums, write_sums
from shardsmith.dataset.workers import map_items
from shardsmith.transforms.run.make import Refused, WantedImage, make, read_source
from shardsmith.transforms.run.recipe import Recipe, Transformed, prepare_process

_EXTENSIONS = {"jpeg": "jpg", "png": "png", "webp": "webp"}
_BATCH = 1024
_TABLE = "outputs.parquet"


@dataclass(frozen=True)
class MadeFile:
    """One file that is there.

    file: below the folder.
    width, height: pixels.
    moved: whether the geometry differs from the source's.
    objects: JSON of what `_objects` gives.
    """

    file: str
    sha256: str
    width: int
    height: int
    moved: bool
    objects: str

    def parsed(self) -> dict[str, Any]:
        return json.loads(self.objects)


Task = list[tuple[str, WantedImage, MadeFile | None]]
"""What comes from one source: file, what it is to be, and what the table of an earlier run says of it."""

_OUTPUTS = pa.schema(
    [
        ("file", pa.string()),
        ("sha256", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("moved", pa.bool_()),
        ("objects", pa.string()),
    ]
)


class Table:
    """The rows of outputs.parquet, by file; a few bytes a row, however many objects are on it."""

    def __init__(self) -> None:
        self._tables: list[pa.Table] = []
        self._rows: list[dict[str, Any]] = []
        self._places: dict[str, tuple[int, int]] = {}

    @classmethod
    def read(cls, folder: Path) -> Table:
        """As the last run left it; empty where it cannot be read: everything is made again."""
        table = cls()
        try:
            check_sums(folder, _TABLE)
            rows = pq.ParquetFile(folder / _TABLE).read(use_threads=False).cast(_OUTPUTS)
        except (OSError, ValueError, pa.ArrowException, StageError):
            return table
        table._tables.append(rows.combine_chunks())
        table._places = {file: (0, row) for row, file in enumerate(rows["file"].to_pylist())}
        return table

    def __contains__(self, file: str) -> bool:
        return file in self._places

    def get(self, file: str) -> MadeFile | None:
        number, row = self._places.get(file, (-1, 0))
        if number < 0:
            return None
        if number == len(self._tables):
            return MadeFile(**self._rows[row])
        return MadeFile(**{name: self._tables[number][name][row].as_py() for name in _OUTPUTS.names})

    def add(self, made: MadeFile) -> None:
        if made.file not in self._places:
            self._places[made.file] = len(self._tables), len(self._rows)
            self._rows.append(vars(made))
            if len(self._rows) == _BATCH:
                self._pack()

    def add_missing(self, other: Table) -> None:
        for file in other._places:
            if file not in self._places and (made := other.get(file)):
                self.add(made)

    def write(self, folder: Path) -> None:
        self._pack()
        folder.mkdir(parents=True, exist_ok=True)
        table = pa.concat_tables(self._tables).combine_chunks()
        part = folder / "outputs.part"
        pq.write_table(table.sort_by("file").combine_chunks(), part, compression="zstd")
        part.replace(folder / _TABLE)
        write_sums(folder, _TABLE)

    def _pack(self) -> None:
        self._tables.append(pa.Table.from_pylist(self._rows, _OUTPUTS))
        self._rows = []


def make_all(
    wanted: Iterable[WantedImage], recipe: Recipe, folder: Path, label: str, sources: int
) -> Iterator[tuple[MadeFile | Refused, bool]]:
    """What is there for each one wanted, in order, and whether it was there already.

    Args:
        wanted: those of one source one after the other, so that each source is decoded once.
        sources: how many sources there are, for the progress bar.

    Raises:
        StageError: a source is gone, is not the one in the manifest, or there is not enough memory.
    """
    old, new = Table.read(folder), Table()
    work = partial(_have, recipe=recipe, folder=folder)
    tasks = _tasks(wanted, recipe, old)
    try:
        for results in map_items(work, tasks, label, chunk=4, setup=prepare_process, total=sources, preload=["cv2"]):
            for made, reused in results:
                if isinstance(made, MadeFile):
                    new.add(made)
                yield made, reused
    except BaseException:
        new.add_missing(old)  # what this run did not come to may still be there
        raise
    finally:
        new.write(folder)
    _delete_others(new, folder)


def clear(folder: Path) -> None:
    """Leave no image in the folder: the stage is off."""
    shutil.rmtree(folder / "images", ignore_errors=True)
    for name in (_TABLE, "outputs.part", SUMS):
        (folder / name).unlink(missing_ok=True)


def _tasks(wanted: Iterable[WantedImage], recipe: Recipe, old: Table) -> Iterator[Task]:
    for _, group in groupby(wanted, key=lambda one: one.sources[0].path):
        task = []
        for one in group:
            file = _file_name(one, recipe)
            task.append((file, one, old.get(file)))
        yield task


def _file_name(wanted: WantedImage, recipe: Recipe) -> str:
    sources = [
        [source.sha256, source.boxes, source.segmentations, *([source.further] if source.further else [])]
        for source in wanted.sources
    ]
    digest = recipe.digest(sources, wanted.operations, wanted.format, wanted.quality)
    return f"images/{digest[:2]}/{digest}.{_EXTENSIONS[wanted.format]}"


def _have(task: Task, recipe: Recipe, folder: Path) -> list[tuple[MadeFile | Refused, bool]]:
    """What is there is checked; the rest is made."""
    there = {file: old for file, _, old in task if old and _is_intact(old, folder)}
    missing = {file: one for file, one, _ in task if file not in there}
    made = _make_files(missing, recipe, folder) if missing else {}
    return [(there[file], True) if file in there else (made[file], False) for file, *_ in task]


def _is_intact(made: MadeFile, folder: Path) -> bool:
    try:
        with (folder / made.file).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == made.sha256
    except OSError:
        return False


def _make_files(wanted: dict[str, WantedImage], recipe: Recipe, folder: Path) -> dict[str, MadeFile | Refused]:
    made: dict[str, MadeFile | Refused] = {}
    results = make(list(wanted.values()), recipe, read_source)
    for file, result in zip(wanted, results, strict=True):
        if isinstance(result, Refused):
            made[file] = result
            continue
        data, outcome = result
        _put(folder / file, data)
        sha256 = hashlib.sha256(data).hexdigest()
        sample = outcome.sample
        objects = json.dumps(_objects(outcome))
        made[file] = MadeFile(file, sha256, sample.width, sample.height, outcome.moved, objects)
    return made


def _objects(outcome: Transformed) -> dict[str, Any]:
    """rows: which of the sources' objects are left; where they lie; their area, for each square pixel of the old;
    and what the steps did.
    """
    objects = outcome.sample.objects
    return {
        "rows": objects.rows.tolist(),
        "boxes": objects.boxes().tolist(),
        "segmentations": objects.segmentations(),
        **({"keypoints": objects.keypoints()} if any(one is not None for one in objects.points) else {}),
        "area": (objects.scale * objects.visible).round(9).tolist(),
        "done": list(+outcome.done),
        "cut": +outcome.cut,
        "lost": {str(row): name for row, name in sorted(outcome.lost.items())},
    }


def _put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")  # identical sources may be at work in two processes
    part.write_bytes(data)
    part.replace(path)


def _delete_others(outputs: Table, folder: Path) -> None:
    # deepest first, so that a folder comes after what is in it
    for path in sorted((folder / "images").rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif path.relative_to(folder).as_posix() not in outputs:
            path.unlink()
