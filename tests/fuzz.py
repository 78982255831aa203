"""Cases for test_fuzz.py: files that are a little wrong, or nonsense with the right words in it.

A case is (by_grammar, seeds): each seed is one change, so that hypothesis finds a smaller case by leaving seeds out.
`OUTSIDE` stands in names and paths for a file beside the folder that a reader is given: nobody may open it.
"""

from __future__ import annotations

import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Callable
from random import Random
from typing import Any

from shardsmith.dataset.messages import Example
from shardsmith.formats.tfrecord.frames import frame

Files = dict[str, bytes]
OUTSIDE = "outside/secret.jpg"
DEEP = 10_000
NUMBERS = (
    "1e308", "-1e308", "1e309", "1" + "0" * 400, "9" * 5000, "NaN", "nan", "Infinity", "-inf", "-1", "0", "-0",
    "1e-320",
    "0.1.2", "1_000", "\u0663", "\u00b2", "0x10", "1e", "2147483648", "4294967296", "9223372036854775808",
    "18446744073709551616", "true", "null", "", " ", ".", "+", "1.7976931348623157e308", "7", "0.5",
)  # fmt: skip
TEXTS = (
    f"../{OUTSIDE}", f"../../../../../../../../..{{TOP}}/{OUTSIDE}", f"{{TOP}}/{OUTSIDE}", f"file://{{TOP}}/{OUTSIDE}",
    "..", ".", "/", "\\", "C:\\x.jpg", "a/../../b.jpg", "/etc/passwd", "\0", "a\0b.jpg", "\n", "a\nb", "\r",
    "\x1b]0;x\x07",
    "\ud800", "\udcff.jpg", "\u2028", "\u202egpj.a", "\u00e9" * 300, "x" * 70_000, "a/" * 3000, "CON", "nul.jpg",
    " ", "",
    "%s%n", "{0}", "<script>alert(1)</script>", "&lol;", "|`*_", "\U0001f99d", "a.jpg", "A.JPG", "sub/b.png", "cat",
    "-rf",
    "$(id)", "`id`", "http://x/../y.jpg", "[" * 50, "=1+1", '"', "'", "#", ",", ";", "\t", "unused-1", "background",
)  # fmt: skip
_BYTES = (
    b"\0", b"\xff", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"\r\n", b"\r", b"\n", b'"', b"'", b"<", b">", b"&",
    b"{", b"}",
    b"[", b"]", b",", b":", b"../", b"\x1b", b"\x85", b"\xc3\x28", b"\xed\xa0\x80", b"<!--", b"]]>", b"<![CDATA[",
    b"\t",
)  # fmt: skip
_RUNS = (b" ", b"\n", b"\t", b"nc:\n", b'encoding="a" ', b".jpg ", b".jpg", b"1", b".", b"-", b'"', b'""', b",",
b"0 ", b"a: ", b"=",
         b"item ", b"\\", b"\xe9", b"/", b"1 1 1 1 ", b"\r")  # fmt: skip


def number(rng: Random) -> str:
    return rng.choice(NUMBERS) if rng.random() < 0.5 else f"{rng.uniform(-5, 60):.{rng.randint(0, 6)}f}"


def text(rng: Random) -> str:
    return rng.choice(TEXTS)


def printable(rng: Random) -> bytes:
    """A number or a text as bytes of a file; a lone surrogate stays one, as nobody should have written it."""
    return (number(rng) if rng.random() < 0.5 else text(rng)).encode("utf-8", "surrogatepass")


# bytes and words of any file


def _flip(data: bytearray, at: int, rng: Random) -> bytes:
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def _cut(data: bytearray, at: int, rng: Random) -> bytes:
    return bytes(data[:at])


def _remove(data: bytearray, at: int, rng: Random) -> bytes:
    return bytes(data[:at] + data[at + rng.choice((1, 4, 40, 400)) :])


def _insert(data: bytearray, at: int, rng: Random) -> bytes:
    return bytes(data[:at] + rng.choice(_BYTES) * rng.choice((1, 1, 1, 3, 500)) + data[at:])


def _scramble(data: bytearray, at: int, rng: Random) -> bytes:
    return bytes(data[:at] + rng.randbytes(rng.choice((1, 4, 12, 200))) + data[at + rng.choice((0, 4, 12)) :])


def _double(data: bytearray, at: int, rng: Random) -> bytes:
    end = at + rng.choice((1, 10, 100, 1000))
    return bytes(data[:end] + data[at:end] * rng.choice((1, 2, 30)) + data[end:])


def _whole(data: bytearray, at: int, rng: Random) -> bytes:
    """The file's encoding and line ends, or nothing left of it."""
    known = bytes(data)
    as_text = known.decode("utf-8", "replace")
    return rng.choice((
        b"", b"\n", b" ", known + known, b"\xef\xbb\xbf" + known, as_text.encode("utf-16", "replace"),
        as_text.encode("utf-16-le", "replace"), as_text.encode("utf-32", "replace"), b"\xff\xfe" + known,
        known.replace(b"\n", b"\r\n"), known.replace(b"\n", b"\r"), as_text.encode("cp500", "replace"), b"\0" * 100 +
        known,
        as_text.upper().encode(), as_text.replace("a", "\u00e4").encode("latin-1", "replace"),
    ))  # fmt: skip


def _token(data: bytearray, at: int, rng: Random) -> bytes:
    """Another number, or another text between two quotes, brackets or separators."""
    marks = b" ,:;\n\t\"'<>[]{}=/|"
    start = next((n for n in range(at, -1, -1) if n < len(data) and data[n] in marks), 0) + 1
    end = next((n for n in range(start, len(data)) if data[n] in marks), len(data))
    return bytes(data[:start]) + printable(rng) + bytes(data[end:])


def _lines(data: bytearray, at: int, rng: Random) -> bytes:
    lines = bytes(data).split(b"\n")
    here = rng.randrange(len(lines))
    kind = rng.randrange(5)
    if kind == 0:
        del lines[here]
    elif kind == 1:
        lines.insert(here, lines[rng.randrange(len(lines))])
    elif kind == 2:
        rng.shuffle(lines)
    elif kind == 3:
        lines[here] = printable(rng) + b"," + lines[here]
    else:
        lines[here] = lines[here][: rng.randrange(len(lines[here]) + 1)]
    return b"\n".join(lines)


def _nest(data: bytearray, at: int, rng: Random) -> bytes:
    opening, closing = rng.choice(((b"[", b"]"), (b'{"a":', b"}"), (b"<a>", b"</a>"), (b"(", b")"), (b"item {", b"}")))
    middle = rng.choice((b"", b"1", b'"a"'))
    return bytes(data[:at]) + opening * DEEP + middle + closing * rng.choice((DEEP, 0)) + bytes(data[at:])


def _run(data: bytearray, at: int, rng: Random) -> bytes:
    """The same thing again and again: what a slow pattern hangs on."""
    return bytes(data[:at]) + rng.choice(_RUNS) * rng.choice((3_000, 60_000)) + bytes(data[at:])


_ANY: tuple[Callable[[bytearray, int, Random], bytes], ...] = (
    _flip, _cut, _remove, _insert, _scramble, _double, _whole, _token, _token, _token, _token, _lines, _lines, _nest,
    _run,
)  # fmt: skip


def change_bytes(data: bytes, rng: Random) -> bytes:
    return rng.choice(_ANY)(bytearray(data), rng.randrange(len(data) + 1), rng)


# JSON


def json_value(rng: Random, depth: int = 0) -> Any:
    kind = rng.randrange(12 if depth < 3 else 8)
    if kind < 2:
        return text(rng)
    if kind < 4:
        return rng.choice(
            (-1, 0, 1, 7, 2**31, 2**63, 10**400, -(10**400), 1e308, float("nan"), float("inf"), 0.5, 12.25)
        )
    if kind < 8:
        return rng.choice((None, True, False, [], {}, "12", "", [[]], [None], {"": None}))
    if kind < 10:
        return [json_value(rng, depth + 1) for _ in range(rng.randrange(5))]
    return {text(rng)[:50]: json_value(rng, depth + 1) for _ in range(rng.randrange(4))}


def change_json(data: bytes, rng: Random) -> bytes:
    """One value anywhere in it removed, replaced, wrapped or repeated under a key that is there already."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return change_bytes(data, rng)
    places: list[tuple[Any, Any]] = []
    waiting = [content]
    while waiting and len(places) < 5000:
        node = waiting.pop()
        keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        places += [(node, key) for key in keys]
        waiting += [node[key] for key in keys]
    if not places:
        return json.dumps(json_value(rng)).encode()
    node, key = rng.choice(places)
    kind = rng.randrange(8)
    if kind == 0:
        del node[key]
    elif kind < 5:
        node[key] = json_value(rng)
    elif kind == 5:
        node[key] = rng.choice(([node[key]], {"a": node[key]}, [node[key]] * 20, str(node[key])))
    elif kind == 6 and isinstance(node, list):
        node.insert(rng.randrange(len(node) + 1), node[key])
    elif isinstance(node, dict):
        node["\x7ftwice"] = json_value(rng)
    written = json.dumps(content, ensure_ascii=rng.random() < 0.7).encode("utf-8", "surrogatepass")
    twice = rng.choice([k for k in node if isinstance(k, str)] or [""]) if isinstance(node, dict) else ""
    return written.replace(b"\\u007ftwice", json.dumps(twice).strip('"').encode())


def change_ndjson(data: bytes, rng: Random) -> bytes:
    lines = data.split(b"\n")
    at = rng.randrange(len(lines))
    lines[at] = change_json(lines[at], rng)
    return b"\n".join(lines)


# TFRecord, with checksums that are right, so that what stands in the records is read


def change_records(data: bytes, rng: Random) -> bytes:
    records, at = [], 0
    while at + 12 <= len(data):
        (length,) = struct.unpack("<Q", data[at : at + 8])
        if length > len(data):
            break
        records.append(data[at + 12 : at + 12 + length])
        at += length + 16
    if not records:
        return change_bytes(data, rng)
    at = rng.randrange(len(records))
    records[at] = _change_example(records[at], rng) if rng.random() < 0.85 else change_bytes(records[at], rng)
    return b"".join(part for record in records for part in frame(record))


def _change_example(record: bytes, rng: Random) -> bytes:
    try:
        example = Example.FromString(record)
    except Exception:
        return change_bytes(record, rng)
    features = example.features.feature
    keys = sorted(features)
    if not keys:
        return record
    key = rng.choice(keys)
    kind = rng.randrange(6)
    if kind == 0:
        del features[key]
    elif kind == 1:
        features[key].CopyFrom(features[rng.choice(keys)])
    elif kind == 2:
        features[key].int64_list.value.append(rng.choice((-1, 0, 1, 2**62, -(2**63), 2**31, 2**63 - 1)))
    elif kind == 3:
        features[key].float_list.value.append(rng.choice((float("nan"), float("inf"), -1.0, 3e38, 0.5)))
    elif kind == 4:
        features[key].bytes_list.value.append(printable(rng))
    else:
        listed = getattr(features[key], features[key].WhichOneof("kind") or "bytes_list").value
        if len(listed) and isinstance(listed[0], bytes):
            listed[rng.randrange(len(listed))] = rng.choice((printable(rng), change_bytes(listed[0], rng)))
        elif len(listed) and isinstance(listed[0], int):
            listed[rng.randrange(len(listed))] = rng.choice((-1, 0, 2**40, -(2**63), 2**63 - 1))
        elif len(listed):
            listed[rng.randrange(len(listed))] = rng.choice((float("nan"), float("inf"), -3e38, 1e-45))
    return example.SerializeToString(deterministic=True)


# archives


def make_archive(rng: Random, top: str) -> tuple[str, bytes]:
    """A .zip or .tar with names, kinds and sizes that nobody should unpack, and some that anybody may."""
    stream = io.BytesIO()
    names = [text(rng).replace("{TOP}", top) for _ in range(rng.randint(1, 6))]
    names = [name.encode("utf-8", "replace").decode().replace("\0", "?") for name in names]
    if rng.random() < 0.5:
        with zipfile.ZipFile(stream, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as packed:
            for name in names:
                entry = zipfile.ZipInfo(name[:60_000] or "a")
                entry.external_attr = rng.choice((0, 0o100644, 0o120777, 0o060000, 0o040755)) << 16
                packed.writestr(entry, rng.randbytes(20))
        return "a.zip", stream.getvalue()
    with tarfile.open(fileobj=stream, mode=rng.choice(("w", "w:gz")), format=rng.choice((0, 1, 2))) as tape:
        for name in names:
            tape_entry = tarfile.TarInfo(name if rng.random() < 0.7 else name[:90])
            tape_entry.type = rng.choice((b"0", b"0", b"0", b"1", b"2", b"3", b"5", b"6", b"7", b"S"))
            tape_entry.linkname = text(rng).replace("{TOP}", top).encode("utf-8", "replace").decode().replace("\0", "?")
            tape_entry.size = 20 if tape_entry.type in (b"0", b"7") else 0
            try:
                tape.addfile(tape_entry, io.BytesIO(rng.randbytes(20)))
            except ValueError:  # ustar has no room for it
                continue
    return "a.tar", stream.getvalue()
