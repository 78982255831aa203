"""A folder or an archive as a folder; archives are unpacked safely: never outside, never without end."""

from __future__ import annotations

import contextlib
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from stages.dataset.errors import RawDataError

MAX_BYTES = 200 * 10**9
MAX_RATIO = 200  # unpacked bytes for one packed: more is no image set
_SMALL = 100 * 10**6  # below this no ratio is too high
_BLOCK = 1 << 20


@contextlib.contextmanager
def opened(source: Path) -> Iterator[Path]:
    """The folder itself, or a temporary one with what the archive holds.

    Raises:
        RawDataError: there is no such folder or archive, or it cannot be unpacked safely.
    """
    if source.is_dir():
        yield source
        return
    if not source.is_file():
        raise RawDataError(f"{source}: no such folder or archive")
    with tempfile.TemporaryDirectory(prefix="shardsmith-") as folder:
        unpack(source, Path(folder))
        yield Path(folder)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a .zip or .tar(.gz, .bz2, .xz) into an empty folder; links and devices are refused.

    Raises:
        RawDataError: it is no archive, is damaged, leads outside, or unpacks to more than MAX_BYTES.
    """
    try:
        if zipfile.is_zipfile(archive):
            _unpack_zip(archive, folder)
        elif tarfile.is_tarfile(archive):
            _unpack_tar(archive, folder)
        else:
            raise RawDataError(f"{archive}: neither a folder nor a .zip or .tar archive")
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise RawDataError(f"{archive}: the archive cannot be unpacked ({error}); get it again") from None


def _unpack_zip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        room = _Room(archive)
        for entry in packed.infolist():
            if entry.is_dir():
                continue
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise RawDataError(f"{archive}: {entry.filename}: a link; pack the file itself")
            with packed.open(entry) as stream:
                _copy(stream, _target(archive, folder, entry.filename), room)


def _unpack_tar(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as packed:
        room = _Room(archive)
        for entry in packed:
            if entry.isdir():
                continue
            stream = packed.extractfile(entry) if entry.isfile() else None
            if stream is None:
                raise RawDataError(f"{archive}: {entry.name}: not a plain file; pack the file itself")
            with stream:
                _copy(stream, _target(archive, folder, entry.name), room)


def _target(archive: Path, folder: Path, name: str) -> Path:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise RawDataError(f"{archive}: {name}: leads out of the archive's folder; nothing more was unpacked")
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


class _Room:
    """How many bytes may still come."""

    def __init__(self, archive: Path) -> None:
        self.archive = archive
        self.left = min(MAX_BYTES, max(_SMALL, archive.stat().st_size * MAX_RATIO))

    def take(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise RawDataError(f"{self.archive}: unpacks to far more than it should; unpack it yourself and look")


def _copy(stream: IO[bytes], target: Path, room: _Room) -> None:
    with target.open("wb") as file:
        while block := stream.read(_BLOCK):
            room.take(len(block))
            file.write(block)


def replace_folder(part: Path, out: Path) -> None:
    """Move a finished folder into place."""
    if out.is_dir():
        shutil.rmtree(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(part, out)
