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
    annotated    true for an image somebody looked at: with boxes, or a negative; false for an unlabelled one, and for
                 one that has captions alone: nobody looked for boxes or classes there
    pixels       16 hex digits of a hash of the pixels of the image of data/raw that it is from, whatever else its file
                 holds; null before validate has decoded it
    batch        the number of the version's build that brought it, as data/splits.csv has it; null before the split
    captions     texts that people wrote about the whole image, in the order of the source; null for none, and for a
                 tile, an isolated object and a mosaic, of which they are not true

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

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import chain, groupby, islice
from operator import attrgetter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from shardsmith.dataset.errors import StageError
from shardsmith.dataset.tables.rows import (
    ROWS_AT_ONCE,
    Cursor,
    InMemory,
    InParquet,
    Rows,
    Spool,
    ascends,
    write_parquet,
)
from shardsmith.dataset.tables.schema import ANNOTATIONS as ANNOTATIONS
from shardsmith.dataset.tables.schema import IMAGES as IMAGES
from shardsmith.dataset.tables.schema import SPLITS as SPLITS
from shardsmith.dataset.tables.schema import Annotation as Annotation
from shardsmith.dataset.tables.schema import Image as Image
from shardsmith.dataset.tables.schema import kind_of as kind_of
from shardsmith.dataset.tables.schema import rows_of, table_of
from shardsmith.dataset.tables.schema import word_for as word_for
from shardsmith.dataset.tables.sums import SUMS as SUMS
from shardsmith.dataset.tables.sums import check_sums as check_sums
from shardsmith.dataset.tables.sums import write_sums as write_sums

pa.set_memory_pool(pa.system_memory_pool())  # the default one keeps what is freed

LEFT_OUT = "left_out"  # in ingest's folder, a manifest of its own: the images that it dropped
_IMAGES_AT_ONCE = 2048


class Manifest:
    """images and annotations, with the schemas IMAGES and ANNOTATIONS: in memory as pyarrow tables, or on disk.

    What is on disk is read whole where `images` or `annotations` is asked for; `parts` reads some of it at a time.
    """

    def __init__(self, images: pa.Table | Rows, annotations: pa.Table | Rows) -> None:
        """
        Args:
            images, annotations: those on disk are in the order of image_id, and each image is there once.
        """
        self._images: Rows = InMemory(images) if isinstance(images, pa.Table) else images
        self._annotations: Rows = InMemory(annotations) if isinstance(annotations, pa.Table) else annotations

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Manifest) and self.images == other.images and self.annotations == other.annotations

    __hash__ = None  # type: ignore[assignment]

    @property
    def images(self) -> pa.Table:
        return self._images.table

    @property
    def annotations(self) -> pa.Table:
        return self._annotations.table

    @property
    def image_count(self) -> int:
        return self._images.count

    @property
    def annotation_count(self) -> int:
        return self._annotations.count

    def image_columns(self, *names: str) -> pa.Table:
        """Some columns of `images`."""
        batches = self._images.batches(ROWS_AT_ONCE, names)
        schema = pa.schema([IMAGES.field(name) for name in names])
        return pa.concat_tables([schema.empty_table(), *batches]).combine_chunks()

    def image_batches(self, *names: str) -> Iterator[pa.Table]:
        """Some columns of `images`, some rows at a time; all columns where none is named."""
        return self._images.batches(ROWS_AT_ONCE, names or None)

    def annotation_batches(self, *names: str) -> Iterator[pa.Table]:
        """Some columns of `annotations`, some rows at a time; all columns where none is named."""
        return self._annotations.batches(ROWS_AT_ONCE, names or None)

    def with_images(self, images: pa.Table) -> Manifest:
        """The same annotations, wherever they are, beside another table of images."""
        return Manifest(images, self._annotations)

    def parts(
        self, images: Sequence[str] | None = None, annotations: Sequence[str] | None = None
    ) -> Iterator[Manifest]:
        """The whole, in memory, some thousands of images with their annotations at a time; at once where it is small,
        or not in order.

        Args:
            images, annotations: the columns wanted; all by default. `image_id` is one of them.
        """
        if self.image_count <= _IMAGES_AT_ONCE or not self._in_order:
            yield Manifest(self.images, self.annotations)
            return
        cursor = Cursor(self._annotations, annotations)
        left = self.image_count
        for some in self._images.batches(_IMAGES_AT_ONCE, images):
            left -= some.num_rows
            theirs = cursor.up_to(some["image_id"][-1]) if left else cursor.rest()
            schema = ANNOTATIONS if annotations is None else pa.schema([ANNOTATIONS.field(one) for one in annotations])
            yield Manifest(some.combine_chunks(), pa.concat_tables([schema.empty_table(), *theirs]).combine_chunks())

    def beside(self, other: Manifest) -> Iterator[tuple[Manifest, Manifest]]:
        """`parts` of this one, each with what another has of the same images; what that one has besides, anywhere."""
        if self is other:
            yield from ((part, part) for part in self.parts())
            return
        if self.image_count <= _IMAGES_AT_ONCE or not (self._in_order and other._in_order):
            yield Manifest(self.images, self.annotations), Manifest(other.images, other.annotations)
            return
        images, annotations = Cursor(other._images), Cursor(other._annotations)
        left = self.image_count
        for part in self.parts():
            left -= part.image_count
            last = part.images["image_id"][-1]
            some = [cursor.up_to(last) if left else cursor.rest() for cursor in (images, annotations)]
            tables = (
                pa.concat_tables([schema.empty_table(), *batches]).combine_chunks()
                for schema, batches in zip((other._images.schema, other._annotations.schema), some, strict=True)
            )
            yield part, Manifest(*tables)

    @cached_property
    def _in_order(self) -> bool:
        return ascends(self._images, once=True) and ascends(self._annotations, once=False)

    @classmethod
    def of(cls, images: Iterable[Image], annotations: Iterable[Annotation]) -> Manifest:
        """From rows in any order of images; annotations of one image keep their order."""
        image_rows = sorted(images, key=lambda image: image.image_id)
        annotation_rows = sorted(annotations, key=lambda annotation: annotation.image_id)
        for row in annotation_rows:
            row.kind = kind_of(row)
        return cls(table_of(image_rows, IMAGES), table_of(annotation_rows, ANNOTATIONS))

    @property
    def word(self) -> str:
        """What its annotations are; see word_for."""
        empty = sum(some["xmin"].null_count for some in self.annotation_batches("xmin"))
        return word_for(self.annotation_count - empty, self.annotation_count)

    def pairs(self) -> Iterator[tuple[Image, list[Annotation]]]:
        """Each image with its annotations, in order; rows are built as they are asked for."""
        by_image = groupby(rows_of(self.annotations, Annotation), key=attrgetter("image_id"))
        ahead = next(by_image, None)
        for image in rows_of(self.images, Image):
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
        return list(rows_of(self.images, Image))

    def annotation_rows(self) -> list[Annotation]:
        return list(rows_of(self.annotations, Annotation))

    def annotations_by_image(self) -> dict[str, list[Annotation]]:
        """image_id -> its annotations, in order; an image without any has no key."""
        by_image: dict[str, list[Annotation]] = {}
        for row in self.annotation_rows():
            by_image.setdefault(row.image_id, []).append(row)
        return by_image

    def write(self, folder: Path) -> None:
        """As images.parquet and annotations.parquet; the same tables always give the same bytes."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, rows in (("images", self._images), ("annotations", self._annotations)):
            write_parquet(rows.batches(ROWS_AT_ONCE), rows.schema, folder / f"{name}.parquet")
        write_sums(folder, "images.parquet", "annotations.parquet")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """A stage's tables, in memory.

        Raises:
            StageError: the tables are not there, are not ours, or are damaged.
        """
        manifest = cls.open(folder)
        with _clear_errors(folder):
            return cls(manifest.images, manifest.annotations)

    @classmethod
    def open(cls, folder: Path) -> Manifest:
        """A stage's tables, on disk.

        Raises:
            StageError: the tables are not there, are not ours, or are damaged.
        """
        check_sums(folder, "images.parquet", "annotations.parquet")
        with _clear_errors(folder):
            images = InParquet(folder / "images.parquet", IMAGES)
            return cls(images, InParquet(folder / "annotations.parquet", ANNOTATIONS))


def spooled(parts: Iterable[Manifest]) -> Manifest:
    """One manifest of parts in order, on disk as they come; in memory where there is one."""
    first, *second = islice(parts := iter(parts), 2)
    if not second:
        return first
    images, annotations = Spool(IMAGES), Spool(ANNOTATIONS)
    for part in chain([first], second, parts):
        images.add(part.images)
        annotations.add(part.annotations)
    return Manifest(images, annotations)


@contextmanager
def _clear_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowInvalid, ValueError, KeyError) as error:
        raise StageError(f"{folder}: no manifest can be read there ({error}); run dvc repro") from None
