"""ingest: data/raw, in any annotation format -> the manifest (images and annotations as tables), and the label map."""

import sys
from pathlib import Path

try:
    from shardsmith.pipeline.program import run
except ModuleNotFoundError as error:
    sys.exit(f"error: {sys.executable}: {error}; activate the environment that has requirements.lock's packages")

from shardsmith.dataset.manifest import LEFT_OUT
from shardsmith.ledger.reading import ReadSource, balance_read
from shardsmith.pipeline.ingest import describe, left_out, read_raw, starting_map, take_in, write_source
from shardsmith.pipeline.params import load_params
from shardsmith.pipeline.stage import write_stage


def main(raw: Path, out: Path, label_map: Path) -> None:
    params = load_params()
    start = starting_map(label_map, params.dataset.name)  # ids given before keep their meaning

    # what the annotation files say, as they stand
    folder, source, format_name = read_raw(raw, params.ingest, out)
    seen = ReadSource(folder.image_files, source.annotations, source.captions())

    # classes renamed, merged and omitted as ingest.classes says; images that no annotation mentions
    manifest, ids, findings = take_in(folder, source, params.ingest, start)

    # the ledger: nothing that was read is lost without a finding
    ledger = balance_read(seen, manifest, findings)

    write_stage(out, manifest, findings, ledger)
    left_out(folder, source, findings).write(out / LEFT_OUT)  # for the version's page
    write_source(out, format_name, source.facts)
    label_map.write_text(ids.format(), encoding="utf-8")
    print(f"ingest: {describe(manifest, ids, findings, format_name)}")


if __name__ == "__main__":
    run(main)
