"""Where a finding of a step is; and that the preview leaves out what validate drops."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import box, image_bytes, make_image, make_manifest
from planted import PARAMS, PLANTED, plant

from shardsmith.dataset.label_map import LabelMap
from shardsmith.inspect.rows import _checked
from shardsmith.pipeline.ingest import ingest
from shardsmith.pipeline.params import PreprocessParams, parse_params
from shardsmith.pipeline.preprocess import preprocess

PLACES = [
    ([{"min_box_size": {"side": 9}}, {"crop": {"right": 0.5}}], ["object 1", "object 3"], "after one was left out"),
    ([{"tile": {"rows": 1, "columns": 2}}, {"min_box_size": {"side": 9}}], ["r1c1, object 1"], "of a tile"),
    ([{"tile": {"rows": 1, "columns": 2}}, {"min_box_size": {"side": 11}}], 
     ["r1c1, object 1", "r1c1, object 2", "r1c2, object 3"], "of the second tile"),
    ([{"crop": {"right": 0.5}}, {"tile": {"rows": 2, "columns": 2}}], ["r1c1, object 3"], "lost before tiles"),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "places", "why"), PLACES, ids=[row[-1] for row in PLACES])
def test_a_place_counts_the_objects_of_the_image_that_entered(
    tmp_path: Path, steps: list, places: list[str], why: str
) -> None:
    boxes = [box("a.png", "cat", 2, 2, 8, 22), box("a.png", "cat", 5, 5, 15, 15), box("a.png", "cat", 22, 2, 32, 22)]
    raw = make_manifest(make_image(tmp_path, "a.png", image_bytes(40, 30, format="PNG")), *boxes)
    _, findings, _ = preprocess(raw, PreprocessParams(enabled=True, steps=steps), tmp_path / "out")
    assert [finding.place for finding in findings] == places, why


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("planted")
    plant(folder)
    return folder


@pytest.mark.parametrize(
    "code",
    ["image-turned", "image-size-far", "image-colours", "image-plain", "image-near-duplicate", "image-duplicate"],
)
def test_the_preview_leaves_out_what_validate_drops(planted: Path, code: str) -> None:
    params = parse_params(f"{PARAMS}\nvalidate: {{actions: {{{code}: drop}}}}\n")
    manifest = ingest(planted, params.ingest, LabelMap("sample"))[0]
    file = PLANTED[code].file
    assert file in manifest.images["image_id"].to_pylist()
    assert file not in _checked(manifest, params).images["image_id"].to_pylist()
