"""Uploads as a script makes them: by slices, confined, limited; looked at, then added or discarded."""

from __future__ import annotations

import hashlib
import io
import json
import os
import time
import zipfile
from collections.abc import Iterator
from html import escape
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from conftest import image_bytes
from paged import TOKEN, Served, serve_page
from workspaces import XML

from shardsmith.raw.classes import with_classes
from shardsmith.raw.fetch import fetch
from shardsmith.workspace.template.init import init
from shardsmith.workspace.workspace import Workspace


def voc(count: int = 3, label: str = "cat", first: int = 0) -> dict[str, bytes]:
    files = {}
    for number in range(first, first + count):
        files[f"i{number}.jpg"] = image_bytes(seed=number)
        files[f"i{number}.xml"] = XML.format(name=f"i{number}", label=escape(label), at=3).encode()
    return files


def zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return stream.getvalue()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The page with the workspace `birds`, which holds three images."""
    folder = tmp_path_factory.mktemp("page")
    root = folder / "birds"
    init(root, None, "birds", lambda _: None)
    given = folder / "given"
    given.mkdir()
    for name, data in voc().items():
        (given / name).write_bytes(data)
    fetch(Workspace(root), str(given), lambda _: None)
    with serve_page(root, folder=folder) as served:
        yield served


def ask(served: Served, method: str, path: str, data: bytes | None = None, **headers: str) -> tuple[int, Any, Any]:
    sent = {"authorization": f"Bearer {TOKEN}"} | {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urlopen(Request(f"{served.address}{path}", data, sent, method=method)) as answer:
            body = answer.read().decode()
            return answer.status, answer.headers, json.loads(body) if body[:1] in ("{", "[") else body
    except HTTPError as error:
        text = error.read().decode()
        return error.code, error.headers, json.loads(text)["error"] if text.startswith("{") else text


def begin(served: Served, files: dict[str, bytes], dataset: str | None = "birds") -> tuple[int, Any]:
    listed = [{"name": name, "bytes": len(data)} for name, data in files.items()]
    content = json.dumps({"files": listed, "dataset": dataset}).encode()
    status, _, body = ask(served, "POST", "/api/uploads", content, content_type="application/json")
    return status, body


def put(served: Served, place: str, data: bytes, offset: int = 0, sha256: str = "") -> tuple[int, Any, Any]:
    return ask(served, "PUT", f"{place}?offset={offset}", data, x_sha256=sha256 or hashlib.sha256(data).hexdigest())


def ended(served: Served, id: str) -> Any:
    while (said := ask(served, "GET", f"/api/uploads/{id}")[2])["state"] in ("looking", "adding"):
        time.sleep(0.1)
    return said


def look(served: Served, files: dict[str, bytes], dataset: str | None = "birds") -> Any:
    status, begun = begin(served, files, dataset)
    assert status == 201, begun
    for number, data in enumerate(files.values()):
        if data and not begun["came"][number]:
            assert put(served, f"/api/uploads/{begun['id']}/{number}", data)[0] == 204
    assert ask(served, "POST", f"/api/uploads/{begun['id']}/finish", b"")[0] == 202
    return ended(served, begun["id"])


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../x.jpg", "leads out"),
        ("/etc/x.jpg", "leads out"),
        ("a\\..\\..\\x.jpg", "leads out"),
        ("C:\\x.jpg", "leads out"),
        ("a\0.jpg", "no name"),
        ("x" * 300, "no name"),
        ("/".join("a" * 100), "no name"),
    ],
)
def test_names_that_no_file_here_can_have_are_refused(served: Served, name: str, why: str) -> None:
    status, said = begin(served, {name: b"1"})
    assert status == 400 and why in said


def test_names_that_clash_and_unknown_datasets_are_refused(served: Served) -> None:
    assert "a file and a folder" in begin(served, {"a": b"1", "a/b": b"1"})[1]
    assert "no such dataset" in begin(served, {"a": b"1"}, "other")[1]
    assert "give the files" in begin(served, {})[1]
    body = json.dumps({"files": [{"name": "a.zip", "bytes": 10**11}], "dataset": None}).encode()
    if os.statvfs(".").f_bavail * os.statvfs(".").f_frsize < 10**11:
        assert "the disk has room" in ask(served, "POST", "/api/uploads", body, content_type="application/json")[2]


@pytest.mark.parametrize("address", ["file:///etc/x.zip", "https://x/a", "https://x::file:///etc/x.zip", "/etc/x.zip"])
def test_an_address_of_this_machine_or_of_no_archive_is_refused(served: Served, address: str) -> None:
    body = json.dumps({"address": address}).encode()
    status, _, said = ask(served, "POST", "/api/uploads", body, content_type="application/json")
    assert status == 400 and "no address of an archive" in said


def test_slices_are_checked_and_a_cut_upload_goes_on(served: Served) -> None:
    files = {"cut.bin": bytes(range(100))}
    place = f"/api/uploads/{begin(served, files)[1]['id']}/0"
    assert put(served, place, files["cut.bin"][:40])[0] == 204
    assert "came damaged" in put(served, place, files["cut.bin"][40:], 40, "0" * 64)[2]
    assert "byte 40 comes next" in put(served, place, files["cut.bin"], 0)[2]
    assert "longer than" in put(served, place, bytes(61), 40)[2]
    assert put(served, place, bytes((8 << 20) + 1), 40)[0] == 413
    assert "numbered from 0" in put(served, place[:-1] + "7", b"1")[2]
    assert "40 of 100 bytes" in ask(served, "POST", f"{place[:-2]}/finish", b"")[2]
    assert ask(served, "HEAD", place)[1]["upload-offset"] == "40"
    assert begin(served, files)[1]["came"] == [40]  # dropped again
    assert put(served, place, files["cut.bin"][40:], 40)[1]["upload-offset"] == "100"
    assert ask(served, "DELETE", place[:-2])[0] == 204
    assert "no such upload" in ask(served, "GET", place[:-2])[2]


def test_a_foreign_origin_or_no_token_sends_nothing(served: Served) -> None:
    foreign = {"origin": "http://evil.example", "authorization": ""}
    assert ask(served, "POST", "/api/uploads", b"{}", **foreign)[0] == 403
    assert ask(served, "GET", "/api/uploads/x", authorization="")[0] == 401


def test_archives_and_files_together_and_a_broken_one_costs_itself_alone(served: Served) -> None:
    bomb = zipped({f"b{n}.bin": bytes(60_000_000) for n in range(2)})
    good = zipped(voc(2, "dog", first=1))
    files = {"one.zip": good, "cut.zip": good[:400], "none.zip": b"", "bomb.zip": bomb, **voc(2, first=8)}
    said = look(served, files)
    assert said["state"] == "seen" and said["images"] == 4
    assert said["classes"] == {"cat": 2, "dog": 2} and said["read_as"] == "voc"
    assert said["known"] == 2  # i1 and i2, byte for byte, under other names
    problems = "\n".join(said["problems"])
    assert "cut.zip: " in problems and "none.zip: empty" in problems and "bomb.zip: unpacks to far more" in problems
    assert "/uploads/" not in problems
    ask(served, "DELETE", f"/api/uploads/{said['id']}")


def test_what_cannot_be_read_says_why(served: Served) -> None:
    said = look(served, {"cut.zip": b"no zip"})
    assert said["state"] == "failed" and any("cut.zip" in line for line in said["lines"])


def test_the_gallery_goes_on(served: Served) -> None:
    said = look(served, voc(30, first=40))
    address = f"/uploads/{said['id']}/gallery"
    first, more = (ask(served, "GET", f"{address}?start={start}")[2] for start in (0, 24))
    assert (first.count("<figure>"), "start=24" in first, more.count("<figure>"), "start=" in more) == (
        24,
        True,
        6,
        False,
    )
    ask(served, "DELETE", f"/api/uploads/{said['id']}")


def test_files_that_clash_go_into_a_folder_of_their_own_and_classes_are_renamed(served: Served) -> None:
    other = {name: data + b" " for name, data in voc(1).items()} | voc(1, "<script>alert(1)</script>", first=20)
    said = look(served, {"more.zip": zipped(other)})
    assert sorted(said["clashes"]) == ["i0.jpg", "i0.xml"]
    add = f"/api/uploads/{said['id']}/add"
    plain = json.dumps({}).encode()
    assert ask(served, "POST", add, plain, content_type="application/json")[0] == 202
    failed = ended(served, said["id"])
    assert failed["state"] == "not-added" and any("other content" in line for line in failed["lines"])
    wanted = {"below": True, "classes": {"cat": "kitten", "<script>alert(1)</script>": None}}
    assert ask(served, "POST", add, json.dumps(wanted).encode(), content_type="application/json")[0] == 202
    added = ended(served, said["id"])
    assert added["state"] == "added" and added["dataset"] == "birds", added
    from_page = ask(served, "GET", "/api/d/birds/versions")
    assert from_page[0] == 200


def test_a_new_dataset_is_made_of_an_upload(served: Served) -> None:
    said = look(served, {f"My set/{name}": data for name, data in voc(2).items()}, None)
    wanted = json.dumps({"name": "../My set", "annotation_group": "pets"}).encode()
    ask(served, "POST", f"/api/uploads/{said['id']}/add", wanted, content_type="application/json")
    added = ended(served, said["id"])
    assert added["state"] == "added" and added["dataset"] == "my_set", added


def test_classes_are_renamed_on() -> None:
    now: dict[str, str | int | None] = {"racoon": "raccoon", "junk": None, "cat": 1}
    assert with_classes(now, {"raccoon": "animal", "dog": None, "cat": "cat"}) == {
        "racoon": "animal", "junk": None, "cat": 1, "raccoon": "animal", "dog": None,
    }  # fmt: skip
