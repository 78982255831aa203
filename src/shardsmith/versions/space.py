"""Whether the disk has room for a build, asked before any work.

The estimate leans to the low side, for a build that would have fitted must not be stopped. In bytes:

- into DVC's cache goes the raw data that is new: what data/raw holds, less what data/raw.dvc has recorded;
- preprocess and augment make images, and keep them; the cache gets a copy;
- the export is all images, once a format; the cache gets a copy of TFRecords alone, as it has the images of the others;
- with the params that dvc.lock has, the export grows as the raw data did: where that did not, nothing is needed.

A build that runs out of room all the same ends with a clear message, and a later one goes on from there.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shardsmith.dataset.archive import check_file
from shardsmith.dataset.errors import VersionError
from shardsmith.pipeline.params import Params
from shardsmith.workspace.lock_file import built_with, read_leniently, value_at
from shardsmith.workspace.paths import EXPORT, POINTER, RAW
from shardsmith.workspace.workspace import Workspace

_BYTES_PER_PIXEL = 0.25  # of a photograph as JPEG
_FICLONE = 0x40049409  # linux/fs.h


@dataclass(frozen=True)
class Raw:
    """How many files data/raw holds, and how many bytes."""

    files: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class Need:
    """Bytes that a build writes into the workspace, and into DVC's cache."""

    workspace: int = 0
    cache: int = 0


def check_space(workspace: Workspace) -> None:
    """
    Raises:
        VersionError: a file system has less room than the build needs.
    """
    need, cache = estimate(workspace), _existing(workspace.cache_folder())
    wanted = {workspace.root: need.workspace, cache: need.cache}
    if cache.stat().st_dev == workspace.root.stat().st_dev:
        wanted = {workspace.root: need.workspace + need.cache}
        if _free(workspace.root) < wanted[workspace.root] and _shares_blocks(workspace):
            wanted = {workspace.root: max(need.workspace, need.cache)}
    for place, size in wanted.items():
        if (free := _free(place)) < size:
            raise VersionError(
                f"{place}: this build needs about {_in_words(size)} here, and {_in_words(free)} are free; "
                "`dvc gc --workspace --all-tags` removes from the cache what no version needs, "
                "`dvc cache dir --local FOLDER` moves it to another disk"
            )


def estimate(workspace: Workspace) -> Need:
    """What a build from what stands in the workspace writes, as the module's docstring says."""
    raw, stored = scan(workspace.root / RAW), _recorded_raw(workspace)
    text = workspace.params_text()
    lock = workspace.lock_file()
    ran, now = built_with(lock), read_leniently(text)
    is_same = bool(ran) and all(value_at(now, key) == value for key, value in ran.items())
    new = max(0, raw.bytes - stored.bytes)
    exported = _recorded_export(lock)
    if is_same and stored.bytes and exported:
        made = round(exported * raw.bytes / stored.bytes)
        return Need(max(0, made - exported), new + max(0, made - exported))
    need = predict(raw, workspace.params())
    return Need(max(0, need.workspace - exported), new + need.cache)


def predict(raw: Raw, params: Params) -> Need:
    """What the stages write for raw data, where nothing like it was built before."""
    size, kept = raw.bytes, 0
    if params.preprocess.enabled:
        for step in params.preprocess.steps:
            frame = step.get("resize") or {}
            if "width" in frame and "height" in frame:
                size = min(size, round(raw.files * frame["width"] * frame["height"] * _BYTES_PER_PIXEL))
        kept = size
    if params.augment.enabled:
        fractions = params.split.fractions
        copies = round(size * params.augment.copies * sum(getattr(fractions, name) for name in params.augment.splits))
        size, kept = size + copies if params.augment.keep_original else copies, kept + copies
    return Need(kept + size * len(params.export.formats), kept + size * ("tfrecord" in params.export.formats))


def scan(folder: Path) -> Raw:
    """What lies in a folder and below; links count as what they lead to.

    Raises:
        RawDataError: something there is no file, and would be waited for when it is read.
    """
    files = size = 0
    if folder.is_dir():
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir():
                    below = scan(Path(entry.path))
                    files, size = files + below.files, size + below.bytes
                elif entry.is_file():
                    files, size = files + 1, size + entry.stat().st_size
                else:
                    check_file(Path(entry.path))
    return Raw(files, size)


def _recorded_raw(workspace: Workspace) -> Raw:
    pointer = workspace.root / POINTER
    out = read_leniently(workspace.read(POINTER)).get("outs") if pointer.exists() else None
    return Raw(out[0].get("nfiles") or 0, out[0].get("size") or 0) if out else Raw()


def _recorded_export(lock: dict[str, Any]) -> int:
    outs = [out for stage in lock.get("stages", {}).values() for out in stage.get("outs", [])]
    return next((int(out.get("size") or 0) for out in outs if out["path"] == EXPORT), 0)


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def _shares_blocks(workspace: Workspace) -> bool:
    """Whether what is in the cache costs no room in the workspace: linked as configured, or as btrfs and XFS can."""
    if workspace.cache_links():
        return True
    try:
        with tempfile.TemporaryDirectory(dir=workspace.root / ".dvc" / "tmp") as temporary:
            one, other = Path(temporary) / "one", Path(temporary) / "other"
            one.write_bytes(b"x" * 4096)
            with one.open("rb") as source, other.open("wb") as target:
                fcntl.ioctl(target.fileno(), _FICLONE, source.fileno())
    except OSError:
        return False
    return True


def _in_words(size: int) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"
