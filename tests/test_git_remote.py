"""The push to the git remote: a fault is tried again, a refusal is an answer."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

import pytest
from faults import git_server

from shardsmith.dataset.errors import VersionError
from shardsmith.versions.publish import push_name
from shardsmith.workspace import retry
from shardsmith.workspace.git import git_remote
from shardsmith.workspace.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A repository with a tag, and a bare one beside it that is its origin."""
    monkeypatch.setattr(retry, "FIRST_WAIT_S", 0.02)
    made = Workspace(tmp_path / "work")
    made.root.mkdir()
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(tmp_path / "origin")], check=True)
    (made.root / "file").write_text("")
    made.git("init", "-q", "-b", "main")
    made.git("add", "file")
    made.git("commit", "-qm", "start")
    made.git("tag", "-a", "-m", "one", "x@one")
    made.git("remote", "add", "origin", str(tmp_path / "origin"))
    return made


def test_a_server_that_is_away_gets_the_tag_later(workspace: Workspace) -> None:
    said: list[str] = []
    with git_server(workspace.root.parent) as address:
        workspace.git("remote", "set-url", "origin", f"{address}/origin")
    with pytest.raises(VersionError, match="cannot be reached, so it is recorded here, and not published"):
        push_name(workspace, "x@one", said.append)
    assert [line.partition(",")[0] for line in said] == ["pushing x@one failed"] * 3
    assert workspace.git("tag").split() == ["x@one"]  # whether the server has it is not known
    with git_server(workspace.root.parent) as address:
        workspace.git("remote", "set-url", "origin", f"{address}/origin")
        push_name(workspace, "x@one", said.append)
    assert "refs/tags/x@one" in workspace.git("ls-remote", str(workspace.root.parent / "origin"))


def test_a_refusal_is_not_tried_again(workspace: Workspace, tmp_path: Path) -> None:
    other = Workspace(tmp_path / "other")
    workspace.git("push", "-q", "origin", "main")
    subprocess.run(["git", "clone", "-q", str(tmp_path / "origin"), str(other.root)], check=True)
    other.git("commit", "-q", "--allow-empty", "-m", "theirs")
    other.git("push", "-q", "origin", "main")
    said: list[str] = []
    with pytest.raises(VersionError, match="refuses it, so the name is taken back"):
        push_name(workspace, "x@one", said.append)
    assert said == []
    assert workspace.git("tag") == ""


def test_a_remote_that_is_at_work_for_someone_else_is_tried_again(workspace: Workspace, tmp_path: Path) -> None:
    lock = tmp_path / "origin/refs/heads/main.lock"
    lock.write_text("")
    said: list[str] = []

    def log(line: str) -> None:
        said.append(line)
        lock.unlink(missing_ok=True)

    push_name(workspace, "x@one", log)
    assert "cannot lock ref" in said[0]
    assert "refs/tags/x@one" in workspace.git("ls-remote", "origin")


def test_a_server_that_never_answers_is_given_up(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_HTTP_LOW_SPEED_TIME", "1")  # 60 s where nobody sets it
    with socket.create_server(("127.0.0.1", 0)) as silent:
        workspace.git("remote", "set-url", "origin", f"http://127.0.0.1:{silent.getsockname()[1]}/x")
        began = time.monotonic()
        with pytest.raises(VersionError, match="cannot be reached"):
            push_name(workspace, "x@one", lambda line: None)
        assert time.monotonic() - began < 50


@pytest.mark.parametrize(
    ("remotes", "expected"),
    [((), None), (("upstream",), "upstream"), (("a", "origin"), "origin"), (("a", "b"), None)],
)
def test_the_git_remote_of_a_branch_without_one(tmp_path: Path, remotes: tuple, expected: str | None) -> None:
    made = Workspace(tmp_path)
    made.git("init", "-q", "-b", "main")
    for name in remotes:
        made.git("remote", "add", name, "nowhere")
    assert git_remote(made.root, "main") == expected


def test_in_a_git_hook_the_folder_says_which_repository(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other/.git"))
    assert workspace.git("tag").split() == ["x@one"]
    assert workspace.git_ok("rev-parse", "x@one")
