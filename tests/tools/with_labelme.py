"""labelme: its own files, with each of its shapes, images embedded or beside."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

from drawn_set import SIZES, Shape, write_all
from labelme import _label_file as label_file
from labelme import utils


def shape_of(shape: Shape) -> dict[str, Any]:
    xmin, ymin, xmax, ymax = shape.box if shape.points else (0, 0, 0, 0)
    known: dict[str, Any] = {"label": shape.label, "group_id": None, "flags": {}, "description": "", "mask": None}
    if shape.kind == "box":
        return {**known, "shape_type": "rectangle", "points": [[xmax, ymax], [xmin, ymin]]}
    if shape.kind == "mask":
        inside = shape.mask()[int(ymin) : int(ymax) + 1, int(xmin) : int(xmax) + 1]
        mask = utils.img_arr_to_b64(inside.astype("uint8"))
        return {**known, "shape_type": "mask", "points": [[xmin, ymin], [xmax, ymax]], "mask": mask}
    kind = "oriented_rectangle" if shape.kind == "rotated" else "polygon"
    return {**known, "shape_type": kind, "points": [list(point) for point in shape.points]}


def write(embedded: bool, folder: Path, images: Path, of: dict[str, list[Shape]]) -> None:
    if not embedded:
        shutil.copytree(images, folder, dirs_exist_ok=True)
    for name, shapes in of.items():
        file = (folder / name).with_suffix(".json")
        file.parent.mkdir(parents=True, exist_ok=True)
        label_file.write_label_file(
            str(file),
            shapes=[shape_of(shape) for shape in shapes if shape.points],
            image_path=Path(name).name,
            image_width=SIZES[name][0],
            image_height=SIZES[name][1],
            image_data=(images / name).read_bytes() if embedded else None,
            flags={shape.label: True for shape in shapes if not shape.points},
        )


KINDS = "box polygon mask rotated label"
write_all("labelme", {"beside": (KINDS, partial(write, False)), "embedded": (KINDS, partial(write, True))})
