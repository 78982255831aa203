"""What growth costs: +1 % of images, edits, deletions, and nights of +0.1 %, beside building all of it anew.

    python benchmarks/growth.py [-n 2000] [--nights 30] [--shard-mb 16]

Of each build: its processor seconds, and the bytes of shards that no version before it had. The images that come are
no copies of those that are there. `make bench` prints the same table.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import inputs
import workspace
from table import HERE, Row

WORK = HERE / "work"
SHARD_MB = 16
_PARTS = (("JPEGImages", "jpg"), ("Annotations", "xml"))


@dataclass
class Build:
    """What a build took, and what it wrote that was not there before."""

    what: str
    cpu_s: float
    new_bytes: int
    all_bytes: int
    new_shards: int
    note: str = ""


class Dataset:
    """A workspace that images are added to and taken from."""

    def __init__(self, root: Path, images: Path, shard_mb: float) -> None:
        self.root, self._images = root, images
        self._names = [path.stem for path in sorted((images / "JPEGImages").iterdir())]
        self._taken: list[str] = []
        self._seen: set[str] = set()
        (empty := root.with_name("empty")).mkdir()
        workspace.make(root, empty)
        for folder, _ in _PARTS:
            (root / "data/raw" / folder).mkdir()
        workspace.set_params(root, {"export": {"shard_size_mb": shard_mb}})
        workspace.commit(root, "data/raw is empty")

    def add(self, count: int) -> None:
        new = self._names[len(self._taken) : len(self._taken) + count]
        for name in new:
            for folder, suffix in _PARTS:
                file = f"{folder}/{name}.{suffix}"
                shutil.copy2(self._images / file, self.root / "data/raw" / file)
        self._taken += new

    def remove(self, count: int) -> None:
        for name in self._taken[:count]:
            for folder, suffix in _PARTS:
                (self.root / "data/raw" / folder / f"{name}.{suffix}").unlink()

    def edit(self, count: int) -> None:
        """Move a box of each of the last images by a pixel."""
        for name in self._taken[-count:]:
            path = self.root / "data/raw/Annotations" / f"{name}.xml"
            head, _, tail = path.read_text().partition("<xmin>")
            value, _, rest = tail.partition("</xmin>")
            path.write_text(f"{head}<xmin>{int(value) + 1}</xmin>{rest}")

    def build(self, what: str) -> Build:
        row = Row(what, [str(Path(sys.executable).with_name("shardsmith")), "build"], self.root)
        print(f"  {what} ...", file=sys.stderr)
        row.run()
        if not row.results:
            return Build(what, 0, 0, 0, 0, row.note)
        shards = {
            hashlib.md5(path.read_bytes()).hexdigest(): path.stat().st_size
            for path in (self.root / "data/export/tfrecord").glob("*.tfrecord-*")
        }
        new = shards.keys() - self._seen
        self._seen |= new
        return Build(what, row.median("cpu_s"), sum(shards[md5] for md5 in new), sum(shards.values()), len(new))


def measured(scratch: Path, images: Path, count: int, nights: int, shard_mb: float) -> Iterator[Build]:
    """All anew first: the others are compared with it."""
    few, tenth = max(1, count // 100), max(1, count // 1000)
    dataset = Dataset(scratch / "growing", images, shard_mb)
    dataset.add(count - few - nights * tenth)
    yield dataset.build("all of it")
    dataset.add(few)
    yield dataset.build(f"+{few} images (1 %)")
    dataset.edit(3)
    yield dataset.build("3 edited images")
    dataset.remove(3)
    yield dataset.build("3 images gone")
    for night in range(1, nights + 1):
        dataset.add(tenth)
        yield dataset.build(f"night {night}: +{tenth}")


def format_builds(builds: Sequence[Build]) -> str:
    """A line a build; nights as one line for the mean and one for the costliest."""
    nights = [one for one in builds if one.what.startswith("night") and not one.note]
    shown = [one for one in builds if not one.what.startswith("night") or one.note]
    whole = builds[0]
    if nights:
        most = max(nights, key=lambda one: (one.new_bytes / one.all_bytes, one.cpu_s))
        shown.append(Build(f"the costliest of {len(nights)} nights", max(n.cpu_s for n in nights), most.new_bytes,
                           most.all_bytes, max(n.new_shards for n in nights)))  # fmt: skip
    width = max(len(one.what) for one in shown)
    lines = [f"{'':{width}}  {'CPU s':>8}  {'share':>6}  {'new MB':>8}  {'share':>6}  {'shards':>6}"]
    for one in shown:
        if one.note:
            lines.append(f"{one.what:{width}}  {one.note}")
            continue
        cpu, written = one.cpu_s / whole.cpu_s if whole.cpu_s else 0, one.new_bytes / one.all_bytes
        lines.append(f"{one.what:{width}}  {one.cpu_s:8.1f}  {cpu:6.0%}  {one.new_bytes / 1e6:8.2f}  {written:6.1%}  "
                     f"{one.new_shards:6}")  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("-n", type=int, default=2000, help="how many images, all in all (default: 2000)")
    parser.add_argument("--nights", type=int, default=30, help="how many builds of +0.1 %% (default: 30)")
    parser.add_argument("--shard-mb", type=float, default=SHARD_MB, help="export.shard_size_mb (default: 16)")
    arguments = parser.parse_args()
    WORK.mkdir(exist_ok=True)
    images = inputs.prepare(WORK, arguments.n, None)
    with tempfile.TemporaryDirectory(dir=WORK, prefix="run-") as name:
        builds = list(measured(Path(name), images, arguments.n, arguments.nights, arguments.shard_mb))
    print(f"{arguments.n:,} images; goals: at most 3 % of the bytes, and 10 % of the seconds\n")
    print(format_builds(builds))


if __name__ == "__main__":
    main()
