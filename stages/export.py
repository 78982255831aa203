"""export: the manifest and its images -> TFRecord shards, and any other format asked for.

python -m stages.export IN SOURCE LABEL_MAP OUT METRICS PLOTS
"""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from stages.dataset import command
from stages.dataset.balance import differing
from stages.dataset.counts import count_findings, count_manifest
from stages.dataset.errors import FindingError, StageError
from stages.dataset.findings import summarise
from stages.dataset.gates import missed_gates
from stages.dataset.label_map import read_label_map
from stages.dataset.ledger import KEPT, Line, check_chain, read_ledger, unbalanced, write_ledger
from stages.dataset.manifest import SPLITS, Manifest
from stages.dataset.stage import read_stage, write_table
from stages.described import describe_augmentation, describe_preprocessing, describe_split
from stages.formats import WRITERS
from stages.formats.export_job import ExportJob
from stages.formats.losses import fitted, losses_of_export
from stages.formats.readme import Description, format_readme
from stages.params import load_params

_LASTING = ["image_id", "sha256", "width", "height", "split", "parent_id", "copy", "tags", "annotated", "origin"]


def export(job: ExportJob, about: Description, formats: list[str], ledger: list[Line], out: Path) -> int:
    """Write each format into its own folder below `out`, the manifest's tables and the ledger; all or nothing.

    What stood at `out` is replaced at the end. Returns the bytes written.
    """
    part = out.with_name(f"{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        for name in formats:
            writer = WRITERS[name]
            writer.write(replace(job, manifest=fitted(job.manifest, writer.CARRIES)), part / name)
            (part / name / "README.md").write_text(format_readme(about, writer.LOADING), encoding="utf-8")
        write_tables(job.manifest, part)
        write_ledger(part, [*ledger, *balance_tables(job.manifest, part)])
        shutil.rmtree(out, ignore_errors=True)
        part.rename(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return sum(path.stat().st_size for path in out.rglob("*") if path.is_file())


def write_tables(manifest: Manifest, folder: Path) -> None:
    """The manifest as far as it holds beyond this workspace: what `diff`, `show --image` and pandas read."""
    pq.write_table(manifest.images.select(_LASTING), folder / "images.parquet", compression="zstd")
    pq.write_table(manifest.annotations, folder / "annotations.parquet", compression="zstd")


def balance_tables(manifest: Manifest, folder: Path) -> list[Line]:
    """The ledger of export: the tables as they stand on disk hold what entered.

    Raises:
        StageError: they do not.
    """
    lines = []
    for what, table, columns in (
        ("images", manifest.images, ["image_id", "sha256"]),
        ("boxes", manifest.annotations, ["image_id", "label"]),
    ):
        name = {"images": "images", "boxes": "annotations"}[what]
        written = pq.ParquetFile(folder / f"{name}.parquet").read(columns, use_threads=False)
        for column in columns:
            differs = differing(table[column], written[column])
            if differs is not None:
                rows = table if differs < table.num_rows else written
                raise unbalanced(
                    "export", f"row {differs + 1} of {what} ({rows['image_id'][differs]})", "is not as it entered"
                )
        lines.append(Line("export", what, KEPT, "", table.num_rows))
    return lines


def write_metrics(path: Path, counts: dict[str, Any]) -> None:
    path.write_text(json.dumps(counts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_plots(folder: Path, counts: dict[str, Any]) -> None:
    """classes.csv, splits.csv and findings.csv, as dvc.yaml's plots read them."""
    folder.mkdir(parents=True, exist_ok=True)
    classes = [(name, split, per[split]) for name, per in counts["classes"].items() for split in SPLITS]
    splits = [(split, counts["splits"][split]["images"]) for split in SPLITS]
    write_table(folder / "classes.csv", ("class", "split", "boxes"), classes)
    write_table(folder / "splits.csv", ("split", "images"), splits)
    write_table(folder / "findings.csv", ("code", "count"), counts["findings"].items())


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m stages.export", description=(__doc__ or "").partition("\n")[0])
    for name in ("in", "source", "label_map", "out", "metrics", "plots"):
        parser.add_argument(name, type=Path)
    options = vars(parser.parse_args(arguments))
    params = load_params()
    manifest, findings = read_stage(options["in"])
    if not manifest.images.num_rows:
        raise StageError(f"{options['in']}: no image is left to export; see findings.csv there")
    ledger = read_ledger(options["in"])
    check_chain(ledger, manifest.images.num_rows, manifest.annotations.num_rows)
    missed = missed_gates(manifest, ledger, **params.export.require.model_dump())
    if missed:
        lines = ["export.require in params.yaml is not met, so nothing is exported:", *(f"  {one}" for one in missed)]
        raise FindingError("\n".join([*lines, "add or repair data, or require less"]))
    label_map = read_label_map(options["label_map"])
    counts = count_manifest(manifest)
    formats = list(dict.fromkeys(params.export.formats))
    losses = losses_of_export(manifest, formats, params.export.masks)
    if losses and params.export.on_loss == "fail":
        raise FindingError("export.on_loss in params.yaml says to fail:\n" + "\n".join(summarise(losses)))
    findings = [*findings, *losses]
    about = Description(
        label_map=label_map,
        annotation_group=params.dataset.annotation_group,
        source=json.loads(options["source"].read_text(encoding="utf-8"))["description"],
        counts=counts,
        findings=findings,
        split=describe_split(params),
        preprocessing=describe_preprocessing(params),
        augmentation=describe_augmentation(params),
    )
    job = ExportJob(manifest, label_map, params.export.shard_size_mb, params.export.masks)
    size = export(job, about, formats, ledger, options["out"])
    metrics = {"dataset": label_map.dataset, **counts, **count_findings(findings), "bytes": size}
    write_metrics(options["metrics"], metrics)
    write_plots(options["plots"], metrics)
    if losses:
        print("\n".join(summarise(losses)))
    print(
        f"export: {counts['images']:,} images and {counts['boxes']:,} {counts['annotation_kind']} as "
        f"{', '.join(params.export.formats)}, {size / 1e6:,.1f} MB in {options['out']}"
    )


if __name__ == "__main__":
    command.run(main)
