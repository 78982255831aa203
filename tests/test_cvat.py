"""CVAT's XML: each shape of images and of tracks, kept or named."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from random import Random
from xml.sax.saxutils import quoteattr

import pytest
from conftest import image_bytes
from test_formats import codes, corners, raw_folder, read

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.shapes import area_px, to_mask
from shardsmith.formats.cvat import format as cvat
from shardsmith.formats.shared.raw_folder import Source
from shardsmith.pipeline.ingest import ingest
from shardsmith.pipeline.params import IngestParams

SIDES = 'xtl="2" ytl="3" xbr="12" ybr="13"'
BOX = f'<box label="cat" {SIDES}/>'
CAT = ("cat", [2, 3, 12, 13])


def images(*shapes: str, head: str = "", name: str = "a.jpg", more: str = "") -> str:
    image = f'<image id="0" name={quoteattr(name)} width="32" height="24"{more}>{"".join(shapes)}</image>'
    return f'<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version>{head}{image}</annotations>'


def video(*tracks: str, task: str = "<size>3</size><start_frame>0</start_frame><stop_frame>2</stop_frame>") -> str:
    meta = f"<meta><task>{task}<mode>interpolation</mode></task></meta>"
    return f"<annotations><version>1.1</version>{meta}{''.join(tracks)}</annotations>"


def on_frame(frame: object, outside: int = 0, tag: str = "box") -> str:
    return f'<{tag} frame="{frame}" keyframe="1" outside="{outside}" occluded="0" {SIDES} points="1,1;9,1;9,9"/>'


def read_xml(tmp_path: Path, xml: str, *names: str) -> Source:
    files = {name: image_bytes(seed=seed) for seed, name in enumerate(names or ("a.jpg",))}
    return read(tmp_path, {**files, "annotations.xml": xml})


def at(source: Source) -> list:
    return [
        (row.label, [None if side is None else round(side, 3) for side in corners(row)]) for row in source.annotations
    ]


@pytest.mark.parametrize(
    ("shape", "expected", "area"),
    [
        (BOX, CAT, None),
        (f'<box label="cat" {SIDES} rotation="360.0"/>', CAT, None),
        ('<box label="cat" xtl="2" ytl="8" xbr="12" ybr="10" rotation="90"/>', ("cat", [6, 4, 8, 14]), 20),
        ('<polygon label="cat" points="2.0,3.0;12.0,3.0;12.0,13.0"/>', CAT, 50),
        ('<ellipse label="cat" cx="7" cy="8" rx="5" ry="5"/>', CAT, 78),
        ('<ellipse label="cat" cx="7" cy="8" rx="5" ry="2" rotation="90"/>', ("cat", [5, 3, 9, 13]), 31),
        ('<mask label="cat" rle="1, 2, 1, 4" left="3" top="4" width="4" height="2"/>', ("cat", [3, 4, 7, 6]), 6),
        ('<mask label="cat" rle="0, 9" left="-1" top="-1" width="3" height="3"/>', ("cat", [0, 0, 2, 2]), 4),
        ('<tag label="night"/>', ("night", [None] * 4), None),
        ("<box " + SIDES + "/>", ("", CAT[1]), None),
    ],
)
def test_shapes(tmp_path: Path, shape: str, expected: tuple, area: float | None) -> None:
    source = read_xml(tmp_path, images(shape))
    assert (at(source), source.findings, source.shapes) == ([expected], [], 1)
    outline = source.annotations[0].segmentation
    assert (outline is None) == (area is None)
    assert outline is None or area_px(outline, 32, 24) == pytest.approx(area, abs=5)


def test_box_turned_by_half_a_right_angle(tmp_path: Path) -> None:
    (row,) = read_xml(
        tmp_path, images('<box label="cat" xtl="6" ytl="10" xbr="14" ybr="14" rotation="45"/>')
    ).annotations
    half = (4 + 2) / math.sqrt(2)
    assert corners(row) == pytest.approx([10 - half, 12 - half, 10 + half, 12 + half])
    assert len(json.loads(row.segmentation or "")[0]) == 8


def test_mask_pixel_by_pixel(tmp_path: Path) -> None:
    (row,) = read_xml(
        tmp_path, images('<mask label="cat" rle="1,2,1" left="3" top="4" width="2" height="2"/>')
    ).annotations
    inside = to_mask(row.segmentation or "", 32, 24)
    assert [(int(x), int(y)) for y, x in zip(*inside.nonzero(), strict=True)] == [(4, 4), (3, 5)]


def test_attributes(tmp_path: Path) -> None:
    hue = '<attribute name="hue">red</attribute>'
    said = f'<box label="cat" occluded="1" source="auto" z_order="2" group_id="7" {SIDES}>{hue}</box>'
    source = read_xml(tmp_path, images(said))
    assert source.annotations[0].attributes_dict() == {
        "hue": "red", "occluded": 1, "source": "auto", "z_order": 2, "group_id": 7,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("shape", "code", "kind"),
    [
        ('<polyline label="cat" points="1,1;2,2"/>', "shape-not-carried", "polyline"),
        ('<points label="cat" points="1,1"/>', "shape-not-carried", "points"),
        ('<cuboid label="cat" xtl1="1"/>', "shape-not-carried", "cuboid"),
        ('<skeleton label="cat"><points label="1" points="1"/></skeleton>', "annotation-unreadable", "skeleton"),
        ('<skeleton label="cat"><points label="1" outside="1"/></skeleton>', "annotation-unreadable", "skeleton"),
        ('<thing label="cat"/>', "shape-not-carried", "thing"),
        ('<box label="cat" ytl="3" xbr="12" ybr="13"/>', "annotation-unreadable", "box"),
        ('<box label="cat" xtl="?" ytl="3" xbr="12" ybr="13"/>', "annotation-unreadable", "box"),
        ('<polygon label="cat" points="1,1;2,2"/>', "annotation-unreadable", "polygon"),
        ('<polygon label="cat" points="1,1;2;3,3"/>', "annotation-unreadable", "polygon"),
        ('<mask label="cat" rle="1,2" left="0" top="0" width="4" height="2"/>', "annotation-unreadable", "mask"),
        ('<mask label="cat" rle="8" left="0" top="0" width="4" height="2"/>', "annotation-unreadable", "mask"),
        ('<mask label="cat" rle="0,8" left="99" top="0" width="4" height="2"/>', "annotation-unreadable", "mask"),
        ('<mask label="cat" rle="0,9" left="0" top="0" width="1e9" height="1e9"/>', "annotation-unreadable", "mask"),
        ('<ellipse label="cat" cx="nan" cy="1" rx="1" ry="1"/>', "annotation-unreadable", "ellipse"),
    ],
)
def test_what_is_lost_is_named_alone_and_its_image_is_no_negative(
    tmp_path: Path, shape: str, code: str, kind: str
) -> None:
    source = read_xml(tmp_path, images(BOX, shape))
    assert (at(source), source.shapes) == ([CAT], 2)
    assert [(one.code, one.action, one.value, one.image_id) for one in source.findings] == [
        (code, "drop", kind, "a.jpg")
    ]


def test_images_labels_and_splits(tmp_path: Path) -> None:
    labels = "".join(
        f"<label><name>{name}</name>{more}</label>"
        for name, more in (("dog", ""), ("cat", ""), ("1", "<parent>dog</parent>"))
    )
    head = f"<meta><task><labels>{labels}</labels></task></meta>"
    source = read_xml(tmp_path, images(head=head, more=' subset="Validation"'))
    assert (source.classes, source.annotations, source.shapes) == (["dog", "cat"], [], 0)
    assert {name: entry.split for name, entry in source.entries.items()} == {"a.jpg": "valid"}


def test_image_that_is_not_there_costs_no_other(tmp_path: Path) -> None:
    two = images(BOX).replace("</annotations>", '<image id="1" name="b.jpg">' + BOX + "</image><image/></annotations>")
    source = read_xml(tmp_path, two)
    assert (at(source), codes(source)) == ([CAT], ["image-missing", "annotation-unreadable"])


FRAMES = [f"images/frame_{number:06}.png" for number in range(3)]


def test_tracks(tmp_path: Path) -> None:
    first = f'<track id="4" label="cat" source="manual">{on_frame(0)}{on_frame(1, outside=1)}</track>'
    second = f'<track id="5" label="dog">{on_frame(0, tag="polygon")}{on_frame(0, tag="polyline")}</track>'
    source = read_xml(tmp_path, video(first, second), *FRAMES)
    assert [(row.image_id, row.label, row.source_key) for row in source.annotations] == [
        (FRAMES[0], "cat", "track 4"),
        (FRAMES[0], "dog", "track 5"),
    ]
    assert (list(source.entries), codes(source), source.shapes) == (FRAMES, ["shape-not-carried"], 3)


@pytest.mark.parametrize(
    ("task", "names", "frame", "image"),
    [
        ("<size>3</size>", FRAMES, 2, FRAMES[2]),
        ("<start_frame>6</start_frame><stop_frame>8</stop_frame><frame_filter>step=2</frame_filter>",
         ["frame_000006.png", "frame_000008.png", "frame_000009.png"], 8, "frame_000008.png"),
        ("<size>2</size>", ["frame_000001.png", "frame_000002.png"], 0, "frame_000001.png"),  # ffmpeg's numbers
        ("", ["frame_000000.png", "frame_000001.png"], 0, "frame_000000.png"),
    ],
)  # fmt: skip
def test_the_image_of_a_frame(tmp_path: Path, task: str, names: list, frame: int, image: str) -> None:
    source = read_xml(tmp_path, video(f'<track label="cat">{on_frame(frame)}</track>', task=task), *names)
    assert ([row.image_id for row in source.annotations], source.findings) == ([image], [])
    looked_at = 1 if not task else len(names) - ("frame_000009.png" in names)
    assert len(source.entries) == looked_at


@pytest.mark.parametrize(
    ("names", "frame", "code"),
    [
        (["0001.png", "0002.png"], 1, "image-missing"),  # whose name says nothing of frames
        (["x/frame_000001.png", "y/frame_000001.png"], 1, "image-ambiguous"),
        (FRAMES, 7, "image-missing"),
        (FRAMES, "x", "annotation-unreadable"),
    ],
)
def test_frame_without_an_image_is_named(tmp_path: Path, names: list, frame: object, code: str) -> None:
    source = read_xml(tmp_path, video(f'<track label="cat">{on_frame(frame)}</track>'), *names)
    assert (source.annotations, codes(source)) == ([], [code])


@pytest.mark.parametrize(
    ("xml", "is_ours"),
    [
        (images(BOX), True),
        (images(), True),
        (video(), True),
        ("<annotations><meta><task></task></meta></annotations>", True),
        ("<annotation><object/></annotation>", False),
        ("<annotations><note>x</note></annotations>", False),
        ("<x/>", False),
    ],
)
def test_what_is_cvat_s(tmp_path: Path, xml: str, is_ours: bool) -> None:
    assert bool(cvat.detect(raw_folder(tmp_path, {"a.jpg": image_bytes(), "x.xml": xml}))) == is_ours


@pytest.mark.parametrize("xml", [images(BOX)[:-9], '<!DOCTYPE a [<!ENTITY b "c">]>' + images(BOX).partition("\n")[2]])
def test_what_is_no_xml_is_one_clear_error(tmp_path: Path, xml: str) -> None:
    with pytest.raises(RawDataError, match=r"annotations\.xml: not XML"):
        read_xml(tmp_path, xml)


def test_raccoon_is_that_of_voc(tmp_path: Path, raccoon: Path) -> None:
    for folder, labels in (("l", raccoon / "as" / "cvat.xml"), ("v", raccoon / "Annotations")):
        shutil.copytree(raccoon / "JPEGImages", tmp_path / folder / "JPEGImages")
        (shutil.copytree if labels.is_dir() else shutil.copy)(labels, tmp_path / folder / labels.name)
    manifest, label_map, findings, name = ingest(tmp_path / "l", IngestParams(), LabelMap("d"))
    assert (name, dict(label_map.ids), findings) == ("cvat", {"raccoon": 1}, [])
    theirs = ingest(tmp_path / "v", IngestParams(), LabelMap("d"))[0].annotation_rows()
    for one, other in zip(manifest.annotation_rows(), theirs, strict=True):
        assert (one.image_id, corners(one)) == (other.image_id, pytest.approx(corners(other), abs=0.5))


def any_shape(rng: Random) -> str:
    x, y = rng.uniform(0, 20), rng.uniform(0, 12)
    turned = rng.choice(("", ' rotation="30.5"'))
    label = rng.choice(('label="cat"', 'label="dog"', ""))
    return rng.choice((
        f'<box {label} xtl="{x}" ytl="{y}" xbr="{x + 9}" ybr="{y + 9}"{turned}/>',
        f'<polygon {label} points="{x},{y};{x + 9},{y};{x},{y + 9}"/>', f'<polyline {label} points="{x},{y};9,9"/>',
        f'<ellipse {label} cx="{x}" cy="{y}" rx="4" ry="2"{turned}/>', f'<points {label} points="{x},{y}"/>',
        f'<mask {label} rle="1,2,1" left="{int(x)}" top="{int(y)}" width="2" height="2"/>', f"<tag {label}/>",
        f'<cuboid {label} xtl1="{x}"/>', f'<skeleton {label}><points points="{x},{y}"/></skeleton>',
    ))  # fmt: skip


@pytest.mark.parametrize("seed", range(60))
def test_shapes_in_are_kept_or_named(tmp_path: Path, seed: int) -> None:
    rng = Random(seed)
    shapes = [any_shape(rng) for _ in range(rng.randrange(9))]
    source = read_xml(tmp_path, images(*shapes))
    named = [one for one in source.findings if one.action == "drop"]
    assert source.shapes == len(shapes) == len(source.annotations) + len(named)
    assert {one.image_id for one in named} <= {"a.jpg"}
    assert list(source.entries) == ["a.jpg"]
