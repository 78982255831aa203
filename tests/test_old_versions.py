"""Versions recorded before Shardsmith was a package can still be listed, shown, compared, pulled and verified.

data/before.bundle is a workspace of commit 1f47e85, made by its `shardsmith init`, less what no stage imports:
ten drawn pictures with a box each are v1, one more picture and a moved box v2, both by `shardsmith build`.
data/before-store.tar.gz is its DVC remote, which belongs beside a clone.
"""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest
from workspaces import ROOT, Place, make_workspace

DATA = ROOT / "tests/data"
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("old")]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A clone of the bundle, with the store beside it."""
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(DATA / "before-store.tar.gz") as store:
        store.extractall(folder, filter="data")
    env = make_workspace(tmp_path_factory.mktemp("unused"), folder / "home").env
    outside = Place(folder, env | {"BROWSER": "true"})
    outside.run("git", "clone", "-q", "-b", "main", str(DATA / "before.bundle"), "work")
    return Place(folder / "work", outside.env)


def test_they_are_listed(old: Place) -> None:
    rows = json.loads(old.shardsmith("versions", "--json").stdout)
    assert [(row["tag"], row["images"], row["boxes"]) for row in rows] == [("shapes@v1", 10, 10), ("shapes@v2", 11, 11)]


def test_one_is_shown(old: Place) -> None:
    shown = json.loads(old.shardsmith("show", "v1", "--json").stdout)
    assert (shown["images"], shown["metrics"]["classes"]["disc"]["train"]) == (10, 4)
    assert shown["lineage"]["packages"]["dvc"]


def test_its_page(old: Place) -> None:
    page = Path(old.shardsmith("report", "v1").stdout.strip())
    assert "shapes" in page.read_text(encoding="utf-8")


def test_two_are_compared(old: Place) -> None:
    said = old.shardsmith("diff", "v1", "v2").stdout
    assert "10.jpg (test)" in said
    assert "03.jpg: square 3 2 20 19 -> square 3 4 20 19" in said


@pytest.mark.parametrize("source", [("--repo", "work"), ("--remote", "store")])
def test_one_is_pulled(old: Place, source: tuple[str, str]) -> None:
    outside = Place(old.root.parent, old.env)
    out = f"from {source[1]}"
    outside.shardsmith("pull", "shapes@v1", "--out", out, source[0], str(outside.root / source[1]))
    record = json.loads(outside.read(f"{out}/VERSION.json"))
    assert all((outside.root / out / file).is_file() for file in record["files"])
    assert len(list((outside.root / out / "tfrecord").glob("shapes-*.tfrecord-*"))) == 3
    assert "as recorded" in outside.shardsmith("verify", out).stdout


def test_it_is_verified(old: Place) -> None:
    lines = old.shardsmith("verify", "v1", "--remote").stdout.splitlines()
    assert lines[-1] == "shapes@v1: as recorded"
    assert "ok: records: 3 TFRecords, 10 records, 10 boxes: images, classes, boxes and counts" in lines
    assert not any("code.yaml" in line for line in lines)


@pytest.mark.long
def test_it_is_built_again_with_its_own_code(old: Place) -> None:
    """With its own packages, too: where they are not what is installed here, they are installed first."""
    lines = old.shardsmith("verify", "v1", "--rebuild").stdout.splitlines()
    assert "ok: rebuild: data/export, label map, splits and metrics came out byte for byte the same" in lines
    assert old.git("status", "--porcelain") == ""
