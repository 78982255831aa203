"""What a writer is given: the manifest, the label map, and the images' bytes as they may leave."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from shardsmith.dataset.errors import StageError
from shardsmith.dataset.images import PORTABLE_FORMATS, portable
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import SPLITS, Annotation, Image, Manifest
from shardsmith.dataset.workers import map_items
from shardsmith.formats.shared.ids import image_ids

_PART = re.compile(r"#(\w+)$")  # of the image_id of a copy, a tile or an isolated object
_EXTENSIONS = {"jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"), "png": (".png",), "webp": (".webp",)}


@dataclass(frozen=True, slots=True)
class Place:
    """The shard of an image, numbered from 0; open: images that come later may follow there."""

    split: str
    shard: int
    open: bool = False


@dataclass(frozen=True)
class ExportJob:
    """One version to be written: every image has a split, a size and a format.

    min_shards: the fewest shards of a split.
    places: image_id -> its place in the export before, which it keeps; see shards.py.
    masks: whether formats that hold masks by choice (TFRecord, VOC) get them.
    facts: about the whole dataset: its licence, its description, where it is from.
    numbers: image_id -> its id as a number, of the whole version, where the manifest may be a part of it.
    """

    manifest: Manifest
    label_map: LabelMap
    shard_size_mb: float = 16
    masks: bool = False
    facts: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, int] | None = None
    min_shards: int = 1
    places: Mapping[str, Place] = field(default_factory=dict)

    def image_numbers(self) -> Mapping[str, int]:
        """image_id -> its id as a number; see ids.py.

        Raises:
            StageError: two images come to one id.
        """
        return self.numbers or image_ids(self.manifest.image_columns("image_id", "source_id", "parent_id"))

    def by_split(self) -> Iterator[tuple[str, list[tuple[Image, list[Annotation]]]]]:
        """(split, [(image, its annotations), ...]) for each split that has images, in order of image_id.

        Images without a split come last, as the split "".
        """
        annotations = self.manifest.annotations_by_image()
        images = self.manifest.image_rows()
        for split in (*SPLITS, ""):
            rows = [(image, annotations.get(image.image_id, [])) for image in images if (image.split or "") == split]
            if rows:
                yield split, rows


def leaving_bytes(
    path: str, sha256: str, format: str, orientation: int, formats: frozenset[str] = PORTABLE_FORMATS
) -> tuple[bytes, str]:
    """(bytes, format) of an image as every version holds it: upright, in one of `formats`, else untouched.

    Raises:
        StageError: the file is gone, or is not the one that was ingested.
    """
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise _gone(path) from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise StageError(f"{path}: the image changed since it was ingested; run dvc repro")
    return portable(data, format, orientation, formats)


def stored_size(path: str) -> int:
    """The bytes of an image's file.

    Raises:
        StageError: the file is gone.
    """
    try:
        return Path(path).stat().st_size
    except FileNotFoundError:
        raise _gone(path) from None


def _gone(path: str) -> StageError:
    return StageError(f"{path}: the image is gone since it was ingested; run dvc repro")


def leaving_names(images: list[Image]) -> dict[str, str]:
    """image_id -> a file name of its own, for formats that hold images of several folders in one.

    The image's own name; where another image has the same stem, a part of the hash of its image_id is added. The
    extension is that of the bytes that leave.
    """
    stems = Counter(_stem(image).lower() for image in images)
    return {image.image_id: _leaving_name(image, stems) for image in images}


def _leaving_name(image: Image, stems: Counter[str]) -> str:
    suffix, stem = PurePosixPath(image.image_id).suffix, _stem(image)
    extensions = _EXTENSIONS[image.format if image.format in _file_formats(image) else "png"]
    extension = suffix if suffix.lower() in extensions else extensions[0]
    alone = stems[stem.lower()] == 1
    return stem + ("" if alone else f"-{hashlib.sha256(image.image_id.encode()).hexdigest()[:8]}") + extension


def _stem(image: Image) -> str:
    """ "a" of a/a.jpg, "a-r1c2-3" of the third copy of a tile of it."""
    name, parts = PurePosixPath(image.image_id).name, ""
    while image.parent_id and (part := _PART.search(name)):
        name, parts = name[: part.start()], f"-{part[1]}{parts}"
    return PurePosixPath(name).stem + parts


def _file_formats(image: Image) -> frozenset[str]:
    """The encodings that an image file may leave in: WebP only where preprocess or augment was asked for it."""
    return PORTABLE_FORMATS | {"webp"} if image.origin else PORTABLE_FORMATS


def leaving_image(image: Image) -> tuple[bytes, str]:
    """(bytes, format) of an image as an image file holds it."""
    formats = _file_formats(image)
    return leaving_bytes(image.path, image.sha256, image.format or "", image.orientation, formats)


def write_images(images: list[Image], names: dict[str, str], folder: Path) -> None:
    """Each image as it may leave, under its name, into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    tasks = [(image, folder / names[image.image_id]) for image in images]
    for _ in map_items(_write_image, tasks, f"export: {folder.name} images"):
        pass


def _write_image(task: tuple[Image, Path]) -> None:
    image, target = task
    target.write_bytes(leaving_image(image)[0])
