"""export: the manifest and its images -> TFRecord shards, and any other format asked for.

python -m stages.export IN SOURCE LABEL_MAP OUT METRICS PLOTS
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from stages.dataset import command
from stages.dataset.counts import count_findings, count_manifest
from stages.dataset.errors import FindingError, StageError
from stages.dataset.findings import summarise
from stages.dataset.label_map import read_label_map
from stages.dataset.manifest import SPLITS, Manifest
from stages.dataset.stage import read_stage
from stages.formats import WRITERS
from stages.formats.export_job import ExportJob
from stages.formats.losses import find_losses, fitted
from stages.formats.readme import Description, format_readme
from stages.params import Params, load_params
from stages.transforms import AUGMENT, PREPROCESS, build_steps

_LASTING = ["image_id", "sha256", "width", "height", "split", "parent_id", "copy", "tags", "origin"]


def export(job: ExportJob, about: Description, formats: list[str], out: Path) -> int:
    """Write each format into its own folder below `out`, and the manifest's tables; all or nothing.

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
        shutil.rmtree(out, ignore_errors=True)
        part.rename(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return sum(path.stat().st_size for path in out.rglob("*") if path.is_file())


def write_tables(manifest: Manifest, folder: Path) -> None:
    """The manifest as far as it holds beyond this workspace: what `diff`, `show --image` and pandas read."""
    pq.write_table(manifest.images.select(_LASTING), folder / "images.parquet", compression="zstd")
    pq.write_table(manifest.annotations, folder / "annotations.parquet", compression="zstd")


def describe_split(params: Params) -> str:
    fractions = params.split.fractions
    shares = f"train {fractions.train:.0%}, valid {fractions.valid:.0%}, test {fractions.test:.0%}"
    how = {
        "stable": f"by a hash of each image's content ({shares}), so an image stays in its split as the dataset grows",
        "stratified": f"exact shares and balanced classes ({shares})",
        "source": "as the source has it",
    }[params.split.strategy]
    pattern = params.split.group_pattern
    return how + (f"; images of one group (`{pattern}`) stay together" if pattern else "")


def describe_preprocessing(params: Params) -> list[str]:
    steps = params.preprocess.steps if params.preprocess.enabled else []
    return [step.describe() for step in build_steps(steps, PREPROCESS)]


def describe_augmentation(params: Params) -> list[str]:
    if not params.augment.enabled:
        return []
    own = params.augment
    more = ", more where a rarer class is on it," if own.balance else ""
    place = "beside the original" if own.keep_original else "instead of the original"
    count = "1 random copy" if own.copies == 1 else f"{own.copies} random copies"
    copies = f"{count}{more} of each {' and '.join(own.splits)} image {place}"
    return [copies, *(step.describe() for step in build_steps(params.augment.steps, AUGMENT))]


def carries(name: str, masks: bool) -> frozenset[str]:
    """What a format holds: its CARRIES, and its MASKS where they are asked for."""
    writer = WRITERS[name]
    return writer.CARRIES | (getattr(writer, "MASKS", frozenset()) if masks else frozenset())


def write_metrics(path: Path, counts: dict[str, Any]) -> None:
    path.write_text(json.dumps(counts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_plots(folder: Path, counts: dict[str, Any]) -> None:
    """classes.csv, splits.csv and findings.csv, as dvc.yaml's plots read them."""
    folder.mkdir(parents=True, exist_ok=True)
    classes = [(name, split, per[split]) for name, per in counts["classes"].items() for split in SPLITS]
    splits = [(split, counts["splits"][split]["images"]) for split in SPLITS]
    _write_table(folder / "classes.csv", ("class", "split", "boxes"), classes)
    _write_table(folder / "splits.csv", ("split", "images"), splits)
    _write_table(folder / "findings.csv", ("code", "count"), counts["findings"].items())


def _write_table(path: Path, header: tuple[str, ...], rows: Iterable[tuple]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(header)
        table.writerows(rows)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m stages.export", description=(__doc__ or "").partition("\n")[0])
    for name in ("in", "source", "label_map", "out", "metrics", "plots"):
        parser.add_argument(name, type=Path)
    options = vars(parser.parse_args(arguments))
    params = load_params()
    manifest, findings = read_stage(options["in"])
    if not manifest.images.num_rows:
        raise StageError(f"{options['in']}: no image is left to export; see findings.csv there")
    label_map = read_label_map(options["label_map"])
    counts = count_manifest(manifest)
    formats = list(dict.fromkeys(params.export.formats))
    losses = [loss for name in formats for loss in find_losses(manifest, name, carries(name, params.export.masks))]
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
    size = export(job, about, formats, options["out"])
    metrics = {"dataset": label_map.dataset, **counts, **count_findings(findings), "bytes": size}
    write_metrics(options["metrics"], metrics)
    write_plots(options["plots"], metrics)
    if losses:
        print("\n".join(summarise(losses)))
    print(
        f"export: {counts['images']:,} images and {counts['boxes']:,} boxes as {', '.join(params.export.formats)}, "
        f"{size / 1e6:,.1f} MB in {options['out']}"
    )


if __name__ == "__main__":
    command.run(main)
