"""The three YOLO formats: which is which, what each line means, and what their own trainers would make of ours."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import box, image_bytes, make_image, make_manifest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as PilImage
from test_formats import corners
from yolo_inputs import YOLO, A

from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import Annotation, Image, Manifest
from shardsmith.dataset.shapes import from_mask
from shardsmith.formats.registry import READERS, WRITERS
from shardsmith.formats.shared.job import ExportJob
from shardsmith.formats.shared.raw_folder import RawFolder, Source
from shardsmith.formats.yolo import darknet as yolo_darknet
from shardsmith.formats.yolo import lines as yolo_lines
from shardsmith.pipeline.ingest import find_format, ingest, probe_images
from shardsmith.pipeline.params import IngestParams

# --- writing


def written(folder: Path, name: str, manifest: Manifest, label_map: LabelMap) -> tuple[RawFolder, Source]:
    WRITERS[name].write(ExportJob(manifest, label_map), folder)
    raw = RawFolder.scan(folder)
    probe_images(raw)
    found, files = find_format(raw)
    assert found == name
    source = READERS[found].read(raw, files)
    source.findings = [finding for finding in source.findings if finding.code != "split-empty"]
    return raw, source


def told(raw: RawFolder, source: Source) -> dict:
    """sha256 of an image -> its split and its annotations."""
    rows = {
        raw.images[image_id].sha256: (entry.split, [row for row in source.annotations if row.image_id == image_id])
        for image_id, entry in source.entries.items()
    }
    return {
        key: (split, [(row.label, corners(row), row.segmentation) for row in of]) for key, (split, of) in rows.items()
    }


def assert_same(told_back: dict, manifest: Manifest, within: float, outlines: bool = False) -> None:
    by_image = manifest.annotations_by_image()
    images = manifest.image_rows()
    assert {key: split for key, (split, _) in told_back.items()} == {image.sha256: image.split for image in images}
    for image in images:
        rows = by_image.get(image.image_id, [])
        back = told_back[image.sha256][1]
        assert [label for label, _, _ in back] == [row.label for row in rows]
        for row, (_, at, segmentation) in zip(rows, back, strict=True):
            tolerance = within * max(image.width or 0, image.height or 0)
            assert at == pytest.approx(corners(row), abs=tolerance)
            if outlines and row.segmentation:
                back_px, px = (np.ravel(json.loads(text)) for text in (segmentation, row.segmentation))
                assert back_px == pytest.approx(px, abs=tolerance)


ODD = ['q"uote', "naïve, x", "no", "7", "#1 {a}: b", "name 名前 😀"]


@pytest.mark.parametrize("name", YOLO)
@pytest.mark.parametrize("split", ["train", "valid", "test", None])
def test_reading_what_was_written_gives_the_same(tmp_path: Path, name: str, split: str | None) -> None:
    rows: list[Image | Annotation] = [
        make_image(tmp_path / "in", "a.jpg", image_bytes(seed=1), split=split),
        make_image(tmp_path / "in", "b/a.jpg", image_bytes(seed=2), split=split),
        make_image(tmp_path / "in", "ü ö.Jpeg", image_bytes(seed=3), split=split),
        make_image(tmp_path / "in", "train.PNG", image_bytes(seed=4, format="PNG"), split=split),
        make_image(tmp_path / "in", "classes.jfif", image_bytes(seed=5), split=split),
    ]
    rows += [box("a.jpg", label, 1 + at, 2, 11 + at, 24) for at, label in enumerate(ODD)]
    rows += [box("ü ö.Jpeg", "no", 0, 0, 32, 24), box("classes.jfif", "7", 3, 4, 5, 6)]
    manifest = make_manifest(*rows)
    labels = LabelMap("d", {label: number for number, label in enumerate(ODD, start=1)})
    raw, source = written(tmp_path / "out", name, manifest, labels)
    assert (source.findings, source.ids) == ([], dict(labels.ids))
    assert_same(told(raw, source), manifest, 1e-6)


@pytest.mark.parametrize("name", YOLO)
def test_an_id_keeps_its_number_across_a_gap(tmp_path: Path, name: str) -> None:
    manifest = make_manifest(make_image(tmp_path / "in", split="train"), box("a.jpg", "dog"), box("a.jpg", "cat"))
    _, source = written(tmp_path / "out", name, manifest, LabelMap("d", {"cat": 1, "dog": 4}))
    assert ([row.label for row in source.annotations], source.ids) == (["dog", "cat"], {"cat": 1, "dog": 4})


def test_an_unlabelled_image_stays_unlabelled_in_darknet_and_keras(tmp_path: Path) -> None:
    images = [make_image(tmp_path / "in", f"{n}.jpg", image_bytes(seed=n), annotated=n > 0) for n in range(2)]
    for name in ("yolo_darknet", "yolo_keras"):
        manifest = make_manifest(*images, box("1.jpg"))
        _, source = written(tmp_path / name, name, manifest, LabelMap("d", {"cat": 1}))
        assert [Path(image_id).name for image_id in source.entries] == ["1.jpg"]


def test_darknet_finds_what_its_data_file_names(tmp_path: Path) -> None:
    """By the rules of its get_paths, read_data_cfg (which takes every blank out) and replace_image_to_label."""
    image = make_image(tmp_path / "in", "A b.JPEG", split="train")
    written(tmp_path / "out", "yolo_darknet", make_manifest(image, box("A b.JPEG")), LabelMap("d", {"cat": 2}))
    lines = (tmp_path / "out/data/obj.data").read_text().replace(" ", "").splitlines()
    options = dict(line.split("=") for line in lines)
    assert options["classes"] == "2"
    assert (tmp_path / "out" / options["names"]).read_text() == "unused-1\ncat\n"
    (path,) = (tmp_path / "out" / options["train"]).read_text().splitlines()
    assert path.endswith(".jpg")
    label = (tmp_path / "out" / path.replace(".jpg", ".txt")).read_text()
    assert [float(word) for word in label.split()] == pytest.approx([1, 7 / 32, 8 / 24, 10 / 32, 10 / 24])


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        ({"train": "t", "test": "e"}, "classes = 2\ntrain = t\ntest = e\n"),
        ({"": "all"}, "classes = 2\ntrain = all\nvalid = all\n"),
    ],
)
def test_darknet_data_file(lists: dict, expected: str) -> None:
    assert yolo_darknet.format_options(2, lists) == f"{expected}names = data/obj.names\nbackup = backup/\n"


def test_keras_names_no_path_with_a_blank(tmp_path: Path) -> None:
    """keras-yolo3 takes the first word of a line for the path; names that would fall together stay apart."""
    images = [make_image(tmp_path / "in", name, A, split="train") for name in ("a b.jpg", "a\u00a0b.jpg", "a_b.jpg")]
    written(tmp_path / "out", "yolo_keras", make_manifest(*images, box("a b.jpg")), LabelMap("d", {"cat": 1}))
    words = [line.split()[0] for line in (tmp_path / "out/train/_annotations.txt").read_text().splitlines()]
    assert {*words, "_annotations.txt", "_classes.txt"} == {path.name for path in (tmp_path / "out/train").iterdir()}
    assert len(set(words)) == 3


def test_ultralytics_data_file_is_what_its_loader_wants(tmp_path: Path) -> None:
    """YAML 1.1; `train` and `val` always; no `path`, which would be looked up from the folder that it runs in."""
    yaml = pytest.importorskip("yaml")
    manifest = make_manifest(make_image(tmp_path / "in", split="train"), box("a.jpg", "no"))
    written(tmp_path / "out", "ultralytics", manifest, LabelMap("d", {"no": 1, "1": 3}))
    assert yaml.safe_load((tmp_path / "out/data.yaml").read_text(encoding="utf-8")) == {
        "train": "images/train",
        "val": "images/valid",
        "names": {0: "no", 1: "unused-2", 2: "1"},
    }


@pytest.mark.parametrize(("name", "theirs"), [("ultralytics", "."), ("yolo_keras", "train/_annotations.txt")])
def test_panlabel_reads_the_same(tmp_path: Path, name: str, theirs: str) -> None:
    panlabel = Path(sys.executable).with_name("panlabel")
    if not panlabel.exists():
        pytest.skip("panlabel is not installed")
    rows = [make_image(tmp_path / "in", f"{at} x.jpg", image_bytes(seed=at), split="train") for at in range(2)]
    manifest = make_manifest(*rows, box("1 x.jpg", "no", 2, 3, 12, 13), box("1 x.jpg", "cät", 0, 0, 32, 24))
    written(tmp_path / "out", name, manifest, LabelMap("d", {"cät": 1, "no": 2}))
    kind = "yolo" if name == "ultralytics" else "yolo-keras"
    command = [str(panlabel), "convert", "--from", kind, "--to", "coco", "--allow-lossy"]
    files = ["-i", str(tmp_path / "out" / theirs), "-o", str(tmp_path / "coco.json")]
    subprocess.run([*command, *files], check=True, timeout=60)
    content = json.loads((tmp_path / "coco.json").read_text(encoding="utf-8"))
    read_boxes = [(row["category_id"], *row["bbox"]) for row in content["annotations"]]
    assert len(content["images"]) == 2
    assert np.array(read_boxes) == pytest.approx(np.array([(2, 2, 3, 10, 10), (1, 0, 0, 32, 24)]), abs=1e-6)


SQUARE = [2.0, 3.0, 12.0, 3.0, 12.0, 13.0, 2.0, 13.0]
TRIANGLE = [3.0, 3.0, 9.0, 3.0, 6.0, 9.0]


@pytest.mark.parametrize(
    ("segmentations", "columns"),
    [
        ([None, None], {5}),
        ([[TRIANGLE], [SQUARE]], {7, 9}),
        ([[TRIANGLE], None], {7, 9}),  # a box among outlines stands as its corners
        ([json.loads(from_mask(np.tri(24, 32, -22))), None], {13, 9}),  # a mask is traced
    ],
)
def test_ultralytics_never_mixes_boxes_and_outlines(tmp_path: Path, segmentations: list, columns: set[int]) -> None:
    images = [make_image(tmp_path / "in", f"{n}.jpg", image_bytes(seed=n), split="train") for n in range(2)]
    rows = [
        box(f"{n}.jpg", segmentation=json.dumps(content) if content else None)
        for n, content in enumerate(segmentations)
    ]
    written(tmp_path / "out", "ultralytics", make_manifest(*images, *rows), LabelMap("d", {"cat": 1}))
    texts = [path.read_text() for path in (tmp_path / "out/labels").rglob("*.txt")]
    assert {len(line.split()) for text in texts for line in text.splitlines()} == columns


def test_points_outside_the_image_are_moved_to_its_edge() -> None:
    assert yolo_lines.format_outline(0, [-3, 6, 40, 6, 16, 24], (32, 24)) == "0 0 0.25 1 0.25 0.5 1"


@st.composite
def manifests(draw: st.DrawFn) -> tuple[list, LabelMap, bool]:
    """Sizes, rows per image and names; the images themselves are drawn by the test."""
    name = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)
    stripped = name.map(str.strip).filter(lambda text: text and not text.startswith("unused-"))
    names = draw(st.lists(stripped, min_size=1, max_size=4, unique=True))
    ids = draw(st.lists(st.integers(1, 9), min_size=len(names), max_size=len(names), unique=True))
    outlined = draw(st.booleans())
    images = []
    for _ in range(draw(st.integers(1, 3))):
        width, height = draw(st.integers(1, 3000)), draw(st.integers(1, 3000))
        share = st.floats(0, 1)
        rows = draw(st.lists(st.tuples(st.sampled_from(names), *[st.tuples(share, share)] * 3), max_size=3))
        images.append((width, height, draw(st.sampled_from(["train", "valid", "test"])), rows))
    return images, LabelMap("d", dict(zip(names, ids, strict=True))), outlined


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=manifests(), name=st.sampled_from(YOLO))
def test_any_manifest_comes_back(tmp_path: Path, drawn: tuple, name: str) -> None:
    contents, labels, outlined = drawn
    outlined = outlined and name == "ultralytics"
    shutil.rmtree(tmp_path / "case", ignore_errors=True)
    rows: list[Image | Annotation] = []
    for number, (width, height, split, of_image) in enumerate(contents):
        image_id = f"{number} x.png"
        pixels = PilImage.new("L", (width, height), number)
        (tmp_path / "case").mkdir(exist_ok=True)
        pixels.save(tmp_path / "case" / "i.png", compress_level=1)
        rows.append(make_image(tmp_path / "case/in", image_id, (tmp_path / "case/i.png").read_bytes(), split=split))
        for label, *points in of_image:
            outline = np.array(points) * (width, height)
            if name == "yolo_keras":
                outline = outline.round()
                outline[1] = np.maximum(outline[1], outline[0] + 1).clip(max=(width, height))
                outline[0] = np.minimum(outline[0], outline[1] - 1)
                outline[2] = outline[0]
            at = (*outline.min(axis=0).tolist(), *outline.max(axis=0).tolist())
            segmentation = json.dumps([outline.ravel().tolist()]) if outlined else None
            rows.append(box(image_id, label, *at, segmentation=segmentation))
    manifest = make_manifest(*rows)
    raw, source = written(tmp_path / "case/out", name, manifest, labels)
    assert source.findings == []
    assert source.ids == dict(labels.ids)
    assert_same(told(raw, source), manifest, 1e-6, outlined)


# --- the raccoon set


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        (
            "ultralytics",
            {"JPEGImages": "JPEGImages", "as/yolo_labels": "yolo_labels", "as/yolo_data.yaml": "yolo_data.yaml"},
        ),
        (
            "ultralytics",
            {"JPEGImages": "images/train", "as/yolo_labels": "labels/train", "as/yolo_data.yaml": "data.yaml"},
        ),
        (
            "ultralytics",
            {"JPEGImages": "train/images", "as/yolo_labels": "train/labels", "as/yolo_data.yaml": "data.yaml"},
        ),
        ("yolo_darknet", {"JPEGImages": "data/obj", "as/yolo_labels": "data/obj", "as/classes.txt": "data/obj.names"}),
        ("yolo_darknet", {"JPEGImages": "JPEGImages", "as/yolo_labels": "labels", "as/classes.txt": "classes.txt"}),
        (
            "yolo_keras",
            {"JPEGImages": "JPEGImages", "as/yolo-keras.txt": "yolo-keras.txt", "as/classes.txt": "classes.txt"},
        ),
    ],
)
def test_raccoon_reads_as_its_voc_files(tmp_path: Path, raccoon: Path, name: str, layout: dict[str, str]) -> None:
    for source, target in layout.items():
        (tmp_path / target).parent.mkdir(parents=True, exist_ok=True)
        if (raccoon / source).is_dir():
            shutil.copytree(raccoon / source, tmp_path / target, dirs_exist_ok=True)
        else:
            shutil.copy(raccoon / source, tmp_path / target)
    manifest, label_map, findings, found = ingest(tmp_path, IngestParams(), LabelMap("d"))
    assert (found, findings, dict(label_map.ids)) == (name, [], {"raccoon": 1})
    assert (manifest.images.num_rows, manifest.annotations.num_rows) == (200, 217)
    folder = RawFolder.scan(raccoon)
    folder = RawFolder(raccoon, [file for file in folder.files if file.startswith(("JPEGImages/", "Annotations/"))])
    probe_images(folder)
    voc = READERS["voc"].read(folder, READERS["voc"].detect(folder))
    expected = sorted((Path(row.image_id).name, corners(row)) for row in voc.annotations)
    ours = sorted((Path(row.image_id).name, corners(row)) for row in manifest.annotation_rows())
    assert [image for image, _ in ours] == [image for image, _ in expected]
    for (_, one), (_, other) in zip(ours, expected, strict=True):
        assert one == pytest.approx(other, abs=0.5)
