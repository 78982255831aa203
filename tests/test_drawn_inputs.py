"""Of every valid file, shapes in the source = annotations + findings that drop one; nothing is a false negative."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from conftest import image_bytes
from drawn_inputs import NAMES, TOOLS
from test_formats import corners

from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.shapes import area_px, box_around
from shardsmith.formats.registry import READERS
from shardsmith.formats.shapes.outlines import circle, ellipse
from shardsmith.formats.shared.raw_folder import RawFolder, Source
from shardsmith.pipeline.ingest import find_format, ingest, probe_images
from shardsmith.pipeline.params import IngestParams

CASES = 500
IMAGES = {"a.jpg": image_bytes(), "b.png": image_bytes(seed=1, format="PNG")}
FORMATS = {"via_json": "via", "via_csv": "via", "via_3": "via"}


def balance(source: Source) -> tuple[int | None, int]:
    """(shapes in the source, annotations and findings that drop one)."""
    return source.shapes, len(source.annotations) + sum(one.action == "drop" for one in source.findings)


@pytest.mark.parametrize("tool", list(TOOLS))
def test_every_shape_is_an_annotation_or_a_finding(tmp_path: Path, tool: str) -> None:
    place = "image_2" if tool == "kitti" else ""
    for name, data in IMAGES.items():
        (tmp_path / place).mkdir(exist_ok=True)
        (tmp_path / place / name).write_bytes(data)
    written: set[Path] = set()
    infos: dict = {}
    seen: Counter[str] = Counter()
    for seed in range(CASES):
        files, total = TOOLS[tool](Random(seed))
        for path in written:
            path.unlink()
        written = {tmp_path / name for name in files}
        for name, data in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(data)
        folder = RawFolder.scan(tmp_path)
        if not infos:
            probe_images(folder)
            infos = folder.images
        folder.images = infos
        if tool == "kitti" and not total:
            continue  # empty files alone are of no format
        name, found = find_format(folder)
        assert name == FORMATS.get(tool, tool), seed
        source = READERS[name].read(folder, found)
        assert balance(source) == (total, total), (seed, source.findings)
        lost = [one for one in source.findings if one.action == "drop"]
        assert all(one.image_id in source.entries for one in lost), seed
        if tool != "open_images":  # which lists no negatives
            assert len(source.entries) == len(NAMES), seed
        for row in source.annotations:
            assert row.label
            if row.segmentation and tool != "voc":  # whose boxes are drawn on their own
                box = [row.xmin, row.ymin, row.xmax, row.ymax]
                assert box == pytest.approx(box_around(row.segmentation)), (seed, row)
                seen["outline"] += 1
        seen.update(one.value for one in lost)
    assert tool in ("kitti", "open_images", "voc") or seen["outline"]


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
