"""data/raw of a dataset as the page knows it: taken in once for each state of the data and of what params.yaml says."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from shardsmith.app.job import Job
from shardsmith.app.opened import Dataset
from shardsmith.app.taken import Taken
from shardsmith.workspace.paths import DECISIONS, PARAMS, RAW, SPLITS

_MOST_KEPT = 3


def has_raw(dataset: Dataset) -> bool:
    raw = dataset.root / RAW
    return raw.is_dir() and any(raw.iterdir())


def raw_taken(dataset: Dataset) -> Taken:
    """The tables of data/raw as it stands; `is_there` says whether they are made: `take_raw` makes them."""
    return Taken(dataset.kept("raw") / "-".join(_states(dataset.root)))


def raw_looked(dataset: Dataset) -> Taken:
    """As `raw_taken`; where that is not made, what was made before the latest decisions: all but the splits holds."""
    now = raw_taken(dataset)
    of_data = now.folder.name.partition("-")[0]
    before = (taken for taken in newest_first(dataset) if taken.folder.name.partition("-")[0] == of_data)
    return now if now.is_there else next(before, now)


def newest_first(dataset: Dataset) -> list[Taken]:
    """What was taken in of data/raw, as it stands or stood."""
    folders = sorted(dataset.kept("raw").glob("*"), key=lambda path: path.stat().st_mtime, reverse=True)
    return [taken for taken in map(Taken, folders) if taken.is_there]


def take_raw(dataset: Dataset) -> Job:
    """The work that makes them, begun where it has to be."""
    taken, job = raw_taken(dataset), Job(dataset.kept("taking"))
    if not taken.is_there and not (job.state in ("running", "failed") and job.about.get("of") == taken.folder.name):
        job.cancel(patience_s=5)  # it looks at an older state
        _forget_older(taken.folder.parent)
        command = [sys.executable, "-P", "-m", "shardsmith.app.taken", RAW, str(taken.folder), str(dataset.root)]
        job.start(command, dataset.root, {"of": taken.folder.name})
    return job


def _states(root: Path) -> tuple[str, str]:
    """(of the data and of what params.yaml says, of what was decided about single images)"""
    data, decided = hashlib.sha256(), hashlib.sha256()
    for line in _files(root / RAW):
        data.update(line)
    for digest, file in ((data, PARAMS), (decided, DECISIONS), (decided, SPLITS)):
        path = root / file
        digest.update(path.read_bytes() if path.is_file() else b"-")
    return data.hexdigest()[:16], decided.hexdigest()[:16]


def _files(folder: Path) -> Iterator[bytes]:
    """A line a file that changes when the file does: 10,000 take some 50 ms."""
    if not folder.is_dir():
        return
    with os.scandir(folder) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    for entry in listed:
        if entry.is_dir():
            yield from _files(Path(entry.path))
        else:
            stat = entry.stat(follow_symlinks=False)
            yield f"{os.fsencode(entry.path)!r} {stat.st_size} {stat.st_mtime_ns}\n".encode()


def _forget_older(folder: Path) -> None:
    kept = sorted(folder.glob("*"), key=lambda path: path.stat().st_mtime)
    for path in kept[: -_MOST_KEPT + 1]:
        shutil.rmtree(path, ignore_errors=True)
