"""Scheduled builds: the clone they work in, where it starts from, and how its versions get home."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import boto3
import pytest
from faults import BUCKET, s3_server
from workspaces import Place, make_workspace

from shardsmith.dataset.errors import VersionError
from shardsmith.flow.clone import BRANCH, hand_over, mirror, refresh
from shardsmith.workspace.paths import BUILDS
from shardsmith.workspace.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("apart")]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A workspace, and a version made apart from it."""
    folder = tmp_path_factory.mktemp("apart")
    place = make_workspace(folder / "work", folder / "home")
    build_apart(place, "one")
    return place


@pytest.fixture
def place(built: Place, tmp_path: Path) -> Place:
    """A copy of `built`, to be changed."""
    shutil.copytree(built.root, tmp_path / "work", symlinks=True)
    copy = Place(tmp_path / "work", built.env)
    copy.run("git", "-C", BUILDS, "remote", "set-url", "origin", str(copy.root))
    return copy


def build_apart(place: Place, name: str) -> str:
    """What the flow does, without Prefect; returns what the build said."""
    clone = refresh(Workspace(place.root), print)
    there = Place(clone.root, place.env)
    done = there.quick_build(name)
    hand_over(clone, f"sample@{name}")
    return done.stdout


def test_a_checkout_stays_as_it_is_and_gets_the_version(built: Place) -> None:
    assert built.tags() == ["sample@one"]
    assert built.git("log", "-1", "--format=%s") == "start"
    assert built.git("log", "-1", "--format=%s", BRANCH) == "Version sample@one"
    assert built.git("status", "--porcelain") == ""
    assert not (built.root / "data/export").exists()


def test_its_data_is_in_the_cache_of_the_workspace(built: Place, tmp_path: Path) -> None:
    assert not (built.root / BUILDS / ".dvc/cache").exists()
    assert "each checked" in built.shardsmith("pull", "one", "--out", str(tmp_path / "out")).stdout


def test_nothing_changed_is_no_version(place: Place) -> None:
    assert "nothing changed since sample@one" in build_apart(place, "one")
    assert place.tags() == ["sample@one"]


def test_images_added_changed_and_removed_in_the_workspace_are_seen(place: Place) -> None:
    place.add_image("10", "bird", 10)
    (place.root / "data/raw/00.jpg").unlink()
    (place.root / "data/raw/00.xml").unlink()
    build_apart(place, "two")
    listed = {path.name for path in (place.root / BUILDS / "data/raw").iterdir()}
    assert listed == {path.name for path in (place.root / "data/raw").iterdir()}
    assert 'name: "bird"' in place.git("show", f"{BRANCH}:data/label_map.pbtxt")


def test_it_follows_the_branch_and_keeps_its_versions(place: Place) -> None:
    place.write("params.yaml", place.read("params.yaml").replace("seed: 0  ", "seed: 7  ", 1))
    place.commit("other seed")
    build_apart(place, "two")
    log = place.git("log", "--format=%s", BRANCH).splitlines()
    assert {"Version sample@one", "Version sample@two", "other seed"} <= set(log)


def test_a_version_made_in_the_checkout_is_joined(place: Place) -> None:
    place.write("params.yaml", place.read("params.yaml").replace("shard_size_mb: 16", "shard_size_mb: 100"))
    place.quick_build("here")
    place.add_image("10", "cat", 10)
    build_apart(place, "two")
    assert place.tags() == ["sample@here", "sample@one", "sample@two"]
    assert "shard_size_mb: 100" in place.git("show", f"{BRANCH}:params.yaml")


def test_what_only_a_person_can_settle_stops_it(place: Place) -> None:
    clone = Place(place.root / BUILDS, place.env)
    params = place.read("params.yaml")
    clone.write("params.yaml", params.replace("shard_size_mb: 16", "shard_size_mb: 100"))
    clone.commit("apart")
    clone.git("push", "-q", "origin", f"HEAD:{BRANCH}")
    place.write("params.yaml", params.replace("shard_size_mb: 16", "shard_size_mb: 200"))
    place.commit("here")
    for _ in range(2):  # the second time, nothing is left of the first
        with pytest.raises(VersionError, match=r"params\.yaml: .* run `git merge builds`"):
            refresh(Workspace(place.root), print)


def test_a_tag_that_never_left_a_killed_build_is_forgotten(place: Place) -> None:
    clone = Place(place.root / BUILDS, place.env)
    clone.git("tag", "sample@lost")
    clone.write("dvc.lock", "half")
    refresh(Workspace(place.root), print)
    assert clone.tags() == ["sample@one"]
    assert clone.read("dvc.lock") != "half"


def test_published_versions_go_to_the_git_remote(place: Place) -> None:
    """Both remotes at paths that are relative to the workspace, whose clone is elsewhere."""
    origin, store = place.root.parent / "origin", place.root.parent / "store"
    subprocess.run(["git", "init", "-q", "--bare", str(origin)], check=True)
    place.git("remote", "add", "origin", "../origin")
    place.dvc("remote", "add", "-q", "-d", "store", "../store")
    place.git("push", "-q", "-u", "origin", "HEAD")
    with pytest.raises(VersionError, match=r"not on origin/.* yet; commit and push it"):
        refresh(Workspace(place.root), print)
    place.commit("remote")
    place.git("push", "-q")
    assert "recorded sample@shared" in build_apart(place, "shared")
    branch = place.git("branch", "--show-current")
    tip = subprocess.check_output(["git", "-C", str(origin), "log", "-1", "--format=%s", branch], text=True)
    assert tip.strip() == "Version sample@shared"
    assert place.git("log", "-1", "--format=%s") == "remote"
    assert (store / "versions/sample@shared.json").is_file()


def test_imported_data_is_refreshed_from_its_source(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server() as (host, port):
        access = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}
        access["AWS_ENDPOINT_URL"] = f"http://{host}:{port}"
        for key, value in access.items():
            monkeypatch.setenv(key, value)
        source = boto3.client("s3")
        for path in (place.root / "data/raw").iterdir():
            source.upload_file(str(path), BUCKET, f"labelled/{path.name}")
        shutil.rmtree(place.root / "data/raw")
        place.shardsmith("fetch", f"s3://{BUCKET}/labelled", **access)
        place.commit("import")
        source.copy_object(Bucket=BUCKET, Key="labelled/again.jpg", CopySource=f"{BUCKET}/labelled/00.jpg")
        clone = refresh(Workspace(place.root), print)
    assert (clone.root / "data/raw/again.jpg").is_file()
    assert not (place.root / "data/raw/again.jpg").exists()


def test_a_workspace_on_no_branch_is_told_so(place: Place) -> None:
    place.git("checkout", "-q", "--detach")
    with pytest.raises(VersionError, match="git switch"):
        refresh(Workspace(place.root), print)


def test_mirror_copies_what_differs_and_nothing_else(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    for name, text in (("a/one", "1"), ("two", "2"), ("three", "3")):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text)
    mirror(source, target)
    before = (target / "two").stat()
    (source / "three").unlink()
    (source / "a/one").write_text("changed")
    (target / ".four.part").write_text("left by a killed build")
    mirror(source, target)
    assert {path.relative_to(target).as_posix(): path.read_text() for path in target.rglob("*") if path.is_file()} == {
        "a/one": "changed",
        "two": "2",
    }
    assert (target / "two").stat().st_ino == before.st_ino
