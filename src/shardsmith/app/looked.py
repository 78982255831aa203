"""The images of the raw data or of a version, ready to be searched and drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlencode

from shardsmith.app import pictures
from shardsmith.app.opened import Dataset
from shardsmith.app.raw import raw_looked
from shardsmith.app.taken import Taken
from shardsmith.dataset.manifest import Annotation, Image, Manifest
from shardsmith.inspect.recorded import fetch_object, read_recorded
from shardsmith.inspect.search import Searchable
from shardsmith.versions.version import find_version


@dataclass(frozen=True)
class Looked:
    """The images of the raw data, or of a version; files: sha256 -> a path, or in a version an MD5."""

    tables: Searchable
    colours: dict[str, int]
    files: dict[str, str]


def looked_of(dataset: Dataset, of: str) -> Looked | None:
    """Of a version by its name, or with "" of the raw data; None where that is not taken in yet.

    Raises:
        ShardsmithError: no such version, or its tables are in no store.
    """
    if of:
        return _of_version(dataset.root, find_version(dataset.workspace, of).tag, dataset)
    taken = raw_looked(dataset)
    return _of_raw(taken.folder) if taken.is_there else None


@lru_cache(4)
def _of_raw(folder: Path) -> Looked:
    taken = Taken(folder)
    manifest, valid = taken.manifest(), taken.valid().images
    splits = dict(zip(valid["image_id"].to_pylist(), valid["split"].to_pylist(), strict=True))
    rows = [replace(image, split=splits.get(image.image_id)) for image in manifest.image_rows()]
    tables = Searchable(Manifest(Manifest.of(rows, []).images, manifest.annotations), taken.findings())
    return Looked(tables, _places(taken.classes), {row.sha256: row.path for row in rows})


@lru_cache(4)
def _of_version(_root: Path, tag: str, dataset: Dataset) -> Looked:
    recorded = read_recorded(dataset.workspace, find_version(dataset.workspace, tag))
    rows = zip(*(recorded.manifest.images[name].to_pylist() for name in ("sha256", "path")), strict=True)
    files = {sha256: recorded.objects[path] for sha256, path in rows if path in recorded.objects}
    labels = sorted(set(recorded.manifest.annotations["label"].to_pylist()))
    return Looked(Searchable(recorded.manifest, recorded.findings), _places(labels), files)


def _places(classes: list[str]) -> dict[str, int]:
    return {name: place for place, name in enumerate(classes)}


def picture_in(
    dataset: Dataset, looked: Looked, of: str, image: Image, own: Sequence[Annotation], size_px: int = 320
) -> pictures.Picture:
    picture = pictures.picture_of(image, own, looked.colours, f"{dataset.url}/look/pictures", size_px)
    return replace(picture, url=f"{picture.url}?{urlencode({'of': of})}" if of else picture.url)


def picture_file(dataset: Dataset, of: str, sha256: str, size_px: int) -> Path | None:
    """The small picture of an image, made once; None where its bytes are nowhere.

    Raises:
        ShardsmithError: as `looked_of`, and of bytes that are no image.
    """
    kept = dataset.kept("pictures")
    if there := pictures.made(sha256, size_px, kept):
        return there
    looked = looked_of(dataset, of)
    file = looked.files.get(sha256) if looked else None
    if file is None or not of:
        return pictures.small(Path(file), sha256, size_px, kept) if file else None
    kept.mkdir(parents=True, exist_ok=True)
    fetched = kept / f"{file}.{size_px}.part"
    try:
        path = fetch_object(dataset.workspace, file, fetched)
        return pictures.small(path, sha256, size_px, kept) if path else None
    finally:
        fetched.unlink(missing_ok=True)
