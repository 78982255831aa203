"""Reading TFRecord: everybody's records, damaged files, names that must not lead out, and our own exports back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import box, image_bytes, make_image, make_manifest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask
from test_classification import in_tfds
from test_formats import corners

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.findings import Finding
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import Annotation, Manifest
from shardsmith.dataset.messages import Example
from shardsmith.dataset.shapes import box_around, from_mask
from shardsmith.formats.shared.job import ExportJob
from shardsmith.formats.shared.raw_folder import RawFolder
from shardsmith.formats.tfrecord import format as tfrecord
from shardsmith.formats.tfrecord.example import image_name, parse
from shardsmith.formats.tfrecord.frames import frame, read_frames
from shardsmith.formats.tfrecord.reader import missing_shards, split_of, unique_names
from shardsmith.pipeline.augment import augment
from shardsmith.pipeline.ingest import ingest
from shardsmith.pipeline.params import AugmentParams, IngestParams, Params
from shardsmith.pipeline.validate import validate

IMAGE = image_bytes(32, 24)
SIDES = {"xmin": 0.25, "ymin": 0.5, "xmax": 0.5, "ymax": 1.0}
BOX = {f"image/object/bbox/{side}": [at] for side, at in SIDES.items()}
CAT = {"image/encoded": [IMAGE], "image/filename": [b"a.jpg"], **BOX, "image/object/class/text": [b"cat"]}
IDS = {**CAT, "image/object/class/text": [], "image/object/class/label": [7]}
OTHER_MAP = 'item {\n  id: 7\n  name: "bird"\n}\n'
ROBOFLOW_MAP = 'item {\n  name: "cat",\n  id: 7,\n  display_name: "cat"\n}\nitem {\n  name: "dog",\n  id: 2\n}\n'


def example(values: dict[str, list]) -> bytes:
    message = Example()
    for key, of_key in values.items():
        kinds = {bytes: "bytes_list", float: "float_list", int: "int64_list"}
        for value in of_key:
            getattr(message.features.feature[key], kinds[type(value)]).value.append(value)
    return message.SerializeToString()


def framed(*examples: dict[str, list]) -> bytes:
    return b"".join(part for values in examples for part in frame(example(values)))


def ingested(
    tmp_path: Path, files: dict[str, bytes | str], out: str = "out"
) -> tuple[Manifest, LabelMap, list[Finding]]:
    for name, content in files.items():
        path = tmp_path / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    manifest, labels, findings, format_name = ingest(tmp_path / "raw", IngestParams(), LabelMap("d"), tmp_path / out)
    assert format_name == "tfrecord"
    return manifest, labels, findings


def named(name: bytes, **values: list) -> dict[str, list]:
    return CAT | {"image/filename": [name], "image/encoded": [image_bytes(seed=len(name))]} | values


# --- what is read


@pytest.mark.parametrize(
    "name", ["a.record", "a.tfrecord", "a.tfrecords", "a.tfrecord-00000-of-00001", "a.record-00000-of-00001",
             "coco_train-00000-of-00001"],
)  # fmt: skip
def test_files_are_found_by_name(tmp_path: Path, name: str) -> None:
    manifest, _, findings = ingested(tmp_path, {name: framed(CAT)})
    (row,) = manifest.annotation_rows()
    assert (row.image_id, row.label, corners(row), findings) == ("a.jpg", "cat", [8, 12, 16, 24], [])
    image = manifest.image_rows()[0]
    assert Path(image.path).read_bytes() == IMAGE
    assert (tmp_path / "out/images") in Path(image.path).parents


def test_file_that_is_only_called_a_shard_is_none(tmp_path: Path) -> None:
    (tmp_path / "notes-00000-of-00001").write_text("x" * 20)
    assert tfrecord.detect(RawFolder.scan(tmp_path)) == []


@pytest.mark.parametrize(
    ("files", "ids"),
    [
        ({"a.record": framed(CAT)}, {"cat": 1}),
        ({"a.record": framed(CAT | {"image/object/class/label": [7]})}, {"cat": 7}),
        ({"a.record": framed(CAT), "cat_label_map.pbtxt": ROBOFLOW_MAP}, {"cat": 7, "dog": 2}),
        ({"a.record": framed(IDS), "cat_label_map.pbtxt": ROBOFLOW_MAP}, {"cat": 7, "dog": 2}),
        ({"a.record": framed(IDS), "label.labels.txt": "background\nx\n" + 5 * "unused-9\n" + "cat\n"}, None),
        ({"train/a.record": framed(IDS), "train/m.pbtxt": ROBOFLOW_MAP, "test/m.pbtxt": OTHER_MAP}, None),
    ],
)
def test_names_and_ids_of_classes(tmp_path: Path, files: dict, ids: dict[str, int] | None) -> None:
    manifest, labels, _ = ingested(tmp_path, files)
    assert [row.label for row in manifest.annotation_rows()] == ["cat"]
    assert ids is None or dict(labels.ids) == ids


def test_ids_of_the_source_yield_to_those_that_have_a_meaning(tmp_path: Path) -> None:
    (tmp_path / "a.record").write_bytes(framed(CAT | {"image/object/class/label": [7]}))
    started = LabelMap("d", {"dog": 7})
    assert dict(ingest(tmp_path, IngestParams(), started, tmp_path / "o")[1].ids) == {"dog": 7, "cat": 1}


@pytest.mark.parametrize(
    ("file", "split"),
    [
        ("test.record", "test"),
        ("raccoon-valid.tfrecord-00000-of-00004", "valid"),
        ("test_set-train.tfrecord-00000-of-00004", "train"),
        ("coco_val.record-00000-of-00010", "valid"),
        ("train/cats.tfrecord", "train"),
        ("cats.tfrecord", None),
    ],
)
def test_split_of_a_file(file: str, split: str | None) -> None:
    assert split_of(file) == split


def test_all_keys_of_a_box(tmp_path: Path) -> None:
    more = {"is_crowd": [1], "area": [7.0], "difficult": [1], "truncated": [0], "view": [b"Left"]}
    manifest, _, _ = ingested(tmp_path, {"a.record": framed(CAT | {f"image/object/{key}": more[key] for key in more})})
    (row,) = manifest.annotation_rows()
    assert (row.is_crowd, row.area) == (True, 7)
    assert row.attributes_dict() == {"difficult": 1, "truncated": 0, "pose": "Left"}


def test_keys_that_are_not_read_are_named(tmp_path: Path) -> None:
    _, _, findings = ingested(tmp_path, {"a.record": framed(CAT | {"image/caption/string": [b"a cat"]})})
    assert [(f.code, f.file, f.value) for f in findings] == [("not-carried", "a.record", "image/caption/string")]


# --- what is wrong with it


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


THREE = framed(named(b"1.jpg"), named(b"22.jpg"), named(b"333.jpg"))
SIZE = len(framed(named(b"1.jpg")))


@pytest.mark.parametrize(
    ("data", "place", "reason", "left"),
    [
        (flipped(THREE, SIZE + 50), "record 2", "it is damaged (checksum)", ["1.jpg", "333.jpg"]),
        (flipped(THREE, SIZE), "record 2", "its length is damaged", ["1.jpg"]),
        (THREE[:-1], "record 3", "the file is cut off", ["1.jpg", "22.jpg"]),
        (THREE[: SIZE + 5], "record 2", "the file is cut off: it ends after 5 bytes", ["1.jpg"]),
        (framed(named(b"1.jpg"), {}), "record 2", "no image in image/encoded", ["1.jpg"]),
        (framed(named(b"1.jpg")) + b"".join(frame(b"\xff\xff")), "record 2", "no tf.train.Example", ["1.jpg"]),
    ],
    ids=["flipped", "length", "cut off", "cut off early", "no image", "no example"],
)
def test_good_records_survive_a_bad_one(tmp_path: Path, data: bytes, place: str, reason: str, left: list[str]) -> None:
    manifest, _, (finding,) = ingested(tmp_path, {"a.record": data})
    assert [row.image_id for row in manifest.image_rows()] == left
    assert (finding.code, finding.file, finding.place) == ("annotation-unreadable", "a.record", place)
    assert reason in finding.reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"image/object/bbox/xmax": []}, "it has 1 xmin, but 0 xmax"),
        ({"image/object/class/text": []}, "it has 1 xmin, but 0 class"),
        ({"image/object/class/text": [], "image/object/class/label": [3]}, "class id 3 has no name"),
        ({"image/object/class/label": [3, 4]}, "it has 1 texts, but 2 labels"),
        ({"image/object/difficult": [1, 1]}, "1 boxes, but 2 values"),
        ({"image/object/bbox/xmin": [b"left"]}, "holds text, not numbers"),
    ],
)
def test_image_with_annotations_that_contradict_is_left_out(tmp_path: Path, change: dict, reason: str) -> None:
    manifest, _, findings = ingested(tmp_path, {"a.record": framed(named(b"1.jpg"), CAT | change)})
    (finding,) = findings
    assert (finding.code, finding.file, finding.image_id) == ("annotation-unreadable", "a.record", "a.jpg")
    assert finding.place.startswith("record 2")
    assert reason in finding.reason
    after, _ = validate(manifest, findings, Params())
    assert after.images["image_id"].to_pylist() == ["1.jpg"]  # the other one is no negative


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the files are empty"),
        (b"\x1f\x8b" + 30 * b"x", "seems to be compressed"),
        (framed({"x": [1]}), "no image in image/encoded; its keys: x"),
    ],
)
def test_file_without_any_image_is_an_error(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(RawDataError, match=rf"a\.record: no record with an image.*{message}"):
        ingested(tmp_path, {"a.record": data})


def test_label_map_that_is_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RawDataError, match=r"m\.pbtxt:.*no label map"):
        ingested(tmp_path, {"a.record": framed(CAT), "m.pbtxt": "item {\n  name: 3\n}\n"})


def test_shards_that_are_missing_or_short(tmp_path: Path) -> None:
    (finding,) = missing_shards(["x/a-00000-of-00003", "x/a-00002-of-00003"])
    assert (finding.file, finding.reason) == ("x/a-00001-of-00003", "this shard is missing")
    info = '{"name": "a", "splits": [{"name": "train", "shardLengths": ["2"]}]}'
    _, _, (short,) = ingested(tmp_path, {"a-train.tfrecord-00000-of-00001": framed(CAT), "dataset_info.json": info})
    assert (short.reason, short.value) == ("it is cut off", "1 of 2 records")


# --- names


@pytest.mark.parametrize(
    ("source_id", "filename", "name"),
    [
        ("x/a.jpg", "a.jpg", "x/a.jpg"),
        ("57", "000057.png", "000057.png"),
        ("57", "", "57.jpg"),
        ("", "", "t.record-000003.jpg"),
        ("../../etc/a.jpg", "", "etc/a.jpg"),
        ("/etc/passwd", "", "etc/passwd.jpg"),
        ("C:\\pets\\a.JPG", "", "C:/pets/a.JPG"),
        ("..", "./", "t.record-000003.jpg"),
        ("a\0\n.jpg", "", "a__.jpg"),
        ("a.jpg#2", "a.jpg", "a.jpg#2"),
        (300 * "x" + ".jpg", "", 196 * "x" + ".jpg"),
    ],
)
def test_name_of_an_image(source_id: str, filename: str, name: str) -> None:
    assert image_name(source_id, filename, ".jpg", "x/t.record", 3) == name


def test_names_are_made_unique() -> None:
    assert unique_names(["a.jpg", "a.jpg", "a-2.jpg", "b/a.jpg"], {"b/a.jpg"}) == [
        "a.jpg", "a-2.jpg", "a-2-2.jpg", "b/a-2.jpg"
    ]  # fmt: skip


def test_records_of_one_name_keep_their_own_boxes(tmp_path: Path) -> None:
    dog = CAT | {"image/object/class/text": [b"dog"], "image/encoded": [image_bytes(seed=9)]}
    manifest, _, _ = ingested(
        tmp_path, {"train.record": framed(CAT, dog), "test.record": framed(named(b"../../b.jpg"))}
    )
    assert {row.image_id: row.label for row in manifest.annotation_rows()} == {
        "a.jpg": "cat", "a-2.jpg": "dog", "b.jpg": "cat"
    }  # fmt: skip
    assert all(path.is_relative_to(tmp_path / "out/images") for path in tmp_path.rglob("*.jpg"))


def test_what_an_earlier_run_unpacked_is_removed(tmp_path: Path) -> None:
    ingested(tmp_path, {"a.record": framed(named(b"old.jpg"))})
    ingested(tmp_path, {"a.record": framed(CAT)})
    assert len(list((tmp_path / "out/images").rglob("*.jpg"))) == 1


# --- round trips and other people's files


def exported(tmp_path: Path, manifest: Manifest, labels: LabelMap, **settings: float) -> dict[str, bytes]:
    tfrecord.write(ExportJob(manifest, labels, **settings), tmp_path / "export")  # type: ignore[arg-type]
    return {path.name: path.read_bytes() for path in (tmp_path / "export").iterdir()}


def assert_same(back: Manifest, manifest: Manifest) -> None:
    for one, other in zip(back.image_rows(), manifest.image_rows(), strict=True):
        assert (one.image_id, one.sha256, one.split) == (other.image_id, other.sha256, other.split)
    for one_box, other_box in zip(back.annotation_rows(), manifest.annotation_rows(), strict=True):
        assert (one_box.image_id, one_box.label, one_box.is_crowd) == (
            other_box.image_id,
            other_box.label,
            other_box.is_crowd,
        )
        assert (corners(one_box), one_box.area) == (pytest.approx(corners(other_box), abs=1e-3), other_box.area)
        assert one_box.attributes_dict() == other_box.attributes_dict()


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=9)
SIDE = st.floats(0, 0.9).flatmap(lambda low: st.tuples(st.just(low), st.floats(low + 1e-3, 1)))
OBJECTS = st.lists(st.tuples(NAMES, SIDE, SIDE, st.booleans(), st.booleans()), max_size=4)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(["train", "valid", "test"]), OBJECTS), min_size=1, max_size=4))
def test_our_own_export_reads_back(tmp_path_factory: pytest.TempPathFactory, images: list) -> None:
    tmp_path = tmp_path_factory.mktemp("round")
    rows: list = []
    for number, (split, objects) in enumerate(images):
        image_id = f"x{number % 2}/{number}.jpg"
        rows.append(make_image(tmp_path / "in", image_id, image_bytes(64, 48, seed=number), split=split))
        for name, x, y, crowd, difficult in objects:
            at = (x[0] * 64, y[0] * 48, x[1] * 64, y[1] * 48)
            attributes = f'{{"difficult": {int(difficult)}}}'
            rows.append(box(image_id, name, *at, is_crowd=crowd, area=2.5, attributes=attributes))
    manifest = make_manifest(*rows)
    names = sorted({row.label for row in rows if isinstance(row, Annotation)})
    labels = LabelMap("d", {name: 2 * number + 3 for number, name in enumerate(names)})
    back, ids, findings = ingested(tmp_path, exported(tmp_path, manifest, labels, shard_size_mb=0.003))
    assert_same(back, manifest)
    assert dict(ids.ids) == dict(labels.ids)
    assert {one.code for one in findings} <= {"class-alike"}


def test_copies_stay_with_the_image_they_were_made_from(tmp_path: Path) -> None:
    manifest = make_manifest(make_image(tmp_path, "a.jpg", split="train"), make_image(tmp_path, "b.jpg", split="train"))
    steps: list = [{"flip": {"horizontal": 1.0}}]
    manifest, _, _ = augment(manifest, AugmentParams(enabled=True, copies=1, steps=steps), tmp_path / "augment")
    back, _, _ = ingested(tmp_path, exported(tmp_path, manifest, LabelMap("d")))
    groups = {row.image_id: row.group for row in back.image_rows()}
    assert groups == {"a.jpg": "a.jpg", "a.jpg#1": "a.jpg", "b.jpg": "b.jpg", "b.jpg#1": "b.jpg"}


def test_raccoon_record_has_the_boxes_of_the_xml_files(tmp_path: Path, raccoon: Path) -> None:
    from defusedxml.ElementTree import parse as parse_xml

    manifest, labels, findings = ingested(tmp_path, {"test.record": (raccoon / "as/test.record").read_bytes()})
    assert (manifest.images.num_rows, dict(labels.ids), findings) == (40, {"raccoon": 1}, [])
    boxes = manifest.annotations_by_image()
    for image in manifest.image_rows():
        assert Path(image.path).read_bytes() == (raccoon / "JPEGImages" / image.image_id).read_bytes()
        root = parse_xml(raccoon / "Annotations" / f"{Path(image.image_id).stem}.xml").getroot()
        expected = [
            [float(found.findtext(f"bndbox/{side}") or "") for side in ("xmin", "ymin", "xmax", "ymax")]
            for found in root.iter("object")
        ]
        assert sorted(map(corners, boxes[image.image_id])) == [pytest.approx(at, abs=1e-3) for at in sorted(expected)]


def test_tensorflow_writes_the_frames_that_are_read(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    with tf.io.TFRecordWriter(str(tmp_path / "a")) as writer:
        writer.write(b"one")
        writer.write(b"")
    assert list(read_frames(tmp_path / "a")) == [(b"one", ""), (b"", "")]


def test_reading_does_not_import_tensorflow(tmp_path: Path) -> None:
    (tmp_path / "a.record").write_bytes(framed(CAT))
    code = f"""
import sys; from pathlib import Path; from shardsmith.pipeline.ingest import *; from shardsmith.pipeline.params import *
ingest(Path({str(tmp_path)!r}), IngestParams(), LabelMap("d"), Path({str(tmp_path / "out")!r}))
print([name for name in ("tensorflow", "tensorflow_datasets") if name in sys.modules])"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[1], check=True
    )
    assert done.stdout == "[]\n"


def test_a_record_is_parsed_without_a_file() -> None:
    record = parse(example(CAT | {"image/height": [24], "image/width": [32]}), "a.record", 1)
    assert (record.name, record.declared_px, record.labels) == ("a.jpg", (32, 24), [("cat", 0)])
    assert record.boxes == [(0.25, 0.5, 0.5, 1.0)]


# --- masks


OUTLINES = [
    "[[2,3,20,3,20,15,2,15]]",
    "[[5.5,4.2,11,4,9,20.3],[20,5,30,5,25,12]]",  # two parts
    from_mask(np.indices((24, 32)).sum(0) % 7 < 3),
    None,
]


def masked(tmp_path: Path) -> Manifest:
    rows = [box("a.jpg", "cat", *(box_around(one) or () if one else ()), segmentation=one) for one in OUTLINES]
    return make_manifest(
        make_image(tmp_path / "in", "a.jpg", IMAGE, split="train"),
        make_image(tmp_path / "in", "b.jpg", image_bytes(seed=5), split="train"),
        *rows,
    )


def test_masks_read_back_as_the_outlines_they_were(tmp_path: Path) -> None:
    files = exported(tmp_path, masked(tmp_path), LabelMap("d", {"cat": 1}), masks=True)
    back, _, findings = ingested(tmp_path, files)
    assert findings == []
    *seen, none = [row.segmentation for row in back.annotation_rows()]
    assert none is None
    for outline, text in zip(OUTLINES, seen, strict=False):
        content = json.loads(outline or "")
        ours = [json.loads(text or "")]
        theirs = coco_mask.merge(coco_mask.frPyObjects(content, 24, 32)) if isinstance(content, list) else content
        assert coco_mask.iou(ours, [theirs], [0])[0, 0] >= 0.99


@pytest.mark.slow
def test_tfds_decodes_masks(tmp_path: Path) -> None:
    exported(tmp_path, masked(tmp_path), LabelMap("d", {"cat": 1}), masks=True)
    body = """
train = builder.as_dataset(split="train")
result = sorted([list(masks.shape), [int(mask.sum()) for mask in masks]] for example in train
                for masks in [example["image"]["object"]["mask"].numpy()])"""
    (no_shape, none), (shape, sums) = in_tfds(tmp_path / "export", body)  # type: ignore[misc]
    assert (no_shape[0], none, shape, sums[0], sums[3]) == (0, [], [4, 24, 32, 1], 18 * 12, 0)


@pytest.mark.parametrize(
    ("mask", "reason"), [(b"x", "does not open"), (image_bytes(8, 8, format="PNG"), "8 x 8 pixels")]
)
def test_mask_that_is_none(tmp_path: Path, mask: bytes, reason: str) -> None:
    record = framed(named(b"1.jpg"), CAT | {"image/object/mask": [mask]})
    manifest, _, (finding,) = ingested(tmp_path, {"a.record": record})
    assert (finding.code, finding.place, finding.image_id) == ("not-carried", "record 2, box 1", "a.jpg")
    assert reason in finding.reason
    assert [(row.image_id, row.segmentation) for row in manifest.annotation_rows()][1] == (
        "a.jpg",
        None,
    )  # the box stays


def test_a_class_without_a_name_costs_its_box_alone(tmp_path: Path) -> None:
    boxes = {key: [at[0], at[0] * 0.9] for key, at in BOX.items()}
    classes = {"image/object/class/text": [b"cat", b""], "image/object/class/label": [3, 4]}
    manifest, label_map, (finding,) = ingested(tmp_path, {"a.record": framed(named(b"1.jpg") | boxes | classes)})
    assert [row.label for row in manifest.annotation_rows()] == ["cat"]
    assert (finding.place, finding.image_id, dict(label_map.ids)) == ("record 1, box 2", "1.jpg", {"cat": 3})


def test_a_class_id_of_two_names_is_named(tmp_path: Path) -> None:
    label = {"image/object/class/label": [3]}
    records = [named(name + b".jpg") | label | {"image/object/class/text": [name]} for name in (b"cat", b"doggy")]
    _, label_map, (finding,) = ingested(tmp_path, {"a.record": framed(*records)})
    assert (finding.code, finding.value) == ("metadata-not-carried", "3: cat, doggy")
    assert dict(label_map.ids) == {"cat": 3, "doggy": 1}


def test_the_id_of_the_image_is_kept(tmp_path: Path) -> None:
    """The Object Detection API's tool for COCO writes it as image/source_id."""
    record = named(b"a.jpg") | {"image/source_id": [b"397133"]}
    manifest, _, _ = ingested(tmp_path, {"a.record": framed(record)})
    assert [(row.image_id, row.source_id) for row in manifest.image_rows()] == [("a.jpg", "397133")]


def test_no_mask_is_written_unless_asked_for(tmp_path: Path) -> None:
    assert not any(
        b"object/mask" in data for data in exported(tmp_path, masked(tmp_path), LabelMap("d", {"cat": 1})).values()
    )
