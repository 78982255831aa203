"""Versions that remember: an image stays in its split, a class keeps its id, in one workspace and after a merge."""

from __future__ import annotations

import csv
import io
import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import image_bytes
from PIL import Image
from workspaces import XML, Place, copied, make_workspace

from shardsmith.pipeline.splits.record import Row, write_record
from shardsmith.workspace import git

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("memory")]


def splits(place: Place) -> dict[str, dict[str, str]]:
    return {row["image_id"]: row for row in csv.DictReader(place.read("data/splits.csv").splitlines())}


def shards(place: Place) -> dict[str, tuple[str, str, str]]:
    rows = csv.DictReader(place.read("data/shards.csv").splitlines())
    return {row["image_id"]: (row["split"], row["shard"], row["open"]) for row in rows}


def findings(place: Place) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for row in csv.DictReader(io.StringIO(place.read("data/split/findings.csv"))):
        found.setdefault(row["code"], []).append(row)
    return found


def blended(place: Place, name: str, *others: str) -> None:
    """An image that is nearly like each of the others."""
    pixels = [Image.open(place.root / f"data/raw/{other}.jpg") for other in others]
    Image.blend(*pixels, 0.5).save(place.root / f"data/raw/{name}.jpg", quality=95)
    place.write(f"data/raw/{name}.xml", XML.format(name=name, label="cat", at=3))


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A workspace with one version. Not to be changed."""
    folder = tmp_path_factory.mktemp("memory")
    place = make_workspace(folder / "work", folder / "home")
    place.quick_build("one")
    return place


@pytest.fixture
def place(one: Place, tmp_path: Path) -> Place:
    return copied(one, tmp_path / "copy")


def test_a_version_is_rebuilt_from_its_own_record(place: Place) -> None:
    before, stood = splits(place), shards(place)
    assert {row["since"] for row in before.values()} == {"1"}
    moved, gone = [name for name, row in before.items() if row["split"] == "train"][:2]
    place.write("data/decisions.csv", f"image_id,decision,why\r\n{moved},test,it is of the other camera\r\n")
    for suffix in ("jpg", "xml"):
        (place.root / "data/raw" / gone).with_suffix(f".{suffix}").unlink()
    stays = [name for name in before if name not in (moved, gone)]
    twin = Image.open(place.root / "data/raw" / stays[0])
    twin.save(place.root / "data/raw/twin.jpg", quality=95)
    place.write("data/raw/twin.xml", XML.format(name="twin", label="cat", at=3))
    place.write("params.yaml", place.read("params.yaml").replace("strategy: stable ", "strategy: stratified "))
    place.quick_build("two")
    after = splits(place)
    assert {name: after[name] for name in stays} == {name: before[name] for name in stays}
    assert after[gone] == before[gone]
    assert (after[stays[0]]["batch"], after["twin.jpg"]["batch"]) == ("1", "2")
    assert after["twin.jpg"]["split"] == before[stays[0]]["split"]
    assert {name: shards(place)[name] for name in stays} == {name: stood[name] for name in stays}
    assert shards(place)["twin.jpg"] == (after["twin.jpg"]["split"], "1", "open")
    assert (after[moved]["split"], after[moved]["was"], after[moved]["since"]) == (
        "test", "train", "1 decision",
    )  # fmt: skip
    assert "1 in train of sample@one, and in test of sample@two" in place.shardsmith("diff", "one", "two").stdout
    assert [row["image_id"] for row in findings(place)["split-moved"]] == [moved]
    rebuilt = place.shardsmith("verify", "two", "--rebuild")
    assert "came out byte for byte the same" in rebuilt.stdout
    assert "data/decisions.csv" in place.git("show", "--name-only", "--format=", "HEAD")


def test_an_era_places_all_anew_and_says_how_many_move(place: Place) -> None:
    before = splits(place)
    text = place.read("params.yaml").replace("seed: 0      ", "seed: 5      ", 1)
    place.write("params.yaml", text)
    place.quick_build("seed")
    assert {name: row["split"] for name, row in splits(place).items()} == {n: r["split"] for n, r in before.items()}
    place.write("params.yaml", text.replace("era: 1", "era: 2"))
    place.quick_build("era")
    moved = [name for name, row in splits(place).items() if row["split"] != before[name]["split"]]
    (said,) = findings(place)["split-moved"]
    assert moved and said["value"] == f"{len(moved)} of 10 images"


DEADLY = """
import os, signal, sys
from pathlib import Path
from shardsmith.pipeline.splits.record import Row, write_record
class Deadly:
    def __str__(self):
        os.kill(os.getpid(), signal.SIGKILL)
rows = [Row(f"{number:05}.jpg", "", "train") for number in range(9000)]
write_record([*rows, Row("z", "", "test", Deadly())], Path(sys.argv[1]))
"""


def test_a_kill_while_the_record_is_written_leaves_the_old_one(tmp_path: Path) -> None:
    record = tmp_path / "splits.csv"
    write_record([Row("a.jpg", "", "train")], record)
    whole = record.read_bytes()
    done = subprocess.run([sys.executable, "-c", DEADLY, str(record)], check=False)
    assert (done.returncode, record.read_bytes()) == (-signal.SIGKILL, whole)
    assert (tmp_path / "splits.csv.part").stat().st_size > 10_000  # half written


def test_loose_objects_are_packed_once_they_are_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "splits.csv").write_text(random.Random(1).randbytes(50_000).hex())
    git.git(tmp_path, "add", ".")
    git.git(tmp_path, "-c", "user.name=A", "-c", "user.email=a@b", "commit", "-qm", "one")

    def loose() -> bool:
        git.pack(tmp_path)
        return "count: 0\n" not in git.git(tmp_path, "count-objects", "-v")

    assert loose()
    monkeypatch.setattr(git, "_LOOSE_KB", 40)
    assert not loose()
    assert git.git(tmp_path, "show", "HEAD:splits.csv") != ""


def test_versions_from_before_the_record_begin_it(place: Place) -> None:
    before = splits(place)
    place.git("rm", "-q", "--cached", "data/splits.csv")
    (place.root / "data/splits.csv").unlink()
    place.commit("as it was before there was a record")
    place.write("params.yaml", place.read("params.yaml").replace("seed: 0      ", "seed: 5      ", 1))
    place.add_image("10", "cat", 10)
    done = place.quick_build("two")
    assert "begun with the 10 images of sample@one" in done.stderr
    assert {name: row["split"] for name, row in splits(place).items() if name != "10.jpg"} == {
        name: row["split"] for name, row in before.items()
    }


def test_two_clones_that_each_add_a_class(one: Place, tmp_path: Path) -> None:
    """docs/share.md, as it says; each clone has a cache of its own."""
    copied(one, tmp_path / "copy")
    origin = Place(tmp_path / "copy/work", one.env)
    origin.add_store(tmp_path / "store")
    origin.commit("remote")
    origin.dvc("push", "-q")
    origin.git("config", "receive.denyCurrentBranch", "updateInstead")
    clones = []
    for name, label, seed in (("ann", "cow", 21), ("bob", "sheep", 22)):
        clone = origin.clone(tmp_path / name)
        for key in ("name", "email"):
            clone.git("config", f"user.{key}", name)
        assert clone.shardsmith("versions").returncode == 0  # the first command sets the driver
        assert "shardsmith.store.merge" in clone.git("config", "merge.dvc.driver")
        clone.dvc("pull", "-q", "data/raw.dvc")
        clone.add_image(label, label, seed)
        clones.append(clone)
    ann, bob = clones
    ann.quick_build("ann")
    assert "git pull --no-rebase --tags origin" in bob.quick_build("bob", ok=False).stderr
    conflicts = bob.run("git", "pull", "-q", "--no-rebase", "--tags", ok=False)
    assert conflicts.returncode
    unmerged = bob.git("diff", "--name-only", "--diff-filter=U").split()
    assert {*unmerged} >= {"dvc.lock", "data/label_map.pbtxt"}
    assert not {"data/raw.dvc", "data/splits.csv"} & {*unmerged}, conflicts.stderr
    bob.git("checkout", "-q", "--ours", *unmerged)
    bob.git("add", "-A")
    bob.git("commit", "-qm", "Merge")
    bob.dvc("pull", "-q", "data/raw.dvc")
    assert (bob.root / "data/raw/cow.jpg").exists() and (bob.root / "data/raw/sheep.jpg").exists()
    assert {"cow.jpg", "sheep.jpg"} <= splits(bob).keys()
    refused = bob.quick_build("both", "--no-push", ok=False)
    assert "readers of sample@ann would misread it: id 3 was 'cow', is 'sheep'" in refused.stderr
    bob.quick_build("both", "--no-push", "--allow-label-change")
    assert json.loads(bob.shardsmith("labels", "--json").stdout) == {"cat": 1, "dog": 2, "sheep": 3, "cow": 4}
    bob.add_image("31", "cat", 31)
    bob.quick_build("after", "--no-push")  # what a version has contradicted already is not asked for again


def test_an_image_with_two_splits_after_a_merge_is_refused_by_name(place: Place) -> None:
    row = next(iter(splits(place).values()))
    other = "test" if row["split"] != "test" else "train"
    twice = f"{row['image_id']},{row['pixels']},{other},,1\n"
    place.write("data/splits.csv", place.read("data/splits.csv") + twice)
    place.commit("merged")
    place.add_image("10", "cat", 10)
    refused = place.quick_build("two", ok=False)
    assert f"images with two splits, as after a merge: {row['image_id']}: " in refused.stdout + refused.stderr


def test_the_same_pixels_in_another_file_stay(place: Place) -> None:
    before = splits(place)
    for name in before:
        path = place.root / "data/raw" / name
        data = path.read_bytes()
        path.unlink()
        (path.with_name(f"renamed-{name}")).write_bytes(data[:2] + b"\xff\xfe\x00\x06here" + data[2:])
        stem = name.removesuffix(".jpg")
        place.edit_xml(stem, f"{name}<", f"renamed-{name}<")
    place.write("params.yaml", place.read("params.yaml").replace("seed: 0      ", "seed: 5      ", 1))
    place.quick_build("two")
    after = splits(place)
    assert {name: after[f"renamed-{name}"]["split"] for name in before} == {n: r["split"] for n, r in before.items()}
    assert image_bytes(48, 40, 0)[:2] == b"\xff\xd8"
