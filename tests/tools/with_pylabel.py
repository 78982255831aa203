"""PyLabel: what it writes of a set read from COCO: names without folders, and no image without annotations."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

from drawn_set import CLASSES, SIZES, Shape, write_all
from pylabel import importer


def coco(of: dict[str, list[Shape]]) -> dict[str, Any]:
    made: dict[str, Any] = {"images": [], "annotations": [], "categories": []}
    made["categories"] = [{"id": n, "name": name, "supercategory": ""} for n, name in enumerate(CLASSES, 1)]
    for number, (name, shapes) in enumerate(of.items(), 1):
        width, height = SIZES[name]
        made["images"].append({"id": number, "file_name": Path(name).name, "width": width, "height": height})
        for shape in shapes:
            xmin, ymin, xmax, ymax = shape.box
            made["annotations"].append({
                "id": len(made["annotations"]) + 1, "image_id": number, "category_id": CLASSES.index(shape.label) + 1,
                "bbox": [xmin, ymin, xmax - xmin, ymax - ymin], "area": (xmax - xmin) * (ymax - ymin), "iscrowd": 0,
                "segmentation": [shape.flat] if shape.kind == "polygon" else "",
            })  # fmt: skip
    return made


def write(form: str, folder: Path, images: Path, of: dict[str, list[Shape]]) -> None:
    of = {name: shapes for name, shapes in of.items() if shapes}
    (folder / "images").mkdir()
    for name in of:
        shutil.copy(images / name, folder / "images" / Path(name).name)
    source = folder / "source.json"
    source.write_text(json.dumps(coco(of)))
    made = importer.ImportCoco(str(source), path_to_images="images", name="made")
    if form == "coco":
        made.export.ExportToCoco(str(folder / "made.json"))
    elif form == "voc":
        made.export.ExportToVoc(str(folder / "labels"))
    else:
        made.export.ExportToYoloV5(str(folder / "labels"), yaml_file="dataset.yaml", cat_id_index=0,
                                   segmentation=form == "yolo_polygons")  # fmt: skip
    source.unlink()


FORMS = {"coco": "box polygon", "voc": "box", "yolo": "box", "yolo_polygons": "polygon"}
write_all("pylabel", {form: (held, partial(write, form)) for form, held in FORMS.items()})
