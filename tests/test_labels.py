"""`shardsmith labels`, a label map started anew, and the files that a build without a record leaves alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from workspaces import Place, copied

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("diff")]  # whose versions it takes


@pytest.fixture
def place(two_versions: Place, tmp_path: Path) -> Place:
    return copied(two_versions, tmp_path / "copy")


def test_labels_are_printed(two_versions: Place) -> None:
    assert two_versions.shardsmith("labels").stdout.split() == ["1", "cat", "2", "dog", "3", "bird", "4", "hound"]
    assert json.loads(two_versions.shardsmith("labels", "--json").stdout)["hound"] == 4


def test_a_label_map_is_started_anew(place: Place) -> None:
    asked = place.shardsmith("labels", "--restart", ok=False)
    assert asked.returncode == 2
    assert "these are forgotten: 1 cat, 2 dog, 3 bird, 4 hound" in asked.stderr and "add --yes" in asked.stderr
    place.shardsmith("labels", "--restart", "--yes")
    assert place.git("log", "-1", "--format=%s") == "Label map started anew"
    assert place.shardsmith("labels").stdout.startswith("no class has an id yet")
    place.quick_build("three")  # without --allow-label-change
    assert json.loads(place.shardsmith("labels", "--json").stdout) == {"bird": 1, "cat": 2, "hound": 3}
    assert "id: 4" in place.git("show", "sample@two:data/label_map.pbtxt")


def test_a_refusal_names_the_way_out(place: Place) -> None:
    text = place.read("params.yaml").replace("classes: {} ", "classes: {cat: 9} ")
    place.write("params.yaml", text)
    refused = place.quick_build("three", ok=False)
    assert "start anew: shardsmith labels --restart" in refused.stderr


def test_a_build_that_fails_leaves_the_tree_as_it_was(place: Place) -> None:
    place.write("code.yaml", place.read("code.yaml").replace("stages:", "stages: #", 1))
    place.commit("another code.yaml")
    place.add_image("11", "zebra", 11)
    done = place.build("--name", "three", "-S", "export.require={min_images: 500}", ok=False)
    assert "is not met" in done.stderr
    changed = {line.split()[-1] for line in place.git("status", "--porcelain").splitlines()}
    assert changed == {"data/raw.dvc", "dvc.lock"}  # DVC's own: what it stored, and what is computed already
