"""What a version may be called by: its name, `latest`, a pattern, a stage of GTO's; and a clone that lacks tags."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from shardsmith.dataset.errors import VersionError, WithdrawnError
from shardsmith.store.names import newest
from shardsmith.store.release import format_release, place, read_release
from shardsmith.store.store import Store
from shardsmith.store.tombstone import Tombstone, as_record, format_tombstones, read_tombstones
from shardsmith.versions.version import check_history, find_version, last_tag
from shardsmith.workspace.git import opened
from shardsmith.workspace.workspace import Workspace

TAGS = ["d@v1.0", "e@v1.5", "d@v1.1", "d@v2.0"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("d@latest", "d@v2.0"),
        ("e@latest", "e@v1.5"),
        ("d@v1.*", "d@v1.1"),
        ("d@v[12].0", "d@v2.0"),
        ("*@v1.*", "d@v1.1"),
        ("d@v3.*", None),
        ("f@latest", None),
        ("d@v1.0", None),  # a name of its own
    ],
)
def test_the_newest_of_several(name: str, expected: str | None) -> None:
    assert newest(name, TAGS) == expected


@pytest.fixture
def store(tmp_path: Path) -> Store:
    for day, tag in enumerate(TAGS, 1):
        path = tmp_path / place(tag)
        path.parent.mkdir(exist_ok=True)
        dataset, _, name = tag.partition("@")
        named = {"version": tag, "dataset": dataset, "name": name, "commit": "0" * 40}
        created = f"2026-01-0{day}T00:00:00+00:00"
        path.write_bytes(format_release(named | {"created": created, "hashes": {}, "files": {}}))
    return Store.bare(str(tmp_path))


@pytest.mark.parametrize(("name", "tag"), [("d@latest", "d@v2.0"), ("v1.1", "d@v1.1"), ("d@v1.*", "d@v1.1")])
def test_a_store_alone(store: Store, name: str, tag: str) -> None:
    assert read_release(store, name)["version"] == tag


@pytest.mark.parametrize(
    ("name", "message"), [("latest", "more than one"), ("d@v7", "no such"), ("d#prod", "stages are git tags")]
)
def test_what_a_store_has_not(store: Store, name: str, message: str) -> None:
    with pytest.raises(VersionError, match=message):
        read_release(store, name)


def test_a_store_that_lists_nothing_gives_what_is_named_in_full(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Store, folder: str) -> list[str]:
        raise VersionError("AccessDenied")

    monkeypatch.setattr(Store, "list_files", refuse)
    assert read_release(store, "d@v1.1")["version"] == "d@v1.1"
    with pytest.raises(VersionError, match="give the whole name"):
        read_release(store, "latest")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """Tags d@v1.0.0, d@v1.1.0 and d@v2.0.0 at commits of a sub-folder, and a bare repository that has them."""
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(tmp_path / "origin")], check=True)
    subprocess.run(["git", "clone", "-q", str(tmp_path / "origin"), str(tmp_path / "top")], check=True)
    made = Workspace(tmp_path / "top/ml/d")
    (made.root / "data").mkdir(parents=True)
    (made.root / "params.yaml").write_text("dataset: {name: d}")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2026-01-01T00:00:00Z")  # clocks that stand still, or differ
    for number, name in enumerate(("v1.0.0", "v1.1.0", "v2.0.0")):
        counts = {"dataset": "d", "images": number, "boxes": 0, "classes": {}}
        (made.root / "data/metrics.json").write_text(json.dumps(counts))
        (made.root / "dvc.lock").write_text("stages: {}")
        made.git("add", ".")
        made.git("commit", "-qm", f"Version d@{name}")
        made.git("tag", "-a", "-m", "made", f"d@{name}")
    made.git("tag", "-a", "-m", "of another workspace here", "e@v1")
    made.git("push", "-q", "origin", "HEAD:main", "--tags")
    return made


@pytest.mark.parametrize(
    ("assigned", "name", "expected"),
    [
        ([("d#prod#1", "d@v1.0.0")], "d#prod", "d@v1.0.0"),
        ([("d#prod#1", "d@v1.0.0"), ("d#prod#2", "d@v2.0.0"), ("d#dev#3", "d@v1.1.0")], "#prod", "d@v2.0.0"),
        ([("d#prod#10", "d@v1.1.0"), ("d#prod#9", "d@v2.0.0")], "d#prod", "d@v1.1.0"),
        ([("d#prod", "d@v1.1.0")], "d#prod", "d@v1.1.0"),
        ([], "latest", "d@v2.0.0"),
        ([], "v1.*", "d@v1.1.0"),
        ([], "d@v1.0.0", "d@v1.0.0"),
    ],
)
def test_a_repository(repository: Workspace, assigned: list, name: str, expected: str) -> None:
    for tag, version in assigned:
        repository.git("tag", "-a", "-m", "assigned", tag, f"{version}^{{}}")
    assert find_version(repository, name).tag == expected


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("e@v1", "e@v1: no such version"),
        ("d#none", "d#none: no version is in such a stage; the versions are: d@v1"),
        ("v3.*", "no such version"),
    ],
)
def test_what_a_repository_has_not(repository: Workspace, name: str, says: str) -> None:
    with pytest.raises(VersionError, match=re.escape(says)):
        find_version(repository, name)


def test_a_stage_that_was_taken_back(repository: Workspace) -> None:
    for tag in ("d#prod#1", "d#prod!#2"):
        repository.git("tag", "-a", "-m", "assigned", tag)
    with pytest.raises(VersionError, match="no version is in this stage since d#prod!#2"):
        find_version(repository, "d#prod")


@pytest.mark.parametrize(
    ("options", "then", "says"),
    [
        (["--depth=1"], [], "--unshallow"),
        (["--depth=1", "--no-tags"], [], "--unshallow"),
        (["--no-tags"], [], "--tags"),
        (["--no-tags"], ["fetch", "-q", "--tags"], ""),
        (["--depth=1"], ["fetch", "-q", "--unshallow", "--tags"], ""),
        ([], [], ""),
    ],
)
def test_a_clone_that_lacks_versions_builds_none(
    repository: Workspace, tmp_path: Path, options: list[str], then: list[str], says: str
) -> None:
    origin = (tmp_path / "origin").as_uri()
    subprocess.run(["git", "clone", "-q", *options, origin, str(tmp_path / "clone")], check=True)
    clone = Workspace(tmp_path / "clone/ml/d")
    if then:
        clone.git(*then)
    if says:
        with pytest.raises(VersionError, match=f"git fetch --tags.*{says if says != '--tags' else ''}"):
            check_history(clone, "d")
    else:
        check_history(clone, "d")


def test_the_workspace_of_a_dataset_in_a_repository_of_several(repository: Workspace, tmp_path: Path) -> None:
    (repository.root / "dvc.yaml").write_text("stages: {}")
    other = repository.root.with_name("e")
    other.mkdir()
    (other / "dvc.yaml").write_text("stages: {}")
    (other / "params.yaml").write_text("dataset:\n  name: e  # theirs\n")
    repository.git("add", "..")
    repository.git("commit", "-qm", "two workspaces")
    repository.git("push", "-q", "origin", "HEAD:main")
    for dataset in ("d", "e"):
        with opened(str(tmp_path / "origin"), "--repo", dataset=dataset) as root:
            assert root.parts[-2:] == ("ml", dataset)
    for dataset in ("", "f"):
        with (
            pytest.raises(VersionError, match=r"of its workspaces \(ml/d, ml/e\) is the one"),
            opened(str(tmp_path / "origin"), "--repo", dataset=dataset),
        ):
            pass


GRAVE = Tombstone("image", "a, b.jpg", "0" * 32, "2026-01-01", "consent, withdrawn")


def test_tombstones_as_they_are_written() -> None:
    version = Tombstone("version", "d@v1", "1" * 32 + ".dir", "2026-01-02", "=wrong")
    text = format_tombstones([version, GRAVE, GRAVE])
    assert read_tombstones(text) == [GRAVE, version]
    assert read_tombstones(text + text) == [GRAVE, version] * 2  # joined by git
    assert read_tombstones("") == []


@pytest.mark.parametrize(
    "row",
    ["image,../../etc/passwd,,d,w", "image,/etc/passwd,,d,w", "image,a.jpg,../x,d,w", "image,a.jpg", "other,a,,d,w"],
)
def test_a_tombstone_that_leads_elsewhere_is_refused(row: str) -> None:
    with pytest.raises(VersionError, match=r"data/withdrawn\.csv: line 2: no row of what, name"):
        read_tombstones(f"what,name,hash,date,why\n{row}\n")


@pytest.mark.parametrize(("name", "tag"), [("d@v2.0", None), ("d@latest", "d@v1.1"), ("v2.0", None)])
def test_a_store_says_what_was_withdrawn(store: Store, name: str, tag: str | None) -> None:
    store.write_file(place("d@v2.0"), as_record(replace(GRAVE, name="d@v2.0")))
    if tag:
        assert read_release(store, name)["version"] == tag
        return
    with pytest.raises(WithdrawnError, match=r"d@v2\.0: withdrawn on 2026-01-01: consent, withdrawn"):
        read_release(store, name)


def test_a_repository_says_what_was_withdrawn(repository: Workspace) -> None:
    path = repository.root / "data/withdrawn.csv"
    path.write_text(format_tombstones([Tombstone("version", "d@v2.0.0", "", "2026-01-01", "wrong")]))
    with pytest.raises(WithdrawnError, match=r"d@v2\.0\.0: withdrawn on 2026-01-01: wrong"):
        find_version(repository, "v2.0.0")
    assert find_version(repository, "latest").tag == last_tag(repository, "d") == "d@v1.1.0"
    repository.git("tag", "-a", "-m", "assigned", "d#prod#1", "d@v2.0.0^{}")
    with pytest.raises(VersionError, match="d#prod: d#prod#1 assigns it to a commit that is no version, or no longer"):
        find_version(repository, "d#prod")
