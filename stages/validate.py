"""validate: every image and box checked; what is dropped or repaired has a finding that says why."""

import sys
from pathlib import Path

try:
    from shardsmith.pipeline.program import run
except ModuleNotFoundError as error:
    sys.exit(f"error: {sys.executable}: {error}; activate the environment that has requirements.lock's packages")

from shardsmith.dataset.findings import count_severities
from shardsmith.ledger.balance import balance
from shardsmith.ledger.fates import read_ledger
from shardsmith.pipeline.checks.kept import LOOKS, Keeping
from shardsmith.pipeline.code import digest
from shardsmith.pipeline.params import load_params
from shardsmith.pipeline.splits.decisions import read_decisions
from shardsmith.pipeline.stage import read_stage, write_stage
from shardsmith.pipeline.validate import kept, summary, validate


def main(source: Path, decisions: Path, out: Path) -> None:
    params = load_params()
    before, earlier = read_stage(source)

    # what decoding an image tells is kept by its content: what has not changed is not decoded again
    keeping = Keeping(LOOKS, digest("validate"))

    # validate.actions in params.yaml says what becomes of each kind of finding, and data/decisions.csv which images are
    # left out or tagged; all findings so far come back
    after, findings = validate(before, earlier, params, read_decisions(decisions), keeping)

    # a check of your own goes here: docs/your-own.md has one

    # the ledger: every image and box has one fate, and no row is lost or changed without a finding
    ledger = balance("validate", before, after, findings[len(earlier) :], sets=("group", "annotated", "tags", "pixels"))

    write_stage(out, after, findings, read_ledger(source) + ledger)
    (out / "summary.md").write_text(summary(before, after, findings), encoding="utf-8")
    print(f"validate: {kept(before, after)} kept; {count_severities(findings)}: {out / 'summary.md'}")


if __name__ == "__main__":
    run(main)
