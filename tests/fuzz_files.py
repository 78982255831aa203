"""The real files that the cases of test_fuzz.py begin with: pictures, what our writers make, the raccoon set's."""

from __future__ import annotations

import io
import json
import re
import tempfile
from pathlib import Path
from random import Random
from typing import Any

from conftest import RACCOON, box, image_bytes, make_image, make_manifest
from fuzz import Files
from PIL import Image as PilImage

from shardsmith.dataset.label_map import LabelMap
from shardsmith.formats.registry import WRITERS
from shardsmith.formats.shared.job import ExportJob

TURNED = PilImage.Exif()
TURNED[0x0112] = 6
IMAGES: Files = {
    "a.jpg": image_bytes(32, 24, 0),
    "sub/b.png": image_bytes(20, 30, 1, "PNG"),
    "c.jpg": image_bytes(24, 32, 2, exif=TURNED),
    "d.webp": image_bytes(16, 16, 3, "WEBP"),
}
_POLYGON = "[[2.0,3.0,12.0,3.0,12.0,13.0]]"
_MASK = '{"size":[30,20],"counts":"<`0V25J4"}'


def written(name: str) -> Files:
    """What our writer makes of a small dataset."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        images = [make_image(folder / "raw", at, data) for at, data in IMAGES.items()]
        for image, split in zip(images, ("train", "valid", "train", "test"), strict=True):
            image.split = split
        if name in ("class_folders", "multiclass_csv"):
            rows = [box(at, label) for at, label in zip(IMAGES, ("cat", "dog", "cat", "dog"), strict=True)]
            for row in rows:
                row.xmin = row.ymin = row.xmax = row.ymax = None
        else:
            rows = [
                box("a.jpg", "cat", 2, 3, 12, 13, segmentation=_POLYGON, attributes='{"difficult": 1, "pose": "Left"}'),
                box("a.jpg", "dog", 0, 0, 31.5, 24, is_crowd=True, area=12.0),
                box("c.jpg", "cat", 1, 1, 9, 9),
                box("d.webp", "dog", 0, 0, 16, 16),
            ]
        job = ExportJob(make_manifest(*images, *rows), LabelMap("x", {"cat": 1, "dog": 2}), masks=name == "tfrecord")
        WRITERS[name].write(job, folder / "out")
        return _files_below(folder / "out")


def _files_below(folder: Path) -> Files:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


_RACCOON_FILES = {
    "coco": ["coco.json"], "tfod_csv": ["tfod.csv", "raccoon_labels.csv"], "retinanet_csv": ["retinanet.csv"],
    "yolo_keras": ["yolo-keras.txt", "classes.txt"], "labelbox": ["labelbox.json"], "tfrecord": ["test.record"],
    "create_ml": ["create-ml.json"], "cvat": ["cvat.xml"], "label_studio": ["label-studio.json"], "via": ["via.json"],
}  # fmt: skip


def raccoon(name: str) -> list[Files]:
    """The first items of the raccoon set's own files, with the images that they name; [] where the set is not here."""
    found = []
    for group in (
        [_RACCOON_FILES.get(name, [])] if name == "yolo_keras" else [[at] for at in _RACCOON_FILES.get(name, [])]
    ):
        paths = [RACCOON / "as" / file for file in group]
        if not all(path.is_file() for path in paths):
            continue
        files = {path.name: _shortened(path) for path in paths}
        said = b"".join(files.values())
        named = [n for n in range(1, 200) if f"raccoon-{n}.jpg".encode() in said][:4]
        pictures = {f"raccoon-{n}.jpg": image_bytes(40, 30, n) for n in named}
        found.append(files | pictures)
    return found


def _shortened(path: Path, items: int = 3) -> bytes:
    data = path.read_bytes()
    if path.suffix == ".json":
        content = json.loads(data)
        if isinstance(content, list):
            return json.dumps(content[:items]).encode()
        if "images" in content:
            content["images"] = content["images"][:items]
            content["annotations"] = content["annotations"][: 2 * items]
            return json.dumps(content).encode()
        return json.dumps(dict(list(content.items())[:items])).encode()
    if path.suffix == ".xml":
        return re.sub(rb"(?s)((?:<image\b.*?</image>\s*){3}).*(</annotations>)", rb"\1\2", data)
    if path.suffix == ".record":
        end = 0
        for _ in range(2):
            end += int.from_bytes(data[end : end + 8], "little") + 16
        return data[:end]
    return b"\n".join(data.split(b"\n")[: 4 * items])


def picture(rng: Random) -> bytes:
    """An image of any mode and format, up to a few hundred pixels a side."""
    mode, format = rng.choice((
        ("RGB", "JPEG"), ("L", "JPEG"), ("CMYK", "JPEG"), ("RGB", "PNG"), ("RGBA", "PNG"), ("P", "PNG"), ("I;16",
        "PNG"),
        ("1", "PNG"), ("LA", "PNG"), ("P", "GIF"), ("RGB", "WEBP"), ("RGBA", "WEBP"), ("RGB", "BMP"), ("P", "BMP"),
        ("RGB", "TIFF"), ("F", "TIFF"), ("I;16", "TIFF"), ("CMYK", "TIFF"), ("1", "TIFF"), ("RGB", "PPM"), ("RGB",
        "TGA"),
        ("RGB", "ICO"), ("RGB", "JPEG2000"), ("RGB", "AVIF"),
    ))  # fmt: skip
    size = rng.choice(((1, 1), (17, 33), (64, 48), (200, 3)))
    base = PilImage.frombytes("RGB", size, rng.randbytes(3 * size[0] * size[1]))
    made = PilImage.new("I;16", size, 7) if mode == "I;16" else base.convert(mode)
    save: dict[str, Any] = {"exif": TURNED} if format in ("JPEG", "PNG", "WEBP", "TIFF") and rng.random() < 0.4 else {}
    if format == "TIFF" and mode != "F":
        save["compression"] = rng.choice((None, "tiff_lzw", "tiff_deflate", "packbits"))
    if format in ("GIF", "WEBP") and rng.random() < 0.3:
        save |= {"save_all": True, "append_images": [base.convert(mode)] * 3}
    stream = io.BytesIO()
    made.save(stream, format, **save)
    return stream.getvalue()
