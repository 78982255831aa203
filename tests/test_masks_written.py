"""Masks as they are written: what is read of them is what was drawn, and what they cannot hold is named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import box, image_bytes, make_image, make_manifest
from PIL import Image as PilImage

from shardsmith.dataset.errors import StageError
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import Annotation, Manifest
from shardsmith.dataset.shapes import from_mask, to_mask
from shardsmith.formats.losses import find_losses, fitted
from shardsmith.formats.registry import READERS, WRITERS
from shardsmith.formats.shared.job import ExportJob
from shardsmith.formats.shared.raw_folder import RawFolder, Source
from shardsmith.pipeline.ingest import find_format, probe_images

SIZE = (32, 24)
IDS = LabelMap("d", {'a "cat", grey': 1, "dög": 3})
CAT, DOG = IDS.ids


def area(label: str, *corners: int, hole: tuple[int, int, int, int] | None = None, **columns: object) -> Annotation:
    """An object with the mask of a box, perhaps with a hole, on the image a.jpg."""
    mask = np.zeros(SIZE[::-1], np.uint8)
    for value, (left, top, right, bottom) in [(1, corners), *([(0, hole)] if hole else [])]:
        mask[top:bottom, left:right] = value
    return box("a.jpg", label, *map(float, corners), segmentation=from_mask(mask), **columns)


RING = area(CAT, 2, 3, 12, 13, hole=(4, 5, 8, 9))
TRIANGLE = box("a.jpg", DOG, 14.0, 2.0, 30.0, 20.0, segmentation=json.dumps([[14.0, 2.0, 30.0, 11.0, 14.0, 20.0]]))


def manifest_of(folder: Path, *rows: Annotation, negatives: int = 1) -> Manifest:
    names = ["a.jpg", *(f"n{number}.jpg" for number in range(negatives))]
    images = [make_image(folder, name, image_bytes(seed=n), split="train") for n, name in enumerate(names)]
    return make_manifest(*images, *rows)


def written(manifest: Manifest, name: str, folder: Path) -> Path:
    job = ExportJob(fitted(manifest, WRITERS[name].carried(True)), IDS, masks=True)
    WRITERS[name].write(job, folder)
    return folder


def read(folder: Path, name: str = "") -> Source:
    """What is read, as detected or in the format of a name."""
    raw = RawFolder.scan(folder)
    found, files = find_format(raw, name or "auto")
    raw.set_aside(READERS[found].annotation_images(raw) if READERS[found].annotation_images else [])
    probe_images(raw)
    return READERS[found].read(raw, files)


def masks(rows: list[Annotation]) -> list[tuple[str, bytes]]:
    return [(row.label, to_mask(row.segmentation or "", *SIZE).tobytes()) for row in rows]


def lost(manifest: Manifest, name: str) -> list[str]:
    return [one.value for one in find_losses(manifest, WRITERS[name], masks=True)]


def test_semantic_masks_come_back(tmp_path: Path) -> None:
    manifest = manifest_of(tmp_path / "in", RING, TRIANGLE)
    source = read(written(manifest, "masks", tmp_path / "out"))
    assert (masks(source.annotations), source.findings) == (masks([RING, TRIANGLE]), [])
    assert (source.ids, {entry.split for entry in source.entries.values()}) == (dict(IDS.ids), {"train"})
    assert sorted(source.entries) == ["train/a.jpg", "train/n0.jpg"]
    assert lost(manifest, "masks") == []
    assert (tmp_path / "out/train/_classes.csv").read_text().splitlines()[:2] == ["Pixel Value, Class", "0,background"]


def test_what_a_semantic_mask_cannot_hold(tmp_path: Path) -> None:
    under, twin, boxed = area(CAT, 0, 0, 4, 4), area(DOG, 2, 2, 6, 6), box("a.jpg", DOG, 20.0, 20.5, 24.0, 23.5)
    only = [make_image(tmp_path / "in", f"{n}.jpg", image_bytes(seed=9), split="train") for n in "bc"]
    rest = [box("b.jpg", CAT), Annotation("c.jpg", CAT, None, None, None, None)]
    manifest = make_manifest(*manifest_of(tmp_path / "in").image_rows(), *only, under, twin, RING, boxed, *rest)
    assert lost(manifest, "masks") == [
        "2 images", "2 boxes", "1 labels", "1 objects apart from others of their class",
        "12 pixels under other annotations on 1 images",
    ]  # fmt: skip
    out = written(manifest, "masks", tmp_path / "out")
    values = np.asarray(PilImage.open(out / "train/a_mask.png"))
    assert [values[at] for at in ((0, 0), (2, 2), (3, 2), (5, 5), (20, 20), (23, 23))] == [1, 3, 1, 3, 255, 255]
    assert [values[at] for at in ((19, 21), (21, 24))] == [0, 0]
    assert sorted(path.name for path in out.glob("train/*.jpg")) == ["a.jpg", "n0.jpg"]


def test_an_image_called_as_another_ones_mask_has_its_own_name(tmp_path: Path) -> None:
    images = [make_image(tmp_path, f"a{end}", image_bytes(seed=1), split="valid") for end in (".jpg", "_mask.png")]
    out = written(make_manifest(*images, RING), "masks", tmp_path / "out")
    assert len(list(out.glob("valid/*.*g"))) == 4
    assert masks(read(out).annotations) == masks([RING])


def test_an_image_that_nobody_labelled_has_no_mask(tmp_path: Path) -> None:
    image = make_image(tmp_path, "b.jpg", image_bytes(seed=1), annotated=False)
    out = written(make_manifest(image, make_image(tmp_path), RING), "masks", tmp_path / "out")
    assert [*read(out).entries] == ["images/a.jpg"]


# --- PASCAL VOC


def test_masks_of_voc_come_back(tmp_path: Path) -> None:
    boxed = box("a.jpg", CAT, 20.0, 0.0, 31.0, 8.0)
    rows = [area(CAT, 0, 0, 6, 6), boxed, RING, TRIANGLE]
    images = [make_image(tmp_path / "in", f"{n}.jpg", image_bytes(seed=ord(n)), split="valid") for n in "bc"]
    manifest = make_manifest(*images, make_image(tmp_path / "in", split="train"), *rows, box("b.jpg", CAT))
    out = written(manifest, "voc", tmp_path / "out")
    assert lost(manifest, "voc") == ["10 pixels under other annotations on 1 images"]
    of_class, of_object = (np.asarray(PilImage.open(out / f"Segmentation{kind}/a.png")) for kind in ("Class", "Object"))
    seen = [(0, 0), (5, 5), (3, 3), (11, 16), (2, 25), (23, 31)]
    assert [(of_class[at], of_object[at]) for at in seen] == [(1, 1), (1, 1), (1, 3), (3, 4), (255, 255), (0, 0)]
    lists = {path.name: path.read_text() for path in (out / "ImageSets/Segmentation").iterdir()}
    assert lists == {"train.txt": "a\n", "val.txt": "c\n"}  # b has boxes alone
    source = read(out, "masks")
    assert [label for label, _ in masks(source.annotations)] == [CAT, CAT, DOG]
    assert masks(source.annotations)[1:] == masks([RING, TRIANGLE])
    assert {image_id: entry.split for image_id, entry in source.entries.items()} == {
        "JPEGImages/a.jpg": "train", "JPEGImages/c.jpg": "valid",
    }  # fmt: skip
    assert read(out).annotations[2].label == CAT  # the XML is read by itself, with the box of each object


def test_voc_has_masks_only_where_they_are_asked_for(tmp_path: Path) -> None:
    WRITERS["voc"].write(ExportJob(manifest_of(tmp_path / "in", RING), IDS), tmp_path / "out")
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == ["Annotations", "ImageSets", "JPEGImages", "labelmap.txt"]


# --- COCO panoptic


def test_panoptic_segments_come_back(tmp_path: Path) -> None:
    below = area(DOG, 0, 0, 6, 6)
    rows = [area(CAT, 2, 3, 4, 5), below, replace(RING, is_crowd=True), TRIANGLE, box("a.jpg", CAT, 1.0, 1.0, 3.0, 3.0)]
    manifest = manifest_of(tmp_path / "in", *rows)
    out = written(manifest, "coco_panoptic", tmp_path / "out")
    assert lost(manifest, "coco_panoptic") == ["1 boxes", "14 pixels under other annotations on 1 images"]
    source = read(out)
    seen = np.frombuffer(masks([below])[0][1], np.uint8) * (np.frombuffer(masks([RING])[0][1], np.uint8) == 0)
    assert masks(source.annotations) == [(DOG, seen.tobytes()), *masks([RING, TRIANGLE])]
    assert [row.is_crowd for row in source.annotations] == [False, True, False]
    assert (sorted(source.entries), source.findings, source.ids) == (["train/a.jpg", "train/n0.jpg"], [], dict(IDS.ids))


def test_panoptic_by_the_rules_of_panopticapi(tmp_path: Path) -> None:
    """pq_compute: each id of a PNG is in segments_info and the other way round, areas are equal, categories known."""
    out = written(
        manifest_of(tmp_path / "in", RING, area(DOG, 0, 0, 9, 9), TRIANGLE), "coco_panoptic", tmp_path / "out"
    )
    content = json.loads((out / "annotations/panoptic_train.json").read_text())
    categories = {each["id"]: each for each in content["categories"]}
    assert {image["id"] for image in content["images"]} == {entry["image_id"] for entry in content["annotations"]}
    for entry in content["annotations"]:
        colours = np.asarray(PilImage.open(out / "annotations/panoptic_train" / entry["file_name"])).astype(np.uint32)
        ids, areas = np.unique(colours @ np.array([1, 256, 65536], np.uint32), return_counts=True)
        pixels = dict(zip(ids.tolist(), areas.tolist(), strict=True))
        pixels.pop(0)
        assert {each["id"]: each["area"] for each in entry["segments_info"]} == pixels
        assert {each["category_id"] for each in entry["segments_info"]} <= categories.keys()
    assert sum(len(entry["segments_info"]) for entry in content["annotations"]) == 3
    # its converters take these out of each category
    assert all(len(each["color"]) == 3 and each["supercategory"] for each in content["categories"])
    assert len({tuple(each["color"]) for each in content["categories"]}) == len(categories)


@pytest.mark.parametrize("name", ["masks", "voc"])
def test_an_id_beyond_8_bits_is_a_clear_error(tmp_path: Path, name: str) -> None:
    job = ExportJob(manifest_of(tmp_path / "in", area("cow", 0, 0, 2, 2)), LabelMap("d", {"cow": 255}), masks=True)
    with pytest.raises(StageError, match=rf"{name}: class 'cow' has the id 255.*choose coco_panoptic"):
        WRITERS[name].write(job, tmp_path / "out")
