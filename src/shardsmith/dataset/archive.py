"""A folder or an archive as a folder; archives are unpacked safely: never outside, never without end."""

from __future__ import annotations

import contextlib
import errno
import lzma
import shutil
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Literal

from shardsmith.dataset.errors import RawDataError, near
from shardsmith.dataset.workers import progress

MAX_BYTES = 200 * 10**9
MAX_RATIO = 200  # unpacked bytes for one packed: more is no image set
MAX_FILES = 5_000_000
MAX_NAME_BYTES = 255  # of a folder's or file's name, as file systems have it
MAX_DEPTH = 64
_SMALL = 100 * 10**6  # below this no ratio is too high
_BLOCK = 1 << 20
_MAX_HEADER = 1 << 20  # of a tar's long names and notes, which tarfile reads into memory
_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can hold
_MODE = 0o644 << 16
_UNIX = 3
_PACK_BLOCK = 4 << 20
_TarMode = Literal["r:", "r:gz", "r:bz2", "r:xz"]
_PACKED: dict[bytes, _TarMode] = {b"\x1f\x8b": "r:gz", b"BZh": "r:bz2", b"\xfd7zXZ\0": "r:xz"}
_NOTES = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.EMFILE)
# what zipfile and tarfile raise for damage, some of it undocumented; a name that the disk cannot have is an OSError
_DAMAGED = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, EOFError, RuntimeError,
    NotImplementedError, OSError, ValueError, LookupError, OverflowError, MemoryError,
)  # fmt: skip


@contextlib.contextmanager
def opened(source: Path) -> Iterator[Path]:
    """The folder itself, or a temporary one with what the archive holds.

    Raises:
        RawDataError: there is no such folder or archive, or it cannot be unpacked safely.
    """
    if source.is_dir():
        yield source
        return
    check_there(source)
    check_file(source)
    with tempfile.TemporaryDirectory(prefix="shardsmith-") as folder:
        unpack(source, Path(folder))
        try:
            yield Path(folder)
        except RawDataError as error:  # names what the user knows
            error.args = tuple(str(one).replace(folder, str(source)) for one in error.args)
            raise


def check_file(path: Path) -> None:
    """
    Raises:
        RawDataError: it is neither a file nor a folder, and who reads it may wait for ever.
    """
    with contextlib.suppress(FileNotFoundError):  # a link to nothing
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise RawDataError(f"{path}: a pipe, socket or device, and no file; delete it, or move it away")


def check_there(source: Path) -> None:
    """
    Raises:
        RawDataError: there is no such folder or file.
    """
    if source.exists():
        return
    there = [path.name for path in source.parent.iterdir()] if source.parent.is_dir() else []
    guess = near(source.name, there)
    raise RawDataError(
        f"{source}: no such folder or archive; {guess}give a folder, .zip or .tar.gz with images and annotations"
    )


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a .zip or .tar(.gz, .bz2, .xz) into an empty folder; links and devices are refused.

    Raises:
        RawDataError: it is no archive, is damaged, leads outside, or unpacks to more than it may: MAX_BYTES, MAX_RATIO,
            MAX_FILES.
        OSError: the disk is full, or the folder is not ours to write.
    """
    try:
        if zipfile.is_zipfile(archive):
            _unpack_zip(archive, folder)
            return
        try:  # not is_tarfile, which reads a first header of any length
            packed = tarfile.open(archive, _tar_mode(archive), tarinfo=_TarEntry)  # noqa: SIM115
        except tarfile.ReadError:
            raise RawDataError(
                f"{archive}: neither a folder nor a .zip or .tar archive; give the folder it lies in"
            ) from None
        with packed:
            _unpack_tar(archive, packed, folder)
    except _DAMAGED as error:
        if isinstance(error, OSError) and error.errno in _OF_THE_DISK:
            raise
        raise RawDataError(f"{archive}: the archive cannot be unpacked ({str(error)[:200]}); get it again") from None


def _tar_mode(archive: Path) -> _TarMode:
    """How it is packed, by its first bytes: tarfile would try LZMA on anything, with as much memory as these say."""
    with archive.open("rb") as file:
        start = file.read(6)
    return next((mode for magic, mode in _PACKED.items() if start.startswith(magic)), "r:")


def _unpack_zip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        room = _Room(archive)
        for entry in packed.infolist():
            room.take_file()
            if entry.is_dir():
                continue
            if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
                raise RawDataError(f"{archive}: {_shown(entry.filename)}: not a plain file; pack the file itself")
            target = _target(archive, folder, entry.filename)
            with packed.open(entry) as stream:
                _copy(stream, target, room)


def _unpack_tar(archive: Path, packed: tarfile.TarFile, folder: Path) -> None:
    room = _Room(archive)
    for entry in packed:
        room.take_file()
        if entry.isdir():
            continue
        target = _target(archive, folder, entry.name)
        stream = packed.extractfile(entry) if entry.isfile() else None
        if stream is None:
            raise RawDataError(f"{archive}: {_shown(entry.name)}: not a plain file; pack the file itself")
        with stream:
            _copy(stream, target, room)


class _TarEntry(tarfile.TarInfo):
    """One whose long name or notes are no bomb."""

    def _proc_member(self, tape: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _NOTES and self.size > _MAX_HEADER:
            raise RuntimeError(f"a header of {self.size:,} bytes")
        return super()._proc_member(tape)  # type: ignore[misc]


def _target(archive: Path, folder: Path, name: str) -> Path:
    path = path_of(name)
    if leads_out(path):
        raise RawDataError(f"{archive}: {_shown(name)}: leads out of the archive's folder; nothing more was unpacked")
    if not can_be(path):
        raise RawDataError(f"{archive}: {_shown(name)}: no name that a file can have; rename it and pack again")
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def path_of(name: str) -> PurePosixPath:
    """A name from elsewhere, with / for what parts its folders."""
    return PurePosixPath(name.replace("\\", "/"))


def leads_out(path: PurePosixPath) -> bool:
    """Whether it would be outside of the folder that it is unpacked into."""
    return path.is_absolute() or ".." in path.parts or any(":" in part for part in path.parts[:1])


def can_be(path: PurePosixPath) -> bool:
    """Whether a file can have the name here."""
    longest = max((len(part.encode("utf-8", "surrogateescape")) for part in path.parts), default=0)
    return bool(path.parts) and longest <= MAX_NAME_BYTES and len(path.parts) <= MAX_DEPTH and "\0" not in str(path)


def _shown(name: str) -> str:
    """A name from an archive, for a message."""
    return name[:200].encode("utf-8", "backslashreplace").decode()


class _Room:
    """How many bytes and files may still come."""

    def __init__(self, archive: Path) -> None:
        self.archive = archive
        self.left = min(MAX_BYTES, max(_SMALL, archive.stat().st_size * MAX_RATIO))
        self.files_left = MAX_FILES

    def take(self, count: int) -> None:
        self.left -= count
        if self.left < 0 or self.files_left < 0:
            raise RawDataError(f"{self.archive}: unpacks to far more than it should; unpack it yourself and look")

    def take_file(self) -> None:
        self.files_left -= 1
        self.take(0)


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


def zip_path(out: Path) -> Path:
    """The file that `--out` means: itself where it ends in .zip, else with that at its end."""
    named = out if out.name else out.absolute()  # "." has no name
    return named if named.suffix == ".zip" else named.with_name(f"{named.name}.zip")


def pack(folder: Path, out: Path) -> None:
    """Every file of the folder, in order, not compressed: images are already. The same bytes each time."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    with zipfile.ZipFile(out, "w") as packed, progress(len(paths), f"packing {out.name}", "file") as bar:
        for path in paths:
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _TIME)
            entry.external_attr, entry.create_system, entry.file_size = _MODE, _UNIX, path.stat().st_size
            with path.open("rb") as source, packed.open(entry, "w") as target:
                shutil.copyfileobj(source, target, _PACK_BLOCK)
            bar.update()
