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

import pytest
from conftest import box, image_bytes, make_image, make_manifest
from PIL import Image as PilImage
from test_other_tools import REQUIREMENTS, python_of

from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import Annotation, Image, Manifest
from shardsmith.formats.registry import WRITERS
from shardsmith.formats.shared.job import ExportJob

pytestmark = pytest.mark.long
READERS = Path(__file__).parent / "readers"
CLASSES = ["cat", 'crème "brûlée"', "traffic light", "a,b"]
LABELS = LabelMap("odd", {name: number for number, name in enumerate(CLASSES, start=1)})
FORMATS = ("coco", "huggingface", "roboflow_coco", "tfrecord", "ultralytics", "voc")
OF = {  # the program's environment; "" is ours
    "datasets": "", "datumaro": "datumaro", "model_garden": "model_garden", "supervision": "supervision",
    "tensorflow": "", "torchvision": "torchvision",
}  # fmt: skip
REQUIREMENTS["model_garden"] = [
    "--no-deps", "tf-models-official==2.20.0", "tf-keras", "gin-config", "matplotlib", "contourpy", "cycler",
    "kiwisolver", "pyparsing", "fonttools", "python-dateutil",
]  # fmt: skip
REQUIREMENTS["torchvision"] = ["torch==2.13.0", "torchvision==0.28.0", "pycocotools==2.0.11"]
WITHIN_PX = 1.01  # VOC's readers count whole pixels, some from 1


def odd(folder: Path) -> Manifest:
    """Images of sizes of their own: equal names, a negative, a crowd, one that EXIF turns, a class only in train."""
    exif = PilImage.Exif()
    exif[0x0112] = 6
    rows: list[Image | Annotation] = []
    for number, (name, split) in enumerate(
        [("a/1.jpg", "train"), ("b/1.jpg", "train"), ("ü 100%.jpg", "train"), ("none.jpg", "train"),
         ("turned.jpg", "train"), ("v.jpg", "valid"), ("t.jpg", "test")]
    ):  # fmt: skip
        more = {"exif": exif} if name == "turned.jpg" else {}
        rows.append(make_image(folder, name, image_bytes(48 + number, 60 - number, number, **more), split=split))
        if name != "none.jpg":
            rows.append(box(name, CLASSES[number % 3], 4.0, 5.0, 24.0, 30.0))
            rows.append(box(name, "cat", 10.5, 12.25, 40.0, 44.0, is_crowd=number == 1))
    return make_manifest(*rows, box("a/1.jpg", "a,b", 1.0, 1.0, 9.0, 9.0))


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Manifest]]:
    """The folder of exports, and what each has: class folders the same images with one class each."""
    folder = tmp_path_factory.mktemp("readers")
    manifest = odd(folder / "in")
    for name in FORMATS:
        WRITERS[name].write(ExportJob(manifest, LABELS), folder / name)
    images = manifest.image_rows()  # of one class each, valid and test without most of them
    labels = [Annotation(one.image_id, CLASSES[n % 4], None, None, None, None) for n, one in enumerate(images)]
    labelled = Manifest.of(images, labels)
    WRITERS["class_folders"].write(ExportJob(labelled, LABELS), folder / "class_folders")
    (folder / "classes.tsv").write_text("".join(f"{id_}\t{name}\n" for name, id_ in LABELS.ids.items()))
    return folder, {**dict.fromkeys(FORMATS, manifest), "class_folders": labelled}


def run(program: str, folder: Path) -> dict[str, Any]:
    python = python_of(OF[program]) if OF[program] else Path(sys.executable)
    paths = []
    if program == "model_garden":  # it runs on the TensorFlow that is here
        paths, python = [str(next(python.parents[1].glob("lib/*/site-packages")))], Path(sys.executable)
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "TF_CPP_MIN_LOG_LEVEL": "3", "HF_HUB_OFFLINE": "1"}
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
        pairs = manifests[form.partition(" ")[0]].pairs()
        expected = {f"{image.width}x{image.height}": sorted(map(_row, rows)) for image, rows in pairs}
        same = images.keys() == expected.keys() and all(_is_same(images[key], expected[key]) for key in expected)
        count = sum(map(len, images.values()))
        record_property("reader", {
            "program": program, "version": said["version"], "format": form, "images": len(images), "labels": count,
            "same": same,
        })  # fmt: skip
        assert same, (form, images, expected)


def _row(row: Annotation) -> list[Any]:
    return [row.label] if row.xmin is None else [row.label, row.xmin, row.ymin, row.xmax, row.ymax]


def _is_same(found: list[list[Any]], expected: list[list[Any]]) -> bool:
    return len(found) == len(expected) and all(
        one[0] == other[0] and all(abs(a - b) <= WITHIN_PX for a, b in zip(one[1:], other[1:], strict=True))
        for one, other in zip(sorted(found), expected, strict=True)
    )
