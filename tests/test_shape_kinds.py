"""Keypoints and oriented boxes: out in each format that carries them and in again, the same."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from conftest import box, image_bytes, make_image, make_manifest
from PIL import Image
from test_formats import raw_folder

from shardsmith.conversion.convert import convert
from shardsmith.dataset.errors import StageError
from shardsmith.dataset.manifest import Annotation, Manifest, kind_of
from shardsmith.dataset.shapes import mirror_by_names, parse_skeleton
from shardsmith.formats.registry import FORMATS
from shardsmith.pipeline.ingest import read_raw
from shardsmith.pipeline.params import IngestParams

NAMES = ["nose", "left_eye", "right_eye"]
CAT = {"id": 1, "name": "cat", "keypoints": NAMES, "skeleton": [[1, 2], [1, 3]]}
POINTS = [12, 8, 2, 6.5, 5, 1, 0, 0, 0]
TURNED = [[10, 4, 22, 10, 18, 18, 6, 12]]


def entry(number: int, **more: object) -> dict:
    return {"id": number, "image_id": 1, "category_id": 1, "iscrowd": 0, "bbox": [2, 3, 20, 16], "area": 320} | more


def coco(*entries: dict) -> dict:
    image = {"id": 1, "file_name": "a.png", "width": 32, "height": 24}
    text = json.dumps({"images": [image], "categories": [CAT, {"id": 2, "name": "dog"}], "annotations": entries})
    return {"a.png": image_bytes(format="PNG"), "instances.json": text}


POSE = coco(entry(1, keypoints=POINTS, num_keypoints=2), entry(2, category_id=2, bbox=[20, 4, 8, 8], area=64))
ORIENTED = coco(
    entry(1, bbox=[6, 4, 16, 14], segmentation=TURNED, attributes={"rotation": 26.5651}),
    entry(2, bbox=[4, 2, 20, 14], segmentation=[[24, 8, 14, 16, 4, 10, 14, 2]], attributes={"rotation": 141.3402}),
)


def rows_of(folder: Path) -> list[Annotation]:
    with_out = folder.parent / "unpacked"
    _, source, _ = read_raw(folder, IngestParams(), with_out)
    return source.annotations


def again(tmp_path: Path, files: dict, name: str) -> tuple[list[Annotation], list[Annotation]]:
    """What is read, and what is read of what was written of it."""
    raw_folder(tmp_path / "in", files)
    done = convert(tmp_path / "in", name, tmp_path / "out", name="d", fractions="1,0,0")
    assert [one.value for one in done.findings if one.code == "not-exported" and "keypoints" in one.value] == []
    return rows_of(tmp_path / "in"), rows_of(tmp_path / "out")


def carrying(word: str) -> list[str]:
    written = {name for name, one in FORMATS.items() if one.is_written and word in one.carries}
    return sorted(written - {"array_record", "huggingface", "jsonl", "webdataset"})  # read by test_training_formats.py


@pytest.mark.parametrize("name", carrying("keypoints"))
def test_keypoints_out_and_in(tmp_path: Path, name: str) -> None:
    before, after = again(tmp_path, POSE, name)
    assert [row.label for row in after] == ["cat", "dog"]
    assert json.loads(after[0].keypoints) == pytest.approx(POINTS, abs=1e-4)
    assert after[1].keypoints is None
    one, other = (parse_skeleton(rows[0].skeleton) for rows in (before, after))
    assert (other.names, other.mirror) == (one.names, (0, 2, 1)) == (tuple(NAMES), one.mirror)


@pytest.mark.parametrize("name", carrying("oriented"))
def test_oriented_boxes_out_and_in(tmp_path: Path, name: str) -> None:
    before, after = again(tmp_path, ORIENTED, name)
    assert [kind_of(row) for row in (*before, *after)] == ["oriented"] * 4
    for one, other in zip(before, after, strict=True):
        corners, others = (np.reshape(json.loads(row.segmentation), (4, 2)) for row in (one, other))
        assert {tuple(at) for at in corners.round(3)} == {tuple(at) for at in others.round(3)}
        assert tuple(corners[0]) == pytest.approx(tuple(others[0]), abs=1e-3)


def test_points_of_objects_without_a_box_get_one(tmp_path: Path) -> None:
    files = coco({"id": 1, "image_id": 1, "category_id": 1, "keypoints": POINTS, "num_keypoints": 2})
    raw_folder(tmp_path / "in", files)
    (row,) = rows_of(tmp_path / "in")
    assert (row.xmin, row.ymin, row.xmax, row.ymax) == (6.5, 5, 12, 8)


CVAT = """<annotations><version>1.1</version><meta><task><labels>
<label><name>cat</name><type>skeleton</type><svg>&lt;line data-node-from="1" data-node-to="2"/&gt;
&lt;circle data-node-id="1" data-label-name="nose"/&gt;
&lt;circle data-node-id="2" data-label-name="left_eye"/&gt;</svg></label>
<label><name>nose</name><parent>cat</parent></label><label><name>left_eye</name><parent>cat</parent></label>
<label><name>right_eye</name><parent>cat</parent></label></labels></task></meta>
<image id="0" name="a.png" width="32" height="24"><skeleton label="cat">
<points label="left_eye" outside="0" occluded="1" points="6.5,5"/><points label="right_eye" outside="1" points="9,9"/>
<points label="nose" outside="0" occluded="0" points="12,8"/></skeleton></image></annotations>"""


def labelme(label: str, kind: str, points: list, group: int) -> dict:
    return {"label": label, "shape_type": kind, "points": points, "group_id": group, "flags": {}}


def test_a_skeleton_of_cvat(tmp_path: Path) -> None:
    raw_folder(tmp_path / "in", {"a.png": image_bytes(format="PNG"), "annotations.xml": CVAT})
    (row,) = rows_of(tmp_path / "in")
    skeleton = parse_skeleton(row.skeleton)
    assert (json.loads(row.keypoints), skeleton.names, skeleton.edges) == (POINTS, tuple(NAMES), ((0, 1),))


def test_points_of_a_group_of_labelme(tmp_path: Path) -> None:
    shapes = [
        labelme("cat", "rectangle", [[2, 3], [22, 19]], 1),
        labelme("nose", "point", [[12, 8]], 1),
        labelme("left_eye", "point", [[6.5, 5]], 1),
        labelme("lone", "point", [[1, 1]], 2),
    ]
    content = {"imagePath": "a.png", "shapes": shapes, "imageWidth": 32, "imageHeight": 24}
    raw_folder(tmp_path / "in", {"a.png": image_bytes(format="PNG"), "a.json": json.dumps(content)})
    _, source, _ = read_raw(tmp_path / "in", IngestParams(), tmp_path / "unpacked")
    (row,) = source.annotations
    assert json.loads(row.keypoints) == [*POINTS[:5], 2]
    assert parse_skeleton(row.skeleton).names == ("nose", "left_eye")
    assert [one.code for one in source.findings] == ["shape-not-carried"]


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_points_drawn_on_the_stored_pixels_are_turned_with_them(tmp_path: Path, orientation: int) -> None:
    stored = (24, 32) if orientation > 4 else (32, 24)
    files = coco(entry(1, keypoints=[6, 4, 2, 0, 0, 0, 3, 9, 2]))
    files["instances.json"] = files["instances.json"].replace('"width": 32, "height": 24', '"width": 24, "height": 32')
    exif = Image.Exif()
    exif[0x0112] = orientation
    files["a.png"] = image_bytes(*stored, format="PNG", exif=exif)
    raw_folder(tmp_path / "in", files)
    (row,) = rows_of(tmp_path / "in")
    turned = {3: (6, 4), 6: (32 - 4, 6), 8: (4, 24 - 6)}[orientation]  # 3: its size is that of neither
    assert tuple(json.loads(row.keypoints)[:2]) == turned


@pytest.mark.parametrize(
    ("names", "mirror"),
    [
        (["nose", "left_eye", "right_eye"], [0, 2, 1]),
        (["L-ear", "R-ear", "tail"], [1, 0, 2]),
        (["LeftWrist", "RightWrist", "leftover"], [1, 0, 2]),
        (["eye_l", "eye_r", "Left knee", "Right knee"], [1, 0, 3, 2]),
        (["left_eye", "mouth"], [0, 1]),
        (["left", "left", "right"], [0, 1, 2]),
    ],
)
def test_which_points_change_sides(names: list, mirror: list) -> None:
    assert mirror_by_names(names) == mirror


def test_tables_of_older_versions_have_no_shapes(tmp_path: Path) -> None:
    make_manifest(make_image(tmp_path / "in"), box()).write(tmp_path)
    table = pq.read_table(tmp_path / "annotations.parquet")
    for dropped, reads in (["kind", "keypoints", "skeleton"], True), (["kind", "label"], False):
        pq.write_table(table.drop_columns(dropped), tmp_path / "annotations.parquet")
        (tmp_path / "SHA256SUMS").unlink(missing_ok=True)
        if reads:
            assert Manifest.read(tmp_path).annotations["keypoints"].null_count == 1
        else:
            with pytest.raises(StageError, match="no manifest can be read"):
                Manifest.read(tmp_path)
