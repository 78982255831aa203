"""What SECURITY.md promises of files that are read, each with a case that breaks when the promise does."""

from __future__ import annotations

import struct
import time
import zlib
from pathlib import Path

import pytest
from conftest import image_bytes
from test_formats import raw_folder, read

from shardsmith.dataset.errors import ParamsError, RawDataError, StageError
from shardsmith.dataset.images import decode, decoding_error, probe
from shardsmith.dataset.label_map import MAX_ID, LabelMap, parse_label_map, read_label_map
from shardsmith.formats.panlabel import format as panlabel
from shardsmith.formats.registry import READERS
from shardsmith.formats.tfrecord import masks as tfrecord_masks
from shardsmith.formats.voc import xml as voc
from shardsmith.formats.voc.sets import read_sets
from shardsmith.formats.yolo import darknet as yolo_darknet
from shardsmith.formats.yolo import ultralytics
from shardsmith.pipeline.ingest import fold_name
from shardsmith.pipeline.params import parse_params

ATTACK = pytest.mark.usefixtures("attack")  # counted at the end of pytest's output
SECRET = "secret.jpg"


# --- YAML


@pytest.mark.parametrize("names", ["!!python/object/apply:os.system ['touch {}']", "[!!python/name:os.system , a]"])
@ATTACK
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
@ATTACK
def test_xml_entities_are_refused(tmp_path: Path, kind: str) -> None:
    said = voc.parse(f"{ENTITIES[kind]}<annotation><filename>&i;</filename></annotation>".encode(), "a.xml")
    assert "Forbidden" in said.problem
    cvat = f'{ENTITIES[kind]}<annotations><image name="a.jpg"/><x>&i;</x></annotations>'
    folder = raw_folder(tmp_path, {"a.jpg": image_bytes(), "x.xml": cvat})
    with panlabel.staged(folder) as (_, refused):
        assert [one.file for one in refused] == ["x.xml"]


@pytest.mark.parametrize("encoding", ["utf-7", "unicode_escape", "idna", "punycode", "zlib", "rot13", "no-such"])
@ATTACK
def test_xml_in_an_encoding_of_no_file(encoding: str) -> None:
    said = voc.parse(f'<?xml version="1.0" encoding="{encoding}"?><annotation/>'.encode(), "a.xml")
    assert said.problem


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
@ATTACK
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
    assert time.process_time() - start < 3


@ATTACK
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
@ATTACK
def test_a_picture_is_only_what_its_bytes_say(monkeypatch: pytest.MonkeyPatch, head: bytes) -> None:
    """Pillow starts Ghostscript for EPS, whatever the file's name says."""
    monkeypatch.setattr("subprocess.Popen", lambda *a, **b: pytest.fail("a program was started"))
    data = head + bytes(200)
    assert probe(data).error
    with pytest.raises(ValueError):
        decode(data)


# --- text from data that takes long


@pytest.mark.parametrize(
    "work",
    [
        lambda folder: voc.parse(b'<?xml version="1.0" ' + b'encoding="a" ' * 60_000, "a.xml"),
        lambda folder: read_sets(raw_folder(folder, {"Main/train.txt": "a" + " " * 100_000 + "b", "a.jpg": b""})),
        lambda folder: yolo_darknet.parse_options("train = a" + " " * 100_000 + "b"),
        lambda folder: ultralytics.detect(
            raw_folder(folder, {"data.yaml": "nc:\n" * 65_000, "a.jpg": b"", "a.txt": b""})
        ),
        lambda folder: READERS["tfrecord"].read(raw_folder(folder, {"a.pbtxt": "\n" * 100_000, "a.jpg": b""}), []),
        lambda folder: parse_label_map(LabelMap("x", {"\\" * 20_000: 1}).format(), "x"),
        lambda folder: fold_name("a-" * 400_000),
    ],
    ids=["XML declaration", "image set", ".data", "data.yaml", "label map", "backslashes", "class name"],
)
@ATTACK
def test_patterns_do_not_hang(tmp_path: Path, work) -> None:
    start = time.process_time()
    work(tmp_path)
    assert time.process_time() - start < 6


@ATTACK
def test_a_params_file_of_240_kilobytes() -> None:
    with pytest.raises(ParamsError, match="120,000 of : , - and lines; allowed: up to 100,000"):
        parse_params("nc:\n" * 60_000)


# --- what else the fuzzing of test_fuzz.py found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"\xff\xfe", "not UTF-8"),
        (b"item {" * 10_000, "nested too deep"),
        (b"item { id: 99999999999 }", "no label map"),
    ],
)
@ATTACK
def test_label_maps_that_are_none(tmp_path: Path, text: bytes, message: str) -> None:
    (tmp_path / "label_map.pbtxt").write_bytes(text)
    with pytest.raises(StageError, match=f"label_map.pbtxt.*{message}"):
        read_label_map(tmp_path / "label_map.pbtxt")


@pytest.mark.parametrize("name", ["\\", "\\\\", "a\\134", "\\x4", "\\u0041\\\\n", "\"\\'"])
def test_backslashes_in_a_label_map(name: str) -> None:
    assert parse_label_map(LabelMap("x", {name: 1}).format(), "x").ids == {name: 1}


@ATTACK
def test_an_id_does_not_fill_memory() -> None:
    assert parse_label_map('item { name: "a" id: 2147483647 }', "x").ids == {"a": 2**31 - 1}  # of someone's records
    with pytest.raises(RawDataError, match="pins 'a' to id"):
        LabelMap("x").extended(["a"], {"a": MAX_ID + 1})


@ATTACK
def test_half_a_surrogate_pair_is_replaced(tmp_path: Path) -> None:
    coco = (
        '{"images": [{"id": 1, "file_name": "a.jpg"}], "categories":'
        ' [{"id": 1, "name": "x\\ud800\\\\ud800\\ud83e\\udd9d"}],'
        ' "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5]}]}'
    )
    assert read(tmp_path, {"a.jpg": image_bytes(), "a.json": coco}).classes == ["x\ufffd\\ud800\U0001f99d"]


@ATTACK
def test_a_class_list_with_a_number_of_5000_digits(tmp_path: Path) -> None:
    files = {"a.jpg": image_bytes(), "r.csv": "a.jpg,1,1,9,9,cat\n", "c.csv": f"cat,{'9' * 5000}\n"}
    assert read(tmp_path, files).classes == []
