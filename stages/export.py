"""export: TFRecord shards, and any other format asked for; with counts as metrics, and tables for `dvc plots`."""

import sys
from dataclasses import replace
from pathlib import Path

try:
    from shardsmith.pipeline.program import run
except ModuleNotFoundError as error:
    sys.exit(f"error: {sys.executable}: {error}; activate the environment that has requirements.lock's packages")

from shardsmith.dataset.findings import summarise
from shardsmith.dataset.label_map import read_label_map
from shardsmith.formats.losses import losses_of_export
from shardsmith.formats.shared.job import ExportJob
from shardsmith.formats.shared.shards import place_images
from shardsmith.ledger.fates import read_ledger
from shardsmith.pipeline.description import describe_version
from shardsmith.pipeline.export import (
    check_exportable,
    count,
    describe,
    export,
    read_places,
    write_counts,
    write_places,
)
from shardsmith.pipeline.params import load_params
from shardsmith.pipeline.stage import read_stage


def main(source: Path, about: Path, label_map: Path, out: Path, metrics: Path, plots: Path, record: Path) -> None:
    params = load_params()
    own = params.export
    manifest, earlier = read_stage(source)
    ledger, ids = read_ledger(source), read_label_map(label_map)

    # what a format cannot carry is a finding, or stops the build (export.on_loss)
    losses = losses_of_export(manifest, own.formats, own.masks)
    check_exportable(manifest, ledger, losses, own)
    findings = [*earlier, *losses]

    # an image stays in its shard, which data/shards.csv remembers; new ones open a shard of their own
    old = read_places(record, own.era)
    job = ExportJob(manifest, ids, own.shard_size_mb, own.masks, min_shards=own.min_shards, places=old)
    places = place_images(job)

    # each format in a folder of its own, with a README that says what the version is; all or nothing
    version = describe_version(manifest, ids, findings, about, params)
    job = replace(job, places=places, facts=version.facts)
    size = export(job, version, own.formats, ledger, out)
    write_places(places, own.era, record)

    counts = count(manifest, ids, findings, size)
    write_counts(counts, metrics, plots)
    print("\n".join([*summarise(losses), f"export: {describe(counts, own.formats)} in {out}"]))


if __name__ == "__main__":
    run(main)
