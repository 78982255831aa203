"""label-studio-sdk: each export of a project whose images were uploaded, or lie in a local folder."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from drawn_set import CLASSES, SIZES, TURNED, Shape, write_all
from label_studio_sdk.converter import Converter
from label_studio_sdk.converter.brush import mask2rle

TAGS = {"box": "RectangleLabels", "rotated": "RectangleLabels", "polygon": "PolygonLabels", "mask": "BrushLabels"}


def config(kinds: set[str]) -> str:
    tags = sorted({TAGS[kind] for kind in kinds & TAGS.keys()})
    labels = "".join(f'<Label value="{name}"/>' for name in CLASSES)
    controls = "".join(f'<{tag} name="{tag}" toName="image">{labels}</{tag}>' for tag in tags)
    if "label" in kinds:
        choices = "".join(f'<Choice value="{name}"/>' for name in CLASSES)
        controls += f'<Choices name="choice" toName="image">{choices}</Choices>'
    return f'<View><Image name="image" value="$image"/>{controls}</View>'


def result(shape: Shape, number: int) -> dict[str, Any]:
    width, height = SIZES[shape.image]
    if shape.kind == "label":
        return {"id": f"r{number}", "type": "choices", "from_name": "choice", "to_name": "image",
                "value": {"choices": [shape.label]}}  # fmt: skip
    tag = TAGS[shape.kind]
    kind = tag.lower()
    value: dict[str, Any] = {kind: [shape.label]}
    xmin, ymin, xmax, ymax = shape.box
    if shape.kind == "polygon":
        value["points"] = [[100 * x / width, 100 * y / height] for x, y in shape.points]
    elif shape.kind == "mask":
        value |= {"format": "rle", "rle": mask2rle(shape.mask().astype(np.uint8) * 255)}
    else:
        (x, y), size, degrees = shape.points[0], (xmax - xmin, ymax - ymin), 0.0
        if shape.kind == "rotated":  # about the left upper corner
            size, degrees = TURNED[:2], TURNED[2]
        value |= {"x": 100 * x / width, "y": 100 * y / height, "width": 100 * size[0] / width,
                  "height": 100 * size[1] / height, "rotation": degrees}  # fmt: skip
    return {"id": f"r{number}", "type": kind, "from_name": tag, "to_name": "image", "original_width": width,
            "original_height": height, "image_rotation": 0, "value": value}  # fmt: skip


def task(number: int, name: str, shapes: list[Shape], address: str) -> dict[str, Any]:
    results = [result(shape, 100 * number + n) for n, shape in enumerate(shapes)]
    annotation = {"id": number, "completed_by": 1, "was_cancelled": False, "result": results, "lead_time": 1.5}
    return {"id": number, "data": {"image": address}, "annotations": [annotation], "predictions": []}


def write(form: str, folder: Path, images: Path, of: dict[str, list[Shape]]) -> None:
    kinds = {shape.kind for shapes in of.values() for shape in shapes}
    source = folder / "source"
    source.mkdir()
    for number, (name, shapes) in enumerate(of.items(), start=1):
        address = f"/data/local-files/?d={quote(f'set/{name}')}"
        one = task(number, name, shapes, address)
        (source / f"{number}.json").write_text(json.dumps(one, ensure_ascii=False), encoding="utf-8")
    converter = Converter(config(kinds), str(images), download_resources=False)
    out = folder / "out"
    out.mkdir()
    converter.convert(str(source), str(out), form)
    shutil.rmtree(source)
    shutil.copytree(images, folder / "images", dirs_exist_ok=True)


FORMS = {
    "JSON": "box polygon mask rotated label", "JSON_MIN": "box polygon mask rotated label",
    "CSV": "box polygon mask rotated label", "TSV": "box label", "COCO": "box polygon", "VOC": "box",
    "YOLO": "box polygon", "YOLO_OBB": "rotated", "BRUSH_TO_PNG": "mask",
    "BRUSH_TO_NUMPY": "mask", "BRUSH_TO_COCO": "mask",
}  # fmt: skip
write_all("label-studio-sdk", {form: (held, partial(write, form)) for form, held in FORMS.items()})
