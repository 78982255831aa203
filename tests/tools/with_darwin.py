"""darwin-py: V7's own JSON, made by its `build_image_annotation`, and what its exporters make of that."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import darwin.datatypes as dt
from darwin.exporter import exporter, get_exporter
from darwin.exporter.formats.darwin import build_image_annotation
from drawn_set import SIZES, Shape, write_all


def annotation(shape: Shape, number: int) -> dt.Annotation:
    if shape.kind == "label":
        return dt.make_tag(shape.label)
    xmin, ymin, xmax, ymax = shape.box
    if shape.kind == "box":
        made = dt.make_bounding_box(shape.label, xmin, ymin, xmax - xmin, ymax - ymin)
    else:
        made = dt.make_polygon(shape.label, [{"x": x, "y": y} for x, y in shape.points])
    made.id = f"00000000-0000-4000-8000-{number:012}"
    return made


def content(name: str, shapes: list[Shape]) -> dict[str, Any]:
    width, height = SIZES[name]
    path = Path(name)
    slot = dt.Slot(name="0", type="image", source_files=[{"file_name": path.name}], width=width, height=height)
    remote = "/" if path.parent == Path() else f"/{path.parent}"
    file = dt.AnnotationFile(
        path=path, filename=path.name, annotation_classes=set(), remote_path=remote, slots=[slot],
        annotations=[annotation(shape, n) for n, shape in enumerate(shapes)], image_width=width, image_height=height,
        item_id="1", dataset_name="set", version=dt.AnnotationFileVersion(),
    )  # fmt: skip
    return build_image_annotation(file, "team")


def write(form: str, folder: Path, images: Path, of: dict[str, list[Shape]]) -> None:
    shutil.copytree(images, folder / "images")
    source = folder / "annotations"
    for name, shapes in of.items():
        file = (source / name).with_suffix(".json")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content(name, shapes), ensure_ascii=False), encoding="utf-8")
    if form != "darwin":
        (folder / "out").mkdir()
        exporter.export_annotations(get_exporter(form), [source], folder / "out")
        shutil.rmtree(source)


FORMS = {"darwin": "box polygon label", "coco": "box polygon", "cvat": "box", "pascalvoc": "box", "yolo": "box",
         "yolo_segmented": "polygon"}  # fmt: skip
write_all("darwin-py", {form: (held, partial(write, form)) for form, held in FORMS.items()})
