"""PASCAL VOC: attributes, what is not carried, encodings. Boxes, images and splits: tests/test_formats.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import image_bytes
from test_formats import OBJECT, XML, codes, raw_folder, read

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
