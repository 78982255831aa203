"""A stage's program where it cannot run: one line says what is missing, and nothing is traced."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from workspaces import Place, make_workspace

STAGES = ("ingest", "validate", "split", "preprocess", "augment", "export", "report")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Where `python` is one without Shardsmith."""
    place = make_workspace(tmp_path / "work", tmp_path / "home")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").symlink_to(Path(sys.executable).resolve())
    return Place(place.root, place.env | {"PATH": f"{tmp_path}/bin{os.pathsep}/usr/bin:/bin", "PYTHONPATH": ""})


def said(place: Place) -> str:
    return (
        f"error: {place.root.parent}/bin/python: No module named 'shardsmith'; "
        "activate the environment that has requirements.lock's packages\n"
    )


@pytest.mark.slow
def test_dvc_with_another_python(place: Place) -> None:
    place.dvc("add", "-q", "data/raw")
    done = place.dvc("repro", ok=False)
    assert done.returncode
    assert done.stderr.startswith(said(place))
    assert done.stderr.removeprefix(said(place)).startswith("ERROR: failed to reproduce 'ingest'")
    assert len(done.stderr.splitlines()) == 2


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_with_another_python(place: Place, stage: str) -> None:
    done = place.run("python", f"stages/{stage}.py", ok=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said(place))
