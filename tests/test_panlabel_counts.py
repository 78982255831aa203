"""Through panlabel: of each form that is listed the objects are counted, and what does not come back is named."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from conftest import image_bytes
from test_formats import codes, raw_folder

from shardsmith.formats.panlabel import format as panlabel
from shardsmith.formats.panlabel.counts import COUNTED, count
from shardsmith.formats.registry import READERS
from shardsmith.formats.shared.raw_folder import Source
from shardsmith.pipeline.ingest import find_format

A, B = image_bytes(), image_bytes(seed=1)
FILES = {"automl-vision": "x.csv", "bdd100k": "x.json", "edge-impulse": "x.json", "ibm-cloud-annotations": "x.json",
         "kaggle-wheat": "x.csv", "openlabel": "x.json", "sagemaker": "x.manifest",
         "vott-csv": "x.csv", "vott-json": "x.json", "wider-face": "x.txt"}  # fmt: skip
IMAGE_FOLDERS = {"cityscapes": "leftImg8bit/train/panlabel", "oidv4": "images"}


def coco(folder: Path) -> Path:
    """Two boxes on a.jpg, one on b.jpg."""
    boxes = [(1, [2, 3, 10, 10]), (1, [5, 6, 10, 10]), (2, [1, 1, 9, 9])]
    content: dict[str, Any] = {
        "images": [{"id": 1 + n, "file_name": f"{'ab'[n]}.jpg", "width": 32, "height": 24} for n in range(2)],
        "annotations": [{"id": n, "image_id": image, "category_id": 1, "bbox": box, "area": 100, "iscrowd": 0}
                        for n, (image, box) in enumerate(boxes, start=1)],
        "categories": [{"id": 1, "name": "cat"}],
    }  # fmt: skip
    path = folder / "c.json"
    path.write_text(json.dumps(content))
    return path


def written(tmp_path: Path, form: str) -> Path:
    """A folder with the form's files as panlabel writes them, and the images."""
    raw = tmp_path / "raw"
    raw.mkdir()
    options = [
        "--from",
        "coco",
        "--to",
        form,
        "--input",
        str(coco(tmp_path)),
        "--output",
        str(raw / FILES.get(form, "")),
    ]
    command = [panlabel._program(), "convert", *options, "--allow-lossy", "--no-validate"]
    subprocess.run(command, check=True, capture_output=True)
    for notes in raw.rglob("README.txt"):
        notes.unlink()
    images = raw / IMAGE_FOLDERS.get(form, "")
    images.mkdir(parents=True, exist_ok=True)
    suffix = "_leftImg8bit.png" if form == "cityscapes" else ".jpg"
    for name, data in (("a", A), ("b", B)):
        (images / f"{name}{suffix}").write_bytes(data)
    return raw


def read(tmp_path: Path, files: dict, form: str = "auto") -> Source:
    folder = raw_folder(tmp_path, files)
    name, found = find_format(folder, form)
    return READERS[name].read(folder, found)


@pytest.mark.parametrize("form", COUNTED)
def test_what_it_writes_is_read_and_counted(tmp_path: Path, form: str) -> None:
    source = read(written(tmp_path, form), {}, f"panlabel:{form}")
    assert len(source.annotations) == source.shapes == 3, [str(one) for one in source.findings]
    assert not [one for one in source.findings if one.action == "drop"]


def scalabel(*labels: object, **more: object) -> str:
    return json.dumps([{"name": "b.jpg", "labels": [BOX]}, {"name": "a.jpg", **({"labels": list(labels)} | more)}])


BOX = {"category": "cat", "box2d": {"x1": 2, "y1": 3, "x2": 12, "y2": 13}}
POLYGON = {"category": "cat", "poly2d": [{"vertices": [[1, 1], [9, 1], [9, 9]], "closed": True}]}
CORNERS = [{"x": x, "y": y} for x, y in ((2, 3), (11, 3), (11, 12), (2, 12))]
REGION = {"id": "1", "type": "RECTANGLE", "tags": ["cat"], "points": CORNERS}
REGION |= {"boundingBox": {"left": 2, "top": 3, "width": 9, "height": 9}}
ODD = [  # labels of a.jpg, kept, lost, why
    ([BOX, POLYGON], 1, 1, "a kind that panlabel passes over"),
    ([POLYGON], 0, 1, "that kind alone"),
    ([BOX, 7, "x"], 1, 2, "no objects"),
    ([BOX, BOX | {"box2d": {"x1": 2}}, BOX], 2, 1, "a bad box between good ones"),
]


@pytest.mark.parametrize(("labels", "kept", "lost", "why"), ODD, ids=[row[-1] for row in ODD])
def test_what_does_not_come_back_is_named_with_its_image(
    tmp_path: Path, labels: list, kept: int, lost: int, why: str
) -> None:
    source = read(tmp_path, {"a.jpg": A, "b.jpg": B, "l.json": scalabel(*labels)}, "panlabel:bdd100k")
    assert sum(row.image_id == "a.jpg" for row in source.annotations) == kept, why
    dropped = [one for one in source.findings if one.action == "drop" and one.image_id]
    assert [(one.code, one.image_id) for one in dropped] == [("annotation-unreadable", "a.jpg")] * lost
    assert source.shapes == len(source.annotations) + lost


def test_a_missing_list_is_no_negative(tmp_path: Path) -> None:
    text = scalabel().replace('"labels": []', '"label": []')
    source = read(tmp_path, {"a.jpg": A, "b.jpg": B, "l.json": text}, "panlabel:bdd100k")
    assert [one.image_id for one in source.findings if one.action == "drop"] == ["a.jpg"]


@pytest.mark.parametrize("bad", [{"boundingBox": "x"}, {"tags": 7}, 3])
def test_a_bad_region_of_vott_costs_itself_alone(tmp_path: Path, bad: Any) -> None:
    size = {"width": 32, "height": 24}
    asset = {
        "asset": {"name": "a.jpg", "path": "a.jpg", "id": "1", "format": "jpg", "size": size, "state": 2, "type": 1}
    }
    regions = [REGION, REGION | bad if isinstance(bad, dict) else bad]
    text = json.dumps({"name": "x", "version": "2.2.0", "tags": [{"name": "cat"}],
                       "assets": {"1": asset | {"regions": regions, "version": "2.2.0"}}})  # fmt: skip
    source = read(tmp_path, {"a.jpg": A, "l.json": text})
    assert (len(source.annotations), source.shapes) == (1, 2)
    assert [one.image_id for one in source.findings if one.action == "drop"] == ["a.jpg"]


def test_a_bad_row_of_a_csv_costs_itself_alone(tmp_path: Path) -> None:
    text = "image,xmin,ymin,xmax,ymax,label\na.jpg,2,3,12,13,cat\na.jpg,x,3,12,13,cat\nb.jpg,2,3,9,9,cat\n"
    source = read(tmp_path, {"a.jpg": A, "b.jpg": B, "l.csv": text}, "panlabel:vott-csv")
    assert (len(source.annotations), source.shapes, codes(source)) == (2, 3, ["annotation-unreadable"])


@pytest.mark.parametrize("text", ["", "[", "[" * 9000, "7", "{}", "[[]]", '[{"name": 3}]', "a\n,,\n", "\x00"])
@pytest.mark.parametrize("form", COUNTED)
def test_counting_anything_is_no_error(form: str, text: str) -> None:
    said = count(form, text, "x")
    assert said is None or all(isinstance(group.count, int) for group in said.groups)


def test_a_file_that_panlabel_refuses_beside_one_that_it_reads_is_named(tmp_path: Path) -> None:
    """The box that is no number in a form that has no list of rows to take it out of."""
    good = json.dumps({"file_name": "a.jpg", "objects": {"bbox": [[2, 3, 10, 10]], "categories": ["cat"]}})
    bad = json.dumps({"file_name": "b.jpg", "objects": {"bbox": ["x"], "categories": ["cat"]}})
    files = {"one/a.jpg": A, "one/metadata.jsonl": good, "two/b.jpg": B, "two/metadata.jsonl": bad}
    source = read(tmp_path, files)
    assert [row.image_id for row in source.annotations] == ["one/a.jpg"]
    assert "two/b.jpg" in [one.image_id for one in source.findings if one.action == "drop"]
