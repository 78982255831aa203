"""labelImg: the writers of the window's formats, without the window."""

from __future__ import annotations

import shutil
from pathlib import Path

from drawn_set import CLASSES, SIZES, Shape, write_all
from libs.create_ml_io import CreateMLWriter
from libs.pascal_voc_io import PascalVocWriter
from libs.yolo_io import YOLOWriter


def write(form: str, folder: Path, images: Path, of: dict[str, list[Shape]]) -> None:
    shutil.copytree(images, folder, dirs_exist_ok=True)
    for name, shapes in of.items():
        beside, (width, height) = folder / name, SIZES[name]
        if form == "create_ml":
            known = [{"label": shape.label, "points": shape.points} for shape in shapes]
            CreateMLWriter("i", name, (height, width, 3), known, str(folder / "annotations.json")).write()
            continue
        writer = {"voc": PascalVocWriter, "yolo": YOLOWriter}[form](beside.parent.name, beside.name, (height, width, 3),
                                                                     local_img_path=str(beside))  # fmt: skip
        for shape in shapes:
            writer.add_bnd_box(*map(int, shape.box), shape.label, 0)
        if form == "voc":
            writer.save(target_file=str(beside.with_suffix(".xml")))
        else:
            writer.save(target_file=str(beside.with_suffix(".txt")), class_list=list(CLASSES))


def of_form(form: str):
    return lambda folder, images, of: write(form, folder, images, of)


write_all("labelImg", {form: ("box", of_form(form)) for form in ("create_ml", "voc", "yolo")})
