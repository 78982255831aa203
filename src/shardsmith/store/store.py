"""A store of objects, each named by the MD5 of its bytes: DVC's cache, its remote, or a bare address.

Objects are read as they lie there, and hashed: DVC hands out a damaged object without a word, so what proves a version
must not ask DVC for its files. What is taken from DVC is where a remote is, and the file system to read it with: every
kind of remote works, with the credentials and the `endpointurl` that DVC uses.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import unquote

from shardsmith.dataset.errors import VersionError
from shardsmith.dataset.workers import worker_count
from shardsmith.installation import remedy
from shardsmith.store.objects import BLOCK, Seen, explain, hash_stream, run_parallel
from shardsmith.workspace.addresses import clean, without_secrets
from shardsmith.workspace.retry import is_final, retried

_REMOTE_JOBS = 16  # requests at once: waiting, not computing
_MARKS = ("ETag", "etag", "LastModified", "last_modified", "updated", "mtime")  # of the kinds of file system


@dataclass(frozen=True)
class Entry:
    """What a store says of an object that it has, unread.

    mark: its size in bytes and its time, which are others when it was written anew. etag: of S3, which makes it of the
    bytes that came; else "".
    """

    size: int
    mark: str
    etag: str = ""


class Store:
    """Objects at ROOT/files/md5, as DVC lays them out; a name that ends in `.dir` is that of a folder's list of files.

    Each request is tried again before it fails; FileNotFoundError is an answer.
    """

    def __init__(self, name: str, fs: Any, objects: str, jobs: int, address: str = "") -> None:
        """
        Args:
            name: for people.
            fs: a file system of fsspec's, or DVC's.
            objects: the folder of the objects, in words that the file system understands.
            jobs: requests at once.
            address: as the user gave it, whose secrets no message shows.
        """
        self.name, self.jobs = name, jobs
        self._file_system, self._objects, self._address = fs, objects, address
        self._opening, self._is_open = Lock(), False

    @classmethod
    def cache(cls, folder: Path) -> Store:
        """DVC's cache on this machine."""
        from fsspec.implementations.local import LocalFileSystem

        return cls("the cache", LocalFileSystem(), str(folder / "files" / "md5"), worker_count())

    @classmethod
    def remote(cls, name: str, fs: Any, objects: str) -> Store:
        """A remote of DVC's."""
        return cls(f"the remote {name!r}", fs, objects, _REMOTE_JOBS)

    @classmethod
    def bare(cls, address: str) -> Store:
        """What lies at an address, as DVC has it: a folder, s3://bucket/path, ...; without DVC and its settings.

        Raises:
            VersionError: no file system can be made for it.
        """
        import fsspec

        try:
            options = {"skip_instance_cache": True} if "://" in address else {}
            fs, root = fsspec.core.url_to_fs(address, **options)
        except Exception as error:  # each kind of address has errors of its own
            if isinstance(error.__cause__, ModuleNotFoundError) and remedy(error.__cause__):
                raise error.__cause__ from None
            raise _unreadable(f"--remote {without_secrets(address)}", error, address) from error
        return cls(f"--remote {without_secrets(address)}", fs, f"{root}/files/md5", _REMOTE_JOBS, address)

    @property
    def _fs(self) -> Any:
        """The file system. Opened by one thread: else each that asks first makes a client, one after the other."""
        with self._opening:
            if not self._is_open:
                with suppress(Exception):  # who reads will hear of it
                    self._file_system.fs  # noqa: B018
                self._is_open = True
        return self._file_system

    def place(self, md5: str) -> str:
        """Where an object lies, for people."""
        return without_secrets(self._file_system.unstrip_protocol(self._at(md5))).removeprefix("file://")

    def path(self, md5: str) -> Path | None:
        """An object's file; None where it is not there (of the cache only)."""
        path = Path(self._at(md5))
        return path if path.is_file() else None

    def holds(self, md5s: Iterable[str]) -> set[str]:
        """Which of the objects are there, by name alone."""
        return {md5 for md5, entry in self.entries(md5s).items() if entry}

    def sizes(self, md5s: Iterable[str]) -> dict[str, int | None]:
        """Each object's size in bytes; None where it is not there."""
        return {md5: entry.size if entry else None for md5, entry in self.entries(md5s).items()}

    def entries(self, md5s: Iterable[str]) -> dict[str, Entry | None]:
        """Of each object, without reading it; None where it is not there."""
        listed = list(md5s)
        found = run_parallel(self._entry, listed, self.jobs, f"looking into {self.name}", "object")
        return dict(zip(listed, found, strict=True))

    def read(self, md5: str, into: Path | None = None) -> Seen:
        """Read an object to its end and hash it; with `into`, write it there too.

        Raises:
            VersionError: no try can help: access is denied, or our own disk is full.
        """
        return self._seen(lambda: self._read_once(md5, into))

    def fetch(self, md5: str, into: Path) -> Seen:
        """As `read`; what comes with another hash is a fault of the way, and is asked for again.

        Raises:
            VersionError: no try can help.
        """
        last = Seen()

        def right() -> Seen:
            nonlocal last
            last = self._read_once(md5, into)
            if last.md5 != md5:
                raise VersionError(f"{self.name}: {md5} came as {last.md5}")
            return last

        seen = self._seen(right)
        return last if seen.problem and last.md5 else seen

    def read_many(self, md5s: Iterable[str], into: Mapping[str, Path] | None = None) -> dict[str, Seen]:
        """Read and hash many objects at once, with a progress bar; those in `into` are written there too."""
        listed, paths = sorted(set(md5s)), into or {}
        read = [(md5, paths.get(md5)) for md5 in listed]
        seen = run_parallel(lambda one: self.read(*one), read, self.jobs, f"reading {self.name}", "object")
        return dict(zip(listed, seen, strict=True))

    def load(self, md5: str) -> bytes | None:
        """A small object's bytes; None where it is not there, or is not what its name says."""
        data = self._cat(self._at(md5))
        is_whole = data and hashlib.md5(data, usedforsecurity=False).hexdigest() == md5.removesuffix(".dir")
        return data if is_whole else None

    def read_file(self, path: str) -> bytes | None:
        """A file beside the objects' folder; None where it is not there."""
        return self._cat(self._beside(path))

    def list_files(self, folder: str) -> list[str]:
        """The names of the files in a folder beside the objects'; [] where there is none."""
        try:
            listed = self._ask(lambda: self._fs.ls(self._beside(folder), detail=False), "read")
        except FileNotFoundError:
            return []
        names = (Path(path).name for path in listed)
        over_http = "http" in str(self._file_system.protocol)  # whose lists are links of a page
        return sorted(unquote(name) if over_http else name for name in names)

    def write(self, md5: str, path: Path) -> None:
        """Put an object there, whatever is there under its name."""
        self._ask(lambda: self._put(path, self._at(md5)), "written")

    def remove(self, md5: str) -> None:
        """Remove an object that is there."""
        self._ask(lambda: self._fs.rm_file(self._at(md5)), "changed")

    def write_file(self, path: str, data: bytes) -> None:
        """Write a file beside the objects' folder."""
        with tempfile.TemporaryDirectory(prefix="shardsmith-") as folder:
            whole = Path(folder) / "file"
            whole.write_bytes(data)  # a file system puts a file in one step, where it writes bytes in two
            self._ask(lambda: self._put(whole, self._beside(path)), "written")

    def _at(self, md5: str) -> str:
        return f"{self._objects}/{md5[:2]}/{md5[2:]}"

    def _beside(self, path: str) -> str:
        return f"{self._objects.removesuffix('/files/md5')}/{path}"

    def _seen(self, work: Callable[[], Seen]) -> Seen:
        try:
            return retried(work, self.name)
        except FileNotFoundError:
            return Seen()
        except VersionError as error:
            if is_final(error) and self.name != "the cache":
                raise
            return Seen(problem=str(error))

    def _read_once(self, md5: str, into: Path | None) -> Seen:
        try:
            with self._fs.open(self._at(md5), "rb", block_size=BLOCK) as source:
                if into:
                    into.parent.mkdir(parents=True, exist_ok=True)
                with into.open("wb") if into else nullcontext() as target:
                    seen = hash_stream(source, target)
        except FileNotFoundError:
            raise
        except Exception as error:  # each kind of store has errors of its own
            raise VersionError(clean(explain(error), self._address)) from error
        return replace(seen, md5=f"{seen.md5}.dir") if md5.endswith(".dir") else seen

    def _entry(self, md5: str) -> Entry | None:
        try:
            info = self._ask(lambda: self._fs.info(self._at(md5)), "read")
        except FileNotFoundError:
            return None
        mark = " ".join(str(info[key]) for key in ("size", *_MARKS) if key in info)
        etag = str(info.get("ETag", "")).strip('"') if self._speaks("s3") else ""
        return Entry(int(info["size"] or 0), mark, etag)

    def _speaks(self, protocol: str) -> bool:
        spoken = self._file_system.protocol
        return protocol in ((spoken,) if isinstance(spoken, str) else spoken)

    def _cat(self, place: str) -> bytes | None:
        try:
            return self._ask(lambda: self._fs.cat_file(place), "read")
        except FileNotFoundError:
            return None

    def _put(self, path: Path, place: str) -> None:
        fs = self._fs
        fs.makedirs(place.rpartition("/")[0], exist_ok=True)
        if not self._speaks("local"):
            fs.put_file(str(path), place)
            return
        target = Path(place)
        part = target.with_name(f".{target.name}.tmp")  # which recovery.py knows
        try:
            shutil.copyfile(path, part)
            if self._objects in place:
                part.chmod(0o444)  # as DVC has them
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)

    def _ask(self, work: Callable[[], Any], done: str) -> Any:
        """
        Raises:
            FileNotFoundError: what is to be read is not there.
            VersionError: for whatever else the file system raises.
        """

        def explained() -> Any:
            try:
                return work()
            except Exception as error:  # each kind of store has errors of its own
                if isinstance(error, FileNotFoundError) and done == "read":
                    raise
                raise _unreadable(self.name, error, self._address, done) from error

        return retried(explained, self.name)


def _unreadable(name: str, error: Exception, address: str, done: str = "read") -> VersionError:
    return VersionError(
        f"{name}: cannot be {done} ({clean(explain(error), address)}); check its address and your access"
    )
