"""`shardsmith upgrade`: what the user has not changed is brought up to date, and what they have is left and shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from shardsmith.dataset.errors import VersionError
from shardsmith.workspace.template import upgrade as module
from shardsmith.workspace.template.files import text_hash
from shardsmith.workspace.template.upgrade import Upgrade, upgrade
from shardsmith.workspace.workspace import Workspace


@pytest.mark.parametrize(
    ("recorded", "own", "new", "expected", "after"),
    [
        ("1\n", "1\n", "1\n", Upgrade([], {}), "1\n"),
        ("1\n", "1\n", "2\n", Upgrade(["file"], {}), "2\n"),
        (None, None, "2\n", Upgrade(["file"], {}), "2\n"),
        ("1\n", "mine\n", "1\n", Upgrade([], {"file": ""}), "mine\n"),
        (
            *("1\n", "mine\n", "2\n"),
            Upgrade([], {"file": "--- file (yours)\n+++ file (new)\n@@ -1 +1 @@\n-mine\n+2"}),
            "mine\n",
        ),
        ("1\n", None, "1\n", Upgrade([], {"file": ""}), None),
        (None, "mine\n", "2\n", None, "mine\n"),
    ],
    ids=["same", "not changed", "new file", "changed here", "changed on both sides", "removed here", "never recorded"],
)
def test_a_file_of_the_template(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recorded: str | None, own: str | None, new: str,
    expected: Upgrade | None, after: str | None,
) -> None:  # fmt: skip
    monkeypatch.setattr(module, "template", lambda dataset: {"file": new})
    monkeypatch.setattr(module, "add_decisions", lambda *_: False)
    monkeypatch.setattr(module, "pin_requirements", lambda *_: None)
    monkeypatch.setattr(module, "pin_code", lambda *_, **__: None)
    (tmp_path / "params.yaml").write_text("dataset: {name: birds}\n")
    known = f"  file: '{text_hash(recorded)}'\n" if recorded else "  other: 'x'\n"
    (tmp_path / "code.yaml").write_text(f"template:\n{known}")
    if own:
        (tmp_path / "file").write_text(own)
    done = upgrade(Workspace(tmp_path), print)
    assert expected is None or done == expected
    assert ((tmp_path / "file").read_text() if (tmp_path / "file").exists() else None) == after


def test_the_own_repository_is_upgraded_by_git(tmp_path: Path) -> None:
    (tmp_path / "src/shardsmith").mkdir(parents=True)
    with pytest.raises(VersionError, match="`git pull` upgrades it"):
        upgrade(Workspace(tmp_path), print)
