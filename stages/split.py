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
from shardsmith.pipeline.splits.split import describe, split, table, unused_splits
from shardsmith.pipeline.stage import read_stage, write_stage


def main(source: Path, out: Path) -> None:
    params = load_params()
    before, earlier = read_stage(source)

    # split.strategy in params.yaml: stable (by a hash of the content), stratified, or as the source has it
    after, own = split(before, params)

    ledger = balance("split", before, after, own, sets=("split", "group"))

    write_stage(out, after, [*earlier, *own], read_ledger(source) + ledger)
    print("\n".join([*unused_splits(before, params), *summarise(own), *table(after)]))
    print(f"split: {describe(after, own, params.split.strategy)}")


if __name__ == "__main__":
    run(main)
