"""What a small build costs beside the plain way: the sample of 60 images, and then nothing to do.

    python benchmarks/small.py [--runs 3]

`make bench` prints the same table.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import workspace
from table import HERE, Row, format_table, measure, table_of

WORK = HERE / "work"
BUILD_S, NOTHING_S = 10, 1.5


def measured(scratch: Path, runs: int) -> tuple[list[dict[str, Any]], str]:
    """The table's lines, with ratios to `dvc add` and `dvc repro`, and a sentence on the goals."""
    images, start, done = scratch / "sample", scratch / "start", scratch / "done"
    workspace.run(scratch, _program("shardsmith"), "sample", str(images))
    workspace.make(start, images)
    workspace.run(scratch, "cp", "-r", str(start), str(done))
    workspace.run(done, _program("shardsmith"), "build")
    build, dvc = f"{_program('shardsmith')} build", f"{sys.executable} -m dvc"
    convert = [_program("shardsmith"), "convert", str(images), "--to", "tfrecord", "--out", str(scratch / "out")]
    rows = [
        _in_a_copy("dvc add, dvc repro", start, f"{dvc} add --quiet data/raw && {dvc} repro --quiet"),
        Row("shardsmith convert", convert, output=scratch / "out"),
        _in_a_copy("shardsmith build", start, build),
        Row("the same, nothing to do", build.split(), done),
    ]
    measure(rows, runs)
    return table_of(rows, rows[0]), " ".join(
        _sentence(row, goal_s) for row, goal_s in zip(rows[2:], (BUILD_S, NOTHING_S), strict=True)
    )


def _program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def _in_a_copy(name: str, start: Path, command: str) -> Row:
    copy = start.with_name("copy")
    return Row(name, ["sh", "-c", f'cp -r "$1" "$2" && cd "$2" && {command}', "sh", str(start), str(copy)], output=copy)


def _sentence(row: Row, goal_s: float) -> str:
    if not row.results:
        return f"{row.name}: {row.note}."
    wall_s = row.median("wall_s")
    return f"{row.name}: {wall_s:.1f} s; the goal, under {goal_s:g} s, is {'not ' * (wall_s >= goal_s)}reached."


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=3, help="how often each row is run; medians are shown (default: 3)")
    arguments = parser.parse_args()
    WORK.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=WORK, prefix="run-") as name:
        lines, goals = measured(Path(name), arguments.runs)
    print(f"the sample, 60 images; median of {arguments.runs} runs\n\n{format_table(lines, 'x dvc')}\n\n{goals}")


if __name__ == "__main__":
    main()
