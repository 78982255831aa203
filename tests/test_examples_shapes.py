"""The examples for keypoints, oriented boxes and masks: each built on a drawn sample, and its exports read again."""

from __future__ import annotations

import importlib
import json
import shlex
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PilImage
from pycocotools.coco import COCO
from ruamel.yaml import YAML
from workspaces import ROOT

from shardsmith.conversion.convert import convert
from shardsmith.dataset.manifest import Annotation, Manifest
from shardsmith.dataset.shapes import array_of, parse_skeleton, to_mask
from shardsmith.pipeline.stage import read_stage
from shardsmith.sample.pictures import draw_picture, picture_name
from shardsmith.sample.writer import write_sample

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("example shapes")]

TASKS = [("reef", 1), ("reef", 3), *((scene, number) for scene in ("meadow", "sky") for number in range(1, 7))]
WITHIN_PX = 0.01


def built(name: str, shapes: str, folder: Path) -> Path:
    """The example of that name, built on a few pictures by the commands of dvc.yaml."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHARDSMITH_WORKERS", "1")
        patch.setattr("shardsmith.sample.writer.TASKS", TASKS)
        write_sample(folder / "data/raw", "coco", shapes)
        (folder / "params.yaml").write_text((ROOT / f"examples/{name}.yaml").read_text())
        patch.chdir(folder)
        for stage, content in YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text())["stages"].items():
            if stage != "report":
                importlib.import_module(f"stages.{stage}").main(*map(Path, shlex.split(content["cmd"])[2:]))
    return folder


@pytest.fixture(scope="module")
def pose(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("pose", "keypoints", tmp_path_factory.mktemp("pose"))


@pytest.fixture(scope="module")
def oriented(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("oriented", "oriented", tmp_path_factory.mktemp("oriented"))


@pytest.fixture(scope="module")
def segmentation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("segmentation", "masks", tmp_path_factory.mktemp("segmentation"))


def rows_in(folder: Path, stage: str) -> list[Annotation]:
    return read_stage(folder / "data" / stage)[0].annotation_rows()


def read_again(folder: Path, format: str, work: Path) -> list[dict]:
    """What is in an export, as COCO."""
    convert(folder / "data/export" / format, "coco", work)
    files = sorted((work / "annotations").glob("*.json"))
    return [entry for file in files for entry in json.loads(file.read_text())["annotations"]]


def test_every_keypoint_comes_in(pose: Path) -> None:
    seen = Counter(row.label for row in rows_in(pose, "ingest") if row.keypoints)
    drawn = [draw_picture(task, "keypoints") for task in TASKS[:2]]
    expected = {picture.name: [row.keypoints for row in picture.annotations] for picture in drawn}
    for picture in drawn:
        rows = [row for row in rows_in(pose, "ingest") if Path(row.image_id).name == picture.name]
        assert [row.keypoints for row in rows] == expected[picture.name]
    assert set(seen) == {"fish", "kite"}
    assert picture_name(*TASKS[0]) in expected


def test_keypoints_scale_with_the_image_and_change_sides_in_mirrored_copies(pose: Path) -> None:
    manifest, _ = read_stage(pose / "data/augment")
    names = parse_skeleton(next(row.skeleton for row in rows_in(pose, "ingest") if row.label == "kite")).names
    assert names == ("top", "left", "right", "bottom")
    images = {image.image_id: image for image in manifest.image_rows()}
    mirrored = [image for image in images.values() if image.copy and '"flip"' in (image.origin or "")]
    assert mirrored
    for row in manifest.annotation_rows():
        points = array_of(row.keypoints) if row.keypoints else np.zeros((0, 3))
        assert (points[:, :2] <= 640).all()
        assert (points >= 0).all()
    originals = {(row.source_image, row.source_key): row for row in rows_in(pose, "preprocess")}
    turned = []
    for row in manifest.annotation_rows():
        before = originals.get((row.source_image, row.source_key))
        if images[row.image_id] in mirrored and row.label == "kite" and row.keypoints and before and before.keypoints:
            one, other = array_of(before.keypoints), array_of(row.keypoints)
            if one[1:3, 2].all() and other[1:3, 2].all():
                turned.append(np.sign(one[2, 0] - one[1, 0]) == np.sign(other[2, 0] - other[1, 0]))
    assert turned
    assert all(turned), "what is left of a kite stays left of it"


@pytest.mark.parametrize("format", ["tfrecord", "ultralytics_pose"])
def test_exports_hold_the_keypoints(pose: Path, tmp_path: Path, format: str) -> None:
    entries = read_again(pose, format, tmp_path / "coco")
    found = [np.reshape(entry.get("keypoints", []), (-1, 3))[:4] for entry in entries]
    expected = [array_of(row.keypoints) for row in rows_in(pose, "augment") if row.keypoints]
    found = [points for points in found if points.any()]
    assert len(found) == len(expected) > 20
    for points in expected:
        assert min(np.abs(points - other).max() for other in found) < 0.01
    COCO(str(next((tmp_path / "coco/annotations").glob("*train.json"))))


@pytest.mark.parametrize("format", ["tfrecord", "dota", "ultralytics_obb"])
def test_exports_hold_the_corners(oriented: Path, tmp_path: Path, format: str) -> None:
    entries = read_again(oriented, format, tmp_path / "coco")
    rows = rows_in(oriented, "augment")
    assert len(entries) == len(rows)
    assert {row.kind for row in rows} == {"oriented"}
    corners = [np.reshape(json.loads(row.segmentation), (4, 2)) for row in rows]
    if format == "ultralytics_obb":  # it refuses an image with coordinates far outside
        corners = [each.clip(0, 640) for each in corners]
    found = sorted(np.reshape(entry["segmentation"], (4, 2)).mean(axis=0).tolist() for entry in entries)
    expected = sorted(each.mean(axis=0).tolist() for each in corners)
    assert np.abs(np.array(found) - expected).max() < 0.1


def test_semantic_masks_show_each_pixel_of_an_object(segmentation: Path) -> None:
    manifest: Manifest = read_stage(segmentation / "data/augment")[0]
    pngs = {path.stem.removesuffix("_mask"): path for path in (segmentation / "data/export/masks").rglob("*_mask.png")}
    tried = 0
    for image, rows in manifest.pairs():
        if png := pngs.get(Path(image.image_id).stem) if not image.copy else None:
            inside = sum((to_mask(row.segmentation or "", 512, 512) for row in rows), np.zeros((512, 512), np.uint8))
            assert np.array_equal(np.asarray(PilImage.open(png)) > 0, inside > 0)
            tried += 1
    assert tried > 5


def test_boxes_lie_around_what_the_corners_hold(oriented: Path) -> None:
    manifest: Manifest = read_stage(oriented / "data/preprocess")[0]
    for row in manifest.annotation_rows():
        corners = np.reshape(json.loads(row.segmentation or "[]"), (4, 2))
        low, high = corners.min(axis=0) - WITHIN_PX, corners.max(axis=0) + WITHIN_PX
        assert low[0] <= row.xmin and low[1] <= row.ymin and row.xmax <= high[0] and row.ymax <= high[1]
