"""What a stage leaves in its folder: the manifest, every finding so far in findings.csv, and the ledger."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow.compute as pc

from shardsmith.dataset.errors import StageError
from shardsmith.dataset.findings import Finding, read_findings, write_findings
from shardsmith.dataset.manifest import Manifest, check_sums, write_sums
from shardsmith.ledger.fates import FILE, Line, write_ledger

FINDINGS = "findings.csv"


def read_stage(folder: Path) -> tuple[Manifest, list[Finding]]:
    """
    Raises:
        StageError: the folder does not hold a stage's output, its tables do not fit together, or one is damaged.
    """
    manifest = Manifest.open(folder)
    _check_rows(manifest, folder)
    check_sums(folder, FINDINGS)
    try:
        return manifest, read_findings(folder / FINDINGS)
    except (OSError, KeyError) as error:
        raise StageError(f"{folder / FINDINGS}: cannot be read ({error}); run dvc repro") from None


def _check_rows(manifest: Manifest, folder: Path) -> None:
    """Each image once, and each annotation's image there: what every stage takes for granted."""
    images = manifest.image_columns("image_id")["image_id"]
    counted = pc.value_counts(images).field("counts")
    if pc.any(pc.greater(counted, 1)).as_py():
        twice = pc.value_counts(images).field("values")[pc.index(counted, pc.max(counted)).as_py()]
        raise StageError(f"{folder / 'images.parquet'}: image {twice} stands there twice; run dvc repro")
    for part in manifest.parts(["image_id"], ["image_id"]):
        annotations = part.annotations["image_id"]
        there = pc.is_in(annotations, value_set=part.images["image_id"].combine_chunks())
        if pc.any(pc.invert(there)).as_py():
            image_id = annotations.filter(pc.invert(there))[0]
            raise StageError(
                f"{folder / 'annotations.parquet'}: image {image_id}, of which it has a box, is not there; run dvc "
                "repro"
            )


def write_stage(
    folder: Path, manifest: Manifest, findings: list[Finding], ledger: Sequence[Line] | None = None
) -> None:
    """The manifest, every finding so far, and the ledger of this stage and those before it."""
    manifest.write(folder)
    write_findings(findings, folder / FINDINGS)
    if ledger is not None:
        write_ledger(folder, ledger)
    write_sums(folder, FINDINGS, *[FILE] * (ledger is not None))


def write_table(path: Path, header: tuple[str, ...], rows: Iterable[tuple]) -> None:
    """A CSV for `dvc plots`."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(header)
        table.writerows(rows)
