"""The columns of the manifest's two tables, and their rows as objects; manifest.py says what each column holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pyarrow as pa

SPLITS = ("train", "valid", "test")

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
        ("batch", pa.int32()),
        ("captions", pa.list_(pa.string())),
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
    batch: int | None = None
    captions: list[str] | None = None

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


Row = TypeVar("Row", Image, Annotation)


def word_for(boxes: int, annotations: int) -> str:
    """What people call that many annotations, of which so many have a box: "labels" are of whole images."""
    return "boxes" if boxes == annotations else "annotations" if boxes else "labels"


def rows_of(table: pa.Table, kind: type[Row]) -> Iterator[Row]:
    for batch in table.to_batches(max_chunksize=1024):
        yield from (kind(**row) for row in batch.to_pylist())


def table_of(rows: list, schema: pa.Schema) -> pa.Table:
    columns = [pa.array([getattr(row, column.name) for row in rows], column.type) for column in schema]
    return pa.Table.from_arrays(columns, schema=schema)
