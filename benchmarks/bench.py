"""Time the export stage and the whole pipeline against other ways of doing it, in one run and side by side.

python benchmarks/bench.py [-n 2000] [--images FOLDER] [--runs 3] [--peers] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import inputs  # noqa: E402
import peers  # noqa: E402
import workspace  # noqa: E402

WORK = HERE / "work"
OTHERS = HERE / "others"
BASELINE = "(b) the plainest loop"


@dataclass
class Row:
    """One line of the table: a command, how often it is run, and what each run took."""

    name: str
    command: list[str]
    cwd: Path = HERE
    workers: int | None = None
    output: Path | None = None
    before: list[str] = field(default_factory=list)
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


def export_rows(folder: Path, root: Path, scratch: Path) -> list[Row]:
    """Export and what it is compared with; (a), (b) and (c) as the table's own names for them."""
    images, table, out = str(folder / "JPEGImages"), f"{folder}.csv", scratch / "out"
    cat = ["sh", "-c", 'find "$1" -name "*.jpg" -print0 | xargs -0 cat > "$2"', "cat", images, str(out)]
    export = workspace.export_command(root)

    def other(name: str) -> list[str]:
        return [sys.executable, str(OTHERS / f"{name}.py"), images, table, str(out)]

    return [
        Row("(a) cat into one file", cat, output=out),
        Row(BASELINE, other("plain_loop"), output=out),
        Row("export, 1 worker", export, cwd=root, workers=1, output=root / "data" / "export"),
        Row("export, 2 workers", export, cwd=root, workers=2, output=root / "data" / "export"),
        Row("(c) as Dat Tran's script", other("dat_tran"), output=out),
    ]


def peer_rows(folder: Path, scratch: Path, failures: dict[str, str]) -> Iterator[Row]:
    """TFDS and Datumaro where they are installed."""
    out = scratch / "peer"
    voc = scratch / "voc"
    voc.mkdir()
    for part in ("JPEGImages", "Annotations"):
        (voc / part).symlink_to(folder / part)
    (voc / "ImageSets" / "Main").mkdir(parents=True)
    stems = sorted(path.stem for path in (folder / "JPEGImages").iterdir())
    (voc / "ImageSets" / "Main" / "train.txt").write_text("".join(f"{stem}\n" for stem in stems))
    rows = Path(f"{folder}.csv").read_text().splitlines()[1:]
    names = ["background", *sorted({row.split(",")[3] for row in rows})]
    (voc / "labelmap.txt").write_text("".join(f"{name}:::\n" for name in names))
    arguments = {"tfds": [str(folder / "JPEGImages"), f"{folder}.csv", str(out)], "datumaro": [str(voc), str(out)]}
    for name in peers.PEERS:
        if name in failures or not (WORK / name / "ready").exists():
            yield Row(name, [], note=failures.get(name, "not installed; run make bench-peers"))
        else:
            python = str(peers.python_of(WORK, name))
            command = [python, str(OTHERS / f"with_{name}.py"), *arguments[name]]
            yield Row(f"{name} {peers.version(WORK, name)}", command, output=out)


def pipeline_rows(root: Path) -> list[Row]:
    """The pipeline in a workspace of its own, in this order; the second repro has nothing to do."""
    dvc = [sys.executable, "-m", "dvc"]
    shardsmith = str(Path(sys.executable).with_name("shardsmith"))
    return [
        Row("dvc add data/raw", [*dvc, "add", "--quiet", "data/raw"], cwd=root, once=True),
        Row("dvc repro, all six stages", [*dvc, "repro", "--quiet"], cwd=root, once=True),
        Row("dvc repro, nothing to do", [*dvc, "repro", "--quiet"], cwd=root),
        Row("shardsmith --help", [shardsmith, "--help"], cwd=root),
    ]


def flatness_rows(root: Path, count: int) -> list[Row]:
    """Export of a fifth of the images: its peak beside that of all shows whether memory grows with N."""
    workspace.take_part(root / "data" / "augment", root / "data" / "fifth", count // 5)
    command = ["data/fifth" if part == "data/augment" else part for part in workspace.export_command(root)]
    out = root / "data" / "export"
    return [
        Row(f"export of {count // 5:,}, {workers} worker{'s' * (workers > 1)}", command, root, workers, out)
        for workers in (1, 2)
    ]


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


def table_of(rows: list[Row], baseline_s: float) -> list[dict[str, Any]]:
    """Name, medians and ratio of each row, for JSON; only a name and a note where nothing was measured."""
    lines: list[dict[str, Any]] = []
    for row in rows:
        line: dict[str, Any] = {"name": row.name, "note": row.note, "runs": len(row.results)}
        if row.results:
            line |= {key: round(row.median(key), 3) for key in ("wall_s", "cpu_s", "peak_mb")}
            line["ratio"] = round(row.median("wall_s") / baseline_s, 2)
            line["walls_s"] = [round(result["wall_s"], 3) for result in row.results]
        lines.append(line)
    return lines


def format_table(lines: list[dict[str, Any]]) -> str:
    width = max(len(line["name"]) for line in lines)
    text = [f"{'':{width}}  {'wall s':>8}  {'x (b)':>6}  {'CPU s':>8}  {'peak MB':>8}"]
    for line in lines:
        numbers = f"{line['wall_s']:8.2f}  {line['ratio']:6.2f}  {line['cpu_s']:8.2f}  {line['peak_mb']:8.0f}" if (
            "wall_s" in line
        ) else f"  {line['note']}"  # fmt: skip
        text.append(f"{line['name']:{width}}  {numbers}")
    return "\n".join(text)


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def warm(folder: Path) -> int:
    """Read every image once, so that all rows find it in the page cache; returns the bytes."""
    return sum(len(path.read_bytes()) for path in (folder / "JPEGImages").iterdir())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("-n", type=int, default=2000, help="how many images (default: 2000)")
    parser.add_argument("--images", type=Path, help="derive them from the images of this folder, not from the sample")
    parser.add_argument("--runs", type=int, default=3, help="how often each row is run; medians are shown (default: 3)")
    parser.add_argument("--peers", action="store_true", help="install TFDS and Datumaro, to compare with them")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    arguments = parser.parse_args()
    WORK.mkdir(exist_ok=True)
    failures = peers.install(WORK) if arguments.peers else {}
    folder = inputs.prepare(WORK, arguments.n, arguments.images)
    size = warm(folder)
    with tempfile.TemporaryDirectory(dir=WORK, prefix="run-") as name:
        scratch = Path(name)
        root = scratch / "workspace"
        workspace.make(root, folder)
        print(f"measuring with {arguments.n:,} images, {size / 1e6:,.0f} MB", file=sys.stderr)
        pipeline = pipeline_rows(root)
        measure(pipeline, arguments.runs)
        rows = [*export_rows(folder, root, scratch), *peer_rows(folder, scratch, failures)]
        rows += flatness_rows(root, arguments.n)
        measure(rows, arguments.runs)
    baseline_s = next(row for row in rows if row.name == BASELINE).median("wall_s")
    lines = table_of([*rows, *pipeline], baseline_s)
    print(f"{arguments.n:,} images of {size / arguments.n / 1000:,.0f} kB, {size / 1e6:,.0f} MB; "
          f"median of {arguments.runs} runs; {len(os.sched_getaffinity(0))} cores\n")  # fmt: skip
    print(format_table(lines))
    if arguments.json:
        arguments.json.write_text(json.dumps({"images": arguments.n, "bytes": size, "rows": lines}, indent=2) + "\n")


if __name__ == "__main__":
    main()
