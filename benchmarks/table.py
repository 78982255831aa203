"""The rows of a benchmark: how each is run and measured, and the table of their medians."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import workspace

HERE = Path(__file__).resolve().parent


@dataclass
class Row:
    """One line of the table: a command, how often it is run, and what each run took."""

    name: str
    command: list[str]
    cwd: Path = HERE
    workers: int | None = None
    output: Path | None = None
    note: str = ""
    once: bool = False
    results: list[dict[str, float]] = field(default_factory=list)

    def run(self) -> None:
        """Measure once, with a clean place to write to and nothing left to be written from before."""
        if self.output:
            remove(self.output)
        os.sync()
        done = subprocess.run(
            [sys.executable, str(HERE / "measure.py"), *self.command],
            cwd=self.cwd, env=workspace.environment(self.workers), capture_output=True, text=True,
        )  # fmt: skip
        result = json.loads(done.stdout or '{"code": 1}')
        if result.pop("code"):
            self.note = "failed: " + (done.stderr.strip().splitlines() or ["no output"])[-1][:200]
        else:
            self.results.append(result)

    def median(self, key: str) -> float:
        return statistics.median(result[key] for result in self.results)


def measure(rows: list[Row], runs: int) -> None:
    """Every row once, then every row again: what disturbs the machine for a while disturbs all."""
    for number in range(runs):
        for row in rows:
            if row.note or (number and row.once):
                continue
            print(f"  {number + 1}/{runs} {row.name} ...", file=sys.stderr)
            row.run()
    for row in rows:
        if row.output:
            remove(row.output)


def table_of(rows: list[Row], baseline: Row | None = None) -> list[dict[str, Any]]:
    """Name, medians and ratio of each row, for JSON; only a name and a note where nothing was measured."""
    lines: list[dict[str, Any]] = []
    for row in rows:
        line: dict[str, Any] = {"name": row.name, "note": row.note, "runs": len(row.results)}
        if row.results:
            line |= {key: round(row.median(key), 3) for key in ("wall_s", "cpu_s", "peak_mb")}
            line["walls_s"] = [round(result["wall_s"], 3) for result in row.results]
            if baseline and baseline.results:
                line["ratio"] = round(row.median("wall_s") / baseline.median("wall_s"), 2)
        lines.append(line)
    return lines


def format_table(lines: list[dict[str, Any]], ratio: str = "") -> str:
    """The lines in columns; `ratio` is the heading of the ratios, where there are any."""
    width = max(len(line["name"]) for line in lines)
    text = [f"{'':{width}}  {'wall s':>8}  {ratio:>6}  {'CPU s':>8}  {'peak MB':>8}"]
    return "\n".join([*text, *(f"{line['name']:{width}}  {_figures(line)}" for line in lines)])


def _figures(line: dict[str, Any]) -> str:
    if "wall_s" not in line:
        return f"  {line['note']}"
    ratio = f"{line['ratio']:.2f}" if "ratio" in line else ""
    return f"{line['wall_s']:8.2f}  {ratio:>6}  {line['cpu_s']:8.2f}  {line['peak_mb']:8.0f}"


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
