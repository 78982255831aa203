"""Good copies of objects: a store that lacks one, or has it damaged, gets it from wherever it is whole."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from shardsmith.dataset.errors import VersionError
from shardsmith.store.objects import Seen, explain, hash_file, hash_folder, run_parallel
from shardsmith.store.pulled import listing_bytes, tree_hash
from shardsmith.store.store import Store
from shardsmith.workspace.retry import FULL


class Source(Protocol):
    """What may have a good copy."""

    @property
    def name(self) -> str: ...

    def read(self, md5: str, into: Path | None = None) -> Seen:
        """Read an object to its end and hash it, and write it to `into`."""
        ...


class Files:
    """A folder's files, as copies of the objects that DVC has of them; the list of its files too."""

    def __init__(self, name: str, folder: Path, listing: str, files: Mapping[str, str]) -> None:
        """
        Args:
            name: for people.
            listing: the object that is the list of its files.
            files: path below the folder -> object.
        """
        self.name, self._folder, self._listing = name, folder, listing
        self._places = {md5: folder / path for path, md5 in files.items()}

    def read(self, md5: str, into: Path | None = None) -> Seen:
        try:
            if md5 == self._listing:
                seen = hash_folder(self._folder, f"reading {self.name}")
                files = {file: one.md5 for file, one in seen.items()}
                if into:
                    into.write_bytes(listing_bytes(files))
                return Seen(tree_hash(files), len(listing_bytes(files)))
            place = self._places.get(md5)
            if place is None or not place.is_file():
                return Seen()
            if into:
                shutil.copyfile(place, into)
            return hash_file(into or place)
        except OSError as error:
            if into and error.errno in FULL:
                raise VersionError(f"{into}: {explain(error)}; free some space and try again") from error
            return Seen(problem=explain(error))


class Lists:
    """Lists of files that stand elsewhere than in a store, as the release record has that of the export."""

    def __init__(self, name: str, files: Mapping[str, str]) -> None:
        self.name, self._files = name, files

    def read(self, md5: str, into: Path | None = None) -> Seen:
        seen = Seen(tree_hash(self._files)) if md5.endswith(".dir") else Seen()
        if into and seen.md5 == md5:
            into.write_bytes(listing_bytes(self._files))
        return seen


def find(objects: Iterable[str], sources: Sequence[Source]) -> dict[str, str]:
    """The first source that has an object whole: object -> its name."""
    found = {md5: next((one.name for one in sources if _has(one, md5)), "") for md5 in sorted(set(objects))}
    return {md5: name for md5, name in found.items() if name}


def bring(target: Store, objects: Iterable[str], sources: Sequence[Source], scratch: Path) -> dict[str, str]:
    """Write objects into a store, each from the first source that has it whole; object -> that source's name.

    Args:
        scratch: a folder on a disk with room for some objects.

    Raises:
        VersionError: the store or `scratch` cannot be written.
    """
    if not (listed := sorted(set(objects))):
        return {}
    try:
        scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="shardsmith-", dir=scratch) as folder:
            work = partial(_bring_one, target, sources, Path(folder))
            came = run_parallel(work, listed, target.jobs, f"writing {target.name}", "object")
    except OSError as error:
        raise VersionError(f"{scratch}: {explain(error)}; free some space and try again") from error
    return {md5: name for md5, name in zip(listed, came, strict=True) if name}


def _bring_one(target: Store, sources: Sequence[Source], folder: Path, md5: str) -> str:
    """The name of the source it came from; "" for none."""
    part = folder / md5
    source = next((source for source in sources if _has(source, md5, part)), None)
    if source:
        target.write(md5, part)
    part.unlink(missing_ok=True)
    return source.name if source else ""


def _has(source: Source, md5: str, into: Path | None = None) -> bool:
    """Whether a source has an object whole; one that cannot be read has none.

    Raises:
        VersionError: the disk of `into` is full.
    """
    try:
        return source.read(md5, into).md5 == md5
    except VersionError as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno in FULL:
            raise
        return False
