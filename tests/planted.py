"""Datasets with one of every finding: COCO, because it can hold nearly all of it.

`plant` writes a folder with what ingest, validate and split find, `plant_crowds` one with what is found of a whole
source, `plant_masks` one of masks, `plant_formats` one in several formats, `plant_for_steps` one with what steps and
export say.
Each image is a photograph of its own; what is planted is named by its file, and docs/findings.md lists it.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

WIDTH, HEIGHT = 160, 120
# split.strategy source; the rest of what is planted needs a params.yaml of its own
PARAMS = """
ingest: {classes: {junk: null, nothing_like_it: cat}}
split: {strategy: source}
"""
GROUPED = """
ingest: {classes: {junk: null}}
split: {strategy: stable, group_pattern: '^images/(group-[a-z])'}
"""
# of images that an earlier version had, all in train but one
MEMORY = "split: {strategy: stratified, group_pattern: '^images/(bridge)-'}"
DECISIONS = """image_id,decision,why
images/clean-00.jpg,excluded,blurred
images/clean-01.jpg,test,another camera
images/nowhere.jpg,tag:night,
"""
RECORD = "image_id,pixels,split,was,since\nimages/bridge-1.jpg,,train,,1\nimages/bridge-2.jpg,,test,,1\n" + "".join(
    f"images/clean-{number:02}.jpg,,train,,1\n" for number in range(20)
)
# of the second folder
STEPS = """
preprocess:
  enabled: true
  steps:
    - filter_classes: {drop: [junk]}
    - min_box_size: {side: 6}
    - crop: {right: 0.9}
    - tile: {width: 144, height: 120}
    - resize: {width: 36, height: 30, mode: within}
augment:
  enabled: true
  copies: 1
  splits: [train, valid, test]
  steps:
    - flip: {horizontal: 1, except_classes: [still]}
    - albumentations: {CenterCrop: {width: 36, height: 28}, except_classes: [still]}
export: {formats: [voc]}
"""


@dataclass(frozen=True)
class Plant:
    """Where a code is to be found (the file, or the class, or "" of a split), how it got there, and how often it is
    found in all: some come with another, as an upside-down image is a turned one too."""

    file: str
    how: str
    times: int = 1


_LIST = "annotations/instances_train.json"
PLANTED = {
    "annotation-unreadable": Plant(_LIST, "a `bbox` of three numbers"),
    "shape-not-carried": Plant(_LIST, "a `caption` that is a number"),
    "image-missing": Plant(_LIST, "an entry for `not-there.jpg`, which is not there"),
    "image-ambiguous": Plant(_LIST, "an entry for `twice.jpg`, with `left/twice.jpg` and `right/twice.jpg`"),
    "image-name-matched": Plant(_LIST, "an entry for `na%C3%AFve.jpg`, with `naïve.jpg`"),
    "image-unlabelled": Plant("images/unmentioned.jpg", "an image without an entry"),
    "size-declared-wrong": Plant(f"{_LIST}, images/wrong-size.jpg", "160 x 120 px, declared as 999 x 999"),
    "orientation-ambiguous": Plant(f"{_LIST}, images/upside-down.jpg", "EXIF orientation 3, which keeps the size"),
    "class-name-empty": Plant("images/omitted.jpg", "a category whose name is empty"),
    "class-without-boxes": Plant("unused", "a category `unused`"),
    "class-omitted": Plant("images/omitted.jpg", "a box of `junk`, with `ingest.classes: {junk: null}`"),
    "class-alike": Plant("Dog", "`Dog` beside `dog`"),
    "class-not-found": Plant("params.yaml", "`ingest.classes: {nothing_like_it: cat}`"),
    "not-carried": Plant(_LIST, "an annotation with `keypoints` of two numbers"),
    "metadata-not-carried": Plant(_LIST, "a list of `neg_category_ids` of an image"),
    "image-unreadable": Plant("images/cut-off.jpg", "the last 300 bytes are cut off"),
    "image-turned": Plant("images/turned.jpg", "EXIF orientation 6", 3),
    "image-encoding": Plant("images/bitmap.bmp", "a BMP"),
    "image-extension": Plant("images/really-a-png.jpg", "a PNG that is called .jpg"),
    "image-colours": Plant("images/cmyk.jpg", "a JPEG in CMYK"),
    "image-plain": Plant("images/black.jpg", "all black"),
    "image-size-far": Plant("images/huge.jpg", "nine times as wide and high as the others"),
    "image-duplicate": Plant("images/same-2.jpg", "the bytes and boxes of `same-1.jpg`"),
    "image-duplicate-conflict": Plant("images/conflict-2.jpg", "the bytes of `conflict-1.jpg`, with another box"),
    "image-near-duplicate": Plant("images/near-2.jpg", "`near-1.jpg` made smaller, written on and saved again", 2),
    "box-not-finite": Plant("images/box-not-finite.jpg", "a coordinate is NaN"),
    "box-inverted": Plant("images/box-inverted.jpg", "a width of -30"),
    "box-in-shares": Plant("images/box-in-shares.jpg", "0.1 to 0.6 in a format of pixels"),
    "box-over-edge": Plant("images/box-over-edge.jpg", "1 px past the left edge"),
    "box-outside-image": Plant("images/box-outside.jpg", "at 500, 500 of 160 x 120 px"),
    "keypoint-outside-image": Plant("images/keypoint-outside.jpg", "a keypoint at 999, 30 of 160 x 120 px"),
    "box-empty": Plant("images/box-empty.jpg", "a width and height of 0", 2),
    "box-duplicate": Plant("images/box-duplicate.jpg", "a cat twice"),
    "box-near-duplicate": Plant("images/box-near-duplicate.jpg", "a cat, and again half a pixel higher"),
    "box-overlap": Plant("images/box-overlap.jpg", "a dog where a cat is"),
    "box-tiny": Plant("images/box-tiny.jpg", "2 px wide"),
    "box-covers-image": Plant("images/box-covers.jpg", "all but one row of the image"),
    "image-left-empty": Plant("images/left-empty.jpg", "its only box is empty"),
    "class-rare": Plant("rare", "`rare` on one image of more than fifty", 2),
    "source-augmented": Plant("", "`cat_jpg.rf.HASH.jpg` twice"),
    "split-empty": Plant("", "no list for valid"),
    "split-lacks-class": Plant("", "test without `rare`", 2),
    "split-missing": Plant("images/no-split.jpg", "an entry in a list that names no split"),
    "split-leak": Plant("images/conflict-1.jpg", "the same bytes in train and in test"),
    "split-leak-similar": Plant("images/near-1.jpg", "`near-1.jpg` in train and `near-2.jpg` in test"),
}
IN_GROUPS = {
    "split-groups-joined": Plant("images/group-a.jpg", "one picture, of two groups by `split.group_pattern`"),
}
REMEMBERED = {
    "image-excluded": Plant("images/clean-00.jpg", "a row `excluded` of data/decisions.csv"),
    "decision-without-image": Plant("data/decisions.csv", "a row of data/decisions.csv for `nowhere.jpg`"),
    "split-moved": Plant("images/clean-01.jpg", "a row `test` of data/decisions.csv, in train before"),
    "split-bridge": Plant("images/bridge-3.jpg", "a group with images of train and of test"),
    "split-shares-differ": Plant("", "nearly all images in train, and none in valid", 2),
}
IN_CROWDS = {
    "crowd-mostly": Plant(_LIST, "a folder of its own, in which each annotation is a crowd"),
}
OF_MASKS = {
    "mask-values-assumed": Plant("classes.txt", "a folder of masks of 1 and 2, with the classes cat and dog"),
}
OF_FORMATS = {
    "read-leniently": Plant("commas.csv", "a coordinate `20,5` with a decimal comma"),
    "image-annotated-twice": Plant("images/two.jpg", "a cat in the CSV, and a dog in the NDJSON"),
    "file-not-read": Plant("clip.mp4", "a video"),
    "region-ignored": Plant("region.txt", "a `DontCare` in KITTI's labels"),
    "orientation-decided": Plant("", "EXIF orientation 3 without a declared size; another image declares its own"),
}
OF_STEPS = {
    "not-exported": Plant("voc", "a polygon, exported as VOC"),
    "image-left-out": Plant("images/junk.jpg", "`filter_classes: {drop: [junk]}`"),
    "box-left-out": Plant("images/thin.jpg", "5 px wide, with `min_box_size: {side: 6}`"),
    "image-smaller-than-tile": Plant("images/small.jpg", "80 x 50 px, with tiles of 144 x 120"),
    "image-not-transformed": Plant("images/small.jpg", "36 x 25 px when `CenterCrop` is to cut 36 x 28 out of it"),
    "copy-identical": Plant("images/still.jpg", "no step takes an image of class `still`"),
    "box-lost": Plant("images/at-the-edge.jpg", "an object that `crop: {right: 0.9}` cuts off"),
    "outline-lost": Plant("images/speck.jpg", "a mask of one pixel, made smaller"),
    "caption-lost": Plant("images/wide.jpg", "an image with a caption, in two tiles", 2),
}


def photograph(seed: int, width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    """Soft shapes that no other seed has."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8))
    return coarse.resize((width, height), Image.Resampling.BICUBIC)


def saved(image: Image.Image, format: str = "JPEG", **save: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **save)
    return stream.getvalue()


def written_on(image: Image.Image) -> Image.Image:
    copy = image.resize((WIDTH * 3 // 4, HEIGHT * 3 // 4), Image.Resampling.LANCZOS)
    ImageDraw.Draw(copy).text((60, 4), "hi", fill="white")
    return copy


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


class Dataset:
    """Images and their boxes, by split; `add` says one image."""

    def __init__(self, root: Path, *classes: str) -> None:
        self.root = root
        self.files: dict[str, dict[str, list]] = {}
        self.classes = list(classes)

    def entries(self, split: str) -> dict[str, list]:
        categories = [{"id": number, "name": name} for number, name in enumerate(self.classes, start=1)]
        empty: dict[str, list] = {"images": [], "annotations": [], "categories": categories}
        return self.files.setdefault(split, empty)

    def add(
        self, name: str, data: bytes | None, *boxes: tuple, split: str = "train", size: tuple[int, int] | None = None
    ) -> None:
        """Each box is (class, x, y, width, height); `data` None writes no file."""
        if data is not None:
            path = self.root / "images" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        content = self.entries(split)
        number = len(content["images"]) + 1
        width, height = size or (0, 0)
        declared = {"width": width, "height": height} if size else {}
        content["images"].append({"id": number, "file_name": name, **declared})
        for label, *bbox in boxes:
            category = self.classes.index(label) + 1
            row = {"id": len(content["annotations"]) + 1, "image_id": number, "category_id": category, "bbox": bbox}
            content["annotations"].append(row)

    def write(self) -> None:
        for split, content in self.files.items():
            file = self.root / "annotations" / ("instances.json" if not split else f"instances_{split}.json")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(content))


CAT, DOG = ("cat", 20, 20, 40, 30), ("dog", 90, 60, 40, 30)


def plant(root: Path) -> None:
    """Write the planted dataset; every file name says what is wrong with it."""
    data = Dataset(root, "cat", "dog", "Dog ", "rare", "unused", "junk", "")
    for number in range(30):
        data.add(f"clean-{number:02}.jpg", saved(photograph(number)), CAT, DOG, split="train")
    for number in range(30, 34):
        data.add(f"clean-{number}.jpg", saved(photograph(number)), CAT, split="test")
    _plant_in_reading(data)
    _plant_images(data)
    _plant_boxes(data)
    data.write()


def _plant_in_reading(data: Dataset) -> None:
    data.add("unreadable-entry.jpg", saved(photograph(100)), CAT, ("cat", 1, 2, 3))
    data.add("not-there.jpg", None, CAT)
    for place in ("left", "right"):
        data.add(f"{place}/twice.jpg", saved(photograph(101 + len(place))), CAT)
    data.add("twice.jpg", None, CAT)
    data.add("na%C3%AFve.jpg", None, CAT)
    (data.root / "images" / "naïve.jpg").write_bytes(saved(photograph(512)))
    (data.root / "images" / "unmentioned.jpg").write_bytes(saved(photograph(103)))
    data.add("wrong-size.jpg", saved(photograph(104)), CAT, size=(999, 999))
    data.add("upside-down.jpg", saved(photograph(113), exif=turned(3)), CAT, size=(WIDTH, HEIGHT))
    data.add("omitted.jpg", saved(photograph(107)), CAT, ("junk", 5, 5, 10, 10), ("", 90, 5, 12, 12))
    data.add("alike.jpg", saved(photograph(108)), CAT, ("Dog ", 90, 60, 40, 30))
    data.add("rare.jpg", saved(photograph(109)), CAT, ("rare", 90, 60, 40, 30))
    data.add("keypoints.jpg", saved(photograph(110)), CAT)
    data.entries("train")["annotations"][-1]["keypoints"] = [1, 2]
    data.add("keypoint-outside.jpg", saved(photograph(114)), CAT)
    data.entries("train")["annotations"][-1]["keypoints"] = [30, 30, 2, 999, 30, 2]
    data.add("caption.jpg", saved(photograph(112)), CAT)
    image = data.entries("train")["images"][-1]
    image["neg_category_ids"] = [2]
    data.entries("train")["annotations"].append({"id": 1, "image_id": image["id"], "caption": 7})
    data.add("no-split.jpg", saved(photograph(111)), CAT, split="")


def _plant_images(data: Dataset) -> None:
    data.add("cut-off.jpg", saved(photograph(120))[:-300], CAT)
    data.add("turned.jpg", saved(photograph(121), exif=turned(6)), CAT, size=(HEIGHT, WIDTH))
    data.add("turned-as-stored.jpg", saved(photograph(119), exif=turned(6)), CAT, size=(WIDTH, HEIGHT))
    data.add("bitmap.bmp", saved(photograph(122), "BMP"), CAT)
    data.add("really-a-png.jpg", saved(photograph(123), "PNG"), CAT)
    data.add("cmyk.jpg", saved(photograph(124).convert("CMYK")), CAT)
    data.add("black.jpg", saved(Image.new("RGB", (WIDTH, HEIGHT))), CAT)
    data.add("huge.jpg", saved(photograph(125, 9 * WIDTH, 9 * HEIGHT)), CAT)
    same = saved(photograph(126))
    data.add("same-1.jpg", same, CAT)
    data.add("same-2.jpg", same, CAT)
    same = saved(photograph(127))
    data.add("conflict-1.jpg", same, CAT)
    data.add("conflict-2.jpg", same, DOG, split="test")
    data.add("near-1.jpg", saved(photograph(128)), CAT)
    data.add("near-2.jpg", saved(written_on(photograph(128)), quality=60), ("cat", 15, 15, 30, 22), split="test")
    for version in "01":
        data.add(f"cat_jpg.rf.{version * 32}.jpg", saved(photograph(131 + int(version))), CAT)
    for group in "ab":
        data.add(f"group-{group}.jpg", saved(photograph(129), quality=95 if group == "a" else 50), CAT)


def _plant_boxes(data: Dataset) -> None:
    boxes = {
        "not-finite": [("cat", float("nan"), 5, 10, 10)],
        "inverted": [("cat", 40, 5, -30, 20)],
        "over-edge": [("cat", -1, 5, 30, 30)],
        "outside": [("cat", 500, 500, 30, 30)],
        "empty": [("cat", 50, 50, 0, 0)],
        "duplicate": [CAT],
        "near-duplicate": [("cat", 20, 20, 40, 30.5)],
        "overlap": [("dog", 20, 20, 40, 30)],
        "tiny": [("cat", 100, 100, 2, 10)],
        "covers": [("cat", 0, 0, WIDTH, HEIGHT - 1)],
        "in-shares": [("cat", 0.1, 0.1, 0.5, 0.5)],
    }
    for number, (name, planted) in enumerate(boxes.items()):
        data.add(f"box-{name}.jpg", saved(photograph(200 + number)), CAT, *planted)
    data.add("left-empty.jpg", saved(photograph(220)), ("cat", 50, 50, 0, 0))


def plant_masks(root: Path) -> None:
    """Write a dataset of masks whose class list says no values."""
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "classes.txt").write_text("cat\ndog\n")
    mask = Image.new("L", (WIDTH, HEIGHT))
    mask.paste(1, (20, 20, 60, 50))
    mask.paste(2, (80, 60, 120, 100))
    mask.save(root / "masks" / "a.png")
    (root / "images" / "a.jpg").write_bytes(saved(photograph(500)))


def plant_formats(root: Path) -> None:
    """Write the dataset in two formats."""
    (root / "images").mkdir(parents=True, exist_ok=True)
    photos = {"commas": {}, "two": {}, "caption": {}, "region": {}}
    photos |= {"turned": {"exif": turned(6)}, "upside": {"exif": turned(3)}}
    for number, (name, save) in enumerate(photos.items()):
        (root / "images" / f"{name}.jpg").write_bytes(saved(photograph(400 + number), **save))
    (root / "commas.csv").write_text(
        "filename;width;height;class;xmin;ymin;xmax;ymax\ncommas.jpg;160;120;cat;20,5;20;60;50\n"
        "two.jpg;160;120;cat;20;20;60;50\nturned.jpg;120;160;cat;20;20;60;50\n"
    )
    rows: list[dict[str, Any]] = [
        {"type": "dataset", "class_names": {"0": "dog"}},
        {"file": "two.jpg", "annotations": {"boxes": [[0, 0.7, 0.6, 0.25, 0.25]]}},
        {"file": "caption.jpg", "annotations": {"boxes": [[0, 0.7, 0.6, 0.25, 0.25]], "captions": ["a dog"]}},
        {"file": "upside.jpg", "annotations": {"boxes": [[0, 0.7, 0.6, 0.25, 0.25]]}},
    ]
    (root / "notes.ndjson").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    columns = "0 0 0 20 20 60 50 0 0 0 0 0 0 0"
    (root / "region.txt").write_text(f"cat {columns}\nDontCare {columns}\n")
    (root / "clip.mp4").write_bytes(b"ftyp")


def plant_for_steps(root: Path) -> None:
    """Write the dataset for the params STEPS."""
    data = Dataset(root, "cat", "junk", "still")
    boxes = {
        "junk": ("junk", 20, 20, 40, 30),
        "thin": ("cat", 20, 20, 5, 30),
        "at-the-edge": ("cat", 150, 20, 8, 30),
        "still": ("still", 20, 20, 40, 30),
        "speck": CAT,
    }
    for number, (name, planted) in enumerate(boxes.items()):
        data.add(f"{name}.jpg", saved(photograph(300 + number)), *dict.fromkeys([CAT, planted]), split="")
    before = 21 * HEIGHT + 21  # down each column in turn, as COCO counts
    speck = {"size": [HEIGHT, WIDTH], "counts": [before, 1, WIDTH * HEIGHT - before - 1]}
    data.entries("")["annotations"][-1]["segmentation"] = speck
    data.add("wide.jpg", saved(photograph(311, 200, 120)), ("cat", 5, 20, 20, 30), split="")
    data.entries("")["annotations"].append({"id": 90, "image_id": 6, "caption": "a cat"})
    data.add("small.jpg", saved(photograph(310, 80, 50)), ("cat", 10, 10, 20, 20), split="")
    data.entries("")["annotations"][-1]["segmentation"] = [[10, 10, 30, 10, 30, 30]]
    data.write()


def plant_memory(root: Path) -> None:
    """Write a dataset with a person's decisions and the record of an earlier version: decisions.csv and splits.csv."""
    data = Dataset(root / "raw", "cat")
    for number in range(20):
        data.add(f"clean-{number:02}.jpg", saved(photograph(600 + number)), CAT)
    for number in (1, 2, 3):
        data.add(f"bridge-{number}.jpg", saved(photograph(620 + number)), CAT)
    data.write()
    (root / "decisions.csv").write_text(DECISIONS)
    (root / "splits.csv").write_text(RECORD)


def plant_crowds(root: Path) -> None:
    """Write a dataset as some tools write masks: each is a crowd."""
    data = Dataset(root, "cat")
    for number in range(3):
        data.add(f"crowd-{number}.jpg", saved(photograph(400 + number)), CAT)
        data.entries("train")["annotations"][-1]["iscrowd"] = 1
    data.write()
