"""VGG Image Annotator: projects, JSON and CSV of versions 1 to 3."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from conftest import image_bytes
from hypothesis import given
from test_coco import json_values
from test_drawn_inputs import balance
from test_formats import codes, corners, raw_folder, read

from shardsmith.dataset.errors import RawDataError
from shardsmith.formats.via import format as via

RECT = {"name": "rect", "x": 2, "y": 3, "width": 10, "height": 10}
BOX = {"shape_attributes": RECT, "region_attributes": {"class": "cat"}}


def shaped(name: str, **values: object) -> dict:
    return {"shape_attributes": {"name": name, **values}, "region_attributes": {"class": "cat"}}


def entries(*regions: object, name: str = "a.jpg", **more: object) -> dict:
    return {f"{name}1": {"filename": name, "size": 1, "regions": list(regions), "file_attributes": {}, **more}}


def project3(*metadata: dict, attribute: object = None, file_type: int = 2) -> str:
    attribute = attribute or {"1": {"aname": "class", "type": 3, "options": {"0": "cat", "1": "dog"}}}
    rows = {f"1_{n}": {"vid": "1", "flg": 0, "z": [], "av": {"1": "0"}, **one} for n, one in enumerate(metadata)}
    return json.dumps({
        "project": {"pid": "x", "vid_list": ["1"]}, "config": {"file": {"loc_prefix": {}}}, "attribute": attribute,
        "file": {"1": {"fid": 1, "fname": "a.jpg", "type": file_type, "loc": 1, "src": ""}},
        "view": {"1": {"fid_list": [1]}}, "metadata": rows,
    })  # fmt: skip


XS, YS = [2, 12, 12], [3, 3, 13]


@pytest.mark.parametrize(
    ("content", "box", "has_outline"),
    [
        (entries(BOX), [2, 3, 12, 13], False),
        (entries(regions={"0": BOX}), [2, 3, 12, 13], False),  # VIA 1
        ({"_via_settings": {}, "_via_img_metadata": entries(BOX)}, [2, 3, 12, 13], False),
        (entries(shaped("circle", cx=12, cy=10, r=4.5)), [7.5, 5.5, 16.5, 14.5], True),
        (entries(shaped("ellipse", cx=12, cy=10, rx=8, ry=4)), [4, 6, 20, 14], True),
        (entries(shaped("ellipse", cx=12, cy=10, rx=8, ry=4, theta=math.pi / 2)), [8, 2, 16, 18], True),
        (entries(shaped("polygon", all_points_x=XS, all_points_y=YS)), [2, 3, 12, 13], True),
        (json.loads(project3({"xy": [2, 2, 3, 10, 10]})), [2, 3, 12, 13], False),
        (json.loads(project3({"xy": [3, 12, 10, 4.5]})), [7.5, 5.5, 16.5, 14.5], True),
        (json.loads(project3({"xy": [7, 2, 3, 12, 3, 12, 13]})), [2, 3, 12, 13], True),
        (json.loads(project3({"xy": [8, 2, 7, 7, 3, 12, 8, 7, 13]})), [2, 3, 12, 13], False),
        (json.loads(project3({"xy": [9, 8, 10, 12, 6, 16, 10]})), [8, 6, 16, 14], True),
    ],
)
def test_shapes(tmp_path: Path, content: dict, box: list, has_outline: bool) -> None:
    source = read(tmp_path, {"a.jpg": image_bytes(), "v.json": json.dumps(content)})
    (row,) = source.annotations
    assert (row.label, corners(row), bool(row.segmentation)) == ("cat", pytest.approx(box, abs=1e-5), has_outline)
    assert (source.findings, source.shapes) == ([], 1)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (entries(shaped("point", cx=1, cy=2)), "shape-not-carried"),
        (entries(shaped("polyline", all_points_x=XS, all_points_y=YS)), "shape-not-carried"),
        (entries(shaped("circle", cx=1)), "annotation-unreadable"),
        (entries(shaped("circle", cx=1, cy=1, r=-2)), "annotation-unreadable"),
        (entries({"region_attributes": {"class": "cat"}}), "annotation-unreadable"),
        (entries(regions=None), "annotation-unreadable"),
        ({"a.jpg1": {"filename": "a.jpg", "size": 1, "region": [BOX]}}, "annotation-unreadable"),
        (json.loads(project3({"xy": [5, 1, 2, 3, 4]})), "shape-not-carried"),
        (json.loads(project3({"xy": [2, 1, 2]})), "annotation-unreadable"),
        (json.loads(project3({"xy": [], "z": [1, 2]})), "shape-not-carried"),
    ],
)
def test_what_is_lost_is_named_with_its_image(tmp_path: Path, content: dict, code: str) -> None:
    source = read(tmp_path, {"a.jpg": image_bytes(), "v.json": json.dumps(content)})
    assert [(one.code, one.image_id) for one in source.findings] == [(code, "a.jpg")]
    assert (list(source.entries), balance(source)) == (["a.jpg"], (1, 1))


def test_a_video_is_named(tmp_path: Path) -> None:
    folder = raw_folder(tmp_path, {"a.jpg": image_bytes(), "v.json": project3({"xy": [2, 1, 2, 3, 4]}, file_type=4)})
    source = via.read(folder, ["v.json"])
    assert ([one.value for one in source.findings], source.entries) == (["video"], {})


@pytest.mark.parametrize(
    ("regions", "labels"),
    [
        ([{"hue": "red", "label": "cat"}], ["cat"]),  # called so
        ([{"animal": "cat"}], ["cat"]),  # the only one
        ([{"note": "x", "kind": "cat"}], ["cat"]),  # the one with options
        ([{"class": {"cat": True, "dog": False}}], ["cat"]),
        ([{"kind": "1"}], ["cat"]),  # an option's id
        ([{}], [""]),
    ],
)
def test_which_attribute_is_the_class(tmp_path: Path, regions: list, labels: list) -> None:
    defined = {"region": {"kind": {"type": "dropdown", "options": {"cat": "", "1": "cat"}}}}
    content = entries(*({"shape_attributes": RECT, "region_attributes": one} for one in regions))
    text = json.dumps({"_via_img_metadata": content, "_via_attributes": defined})
    source = read(tmp_path, {"a.jpg": image_bytes(), "v.json": text})
    assert [row.label for row in source.annotations] == labels


def test_file_attributes_are_tags_or_where_no_region_is_labels(tmp_path: Path) -> None:
    files = {"a.jpg": image_bytes(), "v.json": json.dumps(entries(BOX, file_attributes={"class": "day", "by": "x"}))}
    source = read(tmp_path / "1", files)
    assert (source.entries["a.jpg"].tags, len(source.annotations)) == (["class: day", "by: x"], 1)
    source = read(tmp_path / "2", files | {"v.json": json.dumps(entries(file_attributes={"class": "day", "by": "x"}))})
    assert [(row.label, row.xmin) for row in source.annotations] == [("day", None)]
    assert (source.entries["a.jpg"].tags, balance(source)) == (["by: x"], (1, 1))


HEADER = "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes"
RECT_CELL = '"{""name"":""rect"",""x"":2,""y"":3,""width"":10,""height"":10}","{""class"":""cat""}"'
THIRD = (
    '# Exported using VGG Image Annotator\n# ATTRIBUTE = {"1":{"aname":"class","type":3,"options":{"0":"cat"}}}\n'
    "# CSV_HEADER = metadata_id,file_list,flags,temporal_coordinates,spatial_coordinates,metadata\n"
    '"1_x","[""a.jpg""]",0,"[]","[2,2,3,10,10]","{""1"":""0""}"\n'
)


@pytest.mark.parametrize(
    ("text", "boxes", "found"),
    [
        (f'{HEADER}\na.jpg,1,"{{}}",1,0,{RECT_CELL}\n', 1, []),
        (f'#{HEADER}\na.jpg,1,"{{}}",1,0,{RECT_CELL}\n', 1, []),  # VIA 1
        (f'{HEADER}\na.jpg,0,"{{}}",0,0,"{{}}","{{}}"\n', 0, []),
        (f'{HEADER}\na.jpg,1,"{{}}",1,0,"{{oops","{{}}"\n', 0, ["annotation-unreadable"]),
        (THIRD, 1, []),
        (THIRD.replace("[2,2,3,10,10]", "[1,2,3]"), 0, ["shape-not-carried"]),
    ],
)
def test_tables(tmp_path: Path, text: str, boxes: int, found: list) -> None:
    source = read(tmp_path, {"a.jpg": image_bytes(), "v.csv": text})
    assert [(row.label, corners(row)) for row in source.annotations] == [("cat", [2, 3, 12, 13])] * boxes
    assert (codes(source), list(source.entries)) == (found, ["a.jpg"])
    assert balance(source)[0] == balance(source)[1]


def test_cut_short_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(RawDataError, match=r"v\.json.*cut short"):
        read(tmp_path, {"a.jpg": image_bytes(), "v.json": json.dumps(entries(BOX))[:-9]})


def test_missing_image_says_how_many_annotations_it_had(tmp_path: Path) -> None:
    content = entries(BOX) | entries(BOX, BOX, name="b.jpg")
    source = read(tmp_path, {"a.jpg": image_bytes(), "v.json": json.dumps(content)})
    assert [(one.code, "2 annotations" in one.reason) for one in source.findings] == [("image-missing", True)]


@given(json_values)
def test_whatever_stands_there_is_no_traceback(value: object) -> None:
    for content in (entries(value), entries(regions=value), {"a": value}, {"view": value, "metadata": {"a": value}}):
        made = via.parse(json.dumps(content), "v.json")
        for image in made.images:
            via.make_sheet(image, "v.json", "class", "")
