"""Classes of whole images: folders and CSV in, every stage between, TFRecord that TFDS gives as (image, label) out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import box, image_bytes, make_image, make_manifest
from hypothesis import given, settings
from hypothesis import strategies as st
from staged import enter, run_stages
from test_formats import codes, raw_folder, read

from shardsmith.dataset.errors import RawDataError, StageError
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import Annotation, Manifest
from shardsmith.dataset.messages import Example
from shardsmith.formats import class_folders
from shardsmith.formats.class_folders import place_images
from shardsmith.formats.csv import multiclass as multiclass_csv
from shardsmith.formats.csv.lines import format_lines
from shardsmith.formats.losses import find_losses, fitted
from shardsmith.formats.registry import READERS, WRITERS
from shardsmith.formats.shared.job import ExportJob
from shardsmith.formats.shared.raw_folder import RawFolder, Source
from shardsmith.formats.tfrecord import format as tfrecord
from shardsmith.formats.tfrecord.frames import frame, read_frames
from shardsmith.ledger.counts import count_manifest
from shardsmith.pipeline.augment import augment
from shardsmith.pipeline.ingest import find_format, ingest, probe_images
from shardsmith.pipeline.params import AugmentParams, IngestParams, Params, PreprocessParams
from shardsmith.pipeline.preprocess import preprocess
from shardsmith.pipeline.splits.split import split
from shardsmith.pipeline.validate import validate
from shardsmith.versions.summary import summary

IMAGE = image_bytes()


def label(image_id: str, name: str) -> Annotation:
    return Annotation(image_id, name, None, None, None, None)


def labels_of(source: Source) -> dict[str, list[str]]:
    return {id_: [row.label for row in source.annotations if row.image_id == id_] for id_ in source.entries}


# --- class folders


@pytest.mark.parametrize(
    ("files", "placed"),
    [
        ("cat/1.jpg dog/2.jpg", "cat None, dog None"),
        ("train/cat/1.jpg valid/dog/2.jpg", "cat train, dog valid"),
        ("pets/train/cat/1.jpg pets/train/dog/2.jpg pets/logo.jpg", "cat train, dog train"),
        ("train/cat/1.jpg train/cat/2.jpg", "cat train, cat train"),  # one class is one, too
        ("cat/old/1.jpg dog/2.jpg", "cat None, dog None"),
        ("bus/1.jpg train/2.jpg", "bus None, train None"),  # vehicles
        ("train/train/1.jpg train/bus/2.jpg", "bus train, train train"),
        ("train/1.jpg test/2.jpg", ""),
        ("1.jpg 2.jpg", ""),
        ("cat/1.jpg dog/2.jpg 3.jpg", "cat None, dog None"),
        ("cat/1.jpg _unlabeled/2.jpg no_label/3.jpg", "cat None"),  # FiftyOne's, Datumaro's
    ],
)
def test_class_and_split_of_a_path(files: str, placed: str) -> None:
    found = place_images(sorted(files.split()))
    assert ", ".join(f"{name} {split}" for name, split in sorted(found.values(), key=str)) == placed


@pytest.mark.parametrize(
    ("files", "detected"),
    [
        ("cat/1.jpg dog/2.jpg", True),
        ("cat/1.jpg dog/2.jpg README.txt classes.txt", True),
        ("cat/1.jpg", False),
        ("JPEGImages/1.jpg SegmentationClass/1.png", False),
        ("images/1.jpg other/2.jpg", False),
        ("image_2/1.png image_3/1.png label_2/1.txt", False),  # KITTI
        ("train/image_2/1.png val/image_2/2.png", False),
        ("a/1.jpg b/2.jpg 3.jpg 4.jpg", False),  # most have no class
        ("cat/1.jpg dog/2.jpg masks.npy", False),
        ("cat/1.jpg dog/2.jpg labels.json", False),
    ],
)
def test_what_is_found_to_be_class_folders(tmp_path: Path, files: str, detected: bool) -> None:
    folder = raw_folder(tmp_path, dict.fromkeys(files.split(), IMAGE))
    assert bool(class_folders.detect(folder)) == detected


def test_images_in_no_class_folder_are_unlabelled(tmp_path: Path) -> None:
    for name in ("train/cat/1.jpg", "test/dog/2.jpg", "3.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(image_bytes(seed=len(name)))
    manifest, labels, findings, name = ingest(tmp_path, IngestParams(), LabelMap("d"))
    assert (name, dict(labels.ids)) == ("class_folders", {"cat": 1, "dog": 2})
    assert [(row.label, row.xmin) for row in manifest.annotation_rows()] == [("dog", None), ("cat", None)]
    assert [(finding.code, finding.file) for finding in findings] == [("image-unlabelled", "3.jpg")]


def test_only_images_of_one_class_have_a_folder(tmp_path: Path) -> None:
    names = {"a.jpg": "cat", "b.jpg": "cat dog", "c.jpg": ""}
    rows = [make_image(tmp_path / "in", id_, image_bytes(seed=n), split="train") for n, id_ in enumerate(names)]
    every = [label(id_, name) for id_, text in names.items() for name in text.split()]
    job = ExportJob(make_manifest(*rows, *every), LabelMap("d").extended(["cat", "dog"]))
    class_folders.write(job, tmp_path / "out")
    written = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert written == {"classes.txt", "train/cat/a.jpg", "train/dog/.keep"}
    assert (tmp_path / "out/classes.txt").read_text() == "cat\ndog\n"


@pytest.mark.parametrize("name", ["a/b", "..", ".hidden", "x\0", "ä" * 200])
def test_class_that_can_be_no_folder_is_an_error(tmp_path: Path, name: str) -> None:
    manifest = make_manifest(make_image(tmp_path, "a.jpg", split="train"), label("a.jpg", name))
    with pytest.raises(StageError, match=r"cannot be the name of a folder; rename it with ingest\.classes"):
        class_folders.write(ExportJob(manifest, LabelMap("d", {name: 1})), tmp_path / "out")
    assert not (tmp_path / "out").exists()


# --- multi-class CSV


def test_csv_as_roboflow_writes_it(tmp_path: Path) -> None:
    text = 'filename, cat, "big, dog"\na.jpg, 1, 1\nb.jpg, 0, 0\n'
    source = read(tmp_path, {"train/a.jpg": IMAGE, "train/b.jpg": image_bytes(seed=1), "train/_classes.csv": text})
    assert labels_of(source) == {"train/a.jpg": ["cat", "big, dog"], "train/b.jpg": []}
    assert {entry.split for entry in source.entries.values()} == {"train"}
    assert (source.classes, source.findings) == (["cat", "big, dog"], [])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("b.jpg,1", "it has 2 columns, the header has 3"),
        ("b.jpg,1,0,1", "it has 4 columns, the header has 3"),
        ("b.jpg,1,yes", "it says 'yes' for dog, not 0 or 1"),
        (",1,0", "it names no image"),
        ("a.jpg,0,1", "the image has a line already"),
    ],
)
def test_csv_line_that_cannot_be_read(tmp_path: Path, line: str, reason: str) -> None:
    text = f"filename,cat,dog\na.jpg,1,0\n{line}\n"
    source = read(tmp_path, {"a.jpg": IMAGE, "b.jpg": image_bytes(seed=1), "c.csv": text})
    looked_at = [name for name in ("a.jpg", "b.jpg") if name == "a.jpg" or name in line]
    assert labels_of(source) == {name: ["cat"] * (name == "a.jpg") for name in looked_at}
    assert source.findings[0].image_id == (line[:5] if line.endswith(("1", "yes")) and line[0] != "," else "")
    assert (codes(source), source.findings[0].place) == (["annotation-unreadable"], "line 3")
    assert reason in source.findings[0].reason


def test_csv_image_that_is_missing(tmp_path: Path) -> None:
    assert codes(read(tmp_path, {"a.jpg": IMAGE, "c.csv": "filename,cat\na.jpg,1\nb.jpg,1\n"})) == ["image-missing"]


@pytest.mark.parametrize("header", ["filename", "filename,cat,cat", "filename,,cat"])
def test_csv_header_without_classes_is_an_error(header: str) -> None:
    with pytest.raises(RawDataError, match=r"c\.csv:1: header"):
        multiclass_csv.parse(f"{header}\na.jpg,1\n", "c.csv")


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=9)


@settings(deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=5, unique=True), st.data())
def test_csv_reads_what_it_writes(classes: list[str], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.lists(st.booleans(), min_size=len(classes), max_size=len(classes)), max_size=4))
    lines = [[f"{number};.jpg", *map(int, row)] for number, row in enumerate(rows)]
    text = format_lines([["filename", *classes], *lines])
    seen, found, findings = multiclass_csv.parse(text, "c.csv")
    assert (seen, findings) == (classes, [])
    expected = [[name for name, is_there in zip(classes, row, strict=True) if is_there] for row in rows]
    assert [labels for _, _, labels in found] == expected


# --- TFRecord, and the formats in a round


def dataset(tmp_path: Path, per_image: list[str]) -> ExportJob:
    """An image for each text, whose words are its classes."""
    rows: list = []
    for number, text in enumerate(per_image):
        split_name = ("train", "valid", "test")[number % 3]
        rows.append(make_image(tmp_path / "in", f"{number}.jpg", image_bytes(seed=number), split=split_name))
        rows += [label(f"{number}.jpg", name) for name in text.split()]
    return ExportJob(make_manifest(*rows), LabelMap("ds").extended(["cat", "dög", "<b>"]))


@pytest.mark.parametrize(
    ("format_name", "per_image"),
    [
        ("class_folders", ["cat", "dög", "cat", "<b>"]),
        ("multiclass_csv", ["cat dög", "", "<b>", "cat"]),
        ("tfrecord", ["cat dög", "", "<b>", "cat"]),
        ("tfrecord", ["cat", "dög", "cat", "<b>"]),
    ],
)
def test_reading_what_was_written_gives_the_same(tmp_path: Path, format_name: str, per_image: list[str]) -> None:
    job = dataset(tmp_path, per_image)
    READERS[format_name].write(job, tmp_path / "out")
    folder = RawFolder.scan(tmp_path / "out")
    name, files = find_format(folder)
    assert name == format_name
    if unpack := READERS[name].unpack:
        unpack(folder, files, tmp_path / "unpacked")
    probe_images(folder)
    source = READERS[name].read(folder, files)
    assert source.findings == []
    seen = {folder.images[id_].sha256: (source.entries[id_].split, labels) for id_, labels in labels_of(source).items()}
    rows = zip(job.manifest.image_rows(), per_image, strict=True)
    assert seen == {image.sha256: (image.split, text.split()) for image, text in rows}


def in_tfds(folder: Path, body: str) -> object:
    """What `body` leaves in `result`, in a process that has none of our code."""
    code = f"import json, tensorflow_datasets as tfds\nbuilder = tfds.builder_from_directory({str(folder)!r})\n{body}"
    command = [sys.executable, "-c", f"{code}\nprint(json.dumps(result))"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.mark.slow
def test_class_folders_become_pairs_of_image_and_label_in_tfds(tmp_path: Path) -> None:
    for number, name in enumerate(["cat", "dog", "dog"]):
        path = tmp_path / "raw" / "train" / name / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image_bytes(32, 24, seed=number))
    manifest, labels, _, _ = ingest(tmp_path / "raw", IngestParams(), LabelMap("pets"))
    tfrecord.write(ExportJob(manifest, labels), tmp_path / "out")
    body = """
pairs = builder.as_dataset(split="train", as_supervised=True)
names = builder.info.features["image/class/label"].names
result = sorted([list(image.shape), names[int(label)]] for image, label in pairs), names"""
    expected = [[[24, 32, 3], "cat"], [[24, 32, 3], "dog"], [[24, 32, 3], "dog"]]
    assert in_tfds(tmp_path / "out", body) == [expected, ["background", "cat", "dog"]]


@pytest.mark.slow
def test_several_classes_an_image_are_a_sequence_in_tfds(tmp_path: Path) -> None:
    tfrecord.write(dataset(tmp_path, ["cat dög", "", "<b>"]), tmp_path / "out")
    body = """
result = [[int(label) for label in labels] for split in ("train", "valid", "test")
          for _, labels in builder.as_dataset(split=split, as_supervised=True)]"""
    assert in_tfds(tmp_path / "out", body) == [[1, 2], [], [3]]


@pytest.mark.slow
def test_boxes_and_labels_together(tmp_path: Path) -> None:
    images = [make_image(tmp_path / "in", id_, image_bytes(seed=ord(id_)), split="train") for id_ in "ab"]
    rows = [label("a", "day"), box("a", "cat", 0, 0, 16, 12), label("b", "night")]
    tfrecord.write(
        ExportJob(make_manifest(*images, *rows), LabelMap("ds").extended(["cat", "day", "night"])), tmp_path / "out"
    )
    body = """
result = sorted([int(example["image"]["class"]["label"]), example["image"]["object"]["bbox"]["xmax"].numpy().tolist(),
                 example["image"]["object"]["class"]["label"].numpy().tolist()]
                for example in builder.as_dataset(split="train"))"""
    assert in_tfds(tmp_path / "out", body) == [[2, [0.5], [1]], [3, [], []]]


def test_an_image_with_labels_alone_is_no_negative_of_a_format_without_them(tmp_path: Path) -> None:
    images = [make_image(tmp_path, id_, image_bytes(seed=ord(id_))) for id_ in "abc"]
    manifest = make_manifest(*images, label("a", "day"), box("a", "cat"), label("b", "night"))
    assert fitted(manifest, WRITERS["coco"].carries).images["image_id"].to_pylist() == ["a", "c"]
    assert [one.value for one in find_losses(manifest, WRITERS["coco"], masks=False)] == ["1 images", "2 labels"]


def test_detection_keeps_its_keys_and_metadata(tmp_path: Path) -> None:
    job = ExportJob(make_manifest(make_image(tmp_path, "a.jpg", split="train"), box()), LabelMap("ds", {"cat": 1}))
    tfrecord.write(job, tmp_path / "out")
    features = (tmp_path / "out/features.json").read_text()
    assert "image" in json.loads(features)["featuresDict"]["features"]
    assert b"image/class" not in (tmp_path / "out/ds-train.tfrecord-00000-of-00001").read_bytes()
    assert "supervisedKeys" not in (tmp_path / "out/dataset_info.json").read_text()
    assert len(list((tmp_path / "out").glob("*.labels.txt"))) == 1


# --- read back, and the stages between


@pytest.mark.slow
def test_read_back_counts_and_checks_labels(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    from shardsmith.proof.readback import read_back

    job = dataset(tmp_path, ["cat dög", "", "<b>", "cat"])
    tfrecord.write(job, tmp_path / "out")
    counts = count_manifest(job.manifest)
    assert (counts["boxes"], counts["negatives"]) == (4, 1)
    known = tmp_path / "known.json"
    assert read_back(tmp_path / "out", counts, known) == {"train": (2, 3), "valid": (1, 0), "test": (1, 1)}
    said = json.loads(known.read_text())
    said["files"][min(said["files"])] = (0, 0)  # is believed, as the bytes are those
    known.write_text(json.dumps(said))
    with pytest.raises(StageError, match="TensorFlow reads"):
        read_back(tmp_path / "out", counts, known)
    for damaged in (json.dumps(said | {"judge": "another"}), "[]", '{"judge": '):
        known.write_text(damaged)
        assert read_back(tmp_path / "out", counts, known)["train"] == (2, 3)
    (tmp_path / "out/label_map.pbtxt").write_text(LabelMap("ds", {"cat": 2, "dög": 1, "<b>": 3}).format())
    with pytest.raises(StageError, match=r"class id \d is .* here, and .* in the label map"):
        read_back(tmp_path / "out", counts)


@pytest.mark.slow
def test_read_back_compares_boxes_with_their_labels(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    from shardsmith.proof.readback import read_back

    job = ExportJob(make_manifest(make_image(tmp_path, "a.jpg", split="test"), box()), LabelMap("ds", {"cat": 1}))
    tfrecord.write(job, tmp_path / "out")
    shard = tmp_path / "out/ds-test.tfrecord-00000-of-00001"
    ((record, _),) = read_frames(shard)
    example = Example.FromString(record)
    for key in ("label", "text"):
        del example.features.feature[f"image/object/class/{key}"]
    shard.write_bytes(b"".join(frame(example.SerializeToString())))
    with pytest.raises(StageError, match=r"\(a\.jpg\): 0 class ids of boxes, but another number of bbox/xmin: 1"):
        read_back(tmp_path / "out", count_manifest(job.manifest))


def test_every_stage_passes_labels_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for number in range(20):
        path = Path("raw", ("cat", "dog")[number % 2], f"{number}.jpg")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image_bytes(seed=number))
    manifest, labels, findings, _ = ingest(Path("raw"), IngestParams(), LabelMap("d"))
    manifest, findings = validate(manifest, findings, Params())
    manifest, _ = split(manifest, Params())
    steps: list = [{"resize": {"width": 16, "height": 16, "mode": "fit"}}]
    manifest, lost, _ = preprocess(manifest, PreprocessParams(enabled=True, steps=steps), Path("preprocess"))
    turns = AugmentParams(enabled=True, copies=1, steps=[{"rotate": {"degrees": 90}}])
    manifest, also_lost, _ = augment(manifest, turns, Path("augment"))
    assert (findings, lost, also_lost) == ([], [], [])
    train = sum(row.split == "train" and not row.copy for row in manifest.image_rows())
    assert manifest.images.num_rows == manifest.annotations.num_rows == 20 + train
    assert all(row.image_id.startswith(row.label) and row.xmin is None for row in manifest.annotation_rows())
    tfrecord.write(ExportJob(Manifest.of(manifest.image_rows(), manifest.annotation_rows()), labels), Path("out"))
    assert json.loads(Path("out/dataset_info.json").read_text())["supervisedKeys"]


def test_labels_are_not_called_boxes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    enter(tmp_path, monkeypatch)
    for number, name in enumerate(["cat", "dog", "cat", "dog"]):
        make_image(Path("data/raw") / name, f"{number}.jpg", image_bytes(seed=number))
    run_stages("split: {seed: 3}")
    metrics = json.loads(Path("data/metrics.json").read_text())
    readme = Path("data/export/tfrecord/README.md").read_text()
    said = "\n".join([capsys.readouterr().out, summary(metrics, "x@one", "data/export"), readme.partition("## ")[0]])
    assert "4 images and 4 labels" in said
    assert "box" not in said
