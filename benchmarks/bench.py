"""Time the stages and the whole pipeline against other ways of doing it, in one run and side by side.

python benchmarks/bench.py [-n 2000] [--images FOLDER] [--runs 3] [--peers] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import growth
import inputs
import peers
import pull
import small
import transforms
import workspace
from table import HERE, Row, format_table, measure, table_of

WORK = HERE / "work"
OTHERS = HERE / "others"
NIGHTS = 30
BASELINE = "(b) the plainest loop"


def export_rows(folder: Path, root: Path, scratch: Path) -> list[Row]:
    """Export and what it is compared with; (a), (b) and (c) as the table's own names for them."""
    images, table, out = str(folder / "JPEGImages"), f"{folder}.csv", scratch / "out"
    cat = ["sh", "-c", 'find "$1" -name "*.jpg" -print0 | xargs -0 cat > "$2"', "cat", images, str(out)]
    export = workspace.stage_command(root, "export")

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
        Row("dvc repro, all stages", [*dvc, "repro", "--quiet"], cwd=root, once=True),
        Row("dvc repro, nothing to do", [*dvc, "repro", "--quiet"], cwd=root),
        Row("shardsmith --help", [shardsmith, "--help"], cwd=root),
    ]


def flatness_rows(root: Path, count: int) -> list[Row]:
    """Export of a fifth of the images: its peak beside that of all shows whether memory grows with N."""
    workspace.take_part(root / "data" / "augment", root / "data" / "fifth", count // 5)
    command = workspace.stage_command(root, "export", {"data/augment": "data/fifth"})
    out = root / "data" / "export"
    return [
        Row(f"export of {count // 5:,}, {workers} worker{'s' * (workers > 1)}", command, root, workers, out)
        for workers in (1, 2)
    ]


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
        pull_lines, goal = pull.measured(root, scratch, arguments.runs)
        rows = [*export_rows(folder, root, scratch), *peer_rows(folder, scratch, failures)]
        rows += flatness_rows(root, arguments.n)
        measure(rows, arguments.runs)
        small_lines, small_goals = small.measured(scratch, arguments.runs)
        transform_lines, larger = transforms.measured(root, scratch, arguments.n, arguments.runs)
        builds = list(growth.measured(scratch, folder, arguments.n, NIGHTS, growth.SHARD_MB))
    lines = table_of([*rows, *pipeline], next(row for row in rows if row.name == BASELINE))
    print(f"{arguments.n:,} images of {size / arguments.n / 1000:,.0f} kB, {size / 1e6:,.0f} MB; "
          f"median of {arguments.runs} runs; {len(os.sched_getaffinity(0))} cores\n")  # fmt: skip
    print(format_table(lines, "x (b)"))
    print(f"\n{format_table(transform_lines, 'x loop')}\n\n{larger}")
    print(f"\n{format_table(small_lines, 'x dvc')}\n\n{small_goals}")
    print(f"\n{format_table(pull_lines, 'x get')}\n\n{goal}")
    print(f"\n{growth.format_builds(builds)}")
    if arguments.json:
        figures = {
            "images": arguments.n,
            "bytes": size,
            "rows": lines,
            "transforms": transform_lines,
            "pull": pull_lines,
            "small": small_lines,
            "growth": [vars(one) for one in builds],
        }
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
