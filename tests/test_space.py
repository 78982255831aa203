"""A disk that is too small, or fills up at work: real file systems of a few megabytes."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from workspaces import QUICK, ROOT, Place, make_workspace

from shardsmith.pipeline.params import parse_params
from shardsmith.store.pulled import hash_files
from shardsmith.versions.space import Need, Raw, estimate, predict
from shardsmith.workspace.workspace import Workspace

MB = 1_000_000


@dataclass(frozen=True)
class OnSmallDisk(Place):
    """A workspace on a file system of its own, in a mount namespace; `root` is how it is seen from outside."""

    enter: tuple[str, ...]

    def run(self, *command: str, ok: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        return super().run(*self.enter, *command, ok=ok, **env)

    def start(self, *command: str, **env: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.enter, *command], env=self.env | env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def fill(self, leave: int = 0) -> None:
        """A build at work may take the last of it in between."""
        with suppress(OSError), (self.root.parent / "filler").open("wb", buffering=0) as filler:
            while (free := shutil.disk_usage(self.root).free) > leave:
                filler.write(b"\0" * (free - leave))

    def make_room(self) -> None:
        (self.root.parent / "filler").unlink()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[OnSmallDisk]:
    outside, disk = make_workspace(tmp_path / "outside", tmp_path / "home"), tmp_path / "disk"
    disk.mkdir()
    script = f"mount -t tmpfs -o size=40m none '{disk}' && echo mounted && exec sleep 600"
    process = subprocess.Popen(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", script],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout
    if (said := process.stdout.readline().strip()) != "mounted":
        pytest.skip(f"no file system can be mounted here: {said}")
    enter = ["nsenter", f"--target={process.pid}", "--user", "--mount", "--preserve-credentials"]
    root = Path(f"/proc/{process.pid}/root{disk}/work")
    shutil.copytree(outside.root, root)
    env = outside.env | {"PYTHONPATH": f"{disk}/work"}
    yield OnSmallDisk(root, env, (*enter, "sh", "-c", f"cd '{disk}/work' && exec \"$@\"", "sh"))
    process.kill()
    process.wait()


def build(place: Place, name: str, ok: bool = True) -> str:
    done = place.run(*QUICK, name, ok=ok)
    assert ok or done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def more_images(root: Path) -> None:
    place = Place(root, {})
    for number in range(60):
        place.add_image(f"more{number}", "dog", 100 + number)


@pytest.mark.slow
def test_a_small_disk(place: OnSmallDisk, tmp_path: Path) -> None:
    assert "recorded sample@one" in build(place, "one")  # little data on a little disk is no alarm
    before = place.git("rev-parse", "HEAD")
    more_images(place.root)

    place.fill(leave=50_000)
    said = build(place, "two", ok=False)
    assert "this build needs about" in said
    assert "MB are free; `dvc gc --workspace --all-tags`" in said
    assert "validate:" not in said
    place.make_room()

    not_begun = place.read("dvc.lock")
    building = place.start(*QUICK, "two")
    while building.poll() is None and place.read("dvc.lock") == not_begun:
        time.sleep(0.01)
    place.fill()
    said = building.communicate()[0]
    assert building.returncode == 1, said
    assert "No space left on device" in said
    assert "Traceback" not in said
    assert (place.git("rev-parse", "HEAD"), place.tags()) == (before, ["sample@one"])
    place.make_room()
    assert "as recorded" in place.shardsmith("verify", "one", ok=False).stdout

    assert "recorded sample@two" in build(place, "two")
    never_full = Place(tmp_path / "outside", place.env | {"PYTHONPATH": str(ROOT / "src")})
    never_full.quick_build("one")  # whose shards stay
    more_images(never_full.root)
    never_full.quick_build("two")
    assert hash_files(place.root / "data/export") == hash_files(never_full.root / "data/export")


@pytest.mark.parametrize(
    ("raw", "params", "need"),
    [
        (Raw(10, 10 * MB), "", Need(10 * MB, 10 * MB)),
        (Raw(10, 10 * MB), "export: {formats: [coco]}", Need(10 * MB, 0)),  # the cache has these images already
        (Raw(10, 10 * MB), "export: {formats: [coco, tfrecord]}", Need(20 * MB, 10 * MB)),
        (Raw(10, 10 * MB), "preprocess: {enabled: true}", Need(20 * MB, 20 * MB)),
        (
            Raw(10, 100 * MB),
            "preprocess: {enabled: true, steps: [{resize: {width: 1000, height: 1000}}]}",
            Need(5 * MB, 5 * MB),
        ),
        (Raw(10, 10 * MB), "augment: {enabled: true, copies: 2}", Need(38 * MB, 38 * MB)),
        (Raw(10, 10 * MB), "augment: {enabled: true, copies: 2, keep_original: false}", Need(28 * MB, 28 * MB)),
    ],
)
def test_what_the_stages_write(raw: Raw, params: str, need: Need) -> None:
    assert predict(raw, parse_params(params)) == need


RAW_DVC = "outs: [{path: raw, nfiles: 2, size: 2000}]"
LOCK = """
stages:
  split: {params: {params.yaml: {split: {seed: 1}}}}
  export: {params: {params.yaml: {dataset.name: x}}, outs: [{path: data/export, size: 1000}]}
"""


@pytest.mark.parametrize(
    ("raw_bytes", "params", "need"),
    [
        ([1000, 1000], "dataset: {name: x}\nsplit: {seed: 1}", Need()),  # nothing changed
        ([1000, 1000, 2000], "dataset: {name: x}\nsplit: {seed: 1}", Need(1000, 3000)),  # twice the data, twice as much
        ([1000, 1000], "dataset: {name: x}\nsplit: {seed: 2}", Need(1000, 2000)),  # what stands there goes first
        ([], "dataset: {name: x}\nsplit: {seed: 1}", Need()),
    ],
)
def test_what_changed_is_what_counts(tmp_path: Path, raw_bytes: list[int], params: str, need: Need) -> None:
    (tmp_path / "data/raw/deep").mkdir(parents=True)
    for number, size in enumerate(raw_bytes):
        (tmp_path / f"data/raw/deep/{number}").write_bytes(b"x" * size)
    for file, text in (("data/raw.dvc", RAW_DVC), ("dvc.lock", LOCK), ("params.yaml", params)):
        (tmp_path / file).write_text(text)
    assert estimate(Workspace(tmp_path)) == need
