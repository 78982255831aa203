"""report: what is in the version, as one page for people (index.html), and its tables for `dvc plots`."""

import sys
from pathlib import Path

try:
    from shardsmith.pipeline.program import run
except ModuleNotFoundError as error:
    sys.exit(f"error: {sys.executable}: {error}; activate the environment that has requirements.lock's packages")

from shardsmith.dataset.label_map import read_label_map
from shardsmith.formats.losses import losses_of_export
from shardsmith.ledger.fates import read_ledger
from shardsmith.pipeline.description import read_facts, read_source
from shardsmith.pipeline.params import load_params
from shardsmith.pipeline.report import describe, read_all, report, write_report
from shardsmith.pipeline.stage import read_stage


def main(source: Path, ingested: Path, label_map: Path, out: Path) -> None:
    params = load_params()
    manifest, findings = read_stage(source)
    findings += losses_of_export(manifest, params.export.formats, params.export.masks)

    # findings are about what ingest read, and about the images that it dropped
    taken_in = read_all(ingested)
    about = ingested / "source.json"
    ids, labelled, facts = read_label_map(label_map), read_source(about), read_facts(about)
    page, content = report(manifest, taken_in, findings, read_ledger(source), ids, labelled, params, facts)

    write_report(page, content, out)
    print(f"report: {describe(page, content, manifest, out)}")


if __name__ == "__main__":
    run(main)
