"""`kill -9` at any moment of a build: earlier versions stay whole, no half one is there, and the next build works."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
from faults import BUCKET, KEYS, bucket, git_server, s3_server
from ruamel.yaml import YAML
from workspaces import BIN, QUICK, Place, make_workspace

from shardsmith.store.pulled import hash_files, tree_hash

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("kills")]

# what a build says, and how long after it to kill at most, as a share of a whole build
MOMENTS = (("", 0.8), ("pushing to the DVC remote", 0.3), ("confirmed in", 0.1), ("", 0.8), ("pushed to origin", 0.02))
STAGES = """
import importlib
from pathlib import Path
for name, *paths in (
    ("ingest", "data/raw", "data/ingest", "data/label_map.pbtxt"), ("validate", "data/ingest", "none", "data/validate"),
    ("split", "data/validate", "none", "data/splits.csv", "data/split"),
    ("preprocess", "data/split", "data/preprocess"),
    ("augment", "data/preprocess", "data/augment"),
    ("export", "data/augment", "data/ingest/source.json", "data/label_map.pbtxt", "data/export", "data/metrics.json",
     "data/plots", "data/shards.csv"),
):
    importlib.import_module(f"stages.{name}").main(*map(Path, paths))
"""


@dataclass(frozen=True)
class Remotes:
    """A workspace with a version, a git server, and a DVC remote whose objects can be read."""

    place: Place
    objects: Callable[[], dict[str, bytes]]
    whole_s: float

    def stores(self) -> list[dict[str, bytes]]:
        return [in_folder(self.place.root / ".dvc/cache"), self.objects()]


@pytest.fixture(scope="module", params=["folder", pytest.param("s3", marks=pytest.mark.long)])
def remotes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remotes]:
    folder = tmp_path_factory.mktemp("kills")
    subprocess.run(["git", "init", "-q", "--bare", str(folder / "origin")], check=True)
    with s3_server() as (host, port), git_server(folder) as git:
        made = make_workspace(folder / "work", folder / "home")
        place = Place(made.root, made.env | KEYS)
        place.git("remote", "add", "origin", f"{git}/origin")
        if request.param == "s3":
            place.dvc("remote", "add", "-q", "-d", "store", f"s3://{BUCKET}/path")
            place.dvc("remote", "modify", "-q", "store", "endpointurl", f"http://{host}:{port}")
        else:
            place.add_store(folder / "store")
        place.commit("remotes")
        place.git("push", "-q", "-u", "origin", "HEAD")
        began = time.monotonic()
        said = start(place, "v0").communicate(timeout=300)[0]
        assert place.tags() == ["sample@v0"], said
        objects = in_bucket if request.param == "s3" else partial(in_folder, folder / "store")
        yield Remotes(place, objects, time.monotonic() - began)


def in_bucket() -> dict[str, bytes]:
    return {key.removeprefix("path/"): found.value for key, found in list(bucket().items())}


def in_folder(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(".tmp")
    }


def start(place: Place, name: str, command: tuple[str, ...] = QUICK) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*command, name], cwd=place.root, env=place.env | {"PYTHONPATH": str(place.root)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip


def never_killed(place: Place, folder: Path) -> str:
    """The hash of the export of what is in data/raw, made by the stages alone in a folder of its own."""
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("data/raw", "stages", "pipelines"):
        if (place.root / part).exists():
            shutil.copytree(place.root / part, folder / part)
    for file in ("params.yaml", "requirements.lock"):
        shutil.copy(place.root / file, folder / file)
    for file in ("data/label_map.pbtxt", "data/splits.csv", "data/shards.csv"):
        (folder / file).write_text(place.git("show", f"HEAD:{file}") + "\n")
    Place(folder, place.env).run(sys.executable, "-c", STAGES, PYTHONPATH=str(folder))
    return tree_hash(hash_files(folder / "data/export"))


def out_of(lock: str, path: str) -> str:
    stages = YAML(typ="safe", pure=True).load(lock)["stages"]
    return next(out["md5"] for stage in stages.values() for out in stage["outs"] if out["path"] == path)


def not_whole(place: Place, stores: list[dict[str, bytes]], tags: list[str]) -> list[str]:
    """What is missing or damaged, in any of the stores, of any version; every object is hashed anew."""
    bad = []
    for held in stores:
        prefix = "files/md5/"
        store = {key.removeprefix(prefix).replace("/", ""): data for key, data in held.items() if prefix in key}
        good = {md5 for md5, data in store.items() if hashlib.md5(data).hexdigest() == md5.removesuffix(".dir")}
        for tag in tags:
            raw = YAML(typ="safe", pure=True).load(place.git("show", f"{tag}:data/raw.dvc"))["outs"][0]["md5"]
            lock = place.git("show", f"{tag}:dvc.lock")
            for folder in (out_of(lock, "data/export"), out_of(lock, "data/report"), raw):
                listed = {entry["md5"] for entry in json.loads(store[folder])} if folder in good else set()
                bad += [f"{tag}: {md5}" for md5 in {folder, *listed} - good]
    return bad


def leftovers(place: Place) -> list[str]:
    files = [path for path in place.root.rglob("*") if path.name.endswith((".tmp", ".part", ".coming"))]
    files += (place.root / ".git").rglob("*.lock")
    return [str(path.relative_to(place.root)) for path in files] + place.git("status", "--porcelain").splitlines()


def end(process: subprocess.Popen[str], marker: str, after_s: float, alone: bool) -> bool:
    """Kill a build some time after it says `marker` ("" for its start); False where it has ended before."""
    assert process.stdout
    if marker:
        next((line for line in process.stdout if marker in line), None)
    with suppress(subprocess.TimeoutExpired):
        process.wait(after_s)
        return False
    if alone:
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return True


def kill_builds(
    remotes: Remotes, folder: Path, count: int, seed: int, whole_s: float, command: tuple[str, ...] = QUICK
) -> str:
    """Kill `count` builds, each at another moment; a build that nobody kills follows each. The tally."""
    place, draw = remotes.place, random.Random(seed)
    killed = tagged = number = 0
    while killed < count:
        name, alone = f"k{seed}.{number}", draw.random() < 0.2
        marker, share = MOMENTS[number % len(MOMENTS)]
        place.add_image("00", "cat", 1000 * seed + number)
        expected = never_killed(place, folder)
        before, both = place.tags(), sorted([*place.tags(), f"sample@{name}"])
        moment = marker, draw.random() * share * whole_s, alone
        was_killed = end(start(place, name, command), *moment)
        after = place.tags()
        assert after in (before, both), moment
        assert not_whole(place, remotes.stores(), after) == [], moment
        killed, tagged = killed + was_killed, tagged + (was_killed and after == both)
        done = place.quick_build(name)
        said = done.stdout + done.stderr
        assert "waiting" not in said
        assert place.tags() == both, said
        assert out_of(place.git("show", f"sample@{name}:dvc.lock"), "data/export") == expected
        assert not_whole(place, remotes.stores(), both) == []
        assert f"versions/sample@{name}.json" in remotes.objects()
        assert f"refs/tags/sample@{name}" in place.git("ls-remote", "origin")
        assert leftovers(place) == [], said
        number += 1
    assert "as recorded" in place.shardsmith("verify", "--remote").stdout
    return f"{killed} kills, {tagged} after the tag: 0 half versions, 0 lost; {number - killed} builds ended before"


def test_five_kills(remotes: Remotes, tmp_path: Path) -> None:
    print(kill_builds(remotes, tmp_path / "twin", 5, 1, remotes.whole_s))


@pytest.mark.long
@pytest.mark.parametrize("seed", [2, 3])
def test_fifty_kills(remotes: Remotes, tmp_path: Path, seed: int) -> None:
    print(kill_builds(remotes, tmp_path / "twin", 25, seed, remotes.whole_s))


@pytest.mark.long
def test_five_kills_with_prefect(remotes: Remotes, prefect_api: str, tmp_path: Path) -> None:
    place = Place(remotes.place.root, remotes.place.env | {"PREFECT_API_URL": prefect_api})
    command = (str(BIN / "shardsmith"), "build", "--name")
    print(kill_builds(replace(remotes, place=place), tmp_path / "twin", 5, 4, remotes.whole_s + 15, command))
