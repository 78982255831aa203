"""supervisely: its project on disk, and what that is converted to."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import supervisely as sly
from drawn_set import CLASSES, SIZES, Shape, write_all

GEOMETRY = {"box": sly.Rectangle, "polygon": sly.Polygon, "mask": sly.Bitmap}


def geometry(shape: Shape):
    xmin, ymin, xmax, ymax = map(int, shape.box)
    if shape.kind == "box":
        return sly.Rectangle(ymin, xmin, ymax, xmax)
    if shape.kind == "mask":
        return sly.Bitmap(shape.mask()[ymin:ymax, xmin:xmax], origin=sly.PointLocation(ymin, xmin))
    return sly.Polygon([sly.PointLocation(int(y), int(x)) for x, y in shape.points])


def write(form: str, folder: Path, images: Path, of: dict[str, list[Shape]]) -> None:
    project = sly.Project(str(folder / "project"), sly.OpenMode.CREATE)
    known = {name: sly.ObjClass(name, sly.AnyGeometry) for name in CLASSES}
    tag = {name: sly.TagMeta(name, sly.TagValueType.NONE) for name in CLASSES}
    project.set_meta(sly.ProjectMeta(list(known.values()), list(tag.values())))
    sets = {parent: project.create_dataset(f"set {n}") for n, parent in enumerate({Path(name).parent for name in of})}
    for name, shapes in of.items():
        width, height = SIZES[name]
        labels = [sly.Label(geometry(shape), known[shape.label]) for shape in shapes if shape.kind != "label"]
        tags = [sly.Tag(tag[shape.label]) for shape in shapes if shape.kind == "label"]
        said = sly.Annotation((height, width), labels, sly.TagCollection(tags))
        sets[Path(name).parent].add_item_file(Path(name).name, str(images / name), ann=said)
    if form != "project":
        copied = {"copy_images": True} if form == "coco" else {}
        getattr(project, f"to_{form}")(str(folder / "out"), **copied)
        shutil.rmtree(folder / "project")


FORMS = {
    "project": "box polygon mask label",
    "coco": "box polygon mask",
    "pascal_voc": "box mask",
    "yolo": "box polygon",
}
write_all("supervisely", {form: (held, partial(write, form)) for form, held in FORMS.items()})
