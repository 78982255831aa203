"""`shardsmith fetch`: bring raw data to data/raw for DVC to store. The only code of ours that touches the network."""

from __future__ import annotations

import errno
import filecmp
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from shardsmith.dataset.archive import MAX_BYTES, MAX_NAME_BYTES, replace_folder, unpack
from shardsmith.dataset.errors import RawDataError, printable
from shardsmith.dataset.workers import progress
from shardsmith.installation import remedy
from shardsmith.versions.record import add_raw
from shardsmith.workspace.log import Log
from shardsmith.workspace.paths import POINTER, RAW
from shardsmith.workspace.workspace import Workspace

MAX_IMAGE_BYTES = 100 * 10**6
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
SCHEMES = ("https", "http", "s3", "gs")  # what a file of annotations may name: never a local path
_PART = ".fetch.part"
_BLOCK = 1 << 20
_LISTED = 5  # files in a message


def fetch(workspace: Workspace, source: str, log: Log, add: bool = False, below: str = "") -> None:
    """Bring a folder, an archive, or either at a URL (http, s3, ... : what fsspec knows) to data/raw.

    A folder at a URL is imported by `dvc import-url`, so that `dvc update data/raw.dvc` refreshes it.

    Args:
        add: to what data/raw holds; a file that is there with the same content is left alone.
        below: a folder of data/raw that what comes goes into; "" for data/raw itself.

    Raises:
        RawDataError: data/raw holds something, or with `add` other content under the same name; or the source cannot
            be read.
        VersionError: dvc refuses.
    """
    raw = workspace.root / RAW
    if raw.exists() and (not raw.is_dir() or any(raw.iterdir())):
        if not add:
            raise RawDataError(f"{RAW}: holds something already; `--add` adds to it, or move it away first")
    else:
        add = False
    is_folder = "://" in source and not urlsplit(source).path.lower().endswith(ARCHIVES)
    if add and (is_folder or _is_imported(workspace)):
        raise RawDataError(
            f"{RAW}: a folder at an address is imported as a whole, so nothing can be added; download the new files, "
            "and fetch them into a workspace whose data was fetched from a folder or an archive"
        )
    with workspace.lock(log):
        if is_folder:
            if raw.exists():
                raw.rmdir()
            workspace.dvc("import-url", "--force", source, RAW, log=log)
            return
        with tempfile.TemporaryDirectory(prefix=".fetch.", dir=raw.parent) as folder:
            bring(source, Path(folder), log)
            if below:
                _put_below(Path(folder) / "raw", below)
            if add:
                log(f"{RAW}: {_merge(Path(folder) / 'raw', raw)} files added")
            else:
                replace_folder(Path(folder) / "raw", raw)
        add_raw(workspace, log)


def _is_imported(workspace: Workspace) -> bool:
    """Whether DVC brings data/raw from an address, and would replace what is added."""
    return (workspace.root / POINTER).exists() and "\ndeps:" in "\n" + workspace.read(POINTER)


def _merge(new: Path, raw: Path) -> int:
    """Move every file of `new` to its place below `raw`; returns how many were not there.

    Raises:
        RawDataError: a file is there with other content; then nothing is moved.
    """
    files = _files(new)
    there = [file for file in files if (raw / file).exists() or (raw / file).is_symlink()]
    if other := clashes(new, raw):
        listed = ", ".join(map(str, other[:_LISTED])) + (f" and {len(other) - _LISTED} more" * (len(other) > _LISTED))
        raise RawDataError(
            f"{RAW}: holds other content under the same name: {printable(listed)}; nothing was added. Rename those "
            "files in the source, or put them into a folder of their own there"
        )
    for file in (coming := sorted({*files} - {*there})):
        (raw / file).parent.mkdir(parents=True, exist_ok=True)
        (new / file).rename(raw / file)
    return len(coming)


def clashes(new: Path, raw: Path) -> list[Path]:
    """Files of a folder that another has with other content, by their places in it."""
    there = [file for file in _files(new) if (raw / file).exists() or (raw / file).is_symlink()]
    return [file for file in there if not _is_same(new / file, raw / file)]


def _files(folder: Path) -> list[Path]:
    return [path.relative_to(folder) for path in sorted(folder.rglob("*")) if not path.is_dir()]


def _put_below(folder: Path, name: str) -> None:
    part = folder.rename(folder.with_name("part"))
    folder.mkdir()
    part.rename(folder / name)


def _is_same(one: Path, other: Path) -> bool:
    return one.is_file() and other.is_file() and filecmp.cmp(one, other, shallow=False)


def fetch_images(workspace: Workspace, addresses: Iterable[tuple[str, str]], log: Log) -> int:
    """Download images that annotations name by URL into data/raw; returns how many came.

    Args:
        addresses: (file name, URL), as a file of annotations has them; a name that is there already is left alone, one
            that cannot be downloaded is logged.
    """
    raw = workspace.root / RAW
    came = 0
    there = {path.name for path in raw.iterdir()} if raw.is_dir() else set()
    wanted = [(name, url) for name, url in addresses if PurePosixPath(name).name not in there]
    with workspace.lock(log), progress(len(wanted), "fetch", "image") as bar:
        for name, url in wanted:
            try:
                _fetch_image(raw, name, url)
                came += 1
            except RawDataError as error:
                place = f"{printable(name)}: {shown_address(url)}"
                log(f"{place}: cannot be downloaded ({error}); put the image into {RAW} by hand")
            bar.update()
    return came


def _fetch_image(raw: Path, name: str, url: str) -> None:
    """
    Raises:
        RawDataError: a file of annotations may not give such an address or name, or it cannot be downloaded.
    """
    try:
        scheme = urlsplit(url).scheme
    except ValueError:
        scheme = ""
    if scheme not in SCHEMES or "::" in url:  # fsspec would open `https://x::file:///etc/passwd` in turn
        raise RawDataError(f"not an address of {', '.join(SCHEMES)}")
    file = PurePosixPath(name.replace("\\", "/")).name
    if file.startswith(".") or not file.isprintable() or not 0 < len(file.encode()) <= MAX_NAME_BYTES:
        raise RawDataError("no name that an image can have")
    part = raw / _PART
    try:
        _download(url, part, MAX_IMAGE_BYTES)
        part.replace(raw / file)
    finally:
        part.unlink(missing_ok=True)


def shown_address(url: str) -> str:
    """A URL for a message or log: without user, password and query, where secrets stand."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an invalid address"
    return printable(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}")


def bring(source: str, folder: Path, log: Log) -> None:
    """Leave what `source` holds in folder/raw.

    Raises:
        RawDataError: there is no such source, or it cannot be downloaded or unpacked.
    """
    path = Path(source)
    if "://" in source:
        path = folder / PurePosixPath(urlsplit(source).path).name
        log(f"downloading {shown_address(source)}")
        try:
            _download(source, path, MAX_BYTES)
        except RawDataError as error:
            raise RawDataError(f"{shown_address(source)}: cannot be downloaded ({error}); check the address") from None
    if path.is_dir():
        try:
            shutil.copytree(path, folder / "raw", symlinks=True)
        except shutil.Error as error:
            file, _, reason = error.args[0][0]
            raise RawDataError(f"{file}: cannot be copied ({reason})") from None
    elif path.is_file():
        (folder / "raw").mkdir()
        unpack(path, folder / "raw")
    else:
        raise RawDataError(f"{source}: no such folder or archive")


def _download(url: str, target: Path, max_bytes: int) -> None:
    """
    Raises:
        RawDataError: it cannot be had, in words without the address's secrets; or it is larger.
        OSError: our own disk is full.
    """
    import fsspec

    try:
        with fsspec.open(url, "rb") as stream, target.open("wb") as file:
            left = max_bytes
            while block := stream.read(_BLOCK):
                left -= len(block)
                if left < 0:
                    raise RawDataError(f"larger than {max_bytes / 1e6:,.0f} MB")
                file.write(block)
    except RawDataError:
        raise
    except Exception as error:  # each kind of store has errors of its own
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        missing = remedy(error.__cause__) if isinstance(error.__cause__, ModuleNotFoundError) else ""
        said = " ".join(str(error).split()) or type(error).__name__
        raise RawDataError(missing or printable(said.replace(url, shown_address(url)))) from None
