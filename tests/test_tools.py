"""convert, inspect and formats: the same readers, checks and writers without a version."""

from __future__ import annotations

import io
import json
import re
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest
from conftest import box, image_bytes, make_image, make_manifest
from test_formats import OBJECT, XML

from shardsmith.conversion.convert import convert
from shardsmith.dataset.archive import unpack
from shardsmith.dataset.errors import RawDataError, ShardsmithError, StageError
from shardsmith.dataset.label_map import LabelMap
from shardsmith.formats.choice import format_rows
from shardsmith.formats.format import Format
from shardsmith.formats.losses import count_held, find_losses
from shardsmith.formats.registry import CARRYABLE, FORMATS, WRITERS
from shardsmith.formats.shared.job import ExportJob
from shardsmith.formats.tfrecord import format as tfrecord
from shardsmith.inspect.contents import as_text, inspect
from shardsmith.pipeline.ingest import ingest
from shardsmith.pipeline.params import IngestParams

DETECTION = [name for name in WRITERS if "boxes" in WRITERS[name].carries and WRITERS[name].is_read]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Eight VOC images with a box each, and a negative."""
    folder = tmp_path / "my set"
    folder.mkdir()
    for number in range(9):
        (folder / f"{number}.jpg").write_bytes(image_bytes(40, 30, number))
        xml = XML.replace("32", "40").replace("24", "30").replace("a.jpg", f"{number}.jpg")
        (folder / f"{number}.xml").write_text(xml.format(OBJECT.format("cat", 2, 3, 12, 13) if number else ""))
    return folder


def read_again(folder: Path, work: Path) -> tuple[int, int]:
    manifest = ingest(folder, IngestParams(), LabelMap("d"), work)[0]
    return manifest.images.num_rows, manifest.annotations.num_rows


@pytest.mark.parametrize("to", DETECTION)
def test_convert_to_each_format_and_back(source: Path, tmp_path: Path, to: str) -> None:
    done = convert(source, to, tmp_path / "out", fractions="0.5,0.3,0.2")
    assert (done.read_as, done.images, done.boxes) == ("voc", 9, 8)
    negatives = "negatives" in WRITERS[to].carries
    assert [f.value for f in done.findings if f.code == "not-exported"] == ([] if negatives else ["1 negatives"])
    again = convert(tmp_path / "out", "coco", tmp_path / "back")
    assert (again.read_as, again.images, again.boxes) == (to, 9 if negatives else 8, 8)


@pytest.mark.parametrize("to", ["multiclass_csv", "class_folders"])
def test_formats_without_boxes_get_the_classes_of_the_boxes(source: Path, tmp_path: Path, to: str) -> None:
    done = convert(source, to, tmp_path / "out")
    losses = [finding for finding in done.findings if finding.code == "not-exported"]
    assert [loss.value for loss in losses] == ["8 boxes"] + ["1 negatives"] * (to == "class_folders")
    again = convert(tmp_path / "out", "class_folders", tmp_path / "again", read_as=to)
    assert again.boxes == 8
    with pytest.raises(StageError, match="choose one that carries labels"):
        convert(tmp_path / "again", "coco", tmp_path / "none", read_as="class_folders")


def test_convert_keeps_a_source_without_splits_without(source: Path, tmp_path: Path) -> None:
    convert(source, "coco", tmp_path / "out")
    assert (tmp_path / "out/annotations/instances.json").is_file()
    assert "my_set" in (tmp_path / "out/README.md").read_text()


@pytest.mark.parametrize("name", ["set.zip", "set.tar.gz"])
def test_convert_takes_an_archive(source: Path, tmp_path: Path, name: str) -> None:
    kind = "zip" if name.endswith("zip") else "gztar"
    archive = shutil.make_archive(str(tmp_path / "set"), kind, source)
    assert convert(Path(archive), "voc", tmp_path / "out").images == 9


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"to": "yolo99"}, "--to yolo99: no such format; did you mean ultralytics ("),
        ({"read_as": "x"}, "--from x: no such format"),
        ({"fractions": "a,b"}, "not shares of train, valid and test"),
        ({"fractions": "0.5,0.1"}, "0.6 together"),
        ({"out": "."}, "exists already"),
        ({"source": "none"}, "no such folder or archive"),
    ],
)
def test_convert_says_what_is_wrong(source: Path, tmp_path: Path, arguments: dict, error: str) -> None:
    given = {"source": source, "to": "coco", "out": tmp_path / "out"} | arguments
    for key in ("source", "out"):
        given[key] = tmp_path / given[key]
    with pytest.raises(ShardsmithError, match=re.escape(error)):
        convert(**given)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["../out.jpg", "/abs.jpg", "a/../../out.jpg", "C:/x.jpg", "..\\out.jpg"])
def test_an_archive_that_leads_outside_is_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr(name, b"x")
    with tarfile.open(tmp_path / "a.tar", "w") as packed_tar:
        packed_tar.addfile(tarfile.TarInfo(name), io.BytesIO(b""))
    for archive in ("a.zip", "a.tar"):
        (tmp_path / archive[2:]).mkdir()
        with pytest.raises(RawDataError, match="leads out"):
            unpack(tmp_path / archive, tmp_path / archive[2:])
        assert not list((tmp_path / archive[2:]).rglob("*.jpg"))


def test_an_archive_with_a_link_or_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = tarfile.TarInfo("a.jpg")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
    with tarfile.open(tmp_path / "link.tar", "w") as packed_tar:
        packed_tar.addfile(link)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.jpg", bytes(2_000_000))
    (tmp_path / "broken.zip").write_bytes((tmp_path / "bomb.zip").read_bytes()[:-30])
    monkeypatch.setattr("shardsmith.dataset.archive._SMALL", 1000)
    for name, message in (("link.tar", "not a plain file"), ("bomb.zip", "far more"), ("broken.zip", "neither|unpack")):
        with pytest.raises(RawDataError, match=message):
            unpack(tmp_path / name, tmp_path / "out")


def test_inspect_opens_records(tmp_path: Path) -> None:
    rows = make_image(tmp_path, "a.jpg", split="train"), box("a.jpg", "cat"), box("a.jpg", "dog")
    tfrecord.write(ExportJob(make_manifest(*rows), LabelMap("d", {"cat": 1, "dog": 2})), tmp_path / "out")
    (record,) = (tmp_path / "out").glob("*.tfrecord-*")
    found = inspect(record, tmp_path / "sheet.png")
    assert (found["records"], found["damaged"], found["classes"]) == (1, [], {"cat": 1, "dog": 1})
    assert found["keys"]["image/object/bbox/xmin"] == {"type": "float32", "records": 1, "shortest": 2, "longest": 2}
    assert found["first"]["image/object/class/text"] == ["cat", "dog"]
    assert (tmp_path / "sheet.png").read_bytes()[:4] == b"\x89PNG"
    record.write_bytes(record.read_bytes()[:-3])
    assert inspect(record)["damaged"] != []


def test_inspect_opens_label_maps_and_folders(source: Path, tmp_path: Path) -> None:
    (tmp_path / "m.pbtxt").write_text('item { id: 1, name: "cat", }')
    assert inspect(tmp_path / "m.pbtxt")["classes"] == {"cat": 1}
    found = inspect(source, tmp_path / "sheet.png")
    assert (found["format"], found["images"], found["holds"]) == ("voc", 9, {"boxes": 8, "negatives": 1})
    assert "1.jpg: cat 2 3 12 13" in "\n".join(as_text(found))


@pytest.mark.parametrize("name", ["none", "text.txt"])
def test_inspect_says_what_it_cannot_open(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.txt").write_text("hello")
    with pytest.raises(RawDataError, match=f"{name}: no"):
        inspect(tmp_path / name)


def test_inspect_opens_the_raccoons_own_record(raccoon: Path) -> None:
    found = inspect(raccoon / "as" / "test.record")
    assert (found["records"], found["classes"]) == (40, {"raccoon": 44})


def test_what_a_manifest_holds_and_what_of_it_is_lost(tmp_path: Path) -> None:
    attributes = json.dumps({"difficult": 1, "truncated": 0, "pose": "Unspecified", "colour": "red"})
    manifest = make_manifest(
        make_image(tmp_path, "a.jpg", split="train"),
        make_image(tmp_path, "b.jpg"),
        box("a.jpg", "cat", attributes=attributes, is_crowd=True, area=3.0, segmentation="[[1,1,2,2,3,3]]"),
        box("a.jpg", "cat", segmentation='{"size": [1, 1], "counts": ""}'),
    )
    held = {word: count for word, count in count_held(manifest).items() if count}
    assert held == {
        "boxes": 2, "outlines": 1, "masks": 1, "negatives": 1, "splits": 1, "crowd": 1, "area": 1,
        "difficult": 1, "attributes": 1,
    }  # fmt: skip
    some = Format("x", "X", frozenset({"boxes", "splits", "masks", "area"}))
    lost = [finding.value for finding in find_losses(manifest, some, masks=False)]
    assert lost == ["1 outlines", "1 negatives", "1 crowd", "1 difficult", "1 attributes"]


def test_every_format_says_what_it_carries() -> None:
    for module in FORMATS.values():
        assert module.title
        assert CARRYABLE.keys() >= module.carries
    assert all(module.loading for module in WRITERS.values())


def test_readme_has_the_table_of_formats() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    for title, name, read, written, _ in format_rows()[1:]:
        assert f"| {title} | `{name}` | {read} | {written} |" in readme
