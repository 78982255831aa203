"""Outlines stand for what was drawn, and tools' files of the raccoon set say what its VOC says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from test_formats import corners

from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.shapes import area_px
from shardsmith.formats.shapes.outlines import circle, ellipse
from shardsmith.formats.shared.raw_folder import Source
from shardsmith.pipeline.ingest import ingest
from shardsmith.pipeline.params import IngestParams


def balance(source: Source) -> tuple[int | None, int]:
    """(shapes in the source, annotations and findings that drop one)."""
    return source.shapes, len(source.annotations) + sum(one.action == "drop" for one in source.findings)


def test_an_outline_covers_what_was_drawn() -> None:
    """A circle's area to a hundredth, so that the polygon stands for it."""
    for radius in (3.0, 40.0, 900.0):
        box, outline = circle(1000, 1000, radius)
        assert box == (1000 - radius, 1000 - radius, 1000 + radius, 1000 + radius)
        assert outline and area_px(outline, 2000, 2000) == pytest.approx(3.14159 * radius**2, rel=0.01 + 1 / radius)
    (xmin, _, xmax, _), outline = ellipse(500, 500, 300, 100, 0.5)
    wide = ((300 * 0.87758) ** 2 + (100 * 0.47943) ** 2) ** 0.5
    assert xmax - xmin == pytest.approx(2 * wide, abs=0.5)
    assert outline and len(json.loads(outline)[0]) >= 96


@pytest.mark.parametrize(("labels", "format"), [("via.json", "via"), ("labelme", "labelme")])
def test_raccoon_is_that_of_voc(tmp_path: Path, raccoon: Path, labels: str, format: str) -> None:
    made = []
    for source in (raccoon / "as" / labels, raccoon / "Annotations"):
        folder = tmp_path / source.name
        shutil.copytree(raccoon / "JPEGImages", folder / "JPEGImages")
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / source.name)
        made.append(ingest(folder, IngestParams(), LabelMap("d")))
    (manifest, label_map, findings, name), (expected, *_) = made
    assert (name, dict(label_map.ids), findings) == (format, {"raccoon": 1}, [])
    assert (manifest.images.num_rows, manifest.annotations.num_rows) == (200, 217)
    for one, other in zip(manifest.annotation_rows(), expected.annotation_rows(), strict=True):
        assert (one.image_id, corners(one)) == (other.image_id, pytest.approx(corners(other), abs=0.5))
