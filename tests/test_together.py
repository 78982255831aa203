"""Builds started at once in one workspace: each ends right, and the list of versions is right."""

from __future__ import annotations

import subprocess

import pytest
from workspaces import BIN, QUICK, Place, make_workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("together")]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("together")
    return make_workspace(folder / "work", folder / "home")


def at_once(place: Place, *commands: list[str]) -> list[str]:
    """What each says; all start before any ends."""
    env = place.env | {"PYTHONPATH": str(place.root)}
    started = [
        subprocess.Popen(command, cwd=place.root, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for command in commands
    ]
    said = [process.communicate(timeout=300)[0] for process in started]
    assert [process.returncode for process in started] == [0] * len(commands), said
    return said


def test_four_builds(place: Place) -> None:
    said = at_once(place, *([*QUICK, "--forked", name] for name in "abcd"))
    assert place.tags() == [f"sample@{name}" for name in "abcd"]
    assert len({place.git("rev-parse", f"{tag}^{{commit}}") for tag in place.tags()}) == 1
    assert sum("waiting for it to end" in text for text in said) >= 3


@pytest.mark.long
def test_four_builds_of_one_name(place: Place) -> None:
    place.add_image("new", "dog", 77)
    said = at_once(place, *[[*QUICK, "e"]] * 4)
    assert "sample@e" in place.tags()
    assert sum("recorded sample@e" in text for text in said) == 1
    assert sum("nothing changed since sample@e" in text for text in said) == 3
    assert "as recorded" in place.shardsmith("verify", "e").stdout


@pytest.mark.long
def test_two_builds_with_prefect(place: Place, prefect_api: str) -> None:
    place.add_image("more", "dog", 78)
    with_prefect = Place(place.root, place.env | {"PREFECT_API_URL": prefect_api})
    before = place.tags()
    at_once(with_prefect, *([str(BIN / "shardsmith"), "build", "--name", name] for name in "xy"))
    assert place.tags() == sorted([*before, "sample@x", "sample@y"])
