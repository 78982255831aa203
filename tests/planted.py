"""A dataset with one of everything that ingest, validate and split find: COCO, because it can hold all of it.

`plant` writes the folder. Each image is a photograph of its own; what is planted is named by its file.
"""

from __future__ import annotations

import io
import json
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
PLANTED = {
    *("annotation-unreadable", "image-missing", "image-ambiguous", "image-unlabelled", "size-declared-wrong"),
    *("orientation-ambiguous", "class-name-empty", "class-without-boxes", "class-omitted", "class-alike"),
    *("class-not-found", "not-carried", "image-unreadable", "image-turned", "image-encoding", "image-extension"),
    *("image-colours", "image-plain", "image-size-far", "image-duplicate", "image-duplicate-conflict"),
    *("image-near-duplicate", "box-not-finite", "box-inverted", "box-over-edge", "box-outside-image", "box-empty"),
    *("box-duplicate", "box-near-duplicate", "box-overlap", "box-tiny", "box-covers-image", "image-left-empty"),
    *("class-rare", "split-empty", "split-lacks-class", "split-missing", "split-leak", "split-leak-similar"),
}
IN_GROUPS = {"split-groups-joined"}


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

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: dict[str, dict[str, list]] = {}
        self.classes = ["cat", "dog", "Dog ", "rare", "unused", "junk", ""]

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
    data = Dataset(root)
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
    (data.root / "images" / "unmentioned.jpg").write_bytes(saved(photograph(103)))
    data.add("wrong-size.jpg", saved(photograph(104)), CAT, size=(999, 999))
    data.add("upside-down.jpg", saved(photograph(105), exif=turned(3)), CAT, size=(WIDTH, HEIGHT))
    data.add("omitted.jpg", saved(photograph(107)), CAT, ("junk", 5, 5, 10, 10), ("", 90, 5, 12, 12))
    data.add("alike.jpg", saved(photograph(108)), CAT, ("Dog ", 90, 60, 40, 30))
    data.add("rare.jpg", saved(photograph(109)), CAT, ("rare", 90, 60, 40, 30))
    data.add("keypoints.jpg", saved(photograph(110)), CAT)
    data.entries("train")["annotations"][-1]["keypoints"] = [1, 2, 2]
    data.add("no-split.jpg", saved(photograph(111)), CAT, split="")


def _plant_images(data: Dataset) -> None:
    data.add("cut-off.jpg", saved(photograph(120))[:-300], CAT)
    data.add("turned.jpg", saved(photograph(121), exif=turned(6)), CAT, size=(HEIGHT, WIDTH))
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
    }
    for number, (name, planted) in enumerate(boxes.items()):
        data.add(f"box-{name}.jpg", saved(photograph(200 + number)), CAT, *planted)
    data.add("left-empty.jpg", saved(photograph(220)), ("cat", 50, 50, 0, 0))
