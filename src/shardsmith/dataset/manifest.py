"""THE contract between stages: two tables, `images` and `annotations`, as Parquet files in a stage's folder.

images, a row an image, sorted by image_id:
    image_id     its path below data/raw, POSIX; a copy is PARENT_ID with #COPY at its end, a tile PARENT_ID#r1c2, an
                 isolated object PARENT_ID#object3
    path         the file with its bytes, relative to the workspace
    sha256       of those bytes: so the table's own hash covers the pixels
    width, height   displayed size in pixels (after EXIF orientation); null when the header cannot be read
    format       "jpeg", "png", ...: by the bytes, not by the name; null when the header cannot be read
    orientation  EXIF orientation of the stored bytes, 1 to 8
    split        "train", "valid" or "test"; before the split stage: what the source says, or null
    parent_id    image_id of the image that a copy, a tile or an isolated object was made from, else null
    copy         0, or the copy's number from 1
    group        images of one group stay in one split; null for none
    tags         what the source had
    metadata     JSON object: what else the source says of the image in words and numbers; null for nothing
    origin       of an image that a stage made: JSON, the image of data/raw and every operation since with the values
                 drawn (transforms/run/origin.py); null for an image whose bytes are those of data/raw
    source_id    the source's own id of the image, as text; null for none, and for a copy, a tile or an isolated object
    annotated    true for an image somebody looked at: with boxes, or a negative; false for an unlabelled one
    pixels       16 hex digits of a hash of the pixels of the image of data/raw that it is from, whatever else its file
                 holds; null before validate has decoded it

annotations, a row an annotation, in the order of image_id, then as in the source:
    image_id, label
    xmin, ymin, xmax, ymax   float pixels, origin at the top-left corner of the top-left pixel, max exclusive, in
                             displayed orientation; null for a label of the whole image
    is_crowd
    area          in square pixels, where the source says, else null
    segmentation  JSON: COCO polygons [[x, y, ...], ...] or RLE {"size", "counts"}, else null
    attributes    JSON object: VOC difficult, truncated, pose, and what else the source had; null for none
    source_image  image_id of the image of data/raw that it was drawn on
    source_key    the source's own id of it, else `n` and its number among those of that image as they were read. Given
                  once, by ingest, and carried through every stage and step; so an image may have it twice

Beside the files of a stage stands SHA256SUMS, as `sha256sum -c` takes it: who writes one says its digest there, who
reads it compares. DVC hands out a stage's files unhashed, and in most places of a table a flipped bit reads as content.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shardsmith.dataset.boxes import with_columns
from shardsmith.dataset.errors import StageError

pa.set_memory_pool(pa.system_memory_pool())  # the default one keeps what is freed

SPLITS = ("train", "valid", "test")
SUMS = "SHA256SUMS"
LEFT_OUT = "left_out"  # in ingest's folder, a manifest of its own: the images that it dropped

IMAGES = pa.schema(
    [
        ("image_id", pa.string()),
        ("path", pa.string()),
        ("sha256", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("format", pa.string()),
        ("orientation", pa.int8()),
        ("split", pa.string()),
        ("parent_id", pa.string()),
        ("copy", pa.int32()),
        ("group", pa.string()),
        ("tags", pa.list_(pa.string())),
        ("metadata", pa.string()),
        ("annotated", pa.bool_()),
        ("origin", pa.string()),
        ("source_id", pa.string()),
        ("pixels", pa.string()),
    ]
)
ANNOTATIONS = pa.schema(
    [
        ("image_id", pa.string()),
        ("label", pa.string()),
        ("xmin", pa.float64()),
        ("ymin", pa.float64()),
        ("xmax", pa.float64()),
        ("ymax", pa.float64()),
        ("is_crowd", pa.bool_()),
        ("area", pa.float64()),
        ("segmentation", pa.string()),
        ("attributes", pa.string()),
        ("source_image", pa.string()),
        ("source_key", pa.string()),
        ("kind", pa.string()),
        ("keypoints", pa.string()),
        ("skeleton", pa.string()),
    ]
)


@dataclass(slots=True)
class Image:
    """One row of `images`; see the module."""

    image_id: str
    path: str
    sha256: str
    width: int | None
    height: int | None
    format: str | None
    orientation: int = 1
    split: str | None = None
    parent_id: str | None = None
    copy: int = 0
    group: str | None = None
    tags: list[str] = field(default_factory=list)
    annotated: bool = True
    origin: str | None = None
    source_id: str | None = None
    metadata: str | None = None
    pixels: str | None = None

    def metadata_dict(self) -> dict[str, Any]:
        return json.loads(self.metadata) if self.metadata else {}


@dataclass(slots=True)
class Annotation:
    """One row of `annotations`; see the module."""

    image_id: str
    label: str
    xmin: float | None
    ymin: float | None
    xmax: float | None
    ymax: float | None
    is_crowd: bool = False
    area: float | None = None
    segmentation: str | None = None
    attributes: str | None = None
    source_image: str | None = None
    source_key: str | None = None
    kind: str | None = None
    keypoints: str | None = None
    skeleton: str | None = None

    def attributes_dict(self) -> dict[str, Any]:
        return json.loads(self.attributes) if self.attributes else {}


def kind_of(row: Annotation) -> str:
    """label (of an image), oriented (a turned box by four corners: readers say so), polygon, mask, keypoints or box."""
    if row.xmin is None or not row.segmentation:
        return "label" if row.xmin is None else "keypoints" if row.keypoints else "box"
    return "oriented" if row.kind == "oriented" else "mask" if row.segmentation.startswith("{") else "polygon"


_ROWS_AT_ONCE = 16_384  # what a writer holds beside the table
Row = TypeVar("Row", Image, Annotation)


def word_for(boxes: int, annotations: int) -> str:
    """What people call that many annotations, of which so many have a box: "labels" are of whole images."""
    return "boxes" if boxes == annotations else "annotations" if boxes else "labels"


@dataclass(frozen=True)
class Manifest:
    """images and annotations as pyarrow tables with the schemas IMAGES and ANNOTATIONS."""

    images: pa.Table
    annotations: pa.Table

    @classmethod
    def of(cls, images: Iterable[Image], annotations: Iterable[Annotation]) -> Manifest:
        """From rows in any order of images; annotations of one image keep their order."""
        image_rows = sorted(images, key=lambda image: image.image_id)
        annotation_rows = sorted(annotations, key=lambda annotation: annotation.image_id)
        for row in annotation_rows:
            row.kind = kind_of(row)
        return cls(_table(image_rows, IMAGES), _table(annotation_rows, ANNOTATIONS))

    @property
    def word(self) -> str:
        """What its annotations are; see word_for."""
        return word_for(self.annotations.num_rows - self.annotations["xmin"].null_count, self.annotations.num_rows)

    def pairs(self) -> Iterator[tuple[Image, list[Annotation]]]:
        """Each image with its annotations, in order; rows are built as they are asked for."""
        by_image = groupby(_rows(self.annotations, Annotation), key=attrgetter("image_id"))
        ahead = next(by_image, None)
        for image in _rows(self.images, Image):
            while ahead and ahead[0] < image.image_id:  # of an image that is not in the table
                ahead = next(by_image, None)
            if ahead and ahead[0] == image.image_id:
                yield image, list(ahead[1])
                ahead = next(by_image, None)
            else:
                yield image, []

    def joined(self, parts: Iterable[Manifest]) -> Manifest:
        """With the rows of others, sorted anew."""
        parts = [self, *parts]
        images = pa.concat_tables([part.images for part in parts])
        annotations = pa.concat_tables([part.annotations for part in parts])
        # a stable sort: annotations of one image keep their order
        return Manifest(
            *(table.take(pc.sort_indices(table["image_id"])).combine_chunks() for table in (images, annotations))
        )

    def image_rows(self) -> list[Image]:
        return list(_rows(self.images, Image))

    def annotation_rows(self) -> list[Annotation]:
        return list(_rows(self.annotations, Annotation))

    def annotations_by_image(self) -> dict[str, list[Annotation]]:
        """image_id -> its annotations, in order; an image without any has no key."""
        by_image: dict[str, list[Annotation]] = {}
        for row in self.annotation_rows():
            by_image.setdefault(row.image_id, []).append(row)
        return by_image

    def write(self, folder: Path) -> None:
        """As images.parquet and annotations.parquet; the same tables always give the same bytes."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in (("images", self.images), ("annotations", self.annotations)):
            path = folder / f"{name}.parquet"
            part = path.with_suffix(".part")
            pq.write_table(table, part, compression="zstd", row_group_size=_ROWS_AT_ONCE)
            part.replace(path)
        write_sums(folder, "images.parquet", "annotations.parquet")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """
        Raises:
            StageError: the tables are not there, are not ours, or are damaged.
        """
        check_sums(folder, "images.parquet", "annotations.parquet")
        try:
            # not pq.read_table, which imports pandas: 0.5 s
            images = pq.ParquetFile(folder / "images.parquet").read(use_threads=False)
            annotations = pq.ParquetFile(folder / "annotations.parquet").read(use_threads=False)
            shapes = with_columns(annotations, ANNOTATIONS, ("kind", "keypoints", "skeleton"))  # of older versions
            return cls(images.cast(IMAGES), shapes.cast(ANNOTATIONS))
        except (OSError, pa.ArrowInvalid, ValueError, KeyError) as error:
            raise StageError(f"{folder}: no manifest can be read there ({error}); run dvc repro") from None


def write_sums(folder: Path, *names: str) -> None:
    """Say the digests of files in SHA256SUMS; those of other files that are still there stay."""
    sums = {name: digest for name, digest in _read_sums(folder).items() if (folder / name).is_file()}
    sums |= {name: _digest(folder / name) for name in names}
    text = "".join(f"{sums[name]}  {name}\n" for name in sorted(sums))
    (folder / SUMS).write_text(text, encoding="utf-8")


def check_sums(folder: Path, *names: str) -> None:
    """Files are as they were written, where SHA256SUMS has them: older versions have none.

    Raises:
        StageError: one is not.
    """
    sums = _read_sums(folder)
    for name in names:
        path = folder / name
        if name in sums and not (path.is_file() and _digest(path) == sums[name]):
            raise StageError(
                f"{path}: {'damaged' if path.is_file() else 'missing'}: not the bytes that its stage wrote, as {SUMS} "
                f"beside it says; run `shardsmith repair`, or make it again: `dvc repro --force`"
            )


def _read_sums(folder: Path) -> dict[str, str]:
    try:
        text = (folder / SUMS).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return {}
    return {name: digest for digest, _, name in (line.partition("  ") for line in text.split("\n")) if name}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _rows(table: pa.Table, kind: type[Row]) -> Iterator[Row]:
    for batch in table.to_batches(max_chunksize=1024):
        yield from (kind(**row) for row in batch.to_pylist())


def _table(rows: list, schema: pa.Schema) -> pa.Table:
    columns = [pa.array([getattr(row, column.name) for row in rows], column.type) for column in schema]
    return pa.Table.from_arrays(columns, schema=schema)
