"""PASCAL VOC: attributes, what is not carried, encodings. Boxes, images and splits: tests/test_formats.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import image_bytes
from test_drawn_inputs import balance
from test_formats import OBJECT, XML, codes, corners, raw_folder, read

from shardsmith.formats.voc import format as voc_format
from shardsmith.formats.voc import xml as voc

CAT = OBJECT.format("cat", 2, 3, 12, 13)
PART = "<part><name>head</name><bndbox><xmin>9</xmin><ymin>9</ymin><xmax>10</xmax><ymax>10</ymax></bndbox></part>"


def cat_with(*elements: str) -> str:
    return XML.format(CAT.replace("</object>", "".join(elements) + "</object>"))


@pytest.mark.parametrize(
    ("element", "attributes"),
    [
        ("<difficult>1</difficult><truncated>0</truncated>", {"difficult": 1, "truncated": 0}),
        ("<occluded>true</occluded>", {"occluded": 1}),
        ("<truncated>Unspecified</truncated>", {}),
        ("<pose> Left </pose>", {"pose": "Left"}),
        ("<score>0.5</score>", {"score": "0.5"}),
        (
            "<attributes><attribute><name>hue</name><value>red</value></attribute></attributes>",
            {"hue": "red"},
        ),  # CVAT's
        ("<deleted>0</deleted><id>3</id>", {}),  # LabelMe's
        (PART, {}),
    ],
)
def test_attributes(element: str, attributes: dict) -> None:
    (row,) = voc.parse(cat_with(element).encode(), "a.xml").sheet.rows
    assert row.attributes_dict() == attributes


def test_what_is_not_carried_is_one_finding_a_kind_for_all_files(tmp_path: Path) -> None:
    xml = cat_with(PART, PART, "<actions><jumping>1</jumping></actions>").replace(
        "<size>", "<segmented>1</segmented><size>"
    )
    files = {f"{name}.xml": xml.replace("a.jpg", f"{name}.jpg") for name in "ab"}
    source = read(tmp_path, {**files, **{f"{name}.jpg": image_bytes(seed=ord(name)) for name in "ab"}})
    assert codes(source) == ["not-carried"] * 3
    assert [(finding.file, finding.value) for finding in source.findings] == [
        ("a.xml", "2"),
        ("a.xml", "4"),
        ("a.xml", "2"),
    ]
    assert "<part> has no place in a dataset: 4 in 2 files" in source.findings[1].reason


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "windows-1252", "cp1251", "gbk", "shift_jis"])
def test_encoding_that_the_xml_declares(tmp_path: Path, encoding: str) -> None:
    name = {"cp1251": "кот", "gbk": "猫", "shift_jis": "ネコ"}.get(encoding, "chât")
    xml = f'<?xml version="1.0" encoding="{encoding}"?>\n' + XML.format(CAT.replace("cat", name))
    source = read(tmp_path, {"a.jpg": image_bytes(), "a.xml": xml.encode(encoding)})
    assert [row.label for row in source.annotations] == [name]


@pytest.mark.parametrize("encoding", ["none-such", "utf-8", "gbk"])
def test_encoding_that_the_xml_has_not(encoding: str) -> None:
    xml = (
        f'<?xml version="1.0" encoding="{encoding}"?><annotation><filename>'.encode()
        + b"\xff\xff</filename></annotation>"
    )
    assert "it is not XML" in voc.parse(xml, "a.xml").problem


@pytest.mark.parametrize("encoding", ["utf-8", "gbk"])
def test_entity_bombs_are_refused_in_any_encoding(encoding: str) -> None:
    bomb = '<!DOCTYPE a [<!ENTITY b "cccc"><!ENTITY d "&b;&b;">]><annotation><filename>&d;</filename></annotation>'
    said = voc.parse(f'<?xml version="1.0" encoding="{encoding}"?>{bomb}'.encode(), "a.xml")
    assert "EntitiesForbidden" in said.problem


@pytest.mark.parametrize(
    ("xml", "is_voc"),
    [
        (XML.format(""), True),
        ("<annotations><image name='a.jpg'/></annotations>", False),  # CVAT's
        ("<Page CropBox='0'/>", False),
    ],
)
def test_what_is_voc(tmp_path: Path, xml: str, is_voc: bool) -> None:
    assert bool(voc_format.detect(raw_folder(tmp_path, {"a.jpg": image_bytes(), "a.xml": xml}))) == is_voc


BOX = "<bndbox><xmax>12</xmax><xmin>2</xmin><ymax>13</ymax><ymin>3</ymin></bndbox>"
NUMBERED = "<polygon><x1>2</x1><y1>3</y1><x2>12</x2><y2>3</y2><x3>12</x3><y3>13</y3></polygon>"
POINTS = "".join(f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in ((2, 3), (12, 3), (12, 13)))
TURNED = "<robndbox><cx>12</cx><cy>10</cy><w>8</w><h>4</h><angle>{}</angle></robndbox>"
CORNERS = "".join(
    f"<x_{name}>{x}</x_{name}><y_{name}>{y}</y_{name}>"
    for name, x, y in (("left_top", 7, 3), ("right_top", 12, 8), ("right_bottom", 7, 13), ("left_bottom", 2, 8))
)
TRIANGLE = "[[2.0,3.0,12.0,3.0,12.0,13.0]]"


@pytest.mark.parametrize(
    ("shape", "box", "outline"),
    [
        (BOX, [2, 3, 12, 13], None),  # in any order
        (BOX + NUMBERED, [2, 3, 12, 13], TRIANGLE),  # Roboflow's
        (NUMBERED, [2, 3, 12, 13], TRIANGLE),
        (f"<polygon><username>x</username>{POINTS}</polygon>", [2, 3, 12, 13], TRIANGLE),  # LabelMe's
        (TURNED.format(0), [8, 8, 16, 12], "[[8.0,8.0,16.0,8.0,16.0,12.0,8.0,12.0]]"),
        (TURNED.format(1.5707963267948966), [10, 6, 14, 14], "[[14.0,6.0,14.0,14.0,10.0,14.0,10.0,6.0]]"),
        (f"<robndbox>{CORNERS}</robndbox>", [2, 3, 12, 13], "[[7.0,3.0,12.0,8.0,7.0,13.0,2.0,8.0]]"),
        (f"<segm>{BOX.replace('bndbox', 'box')}<mask>a.png</mask></segm>", [2, 3, 12, 13], None),
    ],
)
def test_shapes(shape: str, box: list, outline: str | None) -> None:
    sheet = voc.parse(XML.format(f"<object><name>cat</name>{shape}</object>").encode(), "a.xml").sheet
    assert [(row.label, corners(row), row.segmentation) for row in sheet.rows] == [("cat", box, outline)]


@pytest.mark.parametrize(
    ("inner", "code"),
    [
        ("<object><name>cat</name></object>", "annotation-unreadable"),
        ("<object><name>cat</name><bndbox><xmin>1</xmin></bndbox></object>", "annotation-unreadable"),
        ("<object><name>cat</name><polygon><x1>1</x1><y1>2</y1></polygon></object>", "annotation-unreadable"),
        ("<object><name>cat</name><point><x>1</x><y>2</y></point></object>", "shape-not-carried"),
        (f"<Object><name>cat</name>{BOX}</Object>", "annotation-unreadable"),  # misspelt
        (f"<objects><object><name>cat</name>{BOX}</object></objects>", "annotation-unreadable"),
        ("<oops", "annotation-unreadable"),
    ],
)
def test_objects_that_are_lost_are_named_with_their_image(tmp_path: Path, inner: str, code: str) -> None:
    files = {"a.jpg": image_bytes(), "b.jpg": image_bytes(seed=1), "a.xml": XML.format(inner)}
    source = read(tmp_path, {**files, "b.xml": XML.format(CAT).replace("a.jpg", "b.jpg")})
    assert [(one.code, one.image_id) for one in source.findings] == [(code, "a.jpg")]
    assert (list(source.entries), balance(source)) == (["a.jpg", "b.jpg"], (2, 2))


def test_an_outline_that_cannot_be_read_costs_no_box(tmp_path: Path) -> None:
    xml = XML.format(f"<object><name>cat</name>{BOX}<polygon><x1>1</x1></polygon></object>")
    source = read(tmp_path, {"a.jpg": image_bytes(), "a.xml": xml})
    assert (len(source.annotations), codes(source), balance(source)) == (1, ["not-carried"], (1, 1))


def test_objects_that_labelme_deleted_are_none(tmp_path: Path) -> None:
    deleted = f"<object><name>cat</name><deleted>1</deleted>{BOX}</object>"
    source = read(tmp_path, {"a.jpg": image_bytes(), "a.xml": XML.format(deleted + CAT)})
    assert (len(source.annotations), codes(source)) == (1, ["not-carried"])


def test_image_sets_of_sub_folders(tmp_path: Path) -> None:
    sets = {"ImageSets/Main/train.txt": "siteA/0001\n", "ImageSets/Main/val.txt": "siteB/0001.jpg\n"}
    files: dict[str, str | bytes] = {**sets}
    for seed, site in enumerate(("siteA", "siteB", "siteC")):
        files[f"JPEGImages/{site}/0001.jpg"] = image_bytes(seed=seed)
        files[f"Annotations/{site}/0001.xml"] = XML.format(CAT).replace("a.jpg", "0001.jpg")
    entries = read(tmp_path, files).entries
    assert [entry.split for entry in entries.values()] == ["train", "valid", None]


def test_image_sets_of_one_class_are_splits_where_there_is_xml_and_labels_where_not(tmp_path: Path) -> None:
    images = {f"JPEGImages/{name}.jpg": image_bytes(seed=ord(name)) for name in "abc"}
    sets = {"ImageSets/Main/cat_train.txt": "a  1\nb -1\nc  0\n", "ImageSets/Main/dog_train.txt": "a -1\nb  1\nc -1\n"}
    source = read(tmp_path / "1", {**images, **sets})
    labels = [(row.image_id[-5], row.label, row.xmin, row.attributes_dict()) for row in source.annotations]
    assert labels == [("a", "cat", None, {}), ("b", "dog", None, {}), ("c", "cat", None, {"difficult": 1})]
    assert ({entry.split for entry in source.entries.values()}, balance(source)) == ({"train"}, (3, 3))
    xml = {"Annotations/a.xml": XML.format(CAT)}
    boxed = read(tmp_path / "2", {**images, **sets, **xml})
    assert [(row.label, row.xmin) for row in boxed.annotations] == [("cat", 2)]
    assert boxed.entries["JPEGImages/a.jpg"].split == "train"
