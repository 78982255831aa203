"""Rows for `shardsmith pull`: a version from a local DVC remote, beside `dvc get` of the same."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import workspace
from table import Row, measure, table_of

NAME = "bench"
GOAL = 1.5


def measured(root: Path, scratch: Path, runs: int) -> tuple[list[dict[str, Any]], str]:
    """The table's lines and a sentence on the goal.

    Records a version in the workspace at `root`, in which `dvc repro` has run.
    """
    store, origin = scratch / "store", scratch / "origin"
    workspace.run(root, sys.executable, "-m", "dvc", "remote", "add", "--default", "store", str(store))
    workspace.commit(root, "a DVC remote")
    workspace.run(root, sys.executable, "tests/quick_build.py", NAME)
    workspace.run(root, "git", "clone", "--quiet", "--bare", str(root), str(origin))
    rows = pull_rows(f"file://{origin}", store, scratch)
    measure(rows, runs)
    return table_of(rows, rows[0]), sentence(rows)


def pull_rows(origin: str, store: Path, scratch: Path) -> list[Row]:
    """The first is the baseline: both it and the second clone the repository, and find nothing in a cache."""
    out, tag = scratch / "pulled", f"sample@{NAME}"
    get = [sys.executable, "-m", "dvc", "get", "--quiet", origin, "data/export", "--rev", tag, "--out", str(out)]
    pull = [str(Path(sys.executable).with_name("shardsmith")), "pull", tag, "--out", str(out)]
    alone = [*pull, "--remote", str(store)]
    return [
        Row("dvc get", get, scratch, output=out),
        Row("shardsmith pull --repo", [*pull, "--repo", origin], scratch, output=out),
        Row("shardsmith pull --remote", alone, scratch, output=out),
        Row("the same, --split valid", [*alone, "--split", "valid"], scratch, output=out),
        Row("the same, --format coco", [*alone, "--format", "coco"], scratch, output=out),
        Row("the same, --zip", [*alone, "--zip"], scratch, output=out.with_suffix(".zip")),
    ]


def sentence(rows: list[Row]) -> str:
    get, pull = rows[:2]
    if not get.results or not pull.results:
        return f"pull: not compared with dvc get: {get.note or pull.note}"
    ratio = pull.median("wall_s") / get.median("wall_s")
    return f"pull takes {ratio:.2f} times as long as dvc get; the goal, {GOAL}, is {'not ' * (ratio > GOAL)}reached"
