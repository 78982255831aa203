"""The release record in a store: damaged in any way, or another version's, it is refused by name."""

from __future__ import annotations

import hashlib
import json
import random
from typing import Any

import pytest

from shardsmith.dataset.errors import VersionError
from shardsmith.store.pulled import tree_hash
from shardsmith.store.release import format_release, parse_release

LABELS = '# dataset: ds\nitem {\n  name: "cät"\n  id: 1\n}\n'


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def content(name: str) -> dict[str, Any]:
    files = {f"tfrecord/ds-{split}.tfrecord-00000-of-00001": md5(name + split) for split in ("train", "valid")}
    return {
        "version": f"ds@{name}",
        "dataset": "ds",
        "name": name,
        "commit": hashlib.sha1(name.encode()).hexdigest(),
        "created": "2026-11-26T02:02:59+00:00",
        "hashes": {"data/export": tree_hash(files), "data/label_map.pbtxt": md5(LABELS)},
        "label_map": LABELS,
        "files": {file: {"md5": digest, "size": 7} for file, digest in files.items()},
        "page": {"md5": md5("page"), "size": 9},
    }


def old(name: str) -> bytes:
    """As it was written before records had a digest."""
    return json.dumps(content(name), indent=1, sort_keys=True, ensure_ascii=False).encode()


def places(value: Any) -> list[tuple[dict, str]]:
    """Each key of a record, and the mapping that it is in."""
    below = [place for inner in value.values() if isinstance(inner, dict) for place in places(inner)]
    return [*((value, key) for key in value), *below]


def damage(data: bytes, chance: random.Random) -> bytes:
    kind = chance.choice(["flip", "cut", "insert", "key", "value", "remove", "add", "space"])
    at = chance.randrange(len(data))
    if kind == "flip":
        return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
    if kind == "cut":
        return data[:at]
    if kind == "insert":
        return data[:at] + chance.randbytes(chance.randint(1, 9)) + data[at:]
    if kind == "space":
        return data + b"\n"
    record = json.loads(data)
    mapping, key = chance.choice(places(record))
    if kind == "key":
        mapping[f"{key}x"] = mapping.pop(key)
    elif kind == "value":
        mapping[key] = chance.choice([None, 0, -1, True, "", "0" * 32, [], {}, 1.5])
    elif kind == "remove":
        del mapping[key]
    else:
        mapping["more"] = mapping[key]
    return json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False).encode()


def test_a_record_is_read_as_it_was_published() -> None:
    record = parse_release(format_release(content("v1")), "ds@v1", "here")
    assert {key: record[key] for key in content("v1")} == content("v1")


def test_300_of_300_damaged_records_are_refused() -> None:
    whole, chance, refused = format_release(content("v1")), random.Random(5), 0
    while refused < 300:
        damaged = damage(whole, chance)
        if damaged != whole:
            with pytest.raises(
                VersionError, match=r"versions/ds@v1\.json: not the record of ds@v1 as it was published"
            ):
                parse_release(damaged, "ds@v1", "versions/ds@v1.json")
            refused += 1


@pytest.mark.parametrize("write", [lambda name: format_release(content(name)), old], ids=["with a digest", "before"])
def test_the_record_of_another_version_is_refused(write: Any) -> None:
    with pytest.raises(VersionError, match="it is that of ds@v2"):
        parse_release(write("v2"), "ds@v1", "here")


def test_a_record_from_before_is_published_again_as_it_was() -> None:
    was = hashlib.sha256(old("v1")).hexdigest()
    assert format_release(content("v1"), was) == old("v1")
    assert format_release(content("v1"), "0" * 64) == format_release(content("v1")) != old("v1")


@pytest.mark.parametrize("lacks", [(), ("page",), ("page", "label_map")], ids=str)
def test_records_from_before_are_accepted(lacks: tuple[str, ...]) -> None:
    record = {key: value for key, value in json.loads(old("v1")).items() if key not in lacks}
    assert parse_release(json.dumps(record).encode(), "ds@v1", "here") == record


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("files", {}, "its list of files is not that of data/export"),
        ("files", {"a": {"md5": "0" * 32, "size": 1}}, "its list of files is not that of data/export"),
        ("label_map", LABELS.replace("1", "2"), "its label map is not that of data/label_map.pbtxt"),
        ("hashes", {}, "its list of files is not that of data/export"),
        ("commit", "main", "commit: String should match"),
        ("created", "yesterday", "created: 'yesterday' is no time"),
        ("name", "v2", r"it is that of ds@v1 \(ds@v2\)"),
        ("diges", "0", "'diges' is no key of it"),
    ],
)  # fmt: skip
def test_records_from_before_are_checked_as_far_as_they_go(key: str, value: Any, why: str) -> None:
    record = json.loads(old("v1")) | {key: value}
    with pytest.raises(VersionError, match=why):
        parse_release(json.dumps(record).encode(), "ds@v1", "here")


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"null", b"7", b"[" * 100_000, b"\xff", b'{"version": NaN}'], ids=lambda data: repr(data)[:14]
)
def test_what_is_no_record_is_refused(data: bytes) -> None:
    with pytest.raises(VersionError, match="not the record of ds@v1"):
        parse_release(data, "ds@v1", "here")
