"""Uploads: files as they come from a browser, slice by slice, kept aside until a person adds or discards them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, Field

from shardsmith.app.job import Job
from shardsmith.app.opened import Opened, kept
from shardsmith.app.taken import Taken
from shardsmith.dataset.archive import MAX_BYTES, can_be, leads_out, path_of
from shardsmith.dataset.errors import RawDataError, UsageError, printable
from shardsmith.raw.fetch import ARCHIVES, SCHEMES

SLICE_BYTES = 8 << 20
MOST_FILES = 200_000  # that come one by one: an archive may hold more
_KEPT_S = 7 * 24 * 3600
_SPARE_BYTES = 500 * 10**6  # of the disk, for everything else
State = Literal["uploading", "looking", "failed", "seen", "adding", "added", "not-added"]


class Sent(BaseModel):
    """A file that comes: its name with the folders dropped, its size, and when it changed, in ms."""

    name: str = Field(min_length=1, max_length=4096)
    bytes: int = Field(ge=0, le=MAX_BYTES)
    modified: int = 0


class Wanted(BaseModel):
    """Files that come, or an address; dataset: the key of the one they are for, null for a new one."""

    files: list[Sent] = Field(default=[], max_length=MOST_FILES)
    address: str = Field(default="", max_length=4096)
    dataset: str | None = None


@dataclass(frozen=True)
class Upload:
    """One upload, whose files are in `folder`."""

    folder: Path

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def about(self) -> Wanted:
        path = self.folder / "about.json"
        return _about(path, path.stat().st_mtime_ns)

    @property
    def source(self) -> Path:
        return self.folder / "source" / "raw"

    @property
    def looking(self) -> Job:
        return Job(self.folder / "looking")

    @property
    def adding(self) -> Job:
        return Job(self.folder / "adding")

    @property
    def taken(self) -> Taken:
        return Taken(self.folder / "taken")

    @property
    def seen(self) -> dict[str, Any]:
        """What the look noted beside the tables: problems, clashes, known."""
        return json.loads((self.folder / "seen.json").read_text(encoding="utf-8"))

    @property
    def state(self) -> State:
        if (adding := self.adding.state) != "none":
            return "adding" if adding == "running" else "added" if adding == "done" else "not-added"
        looking = self.looking.state
        if looking == "none":
            return "uploading"
        return "looking" if looking == "running" else "seen" if looking == "done" else "failed"

    @property
    def name(self) -> str:
        """What a person would call it: the archive's or folder's name, without its ending."""
        first = path_of(urlsplit(self.about.address).path or self.about.files[0].name).parts
        name = first[0] if len(first) > 1 and not self.about.address else first[-1]
        end = next((end for end in ARCHIVES if name.lower().endswith(end)), "")
        single = len(first) > 1 or len(self.about.files) == 1 or bool(self.about.address)
        return (name.removesuffix(name[-len(end) :]) if end else name) if single else "images"

    def part(self, number: int) -> Path:
        return self.folder / "parts" / str(number)

    def came(self, number: int) -> int:
        """How many bytes of a file have come.

        Raises:
            UsageError: there is no such file.
        """
        self._check(number)
        part = self.part(number)
        return part.stat().st_size if part.exists() else 0

    def all_came(self) -> list[int]:
        with os.scandir(self.folder / "parts") as entries:
            sizes = {int(entry.name): entry.stat().st_size for entry in entries}
        return [sizes.get(number, 0) for number in range(len(self.about.files))]

    def put(self, number: int, offset: int, data: bytes, sha256: str | None) -> int:
        """Add a slice to a file; returns how many bytes of it have come.

        Args:
            sha256: of the slice, in hex; None where the sender cannot make one, as a browser over plain HTTP.

        Raises:
            UsageError: it is not the next one, is longer than the file, came damaged, or the upload has ended.
        """
        came = self.came(number)
        name = printable(self.about.files[number].name)
        if self.state != "uploading":
            raise UsageError(f"{name}: the upload has ended; drop the files again")
        if offset != came:
            raise UsageError(f"{name}: byte {came:,} comes next, not {offset:,}; ask with HEAD where to go on")
        if came + len(data) > self.about.files[number].bytes:
            raise UsageError(f"{name}: longer than the {self.about.files[number].bytes:,} bytes it was said to have")
        if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256.lower():
            raise UsageError(f"{name}: the slice at byte {offset:,} came damaged (another sha256); send it again")
        _check_room(self.folder, len(data))
        with self.part(number).open("ab") as file:
            file.write(data)
        return came + len(data)

    def finish(self, root: Path | None) -> None:
        """Begin to look at what came.

        Args:
            root: the workspace's that it is for.

        Raises:
            UsageError: a file is not here whole.
        """
        for sent, came in zip(self.about.files, self.all_came(), strict=True):
            if came != sent.bytes:
                raise UsageError(f"{printable(sent.name)}: {came:,} of {sent.bytes:,} bytes came; send the rest first")
        if self.state in ("uploading", "failed"):
            command = [sys.executable, "-P", "-m", "shardsmith.app.uploads.look", str(self.folder)]
            self.looking.start([*command, *([str(root)] if root else [])], self.folder)

    def discard(self) -> None:
        """
        Raises:
            UsageError: it is being added.
        """
        if self.state == "adding":
            raise UsageError("the files are being added to the dataset; wait until that has ended")
        self.looking.cancel(patience_s=10)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _check(self, number: int) -> None:
        if not 0 <= number < len(self.about.files):
            raise UsageError(f"file {number}: the upload has {len(self.about.files):,} files, numbered from 0")


@lru_cache(8)
def _about(path: Path, _at: int) -> Wanted:
    """Each slice asks for it, and that of 10,000 files takes 30 ms to read."""
    return Wanted.model_validate_json(path.read_bytes())


def begin(opened: Opened, wanted: Wanted) -> Upload:
    """A new upload, or the one of the same files that was begun before.

    Raises:
        UsageError: no such dataset, nothing comes, or an address or name that cannot be.
        RawDataError: the disk has no room for it.
    """
    place = _place(opened, wanted.dataset)
    if bool(wanted.files) == bool(wanted.address):
        raise UsageError("files: give the files that come, or an address")
    if wanted.address:
        check_address(wanted.address)
    _check_names([sent.name for sent in wanted.files])
    upload = Upload(place / hashlib.sha256(wanted.model_dump_json().encode()).hexdigest()[:20])
    if (upload.folder / "about.json").exists() and upload.state != "added":
        os.utime(upload.folder)
        return upload
    _check_room(opened.folder, sum(sent.bytes for sent in wanted.files))
    shutil.rmtree(upload.folder, ignore_errors=True)
    (upload.folder / "parts").mkdir(parents=True)
    for number, sent in enumerate(wanted.files):
        if sent.bytes == 0:
            upload.part(number).touch()
    part = upload.folder / "about.part"
    part.write_text(wanted.model_dump_json(), encoding="utf-8")
    part.rename(upload.folder / "about.json")
    return upload


def find(opened: Opened, id: str) -> Upload:
    """
    Raises:
        UsageError: there is none.
    """
    for upload in uploads(opened):
        if upload.id == id:
            return upload
    raise UsageError("no such upload: it was discarded, or added; drop the files again")


def uploads(opened: Opened, *only: str | None) -> list[Upload]:
    """Those that are kept, of every dataset, or of those given; one that nobody touched for a week goes."""
    keys = only or (None, *opened.datasets)
    folders = [folder for key in keys for folder in sorted(_place(opened, key).glob("*"))]
    for folder in folders:
        if folder.stat().st_mtime < time.time() - _KEPT_S and Upload(folder).state != "adding":
            shutil.rmtree(folder, ignore_errors=True)
    return [Upload(folder) for folder in folders if (folder / "about.json").is_file()]


def check_address(address: str) -> None:
    """
    Raises:
        UsageError: not one that data may come from; never a file of this machine.
    """
    try:
        parts = urlsplit(address)
    except ValueError:
        parts = urlsplit("")
    is_archive = parts.path.lower().endswith(ARCHIVES)
    if parts.scheme not in SCHEMES or not parts.netloc or "::" in address or not is_archive:
        raise UsageError(
            f"{printable(address[:200])}: no address of an archive; it begins with {', '.join(SCHEMES)} and ends with "
            f"{', '.join(ARCHIVES)}"
        )


def _place(opened: Opened, key: str | None) -> Path:
    if key is None:
        return kept(opened.folder, "uploads")
    if key not in opened.datasets:
        raise UsageError(f"{printable(key[:80])}: no such dataset is open here")
    return opened.datasets[key].kept("uploads")


def _check_names(names: Sequence[str]) -> None:
    seen: set[PurePosixPath] = set()
    for name in names:
        path = path_of(name)
        if leads_out(path):
            raise UsageError(f"{printable(name[:200])}: leads out of the folder that was dropped; rename it")
        if not can_be(path):
            raise UsageError(f"{printable(name[:200])}: no name that a file can have; rename it")
        if path in seen:
            raise UsageError(f"{printable(name[:200])}: comes twice; drop the folders instead of the files")
        seen.add(path)
    for path in seen:
        if inside := next((above for above in path.parents if above in seen), None):
            raise UsageError(f"{printable(str(inside))}: a file and a folder have this name; rename one")


def _check_room(folder: Path, count: int) -> None:
    free = shutil.disk_usage(folder).free - _SPARE_BYTES
    if count > free:
        raise RawDataError(
            f"{count / 1e6:,.0f} MB come, and the disk has room for {max(0, free) / 1e6:,.0f} MB; delete something, or "
            "send less at once"
        )
