"""export: TFRecord shards, and any other format asked for; with counts as metrics, and tables for `dvc plots`."""

import sys
from pathlib import Path

try:
    from shardsmith.pipeline.program import run
except ModuleNotFoundError as error:
    sys.exit(f"error: {sys.executable}: {error}; activate the environment that has requirements.lock's packages")

from shardsmith.dataset.findings import summarise
from shardsmith.dataset.label_map import read_label_map
from shardsmith.formats.losses import losses_of_export
from shardsmith.formats.shared.job import ExportJob
from shardsmith.ledger.fates import read_ledger
from shardsmith.pipeline.description import describe_version
from shardsmith.pipeline.export import check_exportable, count, describe, export, write_json, write_plots
from shardsmith.pipeline.params import load_params
from shardsmith.pipeline.stage import read_stage


def main(source: Path, about: Path, label_map: Path, out: Path, metrics: Path, plots: Path) -> None:
    params = load_params()
    manifest, earlier = read_stage(source)
    ledger, ids = read_ledger(source), read_label_map(label_map)

    # what a format cannot carry is a finding, or stops the build (export.on_loss)
    losses = losses_of_export(manifest, params.export.formats, params.export.masks)
    check_exportable(manifest, ledger, losses, params.export)
    findings = [*earlier, *losses]

    # each format in a folder of its own, with a README that says what the version is; all or nothing
    version = describe_version(manifest, ids, findings, about, params)
    sizes = {"shard_size_mb": params.export.shard_size_mb, "min_shards": params.export.min_shards}
    job = ExportJob(manifest, ids, masks=params.export.masks, facts=version.facts, **sizes)
    size = export(job, version, params.export.formats, ledger, out)

    counts = count(manifest, ids, findings, size)
    write_json(metrics, counts)
    write_plots(plots, counts)
    print("\n".join([*summarise(losses), f"export: {describe(counts, params.export.formats)} in {out}"]))


if __name__ == "__main__":
    run(main)
