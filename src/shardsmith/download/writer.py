"""Write a part of a version, of the version's stored files, by the same writers as a build: records, README and tables.

What comes out depends on the version and the part alone.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shardsmith.dataset.findings import Finding, count_actions, found
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import Manifest
from shardsmith.download.images import Stored, find_images, read_by_format, read_tables, with_bytes
from shardsmith.download.selection import TABLES, TFRECORD, Part, in_words, select, stored_formats
from shardsmith.formats.losses import find_losses, fitted, in_brief
from shardsmith.formats.readme import Description, write_readme
from shardsmith.formats.registry import WRITERS
from shardsmith.formats.shared.ids import image_ids
from shardsmith.formats.shared.job import ExportJob
from shardsmith.ledger.counts import count_manifest
from shardsmith.workspace.paths import DESCRIPTION


@dataclass(frozen=True)
class WrittenPart:
    """What a part came to: how many images and boxes, and what its format cannot carry."""

    images: int
    boxes: int
    losses: list[Finding]


def make_part(stored: Path, part: Part, label_map: LabelMap, tag: str, work: Path, out: Path) -> WrittenPart:
    """Write `part` into `out`: its records and README, and the tables as far as they are of it.

    Args:
        stored: the folder of the files that `needed_files` names, and of the tables; they are used up.
        tag: the version's, for the README.
        work: a folder for images while they are written.

    Raises:
        ShardsmithError: the stored files cannot be read, or nothing is left of them.
    """
    origin = part.format if part.as_stored else stored_formats(_files(stored))[0]
    path = stored / DESCRIPTION
    said = json.loads(path.read_bytes()) if path.is_file() else {}
    whole = read_tables(stored)
    manifest = select(whole or read_by_format(stored, origin, label_map, work), part)
    losses: list[Finding] = []
    if part.as_stored:
        _keep_splits(stored / TFRECORD, part, out / TFRECORD)
    else:
        if whole:
            images = find_images(whole, stored / origin, {*manifest.images["image_id"].to_pylist()}, work)
            losses = _not_held(manifest, images, origin)
            manifest = with_bytes(manifest, images)
        numbers = image_ids((whole or manifest).images)
        masks = part.masks or _has_masks(stored)
        job = ExportJob(manifest, label_map, masks=masks, facts=said.get("facts", {}), numbers=numbers)
        losses += _write(job, part.format, out)
    if whole:
        _write_tables(stored, manifest, part, out)
    counts = count_manifest(manifest)
    about = _describe(said, part, tag, label_map, counts, losses)
    write_readme(out / part.format, about, WRITERS[part.format].loading)
    return WrittenPart(counts["images"], counts["boxes"], losses)


def _files(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]


def _keep_splits(stored: Path, part: Part, out: Path) -> None:
    """The shards as they are, and TFDS's metadata of these splits."""
    out.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(stored, out)
    path = out / "dataset_info.json"
    info = json.loads(path.read_bytes())
    info["splits"] = [split for split in info["splits"] if split["name"] in part.splits]
    path.write_text(json.dumps(info, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def _not_held(manifest: Manifest, images: Mapping[str, Stored], origin: str) -> list[Finding]:
    missing = manifest.images.num_rows - len(images)
    reason = f"{origin}, of which this is made, does not hold them"
    return [found("not-exported", origin, "", f"{missing:,} images", reason)] if missing else []


def _has_masks(stored: Path) -> bool:
    path = stored / TFRECORD / "features.json"
    return path.is_file() and '"mask"' in path.read_text(encoding="utf-8")


def _write(job: ExportJob, format_name: str, out: Path) -> list[Finding]:
    """Returns what the format cannot carry."""
    writer = WRITERS[format_name]
    writer.write(replace(job, manifest=fitted(job.manifest, writer.carries)), out / format_name)
    return find_losses(job.manifest, writer, job.masks)


def _write_tables(stored: Path, manifest: Manifest, part: Part, out: Path) -> None:
    """The rows of the stored tables that are of the part, with whatever columns they have."""
    kept = manifest.images["image_id"].combine_chunks()
    for name in TABLES:
        table = pq.ParquetFile(stored / name).read(use_threads=False)
        table = table.filter(pc.is_in(table["image_id"], kept))
        if part.classes and "label" in table.column_names:
            table = table.filter(pc.is_in(table["label"], pa.array(part.classes)))
        pq.write_table(table, out / name, compression="zstd")


def _describe(
    said: Mapping[str, Any], part: Part, tag: str, label_map: LabelMap, counts: dict[str, Any], losses: list[Finding]
) -> Description:
    """What the README of the format says, with the part's counts; how the version was made as its description says it.

    Args:
        said: description.json of the version; empty for one that was recorded before there was one.
    """
    as_in = [f"as in {tag}"]
    return Description(
        label_map=label_map,
        annotation_group=str(said.get("annotation_group", "objects")),
        source=f"a part of {tag}: {in_words(part)}; {said.get('source', f'the version {tag}')}",
        counts=counts,
        findings={**said.get("findings", {}), **count_actions(losses)},
        split=str(said.get("split", as_in[0])),
        preprocessing=said.get("preprocessing", as_in),
        augmentation=said.get("augmentation", as_in),
        facts=said.get("facts", {}),
        left_out=in_brief(losses),
    )
