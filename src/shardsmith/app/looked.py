"""The images of the raw data or of a version, ready to be searched and drawn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlencode

from shardsmith.app import pictures
from shardsmith.app.opened import Dataset
from shardsmith.app.raw import raw_looked
from shardsmith.app.taken import Taken
from shardsmith.dataset.label_map import parse_label_map
from shardsmith.dataset.manifest import Annotation, Image, Manifest
from shardsmith.inspect.recorded import fetch_object, read_recorded
from shardsmith.inspect.search import Searchable
from shardsmith.versions.version import Version, find_version
from shardsmith.workspace.paths import LABEL_MAP


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
        looked = _of_version(dataset, find_version(dataset.workspace, of))
    elif (taken := raw_looked(dataset)).is_there:
        looked = _of_raw(taken.folder)
    else:
        return None
    return replace(looked, colours=colours(dataset, looked.colours))


def colours(dataset: Dataset, classes: Iterable[str]) -> dict[str, int]:
    """Class -> the number of its colour, the same on every screen and in every version: classes keep their ids."""
    path = dataset.root / LABEL_MAP
    ids = parse_label_map(path.read_text(encoding="utf-8"), LABEL_MAP).ids if path.is_file() else {}
    known = sorted(ids, key=lambda name: ids[name])
    return {name: number for number, name in enumerate(dict.fromkeys([*known, *classes]))}


@lru_cache(4)
def _of_raw(folder: Path) -> Looked:
    taken = Taken(folder)
    manifest, valid = taken.manifest(), taken.valid().images
    splits = dict(zip(valid["image_id"].to_pylist(), valid["split"].to_pylist(), strict=True))
    rows = [replace(image, split=splits.get(image.image_id)) for image in manifest.image_rows()]
    tables = Searchable(Manifest(Manifest.of(rows, []).images, manifest.annotations), taken.findings())
    return Looked(tables, dict.fromkeys(taken.classes, 0), {row.sha256: row.path for row in rows})


@lru_cache(4)
def _of_version(dataset: Dataset, version: Version) -> Looked:
    recorded = read_recorded(dataset.workspace, version)
    rows = zip(*(recorded.manifest.images[name].to_pylist() for name in ("sha256", "path")), strict=True)
    files = {sha256: recorded.objects[path] for sha256, path in rows if path in recorded.objects}
    labels = sorted(set(recorded.manifest.annotations["label"].to_pylist()))
    return Looked(Searchable(recorded.manifest, recorded.findings), dict.fromkeys(labels, 0), files)


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
