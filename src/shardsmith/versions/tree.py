"""The files that git tracks, at a build's start and end.

A build begins with the label map, the splits and the shards of HEAD. One that records nothing leaves the files as they
were: params.yaml (settings.py), and these. Metrics and plots are kept aside: DVC takes their stage for done, and the
next build need not run it again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shardsmith.dataset.errors import VersionError
from shardsmith.versions.files import read_files
from shardsmith.versions.version import find_version, last_tag, own_dataset
from shardsmith.workspace.git import file_at
from shardsmith.workspace.log import Log
from shardsmith.workspace.paths import (  # fmt: skip
    CODE,
    KEPT_OUTS,
    LABEL_MAP,
    METRICS,
    PIPELINE,
    PLOTS,
    REQUIREMENTS,
    SHARDS,
    SPLITS,
    TABLES,
)
from shardsmith.workspace.workspace import Workspace


class Tree:
    """recorded: set it where a version was recorded, so that the files stay as the build wrote them."""

    def __init__(self, workspace: Workspace) -> None:
        self._root = workspace.root
        self._before = {file: _read(self._root / file) for file in self._files()}
        self.recorded = False

    def put_back(self) -> None:
        """The files as they were, except those that are committed as they are now."""
        for file in {*self._before, *self._files()}:
            path, before = self._root / file, self._before.get(file)
            now = _read(path)
            if now == before or (now is not None and file_at(self._root, "HEAD", file) == now.decode(errors="replace")):
                continue
            if now is not None and file not in (CODE, REQUIREMENTS, LABEL_MAP, SPLITS, SHARDS):
                _write(self._root / KEPT_OUTS / file, now)
            if before is None:
                path.unlink(missing_ok=True)
            else:
                _write(path, before)

    def _files(self) -> list[str]:
        plots = sorted(path.name for path in (self._root / PLOTS).glob("*") if path.is_file())
        return [CODE, REQUIREMENTS, LABEL_MAP, SPLITS, SHARDS, METRICS, *(f"{PLOTS}/{name}" for name in plots)]


@contextmanager
def kept_tree(workspace: Workspace) -> Iterator[Tree]:
    """Put the files back at the end, unless a version was recorded."""
    tree = Tree(workspace)
    try:
        yield tree
    except BaseException:
        tree.recorded = False
        raise
    finally:
        if not tree.recorded:
            tree.put_back()


def restore_recorded(workspace: Workspace, log: Log) -> None:
    """Put back what HEAD has of the label map and the records of splits and shards: what was given since then was never
    recorded, and leaves no trace.

    A workspace whose versions are older than the record of splits begins it with those of its last version.
    """
    for file in (LABEL_MAP, SPLITS, SHARDS):
        path = workspace.root / file
        recorded = workspace.file_at("HEAD", file)
        if recorded is None:
            path.unlink(missing_ok=True)
        elif _read(path) != recorded.encode():
            _write(path, recorded.encode())
        if recorded is None and file == SPLITS:
            _adopt_splits(workspace, log)


def _adopt_splits(workspace: Workspace, log: Log) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from shardsmith.pipeline.splits.record import Row, write_record

    tag = last_tag(workspace, own_dataset(workspace))
    if tag is None:
        return
    if SPLITS not in (workspace.root / PIPELINE).read_text(encoding="utf-8"):
        log(f"{PIPELINE}: has no {SPLITS}, which keeps images in their splits; `shardsmith upgrade` adds it")
        return
    try:
        data = read_files(workspace, find_version(workspace, tag), [TABLES[0]])[0]
    except VersionError as error:
        log(f"{SPLITS}: begins anew, and images may move: the splits of {tag} cannot be read ({error})")
        return
    table = pq.ParquetFile(pa.BufferReader(data)).read(["image_id", "split", "origin"], use_threads=False)
    splits = {}
    for image_id, split, origin in zip(*(table[name].to_pylist() for name in table.column_names), strict=True):
        splits[json.loads(origin)["image_id"] if origin else image_id] = split
    write_record((Row(image_id, "", split) for image_id, split in splits.items()), workspace.root / SPLITS)
    log(f"{SPLITS}: begun with the {len(splits):,} images of {tag}, which stay in their splits")


def bring_outs(workspace: Workspace) -> None:
    """What the last build computed and did not record, where dvc.lock still says so."""
    kept = workspace.root / KEPT_OUTS
    metrics = _read(kept / METRICS)
    outs = [out for stage in workspace.lock_file().get("stages", {}).values() for out in stage.get("outs", [])]
    said = next((out.get("md5") for out in outs if out["path"] == METRICS), None)
    if metrics is not None and hashlib.md5(metrics, usedforsecurity=False).hexdigest() == said:
        for path in (path for path in kept.rglob("*") if path.is_file()):
            _write(workspace.root / path.relative_to(kept), path.read_bytes())
    shutil.rmtree(kept, ignore_errors=True)


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
