"""The images of the raw data or of a version, ready to be searched and drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlencode

import pyarrow as pa

from shardsmith.app import pictures
from shardsmith.app.opened import Dataset
from shardsmith.app.raw import newest_first, raw_looked
from shardsmith.app.taken import Taken
from shardsmith.dataset.errors import ShardsmithError
from shardsmith.dataset.manifest import Annotation, Image, Manifest
from shardsmith.inspect.recorded import fetch_object, read_recorded
from shardsmith.inspect.search import Searchable
from shardsmith.versions.version import Version, find_version

Tables = tuple[Searchable, list[str], dict[str, str]]  # with the classes, and sha256 -> a path, or in a version an MD5


@dataclass(frozen=True)
class Looked:
    """The images of the raw data, or with `of` those of the version of this name; colours: class -> its number."""

    tables: Searchable
    colours: dict[str, int]
    of: str


def looked_of(dataset: Dataset, of: str) -> Looked | None:
    """Of a version by its name, or with "" of the raw data; None where that is not taken in yet.

    Raises:
        ShardsmithError: no such version, or its tables are in no store.
    """
    if of:
        tables, classes, _ = _of_version(dataset, find_version(dataset.workspace, of))
    elif (taken := raw_looked(dataset)).is_there:
        tables, classes, _ = _of_raw(taken.folder)
    else:
        return None
    return Looked(tables, pictures.colours(dataset.root, classes), of)


def stored(dataset: Dataset, name: str) -> Looked | None:
    """A version by its name; None where its tables are in no store."""
    try:
        return looked_of(dataset, name)
    except ShardsmithError:
        return None


@lru_cache(4)
def _of_raw(folder: Path) -> Tables:
    taken = Taken(folder)
    manifest, valid = taken.manifest(), taken.valid().images
    placed = dict(zip(valid["image_id"].to_pylist(), valid["split"].to_pylist(), strict=True))
    images = manifest.images
    at = images.schema.get_field_index("split")
    splits = pa.array([placed.get(image_id) for image_id in images["image_id"].to_pylist()], pa.string())
    images = images.set_column(at, images.schema.field(at), splits)
    files = dict(_paths(images))
    return Searchable(Manifest(images, manifest.annotations), taken.findings()), taken.classes, files


@lru_cache(4)
def _of_version(dataset: Dataset, version: Version) -> Tables:
    recorded = read_recorded(dataset.workspace, version)
    images, annotations = recorded.manifest.images, recorded.manifest.annotations
    files = {sha256: recorded.objects[path] for sha256, path in _paths(images) if path in recorded.objects}
    return Searchable(recorded.manifest, recorded.findings), sorted(set(annotations["label"].to_pylist())), files


def _paths(images: pa.Table) -> Iterator[tuple[str, str]]:
    return zip(images["sha256"].to_pylist(), images["path"].to_pylist(), strict=True)


def picture_in(
    dataset: Dataset, looked: Looked, image: Image, own: Sequence[Annotation], size_px: int = 320
) -> pictures.Picture:
    picture = pictures.picture_of(image, own, looked.colours, f"{dataset.url}/look/pictures", size_px)
    return replace(picture, url=f"{picture.url}?{urlencode({'of': looked.of})}" if looked.of else picture.url)


def picture_file(dataset: Dataset, of: str, sha256: str, size_px: int) -> Path | None:
    """The small picture of an image, made once; None where its bytes are nowhere.

    Raises:
        ShardsmithError: as `looked_of`, and of bytes that are no image.
    """
    kept = dataset.kept("pictures")
    if there := pictures.made(sha256, size_px, kept):
        return there
    if not of:
        path = _raw_file(dataset, sha256)
        return pictures.small(path, sha256, size_px, kept) if path else None
    file = _of_version(dataset, find_version(dataset.workspace, of))[2].get(sha256)
    if file is None:
        return None
    kept.mkdir(parents=True, exist_ok=True)
    fetched = kept / f"{file}.{size_px}.part"
    try:
        path = fetch_object(dataset.workspace, file, fetched)
        return pictures.small(path, sha256, size_px, kept) if path else None
    finally:
        fetched.unlink(missing_ok=True)


def _raw_file(dataset: Dataset, sha256: str) -> Path | None:
    """The file of an image of data/raw, by what was taken in last: data/raw is not gone through for every picture.

    Its bytes are compared with `sha256` before they are shown.
    """
    files = (_of_raw(taken.folder)[2] for taken in newest_first(dataset))
    return next((Path(one[sha256]) for one in files if sha256 in one), None)
