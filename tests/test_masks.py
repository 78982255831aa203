"""Masks as PNG: which files are masks of which images, what their values mean, and what is never an image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import image_bytes
from mask_files import mask
from test_formats import corners, raw_folder, read

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.shapes import area_px
from shardsmith.formats.masks.classes import ClassList, parse_list, voc_colour
from shardsmith.formats.masks.known import KNOWN
from shardsmith.formats.masks.pairs import MaskPair, find_masks
from shardsmith.formats.shared.raw_folder import Source
from shardsmith.pipeline.ingest import ingest
from shardsmith.pipeline.params import IngestParams

PHOTO = image_bytes()
CSV = "Pixel Value, Class\n0, background\n1, cat\n2, dog\n"
CAT, DOG = (2, 3, 12, 13), (20, 10, 30, 20)


def rows(source: Source) -> list[Any]:
    return [(row.image_id, row.label, tuple(corners(row))) for row in source.annotations]


BOTH = mask((1, CAT), (2, DOG))
NAMED = [("cat", CAT), ("dog", DOG)]


@pytest.mark.parametrize(
    ("files", "image", "expected"),
    [
        ({"a.jpg": PHOTO, "a_mask.png": BOTH, "_classes.csv": CSV}, "a.jpg", NAMED),
        ({"train/a.jpg": PHOTO, "train/a_mask.png": BOTH, "train/_classes.csv": CSV}, "train/a.jpg", NAMED),
        ({"images/a.jpg": PHOTO, "masks/a.png": BOTH, "classes.txt": "background\ncat\ndog\n"}, "images/a.jpg", NAMED),
        ({"images/a.jpg": PHOTO, "masks/a.png": BOTH, "masks/classes.txt": "1 cat\n2 dog"}, "images/a.jpg", NAMED),
        ({"images/a.jpg": PHOTO, "labels/a.png": BOTH, "classes.txt": "cat: 1\ndog: 2"}, "images/a.jpg", NAMED),
        (
            {"img_dir/val/a.jpg": PHOTO, "ann_dir/val/a.png": BOTH, "classes.txt": "0 bg\n1 cat\n2 dog"},
            "img_dir/val/a.jpg", NAMED,
        ),
        (
            {"images/training/a.jpg": PHOTO, "annotations/training/a.png": BOTH,
             "objectInfo150.txt": "Idx\tRatio\tTrain\tVal\tName\n1\t0.1\t3\t4\tcat\n2\t0.1\t3\t4\tdog"},
            "images/training/a.jpg", NAMED,
        ),
        ({"train/a.jpg": PHOTO, "train_masks/a_mask.png": BOTH, "classes.txt": "1 cat\n2 dog"}, "train/a.jpg", NAMED),
        (
            {"JPEGImages/a.jpg": PHOTO, "SegmentationClass/a.png": mask((8, CAT), (12, DOG), mode="P")},
            "JPEGImages/a.jpg", NAMED,
        ),
        (
            {"JPEGImages/a.jpg": PHOTO,
             "SegmentationClass/a.png": mask((voc_colour(8), CAT), (voc_colour(12), DOG), mode="RGB")},
            "JPEGImages/a.jpg", NAMED,
        ),
        (
            {"JPEGImages/a.jpg": PHOTO, "SegmentationClass/a.png": mask((0xFA3253, CAT), mode="RGB"),
             "labelmap.txt": "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncat:250,50,83::"},
            "JPEGImages/a.jpg", NAMED[:1],
        ),
        (
            {"JPEGImages/a.jpg": PHOTO, "SegmentationClass/a.png": mask((voc_colour(1), CAT), mode="RGB"),
             "labelmap.txt": "# label:color_rgb:parts:actions\nbackground:::\ncat:::\ndog:::"},
            "JPEGImages/a.jpg", NAMED[:1],
        ),
        (
            {"images/a.jpg": PHOTO, "SegmentationClass/a.png": BOTH,
             "class_id_to_name.json": '{"1": "cat", "2": "dog"}'},
            "images/a.jpg", NAMED,
        ),
        (
            {"train/a.jpg": PHOTO, "trainannot/a.png": mask((voc_colour(1), CAT), (voc_colour(2), DOG), mode="RGB"),
             "label_colors.txt": " background\n cat\n dog"},
            "train/a.jpg", NAMED[::-1],
        ),
        ({"image_2/a.jpg": PHOTO, "semantic/a.png": BOTH, "classes.txt": "1 cat\n2 dog"}, "image_2/a.jpg", NAMED),
        (
            {"images/a.jpg": PHOTO, "masks/a.png": mask((0xFA3253, CAT), mode="RGB"),
             "class_dict.csv": "name,r,g,b\ncat,250,50,83"},
            "images/a.jpg", NAMED[:1],
        ),
        (
            {"leftImg8bit/val/x/x_1_leftImg8bit.png": image_bytes(format="PNG"),
             "gtFine/val/x/x_1_gtFine_labelIds.png": mask((26, CAT), (1, DOG)),
             "gtFine/val/x/x_1_gtFine_color.png": mask((0x00008E, CAT), mode="RGB")},
            "leftImg8bit/val/x/x_1_leftImg8bit.png", [("car", CAT)],
        ),
        ({"images/a.jpg": PHOTO, "masks/a.png": mask((300, CAT), mode="I;16"), "classes.txt": "300 cat"},
         "images/a.jpg", NAMED[:1]),
        ({"images/a.jpg": PHOTO, "masks/a.png": mask((0x010101, CAT), mode="RGB"), "classes.txt": "1 cat"},
         "images/a.jpg", NAMED[:1]),
        ({"images/a.jpg": PHOTO, "masks/a.png": mask((255, CAT)), "classes.txt": "1 cat"}, "images/a.jpg", NAMED[:1]),
        ({"images/a.jpg": PHOTO, "masks/a.png": mask((255, CAT)), "classes.txt": "255 cat"},
         "images/a.jpg", NAMED[:1]),
        ({"images/a.jpg": PHOTO, "masks/a.png": mask(), "classes.txt": "1 cat"}, "images/a.jpg", []),
    ],
)  # fmt: skip
def test_masks_that_are_read(tmp_path: Path, files: dict, image: str, expected: list) -> None:
    source = read(tmp_path, files)
    assert (rows(source), source.findings) == ([(image, *each) for each in expected], [])
    assert (list(source.entries), source.shapes) == ([image], len(expected))
    assert [area_px(row.segmentation or "", 32, 24) for row in source.annotations] == [100] * len(expected)


def test_masks_are_no_unlabelled_images_and_values_are_the_ids(tmp_path: Path) -> None:
    for name, content in {"a.jpg": PHOTO, "a_mask.png": BOTH, "b.jpg": image_bytes(seed=2)}.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "_classes.csv").write_text(CSV.replace("1,", "7,"))
    (tmp_path / "a_mask.png").write_bytes(mask((7, CAT)))
    manifest, label_map, findings, name = ingest(tmp_path, IngestParams(), LabelMap("d"))
    assert (name, manifest.images["image_id"].to_pylist()) == ("masks", ["a.jpg"])
    assert [(one.code, one.file) for one in findings] == [
        ("class-without-boxes", "dog"), ("image-unlabelled", "b.jpg"),
    ]  # fmt: skip
    assert dict(label_map.ids) == {"cat": 7, "dog": 2}


def test_objects_of_voc_are_an_annotation_each(tmp_path: Path) -> None:
    other = (14, 3, 18, 13)
    classes = mask((8, CAT), (8, other), (255, (12, 3, 14, 13)), (12, DOG), mode="P")
    objects = mask((1, CAT), (2, other), (255, (12, 3, 14, 13)), mode="P")
    files = {"JPEGImages/a.jpg": PHOTO, "SegmentationClass/a.png": classes, "SegmentationObject/a.png": objects}
    source = read(tmp_path, {**files, "ImageSets/Segmentation/val.txt": "a\n"})
    assert rows(source) == [("JPEGImages/a.jpg", *each) for each in (("cat", CAT), ("cat", other), ("dog", DOG))]
    assert source.entries["JPEGImages/a.jpg"].split == "valid"


@pytest.mark.parametrize(
    ("png", "places"),
    [
        (mask((1, CAT), (9, DOG)), ["value 9"]),
        (mask((9, DOG)), ["value 9"]),
        (mask((0x123456, CAT), mode="RGB"), ["value 1193046"]),
        (mask((255, CAT)), ["value 255"]),
        (mask((1, CAT), size=(31, 24)), ["area 1"]),
        (b"\x89PNG", [""]),
        (image_bytes(32, 24, 5, "PNG").replace(b"IDAT", b"IDAX"), [""]),
        (image_bytes(200, 200, 5, "PNG"), [""]),
    ],
    ids=["one more value", "that value alone", "colour", "void", "size", "cut short", "no pixels", "photo"],
)
def test_what_is_lost_is_named_and_leaves_no_negative(tmp_path: Path, png: bytes, places: list) -> None:
    source = read(tmp_path, {"a.jpg": PHOTO, "a_mask.png": png, "_classes.csv": CSV})
    assert [(one.code, one.image_id, one.place) for one in source.findings] == [
        ("annotation-unreadable", "a.jpg", at) for at in places
    ]
    assert source.shapes == len(source.annotations) + len(places)


@pytest.mark.parametrize(
    ("names", "values", "expected"),
    [
        ("background\ncat", [1], ({0: "background", 1: "cat"}, False)),
        ("_background_\ncat", [0, 1], ({0: "_background_", 1: "cat"}, False)),
        ("__ignore__\n_background_\ncat", [1], ({0: "_background_", 1: "cat"}, False)),
        ("cat\ndog", [0, 1, 2], ({1: "cat", 2: "dog"}, True)),
        ("cat\ndog", [0, 1], ({0: "cat", 1: "dog"}, True)),
        ("3 cat\n1 a dog", [], ({3: "cat", 1: "a dog"}, False)),
    ],
)
def test_what_values_a_list_of_names_means(names: str, values: list, expected: tuple) -> None:
    resolved, assumed = (parse_list(names, "classes.txt") or ClassList("")).resolved(values)
    assert (resolved.by_value, assumed) == expected


def test_a_list_without_values_is_a_finding(tmp_path: Path) -> None:
    source = read(tmp_path, {"images/a.jpg": PHOTO, "masks/a.png": BOTH, "classes.txt": "cat\ndog"})
    assert [row[1] for row in rows(source)] == ["cat", "dog"]
    assert [one.code for one in source.findings] == ["mask-values-assumed"]


def test_values_that_are_well_known() -> None:
    assert KNOWN["voc"].by_value[15] == "person"
    assert KNOWN["voc-colours"].by_colour[0xC08080] == "person"
    assert (KNOWN["cityscapes"].by_value[26], KNOWN["trainids"].by_value[13]) == ("car", "car")


@pytest.mark.parametrize(
    ("files", "pairs"),
    [
        (["a.jpg", "a_mask.png"], [("a_mask.png", "a.jpg")]),
        (["a_mask.png", "b.png"], []),
        (["images/a.png", "masks/a.png"], [("masks/a.png", "images/a.png")]),
        (["s/images/a.jpg", "s/masks/a_seg.png"], [("s/masks/a_seg.png", "s/images/a.jpg")]),
        (["images/a.jpg", "masks/other.png"], [("masks/other.png", "")]),
        (["images/a.png", "images/b.png"], []),
        (["with_mask/1.png", "without_mask/1.png", "images/1.jpg"], []),
        (["mask/1.png", "no_mask/2.png"], []),
        (["cat/1.png", "dog/1.png"], []),
        (["labels/a.png", "labels/b.png"], []),
        (["images/a.jpg", "annotations/x.png", "annotations/y.png", "annotations/a.png"], []),
        (["data/images/a.jpg", "data/masks_human/a.png"], []),
    ],
)
def test_which_files_are_masks(files: list[str], pairs: list) -> None:
    assert [(pair.mask, pair.image) for pair in find_masks(files).pairs] == pairs


def test_pictures_for_people_are_set_aside() -> None:
    files = ["JPEGImages/a.jpg", "SegmentationClass/a.png", "SegmentationClassVisualization/a.jpg", "x/a.png"]
    found = find_masks([*files, "SegmentationObject/b.png"])
    assert found.pairs == [MaskPair("SegmentationClass/a.png", "", "", "voc")] or found.pairs[0].image
    assert found.others == ["SegmentationClassVisualization/a.jpg", "SegmentationObject/b.png"]
    brush = "out/task-1-annotation-2-by-1-brush-a cat-0.png"  # of Label Studio
    assert find_masks(["images/a.jpg", brush]).others == [brush]


def test_masks_beside_boxes_are_no_images_and_named(tmp_path: Path) -> None:
    xml = (
        "<annotation><filename>a.jpg</filename><object><name>cat</name><bndbox><xmin>2</xmin><ymin>3</ymin>"
        "<xmax>12</xmax><ymax>13</ymax></bndbox></object></annotation>"
    )
    files = {"JPEGImages/a.jpg": PHOTO, "Annotations/a.xml": xml, "SegmentationClass/a.png": mask((8, CAT), mode="P")}
    raw_folder(tmp_path, files)
    manifest, _, findings, name = ingest(tmp_path, IngestParams(), LabelMap("d"))
    assert (name, manifest.images.num_rows, [one.code for one in findings]) == ("voc", 1, ["not-carried"])
    assert findings[0].file == "SegmentationClass/a.png"
    manifest, _, findings, name = ingest(tmp_path, IngestParams(format="masks"), LabelMap("d"))
    assert (name, manifest.annotation_rows()[0].label) == ("masks", "cat")


def test_masks_without_a_class_list_are_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(RawDataError, match=r"masks/a\.png are masks, and no class list"):
        read(tmp_path, {"images/a.jpg": PHOTO, "masks/a.png": BOTH})
