"""Time `dvc repro` where nothing changed, in a workspace with many tracked images.

    python benchmarks/noop.py [-n 50000] [--runs 5]

The images are 16 x 16 pixels, no two the same, with a box each (TF Object Detection CSV): what counts is how many files
DVC and git look at. They are kept in benchmarks/work/ between runs.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import workspace
from table import HERE, Row, format_table, measure, table_of

from shardsmith.dataset.images import encode

WORK = HERE / "work"
SIDE_PX = 16
GOAL_S = 8
BOX = ("thing", 2, 2, 12, 12)
COLUMNS = ("filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax")


def prepare(count: int) -> Path:
    """The folder of `count` images, made where it is not there yet; its table is written last."""
    folder = WORK / f"small-{count}"
    table = folder / "_annotations.csv"
    if table.exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{number:06d}.jpg" for number in range(count)]
    rng = np.random.default_rng(0)
    for name in names:
        pixels = rng.integers(0, 256, (SIDE_PX, SIDE_PX, 3), dtype=np.uint8)
        (folder / name).write_bytes(encode(pixels, "jpeg"))
    with table.with_suffix(".part").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *((name, SIDE_PX, SIDE_PX, *BOX) for name in names)])
    table.with_suffix(".part").rename(table)
    return folder


def first_rows(root: Path) -> list[Row]:
    """What happens once."""
    return [
        Row("dvc add data/raw", dvc("add", "--quiet", "data/raw"), root),
        Row("dvc repro, all stages", dvc("repro", "--quiet"), root),
    ]


def noop_rows(root: Path) -> list[Row]:
    """What finds nothing to do; the first is the one that has a goal."""
    return [
        Row("dvc repro, nothing to do", dvc("repro", "--quiet"), root),
        Row("dvc status", dvc("status", "--quiet"), root),
        Row("git status", ["git", "status", "--short"], root),
    ]


def dvc(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "dvc", *arguments]


def verdict(row: Row) -> str:
    if not row.results:
        return f"{row.name}: {row.note}"
    wall_s = row.median("wall_s")
    return f"{row.name}: {wall_s:.1f} s; the goal, under {GOAL_S} s, is {'' if wall_s < GOAL_S else 'not '}reached"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("-n", type=int, default=50_000, help="how many images (default: 50,000)")
    parser.add_argument("--runs", type=int, default=5, help="how often each row is run; medians are shown (default: 5)")
    arguments = parser.parse_args()
    images = prepare(arguments.n)
    with tempfile.TemporaryDirectory(dir=WORK, prefix="run-") as name:
        root = Path(name) / "workspace"
        workspace.make(root, images)
        first = first_rows(root)
        measure(first, 1)
        workspace.commit(root, "the first version of the data")
        rows = noop_rows(root)
        measure(rows, arguments.runs)
    print(f"{arguments.n:,} small images; median of {arguments.runs} runs\n")
    print(format_table(table_of([*first, *rows])))
    print(f"\n{verdict(rows[0])}")


if __name__ == "__main__":
    main()
