"""A flipped bit in any stored file that can change a version or a later build is found by `shardsmith verify`."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from flips import KINDS, Flip, flip_each, stored_files, table
from workspaces import make_workspace

from shardsmith.workspace.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("verify")]

# what may go unseen, and why that changes no version and no later build
HARMLESS = {
    "README.md": "a text for people; no stage and no check reads it",
    "params.yaml": "a comment: values are compared, and each of them was recorded",
    "upgrade": "",
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """With one version, and a DVC remote; git and DVC here find no settings of the user's."""
    folder = tmp_path_factory.mktemp("flips")
    place = make_workspace(folder / "w", folder / "home")
    place.write(".dvc/config", "[core]\n    remote = store\n['remote \"store\"']\n    url = ../../store\n")
    place.commit("remote")
    place.quick_build("v1.0.0")
    kept = dict(os.environ)
    os.environ.update(place.env)
    yield Workspace(place.root)
    os.environ.clear()
    os.environ.update(kept)


def unseen(flips: list[Flip]) -> list[str]:
    return [f"{flip.path}, bit {flip.bit}" for flip in flips if not flip.found and flip.path.name not in HARMLESS]


def test_one_file_of_each_kind(workspace: Workspace) -> None:
    files = stored_files(workspace.root)
    sample = [next(pair for pair in files if pair[0] == kind) for kind in KINDS]
    assert unseen(flip_each(workspace, sample)) == []


@pytest.mark.long
def test_every_file(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    flips = flip_each(workspace, stored_files(workspace.root))
    with capsys.disabled():
        print("\n" + "\n".join(table(flips)))
    assert len(flips) >= 254
    assert unseen(flips) == []
