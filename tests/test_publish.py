"""Publish and pull: what is confirmed before a name appears, who may take a name, and the remote alone."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest
from workspaces import BIN, Place, copied, make_workspace

from shardsmith.store.pulled import hash_files
from shardsmith.versions.labels import broken_labels

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("publish")]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A workspace with one version, published to a bare repository and a DVC remote beside it."""
    folder = tmp_path_factory.mktemp("shared")
    place = make_workspace(folder / "work", folder / "home")
    subprocess.run(["git", "init", "-q", "--bare", str(folder / "origin")], check=True)
    place.git("remote", "add", "origin", str(folder / "origin"))
    place.add_store(folder / "store")
    place.commit("remote")
    place.git("push", "-q", "-u", "origin", "HEAD")
    build(place, "one", "--verify-remote")
    return place


@pytest.fixture
def place(shared: Place, tmp_path: Path) -> Place:
    """A copy of `shared`, with its remotes, to be changed."""
    return copied(shared, tmp_path / "copy")


def build(place: Place, *arguments: str, ok: bool = True) -> subprocess.CompletedProcess[str]:
    return place.quick_build(*arguments, ok=ok)


def store(place: Place) -> Path:
    return place.root.parent / "store"


def objects(place: Place) -> list[Path]:
    return sorted(path for path in (store(place) / "files").rglob("*") if path.is_file())


def pull(place: Place, out: Path, *arguments: str, ok: bool = True) -> subprocess.CompletedProcess[str]:
    """As in a container that has the bucket and nothing else: no workspace, no git."""
    env = {"PATH": str(out.parent), "HOME": str(out.parent), "PYTHONPATH": ""}
    command = [str(BIN / "shardsmith"), "pull", *arguments, "--remote", str(store(place)), "--out", str(out)]
    done = subprocess.run(command, cwd=out.parent, env=env, capture_output=True, text=True, check=False)
    assert not ok or done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("head", ["", "refs/heads/nobody"])
def test_a_bare_repository_is_pulled_from_whatever_its_head_says(place: Place, tmp_path: Path, head: str) -> None:
    origin = place.root.parent / "origin"
    if head:
        subprocess.run(["git", "-C", str(origin), "symbolic-ref", "HEAD", head], check=True)
    for repo in (str(origin), origin.as_uri()):
        place.shardsmith("pull", "sample@one", "--repo", repo, "--out", str(tmp_path / "out"))
    assert hash_files(tmp_path / "out") == hash_files(place.root / "data/export")


def test_a_name_is_published_last(shared: Place) -> None:
    assert "refs/tags/sample@one" in shared.git("ls-remote", "origin")
    assert shared.git("rev-parse", "HEAD") == shared.git("rev-parse", "@{upstream}")
    manifest = (store(shared) / "versions/sample@one.json").read_bytes()
    digest = hashlib.sha256(manifest).hexdigest()
    assert f"manifest: {digest}" in shared.git("for-each-ref", "--format=%(contents)", "refs/tags/sample@one")
    content = json.loads(manifest)
    assert {"dataset": "sample", "name": "one"}.items() <= content.items()
    assert {path: entry["md5"] for path, entry in content["files"].items()} == hash_files(shared.root / "data/export")
    sizes = {path: (shared.root / "data/export" / path).stat().st_size for path in content["files"]}
    assert {path: entry["size"] for path, entry in content["files"].items()} == sizes


def test_the_remote_alone_is_enough(shared: Place, tmp_path: Path) -> None:
    pull(shared, tmp_path / "out", "sample@one")
    assert hash_files(tmp_path / "out") == hash_files(shared.root / "data/export")
    assert json.loads((tmp_path / "out/VERSION.json").read_text())["commit"] == shared.git("rev-parse", "HEAD")
    again = pull(shared, tmp_path / "out", "one")
    assert "already holds sample@one" in again.stderr


def test_what_is_not_published_is_said(shared: Place, tmp_path: Path) -> None:
    done = pull(shared, tmp_path / "out", "two", ok=False)
    assert done.returncode == 1
    assert "no such version" in done.stderr
    assert "sample@one" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "harm", ["flipped", *(pytest.param(harm, marks=pytest.mark.long) for harm in ("cut", "empty", "gone"))]
)
def test_a_damaged_object_is_named_and_the_rest_is_kept(place: Place, tmp_path: Path, harm: str) -> None:
    file = place.root / "data/export/tfrecord/label_map.pbtxt"
    md5 = hashlib.md5(file.read_bytes()).hexdigest()
    held = store(place) / "files/md5" / md5[:2] / md5[2:]
    data = held.read_bytes()
    held.chmod(0o644)
    if harm == "gone":
        held.unlink()
    else:
        held.write_bytes({"flipped": bytes([data[0] ^ 1]) + data[1:], "cut": data[:-1], "empty": b""}[harm])
    done = pull(place, tmp_path / "out", "one", ok=False)
    assert done.returncode == 1
    assert "tfrecord/label_map.pbtxt: " in done.stderr
    assert not (tmp_path / "out").exists()
    came = hash_files(tmp_path / ".out.part")
    assert len(came) == len(hash_files(place.root / "data/export")) - 1
    held.write_bytes(data)
    others = [path for path in objects(place) if path != held]
    for path in others:
        path.rename(path.with_suffix(".away"))  # what is there from before is not asked for again
    pull(place, tmp_path / "out", "one")
    assert hash_files(tmp_path / "out") == hash_files(place.root / "data/export")


def test_data_is_confirmed_before_the_name(place: Place) -> None:
    """DVC takes an object that is there for whole; a damaged one is written anew."""
    place.add_image("new", "dog", 77)
    place.quick_repro()
    place.dvc("push", "-q")
    md5 = hashlib.md5((place.root / "data/raw/new.jpg").read_bytes()).hexdigest()
    held = store(place) / "files/md5" / md5[:2] / md5[2:]
    data = held.read_bytes()
    held.chmod(0o644)
    held.write_bytes(data[:-1])
    done = build(place, "two")
    assert "1 objects in the remote 'store' are not as they are here, and are written anew" in done.stderr
    assert held.read_bytes() == data
    assert place.tags() == ["sample@one", "sample@two"]


def test_a_refused_push_takes_the_name_back_and_loses_nothing(place: Place, tmp_path: Path) -> None:
    other = Place(tmp_path / "other", place.env)
    subprocess.run(["git", "clone", "-q", str(place.root.parent / "origin"), str(other.root)], check=True)
    other.write("note.txt", "pushed by someone else")
    other.commit()
    other.git("push", "-q")
    place.add_image("new", "dog", 77)
    done = build(place, "two", ok=False)
    assert done.returncode == 1
    assert "the name is taken back" in done.stderr
    assert "git pull --no-rebase --tags origin" in done.stderr
    assert place.tags() == ["sample@one"]
    assert place.git("log", "-1", "--format=%s") == "Version sample@two"
    assert not (store(place) / "versions/sample@two.json").exists()
    place.git("-c", "user.name=A", "-c", "user.email=a@b", "pull", "-q", "--rebase", "origin", "HEAD")
    build(place, "two")
    assert "refs/tags/sample@two" in place.git("ls-remote", "origin")
    assert (store(place) / "versions/sample@two.json").exists()


@pytest.mark.long
def test_a_name_that_another_clone_has_published_is_refused(place: Place, tmp_path: Path) -> None:
    clone = Place(tmp_path / "clone", place.env)
    subprocess.run(["git", "clone", "-q", str(place.root.parent / "origin"), str(clone.root)], check=True)
    clone.dvc("remote", "modify", "-q", "--local", "store", "url", str(store(place)))
    clone.dvc("pull", "-q", "data/raw.dvc")
    clone.add_image("theirs", "dog", 88)
    build(clone, "two")
    place.add_image("ours", "dog", 77)
    done = build(place, "two", ok=False)
    assert "the remote has a version of this name with other content" in done.stderr
    assert place.tags() == ["sample@one"]
    assert len(json.loads((store(place) / "versions/sample@two.json").read_text())["files"]) > 1


@pytest.mark.long
def test_a_version_that_stayed_here_is_published_later(place: Place) -> None:
    place.add_image("new", "dog", 77)
    before = objects(place)
    build(place, "two", "--no-push")
    assert place.tags() == ["sample@one", "sample@two"]
    assert objects(place) == before
    assert "sample@two" not in place.git("ls-remote", "origin")
    assert build(place).stdout == "nothing changed since sample@two\n"
    assert "refs/tags/sample@two" in place.git("ls-remote", "origin")
    assert (store(place) / "versions/sample@two.json").exists()


def test_a_label_map_that_breaks_readers_is_refused(place: Place) -> None:
    params = place.read("params.yaml")
    place.write("params.yaml", params.replace("  classes: {} ", "  classes: {cat: tabby} "))
    build(place, "two")  # a name that vanishes keeps its id
    held = place.read("data/label_map.pbtxt")
    assert "cat" in held
    assert "tabby" in held
    place.write("data/label_map.pbtxt", held.replace("tabby", "tiger"))
    place.write("params.yaml", params.replace("  classes: {} ", "  classes: {cat: tiger} "))
    place.git("-c", "user.name=A", "-c", "user.email=a@b", "commit", "-qm", "by hand", "data/label_map.pbtxt")
    done = build(place, "three", ok=False)
    assert "readers of sample@two would misread it: id 3 was 'tabby', is 'tiger'" in done.stderr
    assert place.tags() == ["sample@one", "sample@two"]


@pytest.mark.parametrize(
    ("after", "broken"),
    [
        ("item { id: 1 name: 'a' } item { id: 2 name: 'b' } item { id: 3 name: 'c' }", []),
        ("item { id: 1 name: 'a' }", ["'b' (2) is gone"]),
        ("item { id: 2 name: 'a' } item { id: 1 name: 'b' }", ["id 1 was 'a', is 'b'", "id 2 was 'b', is 'a'"]),
    ],
)
def test_what_breaks_readers(after: str, broken: list[str]) -> None:
    assert broken_labels("item { id: 1 name: 'a' } item { id: 2 name: 'b' }", after) == broken
