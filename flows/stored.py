"""Where DVC keeps a version's bytes, the cache here and the remote: objects are read as they are, and hashed.

The only module that imports dvc, beside `repository.py`, which runs it: DVC hands out a damaged object without a word,
so what proves a version must not ask DVC for its files. What it takes from DVC is where an object lies, and the file
system to read it with: every kind of remote works, with the credentials and the `endpointurl` that DVC uses.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO, TypeVar

from flows.addresses import without_secrets
from flows.patience import patiently
from flows.repository import Workspace
from stages.dataset.errors import VersionError
from stages.dataset.workers import progress, worker_count
from stages.dataset.yaml_text import YamlError, load_yaml

_BLOCK = 4 << 20
_REMOTE_JOBS = 16  # requests at once: waiting, not computing
Result = TypeVar("Result")


@dataclass(frozen=True)
class Seen:
    """What was found where an object or a file should be: its MD5 and size, or why there is none."""

    md5: str = ""
    size: int = 0
    problem: str = ""

    @property
    def missing(self) -> bool:
        return not self.md5 and not self.problem


class Store:
    """A store of DVC: an object's name is the MD5 of its bytes, with `.dir` at its end where they list a folder.

    Each request is tried again before it fails; FileNotFoundError is an answer.
    """

    def __init__(self, name: str, objects: Any, jobs: int) -> None:
        self.name, self._objects, self.jobs = name, objects, jobs
        self._opening, self._is_open = Lock(), False

    @property
    def _fs(self) -> Any:
        """DVC's file system. Opened by one thread: else each that asks first makes a client, one after the other."""
        with self._opening:
            if not self._is_open:
                with suppress(Exception):  # who reads will hear of it
                    self._objects.fs.fs  # noqa: B018
                self._is_open = True
        return self._objects.fs

    def place(self, md5: str) -> str:
        """Where an object lies, in words that its file system understands."""
        place = self._objects.fs.unstrip_protocol(self._objects.oid_to_path(md5))
        return without_secrets(place).removeprefix("file://")

    def path(self, md5: str) -> Path | None:
        """An object's file; None where it is not there (of the cache only)."""
        path = Path(self._objects.oid_to_path(md5))
        return path if path.is_file() else None

    def holds(self, md5s: Iterable[str]) -> set[str]:
        """Which of the objects are there, by name alone."""
        return {md5 for md5, size in self.sizes(md5s).items() if size is not None}

    def read(self, md5: str, into: Path | None = None) -> Seen:
        """Read an object to its end and hash it; with `into`, write it there too."""
        seen = read_object(self._fs, self._objects.oid_to_path(md5), into)
        return replace(seen, md5=f"{seen.md5}.dir") if seen.md5 and md5.endswith(".dir") else seen

    def listing(self, md5: str) -> tuple[dict[str, str], Seen]:
        """The files of a folder, path below it -> MD5, and what was found in the object that lists them."""
        if (text := self._cat(self._objects.oid_to_path(md5))) is None:
            return {}, Seen()
        seen = Seen(hashlib.md5(text, usedforsecurity=False).hexdigest() + ".dir", len(text))
        return ({entry["relpath"]: entry["md5"] for entry in json.loads(text)} if seen.md5 == md5 else {}), seen

    def sizes(self, md5s: Iterable[str]) -> dict[str, int | None]:
        """Each object's size in bytes; None where it is not there."""
        listed = list(md5s)
        found = run_parallel(self._size, listed, self.jobs, f"looking into {self.name}", "object")
        return dict(zip(listed, found, strict=True))

    def _size(self, md5: str) -> int | None:
        try:
            return int(self._ask(lambda: self._fs.info(self._objects.oid_to_path(md5)), "read")["size"])
        except FileNotFoundError:
            return None

    def read_file(self, path: str) -> bytes | None:
        """A file beside the objects' folder; None where it is not there."""
        return self._cat(self._beside(path))

    def _cat(self, place: str) -> bytes | None:
        try:
            return self._ask(lambda: self._fs.cat_file(place), "read")
        except FileNotFoundError:
            return None

    def write(self, md5: str, path: Path) -> None:
        """Put an object there, whatever is there under its name."""
        self._ask(lambda: self._put(path, self._objects.oid_to_path(md5)), "written")

    def write_file(self, path: str, data: bytes) -> None:
        """Write a file beside the objects' folder."""
        with tempfile.TemporaryDirectory(prefix="shardsmith-") as folder:
            whole = Path(folder) / "file"
            whole.write_bytes(data)  # a file system puts a file in one step, where it writes bytes in two
            self._ask(lambda: self._put(whole, self._beside(path)), "written")

    def _put(self, path: Path, place: str) -> None:
        fs = self._fs
        fs.makedirs(fs.parent(place), exist_ok=True)
        fs.put_file(str(path), place)

    def _beside(self, path: str) -> str:
        fs = self._objects.fs
        return fs.join(fs.parent(fs.parent(self._objects.path)), path)  # above files/md5

    def _ask(self, work: Callable[[], Any], done: str) -> Any:
        """
        Raises:
            FileNotFoundError: what is to be read is not there.
            VersionError: for whatever else the file system raises.
        """

        def explained() -> Any:
            try:
                return work()
            except Exception as error:  # each kind of remote has errors of its own
                if isinstance(error, FileNotFoundError) and done == "read":
                    raise
                check = "check its address and your access"
                raise VersionError(f"{self.name}: cannot be {done} ({explain(error)}); {check}") from error

        return patiently(explained, self.name)


class Stores:
    """The cache of a workspace, and its default remote if it has one."""

    def __init__(self, repo: Any) -> None:
        self._repo = repo
        self.cache = Store("the cache", repo.cache.local, worker_count())
        self.jobs = _REMOTE_JOBS

    @cached_property
    def remote(self) -> Store | None:
        """Opened when it is asked for: who only looks into the cache needs no credentials.

        Raises:
            VersionError: it is configured in a way that DVC cannot read.
        """
        from dvc.exceptions import DvcException

        name = self._repo.config["core"].get("remote")
        if not name:
            return None
        try:
            return Store(f"the remote {name!r}", self._repo.cloud.get_remote_odb(name, "verify"), _REMOTE_JOBS)
        except DvcException as error:
            raise VersionError(f"the DVC remote {name!r}: {error}; see `dvc remote list`") from None

    def listing(self, md5: str) -> dict[str, str] | None:
        """The files of a folder, from the cache, else the remote; None where neither has the listing unharmed."""
        listed, seen = self.cache.listing(md5)
        if seen.md5 != md5 and self.remote:
            listed, seen = self.remote.listing(md5)
        return listed if seen.md5 == md5 else None

    def fetch(self, md5: str, into: Path) -> Seen:
        """Write an object, from the cache, else the remote; what was found is that of the last one tried."""
        seen = self.cache.read(md5, into)
        if seen.md5 != md5 and self.remote:
            seen = self.remote.read(md5, into)
        return seen


@contextmanager
def open_stores(workspace: Workspace) -> Iterator[Stores]:
    """
    Raises:
        VersionError: DVC cannot open the workspace.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        repo = Repo(str(workspace.root))
    except DvcException as error:
        raise VersionError(f"{workspace.root}: {error}") from None
    with repo:
        yield Stores(repo)


def is_readable(path: Path) -> bool:
    """Whether DVC can read its own dvc.lock or .dvc file: it does not write one in one step."""
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA, COMPILED_SINGLE_STAGE_SCHEMA
    from voluptuous import Invalid

    try:
        content = load_yaml(path.read_text(encoding="utf-8"))
        if path.suffix == ".dvc":  # its schema does without the path, which comes last; what reads it does not
            return COMPILED_SINGLE_STAGE_SCHEMA(content)["outs"][0]["path"] == path.stem
        return bool(COMPILED_LOCKFILE_SCHEMA(content))
    except (YamlError, Invalid, UnicodeDecodeError, KeyError, TypeError, IndexError):
        return False


def read_objects(store: Store, md5s: Iterable[str], into: Mapping[str, Path] | None = None) -> dict[str, Seen]:
    """Read and hash many objects at once, with a progress bar; those in `into` are written there too."""
    listed, paths = sorted(set(md5s)), into or {}
    read = [(md5, paths.get(md5)) for md5 in listed]
    seen = run_parallel(lambda one: store.read(*one), read, store.jobs, f"reading {store.name}", "object")
    return dict(zip(listed, seen, strict=True))


def read_object(fs: Any, place: str, into: Path | None = None) -> Seen:
    """Read what lies at a place of a file system (fsspec's, or DVC's) to its end and hash it; see Store.read.

    What fails is tried again; what is not there, or ends too early, is not.
    """
    try:
        return patiently(partial(_read_once, fs, place, into), place)
    except FileNotFoundError:
        return Seen()
    except VersionError as error:
        return Seen(problem=str(error))


def _read_once(fs: Any, place: str, into: Path | None) -> Seen:
    try:
        with fs.open(place, "rb", block_size=_BLOCK) as source:
            if into:
                into.parent.mkdir(parents=True, exist_ok=True)
            with into.open("wb") if into else nullcontext() as target:
                return hash_stream(source, target)
    except FileNotFoundError:
        raise
    except Exception as error:  # each kind of remote has errors of its own
        raise VersionError(explain(error)) from error


def hash_folder(folder: Path, label: str) -> dict[str, Seen]:
    """Path below the folder -> what its file holds."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    seen = run_parallel(hash_file, paths, worker_count(), label, "file")
    return {path.relative_to(folder).as_posix(): found for path, found in zip(paths, seen, strict=True)}


def hash_file(path: Path) -> Seen:
    try:
        with path.open("rb") as stream:
            return hash_stream(stream)
    except OSError as error:
        return Seen(problem=explain(error))


def hash_stream(source: BinaryIO, target: BinaryIO | None = None) -> Seen:
    """Read to the end; memory does not grow with the file."""
    digest, size = hashlib.md5(usedforsecurity=False), 0
    while block := source.read(_BLOCK):
        digest.update(block)
        size += len(block)
        if target:
            target.write(block)
    return Seen(digest.hexdigest(), size)


def run_parallel(work: Callable[[Any], Result], items: list[Any], jobs: int, label: str, unit: str) -> list[Result]:
    """work(item) for each item in threads, in order: hashing and waiting let other threads run."""
    pool = ThreadPoolExecutor(max(1, min(jobs, len(items))))
    try:
        with progress(len(items), label, unit) as bar:
            results = []
            for result in pool.map(work, items):
                results.append(result)
                bar.update()
            return results
    finally:
        pool.shutdown(wait=True, cancel_futures=True)  # after Ctrl-C what waits is not begun


def explain(error: BaseException) -> str:
    """What an error says, in one line; its name where it says nothing."""
    return " ".join(str(error).split())[:200] or type(error).__name__
