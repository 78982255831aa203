"""ingest: which format, which images, which classes, and one clear message for what is no dataset."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from conftest import image_bytes
from test_formats import COCO, OBJECT, XML

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.findings import Finding
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import Manifest
from shardsmith.pipeline.ingest import free_ids, ingest, starting_map
from shardsmith.pipeline.params import IngestParams

CSV = "filename,width,height,class,xmin,ymin,xmax,ymax\na.jpg,32,24,cat,2,3,12,13\n"
XML_CAT = XML.format(OBJECT.format("cat", 2, 3, 12, 13))


def ingested(tmp_path: Path, files: dict, **params: object) -> tuple[Manifest, LabelMap, list[Finding], str]:
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return ingest(tmp_path, IngestParams(**params), LabelMap("d"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "the folder is empty.*shardsmith sample"),
        ({"notes.txt": "x"}, "no annotations found among 1 files"),
        ({"a.jpg": image_bytes()}, r"no annotations found among 1 files \(1 .jpg\)"),
        ({"a.xml": XML_CAT}, "no image among 1 files"),
        ({"a.jpg": image_bytes(), "b.xml": XML_CAT.replace("a.jpg", "b.jpg")}, "no image has an annotation"),
    ],
)
def test_what_is_no_dataset_is_one_clear_error(tmp_path: Path, files: dict, message: str) -> None:
    with pytest.raises(RawDataError, match=message):
        ingested(tmp_path, files)


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(RawDataError, match="no such folder"):
        ingest(tmp_path / "none", IngestParams(), LabelMap("d"))


def test_link_that_leads_out(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.jpg").symlink_to("/etc/hostname")
    with pytest.raises(RawDataError, match="leads out"):
        ingest(tmp_path / "raw", IngestParams(), LabelMap("d"))


def test_links_into_a_cache_of_dvcs_are_read(tmp_path: Path) -> None:
    """`cache.type symlink` makes one of each file of data/raw."""
    (tmp_path / "raw").mkdir()
    for name, data in (("a.jpg", image_bytes()), ("a.xml", XML_CAT.encode())):
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        kept = tmp_path / "cache/files/md5" / md5[:2] / md5[2:]
        kept.parent.mkdir(parents=True)
        kept.write_bytes(data)
        (tmp_path / "raw" / name).symlink_to(kept)
    assert ingest(tmp_path / "raw", IngestParams(), LabelMap("d"))[0].annotations.num_rows == 1


def test_a_name_forces_one_of_two_formats(tmp_path: Path) -> None:
    files = {"a.jpg": image_bytes(), "a.xml": XML_CAT, "l.csv": CSV}
    assert ingested(tmp_path, files, format="tfod_csv")[3] == "tfod_csv"


def test_the_image_counts_not_what_is_declared(tmp_path: Path) -> None:
    xml = XML_CAT.replace("<width>32</width>", "<width>640</width>")
    manifest, _, findings, _ = ingested(tmp_path, {"a.jpg": image_bytes(32, 24), "a.xml": xml})
    assert manifest.image_rows()[0].width == 32
    assert [finding.code for finding in findings] == ["size-declared-wrong"]


def test_size_declared_as_zero_is_not_declared(tmp_path: Path) -> None:
    xml = XML_CAT.replace("<width>32</width><height>24</height>", "<width>0</width><height>0</height>")
    (finding,) = ingested(tmp_path, {"a.jpg": image_bytes(), "a.xml": xml})[2]
    assert (finding.code, finding.value) == ("read-leniently", "declared 0 x 0, is 32 x 24")


@pytest.mark.parametrize(
    ("unlabelled", "images", "annotated"),
    [("drop", 1, [True]), ("negative", 2, [True, True]), ("keep", 2, [True, False])],
)
def test_unlabelled_images(tmp_path: Path, unlabelled: str, images: int, annotated: list[bool]) -> None:
    files = {"a.jpg": image_bytes(), "a.xml": XML_CAT, "b.jpg": image_bytes(seed=1)}
    manifest, _, findings, _ = ingested(tmp_path, files, unlabelled=unlabelled)
    assert [row.annotated for row in manifest.image_rows()] == annotated
    assert [(finding.code, finding.file) for finding in findings] == [("image-unlabelled", "b.jpg")]
    assert manifest.images.num_rows == images


@pytest.mark.parametrize(
    ("classes", "labels", "ids", "codes"),
    [
        ({}, ["cat", "dog"], {"cat": 1, "dog": 2}, []),
        ({"dog": "cat"}, ["cat", "cat"], {"cat": 1}, []),
        ({"dog": None}, ["cat"], {"cat": 1}, ["class-omitted"]),
        ({"dog": 1}, ["cat", "dog"], {"dog": 1, "cat": 2}, []),
        ({"dog": "animal", "animal": 5}, ["cat", "animal"], {"animal": 5, "cat": 1}, []),
        ({"dgo": "cat"}, ["cat", "dog"], {"cat": 1, "dog": 2}, ["class-not-found"]),
    ],
)
def test_classes_are_renamed_merged_omitted_and_pinned(
    tmp_path: Path, classes: dict, labels: list[str], ids: dict[str, int], codes: list[str]
) -> None:
    xml = XML.format(OBJECT.format("cat", 2, 3, 12, 13) + OBJECT.format("dog", 1, 1, 5, 5))
    manifest, label_map, findings, _ = ingested(tmp_path, {"a.jpg": image_bytes(), "a.xml": xml}, classes=classes)
    assert [row.label for row in manifest.annotation_rows()] == labels
    assert dict(label_map.ids) == ids
    assert [finding.code for finding in findings] == codes


def test_the_sources_own_ids_are_kept_where_they_can_be() -> None:
    ids, labels = {"a": 7, "b": 2, "far": 180_001}, ["a", "b", "far", "new"]
    assert free_ids(ids, labels, LabelMap("d", {"other": 2}), {}) == {"a": 7}


def test_names_that_differ_by_case_or_blanks_are_named(tmp_path: Path) -> None:
    objects = "".join(OBJECT.format(name, 2, 3, 12, 13) for name in ("traffic light", "traffic light", "Trafficlight"))
    findings = ingested(tmp_path, {"a.jpg": image_bytes(), "a.xml": XML.format(objects)})[2]
    assert [(finding.code, finding.file) for finding in findings] == [("class-alike", "Trafficlight")]
    assert "{Trafficlight: traffic light}" in findings[0].reason


def test_a_class_that_is_empty(tmp_path: Path) -> None:
    empty_name = XML.format(OBJECT.format("", 2, 3, 12, 13))
    manifest, _, findings, _ = ingested(tmp_path, {"a.jpg": image_bytes(), "a.xml": empty_name})
    assert (manifest.annotations.num_rows, [finding.code for finding in findings]) == (0, ["class-name-empty"])


def test_a_declared_class_without_boxes_has_an_id(tmp_path: Path) -> None:
    _, label_map, findings, _ = ingested(tmp_path, {"a.jpg": image_bytes(), "l.json": json.dumps(COCO)})
    assert dict(label_map.ids) == {"dog": 1, "cat": 3}  # as the source has them
    assert [(finding.code, finding.file) for finding in findings] == [("class-without-boxes", "dog")]


def test_another_dataset_starts_another_label_map(tmp_path: Path) -> None:
    path = tmp_path / "label_map.pbtxt"
    path.write_text(LabelMap("sample", {"kite": 1}).format())
    assert dict(starting_map(path, "sample").ids) == {"kite": 1}
    assert dict(starting_map(path, "mine").ids) == {}


@pytest.mark.parametrize("labels", ["Annotations", "as/raccoon_labels.csv", "as/coco.json", "as/tfod.csv"])
def test_raccoon_reads_the_same_from_each_format(tmp_path: Path, raccoon: Path, labels: str) -> None:
    shutil.copytree(raccoon / "JPEGImages", tmp_path / "raw" / "JPEGImages")
    source = raccoon / labels
    copy = shutil.copytree if source.is_dir() else shutil.copy
    copy(source, tmp_path / "raw" / source.name)
    manifest, label_map, findings, _ = ingest(tmp_path / "raw", IngestParams(), LabelMap("d"))
    assert (manifest.images.num_rows, manifest.annotations.num_rows) == (200, 217)
    assert (dict(label_map.ids), findings) == ({"raccoon": 1}, [])
    voc_boxes = ingest(_voc(tmp_path, raccoon), IngestParams(), LabelMap("d"))[0].annotation_rows()
    for one, other in zip(manifest.annotation_rows(), voc_boxes, strict=True):
        assert [one.xmin, one.ymin, one.xmax, one.ymax] == pytest.approx(
            [other.xmin, other.ymin, other.xmax, other.ymax], abs=0.5
        )


def _voc(tmp_path: Path, raccoon: Path) -> Path:
    folder = tmp_path / "voc"
    for name in ("JPEGImages", "Annotations"):
        shutil.copytree(raccoon / name, folder / name)
    return folder
