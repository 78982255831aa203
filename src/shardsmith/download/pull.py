"""Pull a version by name: what data/export held, each file checked against its recorded hash, and a VERSION.json.

Or a part of it: in another format, some splits, some classes (pull_part.py); as a folder or one zip file. From a
workspace's repository, here or at an address, or from the DVC remote alone (sources.py).
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shardsmith.dataset.archive import pack, zip_path
from shardsmith.dataset.errors import VersionError
from shardsmith.download.source import VersionSource, add, bring, open_source
from shardsmith.download.zip import format_readme, read_zip
from shardsmith.store.pulled import (  # fmt: skip
    PAGE_FILE,
    README,
    RECORD,
    foreign_files,
    hash_files,
    note,
    part_of,
    read_record,
    stored_files,
    tree_hash,
)
from shardsmith.versions.page import stamped
from shardsmith.workspace.log import Log
from shardsmith.workspace.paths import EXPORT
from shardsmith.workspace.workspace import Workspace

if TYPE_CHECKING:
    from shardsmith.download.selection import Part


@dataclass(frozen=True)
class WantedPart:
    """What of a version is asked for: all of it by default, without its page. See `tools.part.choose_part`."""

    format: str | None = None
    splits: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    zipped: bool = False
    page: bool = False
    masks: bool = False

    @property
    def is_part(self) -> bool:
        return bool(self.format or self.splits or self.classes or self.masks)


_ALL = WantedPart()


def pull(
    name: str,
    out: Path | None,
    log: Log,
    repo: str | None = None,
    remote: str | None = None,
    force: bool = False,
    wanted: WantedPart = _ALL,
    strict: bool = False,
) -> dict[str, Any]:
    """Bring a version into `out`, by default a folder here of its name; returns what VERSION.json says.

    Files arrive in a folder beside `out`, which is moved into place once every one is checked; what is there from an
    interrupted pull is not fetched again. What already holds this very version, or part, is left as it is.

    Args:
        repo, remote: see `open_source`.
        force: replace what is there and is something else.
        strict: a folder with a file that is not of the version holds something else, whatever that file is.

    Raises:
        ShardsmithError: no such version, format or class, its data cannot be had, or `out` holds something else.
    """
    with open_source(name, repo, remote) as source:
        out = (out or default_folder(name, source.record)).absolute()
        place = zip_path(out) if wanted.zipped else out
        if tree_hash(source.files) != source.record["hashes"][EXPORT]:
            raise VersionError(f"{source.tag}: the list of its files contradicts itself; publish it again")
        if wanted.page and source.page is None:
            raise VersionError(f"{source.tag}: has no page, here or in what was published of it; leave out --page")
        part = _part(source, wanted)
        if place.exists() and any(place.iterdir() if place.is_dir() else [place]):
            if held := _held(place, source, part, wanted, strict):
                record, foreign = held
                log(f"{place} already holds {source.tag}{note(foreign)}")
                return record
            if not force:
                raise VersionError(f"{place}: holds something else than {source.tag}; choose another place, or --force")
        folder = place.with_name(f".{place.name}.part")
        coming = place.with_name(f".{place.name}.coming") if wanted.zipped else folder
        try:
            record = _bring(source, part, folder, wanted, log)
            if wanted.zipped:
                pack(folder, coming)
            if place.is_dir() and not place.is_symlink():
                shutil.rmtree(place)
            elif place.exists():
                place.unlink()
            coming.rename(place)
        finally:
            if wanted.zipped:
                coming.unlink(missing_ok=True)
            if part:
                shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
    return record


def default_folder(name: str, record: Mapping[str, Any]) -> Path:
    """For what was pulled as NAME or DATASET@NAME, or by a word for the newest."""
    return Path(str(record["tag" if "@" in name else "name"]).replace("/", "-"))


def _part(source: VersionSource, wanted: WantedPart) -> Part | None:
    if not wanted.is_part:
        return None
    from shardsmith.download.selection import choose_part

    return choose_part(source.files, wanted.format, wanted.splits, wanted.classes, wanted.masks)


def _bring(source: VersionSource, part: Part | None, folder: Path, wanted: WantedPart, log: Log) -> dict[str, Any]:
    """Everything that goes into `folder`; returns what VERSION.json says.

    Of a part or a zip it says the same, whichever way it came: a repository knows more of a version than the remote.
    """
    page = {PAGE_FILE: source.page} if wanted.page and source.page else {}
    files = dict(sorted({**source.files, **page}.items()))
    if not part and not wanted.zipped:
        bring(source, files, folder)
        return _write_record(folder, {**source.record, **_stamp_page(source, folder, files)})
    from shardsmith.download.images import count_rows
    from shardsmith.download.part import add_label_map, bring_part
    from shardsmith.download.selection import in_words

    if part:
        said = bring_part(source, part, folder, log)
        add(source, page, folder)
    else:
        bring(source, files, folder)
        said = count_rows(folder)
    record = {key: source.record[key] for key in ("tag", "dataset", "name", "commit")}
    record |= {"created": source.committed, "hashes": source.record["hashes"], **said}
    record |= {key: value for key, value in _stamp_page(source, folder, page).items() if key == "page"}
    add_label_map(source, folder)
    if wanted.zipped:
        text = format_readme(record, sorted(path.name for path in folder.iterdir()), in_words(part) if part else "")
        (folder / README).write_text(text, encoding="utf-8")
    return _write_record(folder, record | {"files": hash_files(folder)})


def _stamp_page(source: VersionSource, folder: Path, files: Mapping[str, str]) -> dict[str, Any]:
    """The page that came gets the version's name on it: `page`, the MD5 it came with, and `files` as they are now."""
    if PAGE_FILE not in files:
        return {"files": dict(files)}
    page = folder / PAGE_FILE
    data = stamped(page.read_bytes(), source.tag, source.committed, source.record["commit"])
    page.write_bytes(data)
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return {"page": files[PAGE_FILE], "files": {**files, PAGE_FILE: md5}}


def _write_record(folder: Path, record: dict[str, Any]) -> dict[str, Any]:
    (folder / RECORD).write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return record


def _held(
    place: Path, source: VersionSource, part: Part | None, wanted: WantedPart, strict: bool
) -> tuple[dict[str, Any], list[str]] | None:
    """What VERSION.json there says, where that and every file are what would be brought, and the files that are not of
    the version; else None.
    """
    record, hashes = read_zip(place, RECORD) if wanted.zipped else (read_record(place), hash_files(place))
    if record.get("commit") != source.record["commit"] or part_of(record) != (part.asked() if part else None):
        return None
    files = record.get("files")
    foreign = [] if strict or not isinstance(files, dict) else foreign_files(hashes, files)
    hashes = {file: md5 for file, md5 in hashes.items() if file not in foreign}
    if record.get("page", hashes.get(PAGE_FILE)) != (source.page if wanted.page else None):
        return None
    is_same = hashes == files and (part is not None or stored_files(hashes) == source.files)
    return (record, foreign) if is_same else None


def pull_version(
    name: str,
    out: str | Path,
    *,
    workspace: str | Path | None = None,
    repo: str | None = None,
    remote: str | None = None,
    format: str | None = None,
    splits: Sequence[str] = (),
    classes: Sequence[str] = (),
    zipped: bool = False,
    page: bool = False,
    force: bool = False,
    strict: bool = False,
    masks: bool = False,
) -> dict[str, Any]:
    """Bring a version, or a part of it, into a folder; every file is checked.

    Args:
        name: DATASET@NAME or NAME.
        out: the folder, or with `zipped` the file, to make.
        workspace: the workspace that has it; the one here by default.
        repo: the path or URL of a workspace's repository.
        remote: the address of a DVC remote to pull from alone, for example s3://bucket/path.
        format: in this format, made of what is stored; as stored by default.
        splits: only these.
        classes: only objects of these, and the images that have one.
        zipped: one file instead of a folder.
        page: the version's page, too.
        force: replace what is there and is something else.
        strict: a folder with a file that is not of the version holds something else, whatever that file is.
        masks: a mask for each object with an outline, also where the version was built without.

    Returns:
        what VERSION.json says of it.

    Raises:
        ShardsmithError: no such version, format or class, or `out` holds something else.
    """
    if not (repo or remote):
        repo = str(Workspace.find(Path(workspace) if workspace else None).root)
    wanted = WantedPart(format, tuple(splits), tuple(classes), zipped, page, masks)
    return pull(name, Path(out), lambda _: None, repo, remote, force, wanted, strict)
