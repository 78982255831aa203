"""preprocess: the steps that params.yaml lists, on every image of every split. Off: everything passes through."""

import sys
from pathlib import Path

try:
    from shardsmith.pipeline.program import run
except ModuleNotFoundError as error:
    sys.exit(f"error: {sys.executable}: {error}; activate the environment that has requirements.lock's packages")

from shardsmith.dataset.findings import stop_on_fail
from shardsmith.ledger.fates import read_ledger
from shardsmith.ledger.making import balance_made
from shardsmith.pipeline.params import load_params
from shardsmith.pipeline.preprocess import preprocess
from shardsmith.pipeline.stage import read_stage, write_stage
from shardsmith.transforms.run.trace import Trace


def main(source: Path, out: Path) -> None:
    params = load_params()
    before, earlier = read_stage(source)

    # images go to out/images, and what an earlier run made there is used again; the trace knows what came of what
    trace = Trace("preprocess", before)
    after, own, summary = preprocess(before, params.preprocess, out, trace)
    stop_on_fail(own, params.validate_.actions)

    ledger = balance_made("preprocess", before, after, own, trace.result())

    write_stage(out, after, earlier + own, read_ledger(source) + ledger)
    print(f"preprocess: {summary}")


if __name__ == "__main__":
    run(main)
