"""What public reports of other tools' faults were about, and came to no test of a format's own.

The others: names in test_names.py and test_label_studio.py; brush masks, ellipses, two controls of one region, negative
sizes and JSON-MIN in test_label_studio.py; turned boxes in test_cvat.py; crowds, a category that names the others,
`[[]]`, ids given twice in test_coco_losses.py and test_coco.py; circles and images inside in test_labelme.py; six
columns, keypoints and NDJSON in test_yolo_odd.py and test_ultralytics_ndjson.py; PNG masks in test_masks.py; a size of
0 in test_ingest.py; the order of elements in test_voc.py; Open Images, Datumaro and Darwin in theirs; several classes
of an image in test_classification.py; large photos in test_security.py.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from conftest import image_bytes
from PIL import Image as PilImage
from test_formats import OBJECT, XML, corners, raw_folder

from shardsmith.dataset.archive import unpack
from shardsmith.dataset.images import decode
from shardsmith.dataset.label_map import LabelMap
from shardsmith.pipeline.ingest import ingest
from shardsmith.pipeline.params import IngestParams

XML_A = XML.format(OBJECT.format("cat", 2, 3, 12, 13))


def mpo() -> bytes:
    """Two pictures in one JPEG, as drones and phones write them."""
    stream = io.BytesIO()
    first, second = (PilImage.open(io.BytesIO(image_bytes(seed=seed))) for seed in range(2))
    first.save(stream, "MPO", save_all=True, append_images=[second])
    return stream.getvalue()


def task(image: str, *results: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    said = [
        {"id": f"{n}", "type": kind, "from_name": kind, "to_name": "image", "original_width": 32, "original_height": 24,
         "value": value}
        for n, (kind, value) in enumerate(results)
    ]  # fmt: skip
    return {"data": {"image": image}, "annotations": [{"was_cancelled": False, "result": said}]}


def rectangle(label: str) -> tuple[str, dict[str, Any]]:
    return "rectanglelabels", {"x": 25, "y": 25, "width": 50, "height": 50, "rectanglelabels": [label]}


POLYGON = ("polygonlabels", {"points": [[0, 0], [50, 0], [50, 50]], "closed": True, "polygonlabels": ["dog"]})
SAME_NAME = [task("/data/local-files/?d=p/a/1.jpg", rectangle("cat")), task("/data/local-files/?d=p/b/1.jpg", POLYGON)]
REPORTS = [
    (
        {"p/a/1.jpg": image_bytes(), "p/b/1.jpg": image_bytes(seed=1), "project.json": json.dumps(SAME_NAME)},
        [("p/a/1.jpg", "cat", [8, 6, 24, 18]), ("p/b/1.jpg", "dog", [0, 0, 16, 12])],
        "one name in two folders of local storage",
    ),
    (
        {"a.jpg": image_bytes(), "project.json": json.dumps([task("a.jpg", rectangle("cat"), POLYGON)])},
        [("a.jpg", "cat", [8, 6, 24, 18]), ("a.jpg", "dog", [0, 0, 16, 12])],
        "rectangles and polygons by two controls",
    ),
    (
        {"a.JPG": mpo(), "a.xml": XML_A.replace("a.jpg", "a.JPG")},
        [("a.JPG", "cat", [2, 3, 12, 13])],
        "a JPEG of two pictures",
    ),
]


@pytest.mark.parametrize(("files", "expected", "why"), REPORTS, ids=[row[-1] for row in REPORTS])
def test_reports(tmp_path: Path, files: dict, expected: list, why: str) -> None:
    raw_folder(tmp_path, files)
    manifest, _, findings, _ = ingest(tmp_path, IngestParams(), LabelMap("d"))
    assert [(row.image_id, row.label, corners(row)) for row in manifest.annotation_rows()] == expected, why
    assert findings == [] and manifest.images["annotated"].to_pylist() == [True] * manifest.images.num_rows
    for image in manifest.image_rows():
        assert image.format == "jpeg"
        assert decode(Path(image.path).read_bytes()).shape == (24, 32, 3)


def test_an_archive_made_on_a_mac(tmp_path: Path) -> None:
    """`__MACOSX/._a.jpg` is no picture, and `._a.xml` no annotation."""
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as packed:
        for name, data in {"set/a.jpg": image_bytes(), "set/a.xml": XML_A}.items():
            packed.writestr(name, data)
            packed.writestr(f"__MACOSX/set/._{name[4:]}", b"\0\5\x16\7")
    unpack(tmp_path / "set.zip", tmp_path / "raw")
    manifest, _, findings, _ = ingest(tmp_path / "raw", IngestParams(), LabelMap("d"))
    assert (manifest.images["image_id"].to_pylist(), manifest.annotations.num_rows, findings) == (["set/a.jpg"], 1, [])
