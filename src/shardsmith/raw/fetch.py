"""`shardsmith fetch`: bring raw data to data/raw for DVC to store. The only code of ours that touches the network."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from shardsmith.dataset.archive import MAX_BYTES, MAX_NAME_BYTES, replace_folder, unpack
from shardsmith.dataset.errors import RawDataError, printable
from shardsmith.dataset.workers import progress
from shardsmith.versions.record import add_raw
from shardsmith.workspace.log import Log
from shardsmith.workspace.paths import RAW
from shardsmith.workspace.workspace import Workspace

MAX_IMAGE_BYTES = 100 * 10**6
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_SCHEMES = ("https", "http", "s3", "gs")  # what a file of annotations may name: never a local path
_PART = ".fetch.part"
_BLOCK = 1 << 20


def fetch(workspace: Workspace, source: str, log: Log) -> None:
    """Bring a folder, an archive, or either at a URL (http, s3, ... : what fsspec knows) to data/raw.

    A folder at a URL is imported by `dvc import-url`, so that `dvc update data/raw.dvc` refreshes it.

    Raises:
        RawDataError: data/raw holds something, or the source cannot be had.
        VersionError: dvc refuses.
    """
    raw = workspace.root / RAW
    if raw.exists() and (not raw.is_dir() or any(raw.iterdir())):
        raise RawDataError(f"{RAW}: holds something already; move it away first, or add your files to it by hand")
    with workspace.lock(log):
        if "://" in source and not urlsplit(source).path.lower().endswith(_ARCHIVES):
            if raw.exists():
                raw.rmdir()
            workspace.dvc("import-url", "--force", source, RAW, log=log)
            return
        with tempfile.TemporaryDirectory(prefix=".fetch.", dir=raw.parent) as folder:
            _bring(source, Path(folder), log)
            replace_folder(Path(folder) / "raw", raw)
        add_raw(workspace, log)


def fetch_images(workspace: Workspace, addresses: Iterable[tuple[str, str]], log: Log) -> int:
    """Download images that annotations name by URL into data/raw; returns how many came.

    Args:
        addresses: (file name, URL), as a file of annotations has them; a name that is there already is left alone, one
            that cannot be had is logged.
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
            except (OSError, ValueError, RawDataError) as error:
                reason = printable(str(error).replace(url, shown_address(url)))
                place = f"{printable(name)}: {shown_address(url)}"
                log(f"{place}: cannot be downloaded ({reason}); put the image into {RAW} by hand")
            bar.update()
    return came


def _fetch_image(raw: Path, name: str, url: str) -> None:
    """
    Raises:
        RawDataError: the address or the name is not one that a file of annotations may give.
        OSError, ValueError: it cannot be downloaded.
    """
    if urlsplit(url).scheme not in _SCHEMES or "::" in url:  # fsspec would open `https://x::file:///etc/passwd` in turn
        raise RawDataError(f"not an address of {', '.join(_SCHEMES)}")
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


def _bring(source: str, folder: Path, log: Log) -> None:
    """Leave what `source` holds in folder/raw."""
    path = Path(source)
    if "://" in source:
        path = folder / PurePosixPath(urlsplit(source).path).name
        log(f"downloading {shown_address(source)}")
        try:
            _download(source, path, MAX_BYTES)
        except (OSError, ValueError, ImportError) as error:
            reason = str(error).replace(source, shown_address(source))
            raise RawDataError(f"{shown_address(source)}: cannot be downloaded ({reason}); check the address") from None
    if path.is_dir():
        shutil.copytree(path, folder / "raw", symlinks=True)
    elif path.is_file():
        (folder / "raw").mkdir()
        unpack(path, folder / "raw")
    else:
        raise RawDataError(f"{source}: no such folder or archive")


def _download(url: str, target: Path, max_bytes: int) -> None:
    import fsspec

    with fsspec.open(url, "rb") as stream, target.open("wb") as file:
        left = max_bytes
        while block := stream.read(_BLOCK):
            left -= len(block)
            if left < 0:
                raise RawDataError(f"larger than {max_bytes / 1e6:,.0f} MB")
            file.write(block)
