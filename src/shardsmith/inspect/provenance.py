"""Where an image of a version comes from, and making it again from that alone."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from shardsmith.dataset.errors import StageError, VersionError
from shardsmith.dataset.images import probe
from shardsmith.dataset.manifest import Manifest
from shardsmith.transforms.run.origin import remake
from shardsmith.transforms.run.recipe import prepare_process


def find_image(table: bytes, image_id: str) -> dict[str, Any]:
    """The row of a version's images.parquet, its origin parsed.

    Raises:
        VersionError: the version has no such image; the message names some that it has.
    """
    rows = pq.ParquetFile(pa.BufferReader(table)).read(use_threads=False).to_pylist()
    for row in rows:
        if row["image_id"] == image_id:
            origin = json.loads(row["origin"]) if row["origin"] else None
            return {**row, "origin": origin or {"image_id": image_id, "sha256": row["sha256"], "stages": []}}
    near = [row["image_id"] for row in rows if image_id.partition("#")[0] in row["image_id"]][:5]
    known = ", ".join(near or [row["image_id"] for row in rows[:5]])
    raise VersionError(f"{image_id}: the version has no such image; it has {len(rows):,}, for example {known}")


def describe(row: dict[str, Any]) -> list[str]:
    """The row for a person to read."""
    origin = row["origin"]
    lines = [
        f"Image:   {row['image_id']} ({row['split']}, {row['width']} x {row['height']} pixels)",
        f"SHA-256: {row['sha256']}",
        f"Source:  {origin['image_id']}, SHA-256 {origin['sha256']}",
    ]
    if row["copy"]:
        lines.append(f"Copy:    {row['copy']} of {row['parent_id']}")
    return [*lines, *(f"  {line}" for line in _in_words(origin) or ["untouched"])]


def operations_in_words(origin: str | None) -> list[str]:
    """What was done to an image, in order, from the column `origin`; [] for one of data/raw."""
    return _in_words(json.loads(origin)) if origin else []


def _in_words(origin: dict[str, Any]) -> list[str]:
    lines = []
    for stage in origin["stages"]:
        for name, values in stage["operations"]:
            lines.append(f"{name}: {', '.join(f'{key} {_short(value)}' for key, value in values.items())}")
        lines.append(f"written as {stage['format']}, quality {stage['quality']}, unless nothing changed")
    return lines


def make_again(row: dict[str, Any], workspace: Path) -> bytes:
    """The image's bytes from the operations of its origin, and what data/ingest says of the raw image.

    Raises:
        StageError: the raw image is not there, or the bytes come out other than recorded.
    """
    prepare_process()
    paths = {image.image_id: workspace / image.path for image in Manifest.read(workspace / "data/ingest").image_rows()}

    def read(image_id: str, sha256: str) -> tuple[bytes, str, int]:
        path = paths.get(image_id)
        data = path.read_bytes() if path and path.exists() else b""
        if hashlib.sha256(data).hexdigest() != sha256:
            raise StageError(f"{image_id}: the raw image is not here as it was; `dvc checkout` the version's commit")
        info = probe(data)
        return data, info.format or "", info.orientation

    made = remake(row["origin"], read)
    if hashlib.sha256(made).hexdigest() != row["sha256"]:
        raise StageError(
            f"{row['image_id']}: made again, it is not the image recorded: the code or a library differs from the "
            "version's; check out its tag and install its requirements.lock"
        )
    return made


def _short(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[" + ", ".join(str(one.get("image_id", one)) for one in value) + "]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value)
