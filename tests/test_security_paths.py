"""Names in annotations, archives and class lists that lead out of their folder: what SECURITY.md promises of paths."""

from __future__ import annotations

import io
import json
import os
import resource
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from conftest import box, image_bytes, make_image, make_manifest
from test_formats import raw_folder, read

from shardsmith.dataset import archive
from shardsmith.dataset.errors import RawDataError, StageError
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.shapes import Skeleton
from shardsmith.formats.registry import READERS, WRITERS, set_aside_annotations
from shardsmith.formats.shared.job import ExportJob
from shardsmith.formats.shared.raw_folder import RawFolder
from shardsmith.pipeline.ingest import find_format
from shardsmith.versions.space import scan

pytestmark = pytest.mark.usefixtures("attack")


# --- paths

SECRET = "secret.jpg"


@pytest.mark.parametrize(
    "name", ["../secret.jpg", "{}/secret.jpg", "x/../../secret.jpg", "..\\secret.jpg", "file://{}/secret.jpg"]
)
@pytest.mark.parametrize("format", ["coco", "voc", "tfod_csv", "retinanet_csv", "yolo_keras", "labelbox"])
def test_annotations_cannot_name_what_lies_outside(tmp_path: Path, format: str, name: str) -> None:
    (tmp_path / SECRET).write_bytes(image_bytes())
    name = name.format(tmp_path)
    row = {"data_row": {"external_id": name}, "projects": {"p": {"labels": [{"annotations": {"objects": []}}]}}}
    file, said = {
        "coco": ("a.json", json.dumps({"images": [{"id": 1, "file_name": name}], "annotations": [], "categories": []})),
        "voc": ("z.xml", f"<annotation><filename>{name}</filename></annotation>"),
        "tfod_csv": ("a.csv", f"filename,width,height,class,xmin,ymin,xmax,ymax\n{name},9,9,cat,1,1,9,9\n"),
        "retinanet_csv": ("a.csv", f"{name},1,1,9,9,cat\n"),
        "yolo_keras": ("_annotations.txt", f"{name} 1,1,9,9,0\n"),
        "labelbox": ("a.ndjson", json.dumps(row)),
    }[format]
    source = read(tmp_path / "raw", {"b.jpg": image_bytes(), "_classes.txt": "cat", file: said} if format ==
    "yolo_keras"
                  else {"b.jpg": image_bytes(), file: said})  # fmt: skip
    assert (list(source.entries), "image-missing" in [one.code for one in source.findings]) == ([], True)


@pytest.mark.parametrize("target", ["../secret.jpg", "/etc/passwd", "../outside"])
def test_links_out_of_raw_data_are_refused(tmp_path: Path, target: str) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / SECRET).write_bytes(image_bytes())
    (tmp_path / "raw/a.jpg").symlink_to(target)
    with pytest.raises(RawDataError, match=r"a\.jpg: a link that leads out"):
        RawFolder.scan(tmp_path / "raw")


@pytest.mark.parametrize("name", ["a.jpg", "a.xml", ".hidden"])
def test_a_pipe_is_not_waited_for(tmp_path: Path, name: str) -> None:
    (tmp_path / "raw").mkdir()
    os.mkfifo(tmp_path / "raw" / name)
    (tmp_path / "raw/b.jpg").symlink_to(name)
    for look in (RawFolder.scan, scan, lambda raw: archive.opened(raw / name).__enter__()):
        with pytest.raises(RawDataError, match="a pipe, socket or device"):
            look(tmp_path / "raw")


def test_a_file_name_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "\udcff.jpg").write_bytes(image_bytes())
    with pytest.raises(RawDataError, match=r"\\xff\.jpg: its name is not UTF-8"):
        RawFolder.scan(tmp_path)


ODD_NAMES = [
    "../../x",
    "/x",
    "..",
    ".",
    "a\0b",
    "a\nb",
    "\x1b]0;x\x07",
    "x" * 300,
    "a/b",
    "a\\b",
    ".hidden",
    "",
    "-rf",
    "CON",
    "a b",
    "猫",
]


POINT = "[3,4,2]", Skeleton(("nose",), (), (0,)).text()


@pytest.mark.parametrize("format", sorted(WRITERS))
@pytest.mark.parametrize("label", ODD_NAMES)
def test_class_names_make_no_paths(tmp_path: Path, format: str, label: str) -> None:
    image = make_image(tmp_path / "raw", "a.jpg", split="train")
    row = box("a.jpg", label)
    if format in ("class_folders", "multiclass_csv"):
        row.xmin = row.ymin = row.xmax = row.ymax = None
    row.keypoints, row.skeleton = POINT
    (tmp_path / "work").mkdir()
    try:
        WRITERS[format].write(ExportJob(make_manifest(image, row), LabelMap("x", {label: 1})), tmp_path / "work/out")
    except StageError as error:
        assert "rename it" in str(error)
    assert {path.name for path in (tmp_path / "work").iterdir()} <= {"out"}
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "work"}


@pytest.mark.parametrize("format", sorted(WRITERS))
@pytest.mark.parametrize(
    "name", ["a\nb.jpg", "\x1b]0;x.jpg", "-rf.jpg", "CON.jpg", "é" * 120 + ".jpg", "a b.jpg", "a,b;c.jpg", "<b>&.jpg"]
)
def test_image_names_make_no_paths(tmp_path: Path, format: str, name: str) -> None:
    """What is written has as many images as it should, and reading it names no other file."""
    image = make_image(tmp_path / "raw", name, split="train")
    row = box(name, "cat")
    if format in ("class_folders", "multiclass_csv"):
        row.xmin = row.ymin = row.xmax = row.ymax = None
    row.keypoints, row.skeleton, row.segmentation = *POINT, "[[2,3,12,3,12,13,2,13]]"
    out = tmp_path / "work/out"
    WRITERS[format].write(ExportJob(make_manifest(image, row), LabelMap("x", {"cat": 1})), out)
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "work"}
    if format not in ("array_record", "huggingface", "jsonl", "tfrecord", "webdataset"):
        folder = raw_folder(out, {})
        set_aside_annotations(folder)
        reader, files = find_format(folder)
        found = READERS[reader].read(folder, files)
        assert (len(folder.image_files), len(found.entries), len(found.annotations)) == (1, 1, 1), found.findings


# --- archives


def _zip(*entries: tuple[str, int, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, mode, data in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr, info.compress_type = mode << 16, zipfile.ZIP_DEFLATED
            packed.writestr(info, data)
    return stream.getvalue()


def _tar(name: str = "a.jpg", kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0, mode: str = "w") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as packed:  # type: ignore[call-overload]
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname, entry.size = kind, link, size
        packed.addfile(entry, io.BytesIO(bytes(size)) if size else None)
    return stream.getvalue()


LINK, FIFO = stat.S_IFLNK | 0o777, stat.S_IFIFO | 0o644
ARCHIVES = {
    "zip slip": (lambda: _zip(("../x", 0, b"x")), "leads out"),
    "zip slip by backslash": (lambda: _zip(("..\\x", 0, b"x")), "leads out"),
    "zip absolute": (lambda: _zip(("/tmp/x", 0, b"x")), "leads out"),
    "zip drive": (lambda: _zip(("C:/x", 0, b"x")), "leads out"),
    "zip link": (lambda: _zip(("a", LINK, b"/etc/passwd")), "not a plain file"),
    "zip pipe": (lambda: _zip(("a", FIFO, b"")), "not a plain file"),
    "zip bomb": (lambda: _zip(("a", 0, bytes(150 * 10**6))), "far more"),
    "zip bomb in parts": (lambda: _zip(*((str(n), 0, bytes(2 * 10**6)) for n in range(60))), "far more"),
    "zip long name": (lambda: _zip(("x" * 300, 0, b"x")), "no name that a file can have"),
    "zip deep": (lambda: _zip(("a/" * 500 + "x", 0, b"x")), "no name that a file can have"),
    "zip cut": (lambda: _zip(("a", 0, b"x" * 999))[:-30], "neither a folder nor"),
    "tar slip": (lambda: _tar("../x"), "leads out"),
    "tar absolute": (lambda: _tar("/tmp/x"), "leads out"),
    "tar link": (lambda: _tar("a", tarfile.SYMTYPE, "/etc"), "not a plain file"),
    "tar hard link": (lambda: _tar("a", tarfile.LNKTYPE, "/etc/passwd"), "not a plain file"),
    "tar device": (lambda: _tar("a", tarfile.CHRTYPE), "not a plain file"),
    "tar pipe": (lambda: _tar("a", tarfile.FIFOTYPE), "not a plain file"),
    "tar bomb": (lambda: _tar(size=150 * 10**6, mode="w:gz"), "far more"),
    "tar name bomb": (lambda: _tar("a", tarfile.GNUTYPE_LONGNAME, size=2 * 10**7, mode="w:gz"), "header of 20,000,000"),
    "tar notes bomb": (lambda: _tar("a", tarfile.XHDTYPE, size=20 * 10**6, mode="w:gz"), "header of 20,000,000"),
}  # fmt: skip


@pytest.mark.parametrize("kind", list(ARCHIVES))
def test_archives_are_confined(tmp_path: Path, kind: str) -> None:
    data, message = ARCHIVES[kind]
    (tmp_path / "a.bin").write_bytes(data())
    (tmp_path / "out/inner").mkdir(parents=True)
    with pytest.raises(RawDataError, match=message) as error:
        archive.unpack(tmp_path / "a.bin", tmp_path / "out/inner")
    assert "a.bin" in str(error.value)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["inner"]
    assert not any(path.is_symlink() or path.is_fifo() for path in (tmp_path / "out").rglob("*"))


def test_a_file_that_asks_for_a_dictionary_of_gigabytes_gets_none(tmp_path: Path) -> None:
    """LZMA without a container has its size in the first five bytes, and any bytes will do."""
    (tmp_path / "a.tar").write_bytes(b"\x5d\0\0\0\x80" + b"\0" * 600)
    limit, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 500_000_000, hard))
    try:
        with pytest.raises(RawDataError, match="neither a folder nor"):
            archive.unpack(tmp_path / "a.tar", tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def test_archives_have_so_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_FILES", 2)
    (tmp_path / "a.zip").write_bytes(_zip(*((f"{n}/", 0, b"") for n in range(3))))
    with pytest.raises(RawDataError, match="far more"):
        archive.unpack(tmp_path / "a.zip", tmp_path / "out")
