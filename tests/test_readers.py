"""What we write, read by the programs that it is for: an odd dataset, each format by each program's own loader.

tests/readers/with_NAME.py is run by the program's own Python, and prints what it read.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import odd_sets
import pytest
from odd_sets import CLASSES, LABELS, ONE_CLASS
from test_other_tools import REQUIREMENTS, python_of

from shardsmith.dataset.manifest import Annotation, Image, Manifest
from shardsmith.dataset.shapes import to_mask
from shardsmith.formats.registry import WRITERS
from shardsmith.formats.shapes.skeletons import corners_of, points_of
from shardsmith.formats.shared.job import ExportJob

pytestmark = pytest.mark.long
READERS = Path(__file__).parent / "readers"
SETS = {  # what is in a dataset -> the formats that it is written to, in a folder of its name; of boxes, in none
    "boxed": ("coco", "huggingface", "roboflow_coco", "tfrecord", "ultralytics", "voc"),
    "one_class": ("coco", "roboflow_coco", "ultralytics"),
    "outlined": ("coco", "coco_panoptic", "coco_polygons", "roboflow_coco", "tfrecord", "ultralytics"),
    "posed": ("coco", "tfrecord", "ultralytics_pose"),
    "turned": ("coco_polygons", "ultralytics_obb"),
}
OF = {  # the program's environment; "" is ours
    "datasets": "", "datumaro": "datumaro", "model_garden": "model_garden", "object_detection": "object_detection",
    "pycocotools": "transformers", "rfdetr": "rfdetr",
    "supervision": "supervision", "tensorflow": "", "torchvision": "torchvision", "transformers": "transformers",
    "ultralytics": "ultralytics",
}  # fmt: skip
REQUIREMENTS["model_garden"] = [
    "--no-deps", "tf-models-official==2.20.0", "tf-keras", "gin-config", "matplotlib", "contourpy", "cycler",
    "kiwisolver", "pyparsing", "fonttools", "python-dateutil",
]  # fmt: skip
TORCH = ["torch==2.13.0", "torchvision==0.28.0"]
REQUIREMENTS["object_detection"] = ["--no-deps", "tf-object-detection-api==0.1", "tf-slim==1.1.0"]
REQUIREMENTS["rfdetr"] = [*TORCH, "rfdetr==1.11.2", "pycocotools==2.0.11"]
REQUIREMENTS["torchvision"] = [*TORCH, "pycocotools==2.0.11"]
REQUIREMENTS["transformers"] = [*TORCH, "transformers==5.18.0", "pycocotools==2.0.11", "scipy"]
REQUIREMENTS["ultralytics"] = [*TORCH, "ultralytics==8.4.190"]
WITHIN_PX = 1.01  # VOC's readers count whole pixels, some from 1; masks are of whole pixels
OF_POINTS_PX = 0.1  # and of whether a point is seen
APART = 0.05  # of a mask's pixels, at most: seams between the parts of an outline are drawn too


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Manifest]]:
    """The folder of exports, and what each has: class folders the same images with one class each."""
    folder = tmp_path_factory.mktemp("readers")
    written = {}
    for name, formats in SETS.items():
        manifest = getattr(odd_sets, name)(folder / "in" / name)
        for form in formats:
            place = form if name == "boxed" else f"{name}/{form}"
            labels = ONE_CLASS if name == "one_class" else LABELS
            WRITERS[form].write(ExportJob(manifest, labels, masks=name == "outlined"), folder / place)
            written[place] = manifest
    images = written["coco"].image_rows()  # of one class each, valid and test without most of them
    labels = [Annotation(one.image_id, CLASSES[n % 4], None, None, None, None) for n, one in enumerate(images)]
    written["class_folders"] = Manifest.of(images, labels)
    WRITERS["class_folders"].write(ExportJob(written["class_folders"], LABELS), folder / "class_folders")
    (folder / "classes.tsv").write_text("".join(f"{id_}\t{name}\n" for name, id_ in LABELS.ids.items()))
    return folder, written


def run(program: str, folder: Path) -> dict[str, Any]:
    python = python_of(OF[program]) if OF[program] else Path(sys.executable)
    paths = []
    if program in ("model_garden", "object_detection"):  # they run on the TensorFlow that is here
        paths, python = [str(next(python.parents[1].glob("lib/*/site-packages")))], Path(sys.executable)
    variables = {
        **os.environ, "PYTHONPATH": os.pathsep.join(paths), "TF_CPP_MIN_LOG_LEVEL": "3", "HF_HUB_OFFLINE": "1",
        "YOLO_CONFIG_DIR": str(folder / "settings"), "YOLO_OFFLINE": "true",
    }  # fmt: skip
    command = [str(python), str(READERS / f"with_{program}.py"), str(folder)]
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("program", OF)
def test_a_program_reads_what_is_there(
    exports: tuple[Path, dict[str, Manifest]], program: str, record_property: Callable[[str, object], None]
) -> None:
    folder, manifests = exports
    said = run(program, folder)
    for form, images in said["read"].items():
        place = form.partition(" ")[0]
        expected = {
            f"{image.width}x{image.height}": sorted(_row(row, form, image) for row in rows if _is_there(row, form))
            for image, rows in manifests[place].pairs()
        }
        same = images.keys() == expected.keys() and all(
            _is_same(
                images[key],
                expected[key],
                int(key.partition("x")[0]),
                OF_POINTS_PX if place.startswith("posed") else WITHIN_PX,
            )
            for key in expected
        )
        count = sum(map(len, images.values()))
        record_property("reader", {
            "program": program, "version": said["version"], "format": form, "images": len(images), "labels": count,
            "same": same,
        })  # fmt: skip
        assert same, (form, images, expected)


def _is_there(row: Annotation, form: str) -> bool:
    if form.endswith("panoptic"):
        return bool(row.segmentation)
    return not (row.is_crowd and form.endswith("without crowds"))


def _row(row: Annotation, form: str, image: Image) -> list[Any]:
    """[label, xmin, ymin, xmax, ymax], then what the set is about that this form is of."""
    place = form.partition(" ")[0]
    if row.xmin is None:
        return [row.label]
    found = [row.label, row.xmin, row.ymin, row.xmax, row.ymax]
    if place.startswith("turned"):
        found += [at for corner in corners_of(row) for at in corner]
    if place.startswith("posed"):
        points = points_of(row, 3)
        if form.endswith("(hidden as seen)"):
            points[2::3] = [float(v > 0) for v in points[2::3]]
        found += points
    if place.startswith("outlined"):
        mask = _mask(row, image)
        if not row.segmentation and place == "outlined/tfrecord":
            mask[:] = 0
        missing = not row.segmentation and place == "outlined/coco"
        found.append("" if missing else "".join(map(str, mask.ravel().tolist())))
    return found


def _mask(row: Annotation, image: Image) -> np.ndarray:
    """(height, width) of 0 and 1; of a box without an outline, all of it."""
    corners = [at for corner in corners_of(row) for at in corner]
    return to_mask(row.segmentation or json.dumps([corners]), image.width or 0, image.height or 0)


def _is_same(found: list[list[Any]], expected: list[list[Any]], width: int, within_px: float) -> bool:
    return len(found) == len(expected) and all(
        len(one) == len(other) and all(_is_near(a, b, width, within_px) for a, b in zip(one, other, strict=True))
        for one, other in zip(sorted(found), expected, strict=True)
    )


def _is_near(one: str | float, other: str | float, width: int, within_px: float) -> bool:
    if isinstance(one, str) and isinstance(other, str) and {*one, *other} <= {"0", "1"}:
        return len(one) == len(other) and _apart(one, other, width) <= APART * other.count("1")
    return one == other if isinstance(one, str) or isinstance(other, str) else abs(one - other) <= within_px


def _apart(one: str, other: str, width: int) -> int:
    """How many pixels of each mask are farther than one from the other."""
    masks = [np.pad(np.array([*mask], int).reshape(-1, width), 1) for mask in (one, other)]
    grown = [sum(np.roll(mask, (y, x), (0, 1)) for y in (-1, 0, 1) for x in (-1, 0, 1)) for mask in masks]
    return int((masks[0] * (grown[1] == 0) + masks[1] * (grown[0] == 0)).sum())
