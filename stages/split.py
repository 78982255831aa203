"""split: train, valid or test for every image; copies of one picture and images of one group stay together."""

import sys
from pathlib import Path

try:
    from shardsmith.pipeline.program import run
except ModuleNotFoundError as error:
    sys.exit(f"error: {sys.executable}: {error}; activate the environment that has requirements.lock's packages")

from shardsmith.dataset.findings import summarise
from shardsmith.ledger.balance import balance
from shardsmith.ledger.fates import read_ledger
from shardsmith.pipeline.params import load_params
from shardsmith.pipeline.splits.decisions import read_decisions
from shardsmith.pipeline.splits.record import read_record, write_record
from shardsmith.pipeline.splits.split import describe, place, table, unused_splits
from shardsmith.pipeline.stage import read_stage, write_stage


def main(source: Path, decisions: Path, record: Path, out: Path) -> None:
    params = load_params()
    before, earlier = read_stage(source)

    # an image stays where the record has it, unless data/decisions.csv says otherwise; new ones go by split.strategy in
    # params.yaml: stable (by a hash of the content), stratified, or as the source has it
    placed = place(before, params, read_decisions(decisions), read_record(record))
    after, own = placed.manifest, placed.findings

    ledger = balance("split", before, after, own, sets=("split", "group", "batch"))

    write_stage(out, after, [*earlier, *own], read_ledger(source) + ledger)
    write_record(placed.rows, record)
    print("\n".join([*unused_splits(before, params), *summarise(own), *table(after)]))
    print(f"split: {describe(after, own, params.split.strategy)}")


if __name__ == "__main__":
    run(main)
