"""docs/kinds.md: each cell is tried, out by writing and reading again, in by what the readers find in drawn files."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from conftest import box, image_bytes, make_image, make_manifest
from test_valid_shapes import Place
from valid import MAKERS

from docs.kinds import page
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import Annotation, kind_of
from shardsmith.dataset.shapes import from_mask, skeleton_of, to_mask
from shardsmith.formats.format import KINDS
from shardsmith.formats.registry import FORMATS
from shardsmith.formats.shared.job import ExportJob
from shardsmith.formats.shared.raw_folder import Source
from shardsmith.pipeline.ingest import read_raw
from shardsmith.pipeline.params import IngestParams

ROUND = "[[6,2,14,4,16,12,10,20,3,10]]"
MASK = from_mask(to_mask(ROUND, 32, 24))
SHAPES = {
    "labels": {"xmin": None, "ymin": None, "xmax": None, "ymax": None},
    "boxes": {},
    "oriented": {"segmentation": "[[10,4,22,10,18,18,6,12]]", "kind": "oriented"},
    "outlines": {"segmentation": ROUND},
    "masks": {"segmentation": MASK},
    "keypoints": {"keypoints": "[6,5,2,12,9,1]", "skeleton": skeleton_of(["nose", "tail"]).text()},
}
# what comes back of a kind where the format holds it in another form, or cannot tell it from another
AS = {
    ("coco_panoptic", "outlines"): "masks",
    ("coco_polygons", "masks"): "outlines",
    ("masks", "outlines"): "masks",
    ("roboflow_coco", "masks"): "outlines",
    ("tfrecord", "outlines"): "masks",
    ("ultralytics", "masks"): "outlines",
    ("voc", "outlines"): "masks",
    **{(name, "boxes"): "oriented" for name in ("dota", "ultralytics_obb")},
}
CAPTIONS = ["a cat", "una gata, \u732b"]
OUT = [(name, word) for name, one in FORMATS.items() for word in KINDS if word in one.kinds_out]
READ_BACK = (*(name for name, one in FORMATS.items() if one.is_read), "roboflow_coco")
UNDRAWN = {"labelme": {"keypoints"}}  # tests/test_shape_kinds.py has them
NOT_DRAWN = {  # by MAKERS; their cells are tried by writing
    "coco_panoptic", "dota", "masks", "panlabel", "tfrecord", "label_studio",
}  # fmt: skip


def row_with(word: str) -> Annotation:
    row = box("a.png", "cat", 3, 2, 22, 20)
    for column, value in SHAPES[word].items():
        setattr(row, column, value)
    return row


def kinds_of(source: Source) -> set[str]:
    found = {kind_of(row) for row in source.annotations} | {"caption" for _ in source.captions()}
    return found | {"keypoints" for row in source.annotations if row.keypoints}


@pytest.mark.parametrize(("name", "word"), OUT)
def test_what_is_written_comes_back(tmp_path: Path, name: str, word: str) -> None:
    image = make_image(tmp_path / "in", "a.png", image_bytes(format="PNG"), split="train")
    rows = [row_with("keypoints")] if name == "ultralytics_pose" else []
    if word == "captions":
        image.captions = CAPTIONS
    else:
        rows.insert(0, row_with(word))
    job = ExportJob(make_manifest(image, *rows), LabelMap("d", {"cat": 1}), masks=True)
    FORMATS[name].write(job, tmp_path / "out")
    if not name.startswith(READ_BACK):
        pytest.skip(f"{name} is read by other programs: tests/test_training_formats.py")
    read_as = "masks" if name == "voc" and word in ("outlines", "masks") else "auto"
    _, source, _ = read_raw(tmp_path / "out", IngestParams(format=read_as), tmp_path / "work")
    assert KINDS[AS.get((name, word), word)] in kinds_of(source), source.findings
    assert word != "captions" or list(source.captions().values()) == [CAPTIONS]


@pytest.mark.parametrize("name", sorted({maker.partition(" ")[0] for maker in MAKERS} & {*FORMATS} - NOT_DRAWN))
def test_what_readers_find(tmp_path: Path, name: str) -> None:
    expected = {KINDS[word] for word in FORMATS[name].kinds_in - UNDRAWN.get(name, set())}
    seen: set[str] = set()
    for number, maker in enumerate(maker for maker in MAKERS if maker.partition(" ")[0] == name):
        place = Place(tmp_path / str(number) / "raw")
        place.root.mkdir(parents=True)
        for seed in range(60):
            if seen != expected:
                seen |= kinds_of(place.read(MAKERS[maker](Random(seed)), name, False))
    assert seen == expected


def test_the_page_is_of_these_formats() -> None:
    """Run `python -m docs.kinds` after a change."""
    assert (Path(__file__).parents[1] / "docs/kinds.md").read_text() == page()
