"""What SECURITY.md promises, each with a case that breaks when the promise does."""

from __future__ import annotations

import ast
import functools
import http.server
import io
import json
import os
import stat
import struct
import subprocess
import tarfile
import threading
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import box, image_bytes, make_image, make_manifest
from test_formats import raw_folder, read
from workspaces import BIN

from flows import fetch
from flows.repository import Workspace
from stages.dataset.errors import ParamsError, RawDataError, ShardsmithError, StageError
from stages.dataset.images import decode, decoding_error, probe
from stages.dataset.label_map import MAX_ID, LabelMap, parse_label_map, read_label_map
from stages.formats import READERS, WRITERS, panlabel_inputs, tfrecord_masks, ultralytics, voc, yolo_darknet
from stages.formats.export_job import ExportJob
from stages.formats.raw_folder import RawFolder
from stages.formats.readme import plain
from stages.params import parse_params
from tools import archive

ROOT = Path(__file__).parents[1]
MODULES = sorted(path for folder in ("stages", "tools", "flows") for path in (ROOT / folder).rglob("*.py"))


# --- code that data could run


def _name(node: ast.AST) -> str:
    """The dotted name of what is called: `subprocess.run`."""
    return f"{_name(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else getattr(node, "id", "")


BANNED_MODULES = {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "yaml", "commands", "pty"}
BANNED_CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "os.execv", "tempfile.mktemp",
                "shutil.unpack_archive", "np.load", "numpy.load", "subprocess.getoutput",
                "asyncio.create_subprocess_shell"}  # fmt: skip
BANNED_METHODS = {"extractall", "unsafe_load", "full_load"}
PROCESSES = {
    "subprocess.run",
    "subprocess.Popen",
    "subprocess.call",
    "subprocess.check_call",
    "subprocess.check_output",
}
XML = {"Element", "ParseError", "SubElement", "tostring"}


def _offences(tree: ast.AST, path: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
            names = {alias.name for alias in node.names}
            tops = {module.partition(".")[0]} if module else {name.partition(".")[0] for name in names}
            if tops & BANNED_MODULES:
                yield f"{path}:{node.lineno}: imports {tops & BANNED_MODULES}"
            if (
                "xml" in tops
                and module != "xml.sax.saxutils"
                and not (module == "xml.etree.ElementTree" and names <= XML)
            ):
                yield f"{path}:{node.lineno}: parses XML without defusedxml"
        if isinstance(node, ast.Call):
            name = _name(node.func)
            keywords = {keyword.arg: keyword.value for keyword in node.keywords}
            filtered = isinstance(at := keywords.get("filter"), ast.Constant) and at.value == "data"
            if name in BANNED_CALLS or (name.rpartition(".")[2] in BANNED_METHODS and not filtered):
                yield f"{path}:{node.lineno}: calls {name}"
            if name == "YAML" and not (isinstance(at := keywords.get("typ"), ast.Constant | None) and
                                       (at is None or at.value in ("safe", "rt"))):  # fmt: skip
                yield f"{path}:{node.lineno}: reads YAML that may name Python objects"
            if "shell" in keywords:
                yield f"{path}:{node.lineno}: starts a shell"
            if name in PROCESSES and node.args and isinstance(node.args[0], ast.JoinedStr | ast.Constant | ast.BinOp):
                yield f"{path}:{node.lineno}: a command that is a string"
            if name in ("Image.open", "PilImage.open") and path not in (
                "stages/dataset/images.py",
                "flows/snippets.py",
            ):
                yield f"{path}:{node.lineno}: opens an image past the limit of its pixels"


def test_no_code_is_run_from_data() -> None:
    """By the syntax trees of our packages; flows/snippets.py holds examples for people's own code."""
    offences = [
        each
        for path in MODULES
        for each in _offences(ast.parse(path.read_text(encoding="utf-8")), path.relative_to(ROOT).as_posix())
    ]
    assert (offences, len(MODULES) > 100) == ([], True)


@pytest.mark.parametrize(
    "code",
    [
        "import pickle", "from marshal import loads", "import yaml", "eval(x)", "os.system('ls')",
        "tape.extractall(folder)",
        "subprocess.run(f'ls {x}')", "subprocess.run(['ls'], shell=True)", "YAML(typ='unsafe')",
        "import xml.dom.minidom",
        "from xml.etree.ElementTree import fromstring", "Image.open(path)",
    ],
)  # fmt: skip
def test_the_search_finds(code: str) -> None:
    assert list(_offences(ast.parse(code), "x.py"))


@pytest.mark.parametrize("names", ["!!python/object/apply:os.system ['touch {}']", "[!!python/name:os.system , a]"])
def test_yaml_runs_nothing(tmp_path: Path, names: str) -> None:
    with pytest.raises(RawDataError, match=r"data\.yaml"):
        ultralytics.parse_data(f"nc: 1\ntrain: x\nnames: {names.format(tmp_path / 'made')}\n", "data.yaml")
    assert not (tmp_path / "made").exists()


# --- XML

LOL = '<!DOCTYPE a [<!ENTITY a "lol">' + "".join(
    f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
ENTITIES = {
    "bomb": f"{LOL}]>",
    "file": '<!DOCTYPE a [<!ENTITY i SYSTEM "file:///etc/passwd">]>',
    "address": '<!DOCTYPE a [<!ENTITY i SYSTEM "http://127.0.0.1:9/x">]>',
    "parameter": '<!DOCTYPE a [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p; <!ENTITY i "x">]>',
}


@pytest.mark.parametrize("kind", list(ENTITIES))
def test_xml_entities_are_refused(tmp_path: Path, kind: str) -> None:
    said = voc.parse(f"{ENTITIES[kind]}<annotation><filename>&i;</filename></annotation>".encode(), "a.xml")
    assert [(one.code, one.file) for one in said.findings] == [("annotation-unreadable", "a.xml")]
    cvat = f'{ENTITIES[kind]}<annotations><image name="a.jpg"/><x>&i;</x></annotations>'
    folder = raw_folder(tmp_path, {"a.jpg": image_bytes(), "x.xml": cvat})
    assert panlabel_inputs.Prepared(folder, "x.xml").refused


@pytest.mark.parametrize("encoding", ["utf-7", "unicode_escape", "idna", "punycode", "zlib", "rot13", "no-such"])
def test_xml_in_an_encoding_of_no_file(encoding: str) -> None:
    said = voc.parse(f'<?xml version="1.0" encoding="{encoding}"?><annotation/>'.encode(), "a.xml")
    assert [one.code for one in said.findings] == ["annotation-unreadable"]


# --- images


def _png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(10**6)))
        + chunk(b"IEND", b"")
    )


def _jpeg(width: int, height: int) -> bytes:
    data = image_bytes(16, 16)
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


def _gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + image_bytes(8, 8, format="GIF")[10:]


def _bmp(width: int, height: int) -> bytes:
    data = image_bytes(8, 8, format="BMP")
    return data[:18] + struct.pack("<ii", width, height) + data[26:]


def _webp(width: int, height: int) -> bytes:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + sides + image_bytes(8, 8, format="WEBP")[12:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _tiff(width: int, height: int) -> bytes:
    tags = [(256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, height), (279, 100)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + entries + bytes(104)


@pytest.mark.parametrize("make", [_png, _jpeg, _gif, _bmp, _webp, _tiff])
@pytest.mark.parametrize("side", [60_000, 12_000])
def test_pixel_bombs_are_refused_by_header(make, side: int) -> None:
    """60,000 a side is too many for any file; 12,000 for a file that is too small to hold them."""
    data = make(side, side)
    start = time.process_time()
    info = probe(data)
    assert (info.width, info.format) == (None, None)
    assert f"{side} x {side} pixels" in info.error or make is _webp, info.error  # Pillow reads all of a WebP first
    with pytest.raises(ValueError):
        decode(data)
    assert decoding_error(data, "jpeg" if make is _jpeg else "png")
    assert time.process_time() - start < 1


def test_a_mask_is_no_bomb() -> None:
    with pytest.raises(ValueError, match="60000 x 60000"):
        tfrecord_masks.outline_of(_png(60_000, 60_000), _png(60_000, 60_000))


def test_large_photos_stay() -> None:
    """108 megapixels at a bit a pixel, and a drawing of 49 megapixels in one colour."""
    assert probe(_jpeg(12_000, 9_000) + bytes(13_500_000)).error == ""
    assert probe(_png(7_000, 7_000)).width == 7_000


@pytest.mark.parametrize(
    "head",
    [
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n",
        b"8BPS\0\1",
        b"SIMPLE  =",
        b"\xd7\xcd\xc6\x9a",
    ],
)
def test_a_picture_is_only_what_its_bytes_say(monkeypatch: pytest.MonkeyPatch, head: bytes) -> None:
    """Pillow starts Ghostscript for EPS, whatever the file's name says."""
    monkeypatch.setattr("subprocess.Popen", lambda *a, **b: pytest.fail("a program was started"))
    data = head + bytes(200)
    assert probe(data).error
    with pytest.raises(ValueError):
        decode(data)


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


@pytest.mark.parametrize("format", sorted(WRITERS))
@pytest.mark.parametrize("label", ODD_NAMES)
def test_class_names_make_no_paths(tmp_path: Path, format: str, label: str) -> None:
    image = make_image(tmp_path / "raw", "a.jpg", split="train")
    row = box("a.jpg", label)
    if format in ("class_folders", "multiclass_csv"):
        row.xmin = row.ymin = row.xmax = row.ymax = None
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
    out = tmp_path / "work/out"
    WRITERS[format].write(ExportJob(make_manifest(image, row), LabelMap("x", {"cat": 1})), out)
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "work"}
    if format != "tfrecord":
        folder = raw_folder(out, {})
        found = READERS[format].read(folder, READERS[format].detect(folder))
        assert (len(folder.images), len(found.entries), len(found.annotations)) == (1, 1, 1), found.findings


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
    "zip slip": (_zip(("../x", 0, b"x")), "leads out"),
    "zip slip by backslash": (_zip(("..\\x", 0, b"x")), "leads out"),
    "zip absolute": (_zip(("/tmp/x", 0, b"x")), "leads out"),
    "zip drive": (_zip(("C:/x", 0, b"x")), "leads out"),
    "zip link": (_zip(("a", LINK, b"/etc/passwd")), "not a plain file"),
    "zip pipe": (_zip(("a", FIFO, b"")), "not a plain file"),
    "zip bomb": (_zip(("a", 0, bytes(150 * 10**6))), "far more"),
    "zip bomb in parts": (_zip(*((str(n), 0, bytes(2 * 10**6)) for n in range(60))), "far more"),
    "zip long name": (_zip(("x" * 300, 0, b"x")), "no name that a file can have"),
    "zip deep": (_zip(("a/" * 500 + "x", 0, b"x")), "no name that a file can have"),
    "zip cut": (_zip(("a", 0, b"x" * 999))[:-30], "neither a folder nor"),
    "tar slip": (_tar("../x"), "leads out"),
    "tar absolute": (_tar("/tmp/x"), "leads out"),
    "tar link": (_tar("a", tarfile.SYMTYPE, "/etc"), "not a plain file"),
    "tar hard link": (_tar("a", tarfile.LNKTYPE, "/etc/passwd"), "not a plain file"),
    "tar device": (_tar("a", tarfile.CHRTYPE), "not a plain file"),
    "tar pipe": (_tar("a", tarfile.FIFOTYPE), "not a plain file"),
    "tar bomb": (_tar(size=150 * 10**6, mode="w:gz"), "far more"),
    "tar long name bomb": (_tar("a", tarfile.GNUTYPE_LONGNAME, size=20 * 10**6, mode="w:gz"), "header of 20,000,000"),
    "tar notes bomb": (_tar("a", tarfile.XHDTYPE, size=20 * 10**6, mode="w:gz"), "header of 20,000,000"),
}  # fmt: skip


@pytest.mark.parametrize("kind", list(ARCHIVES))
def test_archives_are_confined(tmp_path: Path, kind: str) -> None:
    data, message = ARCHIVES[kind]
    (tmp_path / "a.bin").write_bytes(data)
    (tmp_path / "out/inner").mkdir(parents=True)
    with pytest.raises(RawDataError, match=message) as error:
        archive.unpack(tmp_path / "a.bin", tmp_path / "out/inner")
    assert "a.bin" in str(error.value)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["inner"]
    assert not any(path.is_symlink() or path.is_fifo() for path in (tmp_path / "out").rglob("*"))


def test_archives_have_so_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_FILES", 2)
    (tmp_path / "a.zip").write_bytes(_zip(*((f"{n}/", 0, b"") for n in range(3))))
    with pytest.raises(RawDataError, match="far more"):
        archive.unpack(tmp_path / "a.zip", tmp_path / "out")


# --- text from data that takes long


@pytest.mark.parametrize(
    "work",
    [
        lambda folder: voc.parse(b'<?xml version="1.0" ' + b'encoding="a" ' * 60_000, "a.xml"),
        lambda folder: voc._image_sets(raw_folder(folder, {"Main/train.txt": "a" + " " * 100_000 + "b", "a.jpg": b""})),
        lambda folder: yolo_darknet.parse_options("train = a" + " " * 100_000 + "b"),
        lambda folder: ultralytics.detect(
            raw_folder(folder, {"data.yaml": "nc:\n" * 65_000, "a.jpg": b"", "a.txt": b""})
        ),
        lambda folder: READERS["tfrecord"].read(raw_folder(folder, {"a.pbtxt": "\n" * 100_000, "a.jpg": b""}), []),
        lambda folder: parse_label_map(LabelMap("x", {"\\" * 60_000: 1}).format(), "x"),
        lambda folder: parse_label_map(LabelMap("x", {str(n): n for n in range(1, 20_000)}).format(), "x"),
        lambda folder: pytest.raises(ParamsError, parse_params, "nc:\n" * 60_000),
    ],
    ids=["XML declaration", "image set", ".data", "data.yaml", "label map", "backslashes", "classes", "params.yaml"],
)
def test_patterns_do_not_hang(tmp_path: Path, work) -> None:
    start = time.process_time()
    work(tmp_path)
    assert time.process_time() - start < 2


# --- what else the fuzzing of test_fuzz.py found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"\xff\xfe", "not UTF-8"),
        (b"item {" * 10_000, "nested too deep"),
        (b"item { id: 99999999999 }", "no label map"),
    ],
)
def test_label_maps_that_are_none(tmp_path: Path, text: bytes, message: str) -> None:
    (tmp_path / "label_map.pbtxt").write_bytes(text)
    with pytest.raises(StageError, match=f"label_map.pbtxt.*{message}"):
        read_label_map(tmp_path / "label_map.pbtxt")


@pytest.mark.parametrize("name", ["\\", "\\\\", "a\\134", "\\x4", "\\u0041\\\\n", "\"\\'"])
def test_backslashes_in_a_label_map(name: str) -> None:
    assert parse_label_map(LabelMap("x", {name: 1}).format(), "x").ids == {name: 1}


def test_an_id_does_not_fill_memory() -> None:
    assert parse_label_map('item { name: "a" id: 2147483647 }', "x").ids == {"a": 2**31 - 1}  # of someone's records
    with pytest.raises(RawDataError, match="pins 'a' to id"):
        LabelMap("x").extended(["a"], {"a": MAX_ID + 1})


def test_half_a_surrogate_pair_is_replaced(tmp_path: Path) -> None:
    coco = (
        '{"images": [{"id": 1, "file_name": "a.jpg"}], "categories":'
        ' [{"id": 1, "name": "x\\ud800\\\\ud800\\ud83e\\udd9d"}],'
        ' "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5]}]}'
    )
    assert read(tmp_path, {"a.jpg": image_bytes(), "a.json": coco}).classes == ["x\ufffd\\ud800\U0001f99d"]


def test_a_class_list_with_a_number_of_5000_digits(tmp_path: Path) -> None:
    files = {"a.jpg": image_bytes(), "r.csv": "a.jpg,1,1,9,9,cat\n", "c.csv": f"cat,{'9' * 5000}\n"}
    assert read(tmp_path, files).classes == []


# --- downloads


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """A server on loopback: /a.jpg, /big, and /to?X that sends on to X."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/to?"):
                self.send_response(302)
                self.send_header("Location", self.path.partition("?")[2])
                self.end_headers()
            else:
                super().do_GET()

        def log_message(self, *arguments: object) -> None:
            pass

    (tmp_path / "web").mkdir()
    (tmp_path / "web/a.jpg").write_bytes(image_bytes())
    (tmp_path / "web/big").write_bytes(bytes(3000))
    handler = functools.partial(Handler, directory=str(tmp_path / "web"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


def test_downloads_keep_to_what_was_asked(tmp_path: Path, web: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "MAX_IMAGE_BYTES", 2500)
    (tmp_path / "work/data/raw").mkdir(parents=True)
    (tmp_path / SECRET).write_bytes(image_bytes())
    said: list[str] = []
    here = f"file://{tmp_path}/{SECRET}"
    bad = [
        ("file.jpg", here), ("chain.jpg", f"{web}/a.jpg::{here}"), ("cache.jpg", f"simplecache::{here}"),
        ("local.jpg", str(tmp_path)),
        ("on.jpg", f"{web}/to?{here}"), ("big.jpg", f"{web}/big"), ("..", f"{web}/a.jpg"), (".gitignore",
        f"{web}/a.jpg"),
        ("a\0.jpg", f"{web}/a.jpg"), ("\x1b]0;x\x07.jpg", f"{web}/a.jpg"), ("x" * 300, f"{web}/a.jpg"), ("none.jpg",
        "http://[::1"),
        ("key.jpg", web.replace("//", "//bob:SECRET@") + "/none?token=SECRET"),
    ]  # fmt: skip
    good = [("../../a.jpg", f"{web}/a.jpg"), ("-rf.jpg", f"{web}/to?/a.jpg")]
    came = fetch.fetch_images(Workspace(tmp_path / "work"), [*bad, *good], said.append)
    assert (came, sorted(path.name for path in (tmp_path / "work/data/raw").iterdir())) == (2, ["-rf.jpg", "a.jpg"])
    assert len(said) == len(bad), said
    assert not any(secret in line for line in said for secret in ("SECRET", "\x1b", "\0"))


def test_addresses_are_shown_without_their_secrets() -> None:
    assert fetch.shown_address("https://bob:pw@x.org:8/a.zip?sig=1#f") == "https://x.org:8/a.zip"


def test_names_are_shown_as_text() -> None:
    assert fetch.printable("a\x1b]0;x\x07\u202e|") == "a\\x1b]0;x\\x07\\u202e|"
    assert plain("<script>|`x`[a](b)\x1b]0;x\x07") == r"&lt;script>\|\`x\`\[a\](b)\\x1b\]0;x\\x07"


def test_every_error_here_is_ours() -> None:
    assert issubclass(RawDataError, ShardsmithError)


@pytest.mark.parametrize("option", ["--repo", "--remote"])
def test_secrets_in_addresses_are_not_printed(option: str, tmp_path: Path) -> None:
    address = "https://user:hunter2@127.0.0.1:9/team/birds?token=hunter2"
    done = subprocess.run(
        [BIN / "shardsmith", "pull", "birds@v1", "--out", str(tmp_path / "out"), option, address],
        cwd=tmp_path, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 1
    assert "https://127.0.0.1:9/team/birds" in done.stderr
    assert "hunter2" not in done.stdout + done.stderr
