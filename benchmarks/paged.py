"""What the benchmarks of the page share: a dataset that was taken in, and the median of some runs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import inputs
import workspace
from table import HERE

from shardsmith.app.opened import Dataset, open_folders
from shardsmith.app.raw import take_raw


def taken_in(root: Path, count: int) -> Dataset:
    """A workspace with so many images, as the page has it once they are read."""
    workspace.make(root, inputs.prepare(HERE / "work", count, None))
    (dataset,) = open_folders(root.parent, [root]).datasets.values()
    job = take_raw(dataset)
    while job.state == "running":
        time.sleep(0.2)
    return dataset


def median(work: Callable[[], object], runs: int) -> float:
    """Seconds."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
