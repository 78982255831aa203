"""What the benchmarks of the page share: their options, a workspace, and the median of some runs."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import inputs
import workspace
from table import HERE

from shardsmith.app.opened import Dataset, open_folders
from shardsmith.app.raw import take_raw


@contextmanager
def workspace_of(about: str | None, images: int, runs: int) -> Iterator[tuple[argparse.Namespace, Path]]:
    """The options `-n` and `--runs`, and a workspace with so many images, for as long as it is measured.

    Args:
        about: what `--help` says. images, runs: where the options do not say.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=images, help="images")
    parser.add_argument("--runs", type=int, default=runs)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="shardsmith-") as work:
        root = Path(work) / "images"
        workspace.make(root, inputs.prepare(HERE / "work", given.n, None))
        yield given, root


def taken_in(root: Path) -> Dataset:
    """The workspace as the page has it once its images are read."""
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
