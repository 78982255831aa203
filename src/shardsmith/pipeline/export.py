"""export: the manifest and its images -> TFRecord shards, and any other format asked for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pyarrow as pa

from shardsmith.dataset.errors import FindingError, StageError
from shardsmith.dataset.findings import Finding, summarise
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import ANNOTATIONS, IMAGES, SPLITS, Manifest
from shardsmith.dataset.tables.rows import ROWS_AT_ONCE, InParquet, in_groups, write_parquet
from shardsmith.formats.losses import MASKS_OFF, find_losses, fitted, in_brief
from shardsmith.formats.readme import Description, write_readme
from shardsmith.formats.registry import WRITERS
from shardsmith.formats.shared.job import ExportJob, Place
from shardsmith.formats.training import croissant
from shardsmith.ledger.balance import differing
from shardsmith.ledger.counts import count_findings, count_manifest
from shardsmith.ledger.fates import KEPT, Line, check_chain, unbalanced, write_ledger
from shardsmith.pipeline.gates import missed_gates
from shardsmith.pipeline.params import ExportParams
from shardsmith.pipeline.splits.rows import read_rows, write_rows
from shardsmith.pipeline.stage import write_table

DESCRIPTION = "description.json"  # what the version says of itself, as data
SHARD_COLUMNS = ("image_id", "split", "shard", "open", "era")
_OPEN = "open"
_OF_BOX = ("image_id", "label")
_LASTING = [
    "image_id", "sha256", "width", "height", "split", "parent_id", "copy", "tags", "metadata", "annotated", "origin",
    "source_id", "captions",
]  # fmt: skip


def export(job: ExportJob, about: Description, formats: list[str], ledger: list[Line], out: Path) -> int:
    """Write each format into its own folder below `out`, the manifest's tables and the ledger; all or nothing.

    What stood at `out` is there until the end, for whoever reads it. Returns the bytes written.
    """
    part, before = (out.with_name(f"{out.name}.{kind}") for kind in ("part", "before"))
    shutil.rmtree(part, ignore_errors=True)
    try:
        numbers = job.image_numbers()
        for name in dict.fromkeys(formats):
            writer = WRITERS[name]
            writer.write(replace(job, manifest=fitted(job.manifest, writer.carries), numbers=numbers), part / name)
            losses = find_losses(job.manifest, writer, job.masks)
            write_readme(part / name, replace(about, left_out=in_brief(losses)), writer.loading)
        write_tables(job.manifest, part)
        write_json(part / DESCRIPTION, about.as_data())
        write_ledger(part, [*ledger, *balance_tables(job.manifest, part)])
        write_json(part / croissant.FILE, croissant.describe(part, about))
        shutil.rmtree(before, ignore_errors=True)
        if out.exists():
            out.rename(before)
        part.rename(out)
    finally:
        shutil.rmtree(before, ignore_errors=True)
        shutil.rmtree(part, ignore_errors=True)
    return sum(path.stat().st_size for path in out.rglob("*") if path.is_file())


def read_places(path: Path, era: int) -> dict[str, Place]:
    """Where each image stands by data/shards.csv, in this era (export.era); nothing where there is no such file.

    Raises:
        StageError: it is not ours.
    """
    remedy = "restore it: git checkout HEAD -- data/shards.csv; or delete it, and all shards are planned anew"
    places: dict[str, Place] = {}
    every: dict[Place, Place] = {}  # of many images each
    for line, (image_id, split, shard, state, since) in read_rows(path, SHARD_COLUMNS, remedy):
        if split not in SPLITS or not (shard.isdecimal() and since.isdecimal()) or state not in ("", _OPEN):
            said = ",".join((image_id, split, shard, state, since))
            raise StageError(f"{path}, line {line}: {said!r}: not a row of the record; {remedy}")
        if int(since) == era:  # of two rows, as after a merge, the first: wherever an image is put, it is there once
            place = Place(split, int(shard), state == _OPEN)
            places.setdefault(image_id, every.setdefault(place, place))
    return places


def write_places(places: Mapping[str, Place], era: int, path: Path) -> None:
    """data/shards.csv: a row an image that is no copy, sorted by its id."""
    rows = ((name, place.split, str(place.shard), _OPEN if place.open else "", str(era))
            for name, place in sorted(places.items()))  # fmt: skip
    write_rows(path, SHARD_COLUMNS, rows)


def write_tables(manifest: Manifest, folder: Path) -> None:
    """The manifest as far as it holds beyond this workspace: what `diff`, `show --image` and pandas read."""
    images = pa.schema([IMAGES.field(name) for name in _LASTING])
    write_parquet(manifest.image_batches(*_LASTING), images, folder / "images.parquet")
    write_parquet(manifest.annotation_batches(), ANNOTATIONS, folder / "annotations.parquet")


def balance_tables(manifest: Manifest, folder: Path) -> list[Line]:
    """The ledger of export: the tables as they stand on disk hold what entered.

    Raises:
        StageError: they do not.
    """
    lines = []
    for what, name, count, batches, schema, columns in (
        ("images", "images", manifest.image_count, manifest.image_batches, IMAGES, ("image_id", "sha256")),
        ("boxes", "annotations", manifest.annotation_count, manifest.annotation_batches, ANNOTATIONS, _OF_BOX),
    ):
        row = 0
        written = InParquet(folder / f"{name}.parquet", pa.schema([schema.field(column) for column in columns]))
        for old, new in zip_longest(in_groups(batches(*columns)), in_groups(written.batches(ROWS_AT_ONCE, columns))):
            at = _first_difference(old, new, columns)
            if at is not None:
                there = old if old is not None and at < len(old) else new
                named = f"row {row + at + 1} of {what} ({there['image_id'][at]})"
                raise unbalanced("export", named, "is not as it entered")
            row += len(old)
        lines.append(Line("export", what, KEPT, "", count))
    return lines


def _first_difference(old: pa.Table | None, new: pa.Table | None, columns: Iterable[str]) -> int | None:
    if old is None or new is None:
        return 0
    rows = [at for column in columns if (at := differing(old[column], new[column])) is not None]
    return min(rows, default=None)


def write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_counts(counts: dict[str, Any], metrics: Path, plots: Path) -> None:
    write_json(metrics, counts)
    write_plots(plots, counts)


def write_plots(folder: Path, counts: dict[str, Any]) -> None:
    """classes.csv, splits.csv and findings.csv, as dvc.yaml's plots read them."""
    folder.mkdir(parents=True, exist_ok=True)
    classes = [(name, split, per[split]) for name, per in counts["classes"].items() for split in SPLITS]
    splits = [(split, counts["splits"][split]["images"]) for split in SPLITS]
    write_table(folder / "classes.csv", ("class", "split", "boxes"), classes)
    write_table(folder / "splits.csv", ("split", "images"), splits)
    write_table(folder / "findings.csv", ("code", "count"), counts["findings"].items())


def check_exportable(manifest: Manifest, ledger: Sequence[Line], losses: list[Finding], params: ExportParams) -> None:
    """
    Raises:
        FindingError: export.require is not met, or something is lost and export.on_loss says to fail.
        StageError: no image is left, or the ledger does not add up.
    """
    if not manifest.image_count:
        raise StageError("no image is left to export; see findings.csv in data/augment")
    check_chain(ledger, manifest.image_count, manifest.annotation_count)
    if missed := missed_gates(manifest, ledger, **params.require.model_dump()):
        lines = ["export.require in params.yaml is not met, so nothing is exported:", *(f"  {one}" for one in missed)]
        raise FindingError("\n".join([*lines, "add or repair data, or require less"]))
    if losses and params.on_loss == "fail":
        raise FindingError("export.on_loss in params.yaml says to fail:\n" + "\n".join(summarise(losses)))


def count(manifest: Manifest, label_map: LabelMap, findings: list[Finding], size: int) -> dict[str, Any]:
    """What metrics.json holds.

    Args:
        size: of the export, in bytes.
    """
    counts = {"dataset": label_map.dataset, **count_manifest(manifest), **count_findings(findings), "bytes": size}
    if any(finding.reason == MASKS_OFF for finding in findings):
        outlines = manifest.annotation_batches("segmentation")
        counts["outlines_without_masks"] = sum(len(some) - some["segmentation"].null_count for some in outlines)
    return counts


def describe(counts: Mapping[str, Any], formats: Iterable[str]) -> str:
    """For the stage's last line."""
    return (
        f"{counts['images']:,} images and {counts['boxes']:,} {counts['annotation_kind']} as {', '.join(formats)}, "
        f"{counts['bytes'] / 1e6:,.1f} MB"
    )
