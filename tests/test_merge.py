"""Git merges data/raw.dvc file by file, in a workspace at the top of its repository or below it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from shardsmith.dataset.errors import VersionError
from shardsmith.store.merge import merge_lists
from shardsmith.store.pulled import listing_bytes, tree_hash
from shardsmith.workspace.git import set_merge_driver

GIT = ("git", "-c", "user.name=A", "-c", "user.email=a@b", "-c", "core.hooksPath=none")
BASE = {"a": "1", "b": "2", "c": "3"}


@pytest.mark.parametrize(
    ("ours", "theirs", "merged"),
    [
        ({**BASE, "d": "4"}, {**BASE, "e": "5"}, {**BASE, "d": "4", "e": "5"}),
        ({**BASE, "d": "4"}, {**BASE, "d": "4"}, {**BASE, "d": "4"}),
        ({"a": "1", "b": "2"}, {**BASE, "a": "9"}, {"a": "9", "b": "2"}),
        ({"a": "1"}, {"b": "2"}, {}),
        (BASE, {}, {}),
    ],
)
def test_lists_of_files(ours: dict[str, str], theirs: dict[str, str], merged: dict[str, str]) -> None:
    assert merge_lists(BASE, ours, theirs) == merged
    assert merge_lists(BASE, theirs, ours) == merged


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [({**BASE, "a": "8"}, {**BASE, "a": "9"}), ({"b": "2", "c": "3"}, {**BASE, "a": "9"}), ({"d": "4"}, {"d": "5"})],
)
def test_what_both_sides_changed_is_named(ours: dict[str, str], theirs: dict[str, str]) -> None:
    with pytest.raises(VersionError, match=r"^[ad]: each side has another file of this name"):
        merge_lists(BASE, ours, theirs)


class Sides:
    """A repository with one workspace, whose branches `main` and `other` have other files in data/raw."""

    def __init__(self, top: Path, below: str) -> None:
        self.top, self.root = top, top / below
        self.git("init", "-q", "-b", "main")
        for file, text in {
            "dvc.yaml": "", "params.yaml": "", ".dvc/config": "", ".dvc/.gitignore": "/cache\n",
            ".gitattributes": "*.dvc merge=dvc\n",
        }.items():  # fmt: skip
            (self.root / file).parent.mkdir(parents=True, exist_ok=True)
            (self.root / file).write_text(text)
        set_merge_driver(self.root)
        self.commit(BASE)
        self.git("branch", "other")

    def git(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
        return subprocess.run([*GIT, *arguments], cwd=self.top, capture_output=True, text=True, check=False, env=env)

    def commit(self, files: Mapping[str, str], more: str = "") -> None:
        md5 = tree_hash(files)
        listing = self.root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
        listing.parent.mkdir(parents=True, exist_ok=True)
        listing.write_bytes(listing_bytes(files))
        (self.root / "data").mkdir(exist_ok=True)
        text = f"outs:\n- md5: {md5}\n  size: 7\n  nfiles: {len(files)}\n  hash: md5\n  path: raw\n{more}"
        (self.root / "data/raw.dvc").write_text(text)
        self.git("add", "-A")
        self.git("commit", "-qm", "files")

    def merge(self, ours: Mapping[str, str], theirs: Mapping[str, str], more: str = "") -> tuple[str, str]:
        """What git says, and data/raw.dvc."""
        self.git("switch", "-q", "other")
        self.commit(theirs, more)
        self.git("switch", "-q", "main")
        self.commit(ours)
        done = self.git("merge", "other", "-m", "merged")
        return done.stdout + done.stderr, (self.root / "data/raw.dvc").read_text()


@pytest.mark.parametrize("below", [".", "ml/wild birds"])
def test_a_merge_by_git(tmp_path: Path, below: str) -> None:
    sides = Sides(tmp_path, below)
    said, pointer = sides.merge({**BASE, "é d": "4"}, {"b": "2", "c": "3", "e": "5"})
    merged = {"b": "2", "c": "3", "é d": "4", "e": "5"}
    assert "CONFLICT" not in said
    assert pointer == f"outs:\n- md5: {tree_hash(merged)}\n  nfiles: 4\n  hash: md5\n  path: raw\n"
    md5 = tree_hash(merged)
    held = (sides.root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]).read_bytes()
    assert hashlib.md5(held).hexdigest() == md5.removesuffix(".dir")
    assert {entry["relpath"]: entry["md5"] for entry in json.loads(held)} == merged


@pytest.mark.parametrize(
    ("theirs", "more", "why"),
    [
        ({**BASE, "a": "9"}, "", "a: each side has another file of this name; rename one"),
        ({**BASE, "e": "5"}, "deps:\n- path: x\n", "the two sides differ in more than the files of a folder"),
        ({**BASE, "e": "5"}, "<<<<<<<\n", "the two sides differ in more than the files of a folder"),
    ],
)
def test_a_conflict_says_why(tmp_path: Path, theirs: dict[str, str], more: str, why: str) -> None:
    said, _ = Sides(tmp_path, ".").merge({**BASE, "a": "8"}, theirs, more)
    assert f"data/raw.dvc: not merged: {why}" in said
    assert "CONFLICT" in said and "Traceback" not in said


def test_a_list_that_is_in_no_store_is_a_conflict_that_says_so(tmp_path: Path) -> None:
    sides = Sides(tmp_path, ".")
    md5 = tree_hash(theirs := {**BASE, "e": "5"})
    sides.git("switch", "-q", "other")
    sides.commit(theirs)
    (sides.root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]).unlink()
    sides.git("switch", "-q", "main")
    sides.commit({**BASE, "d": "4"})
    said = sides.git("merge", "other").stderr
    assert f"the list of its files, {md5}, is neither in the cache nor in the DVC remote" in said
