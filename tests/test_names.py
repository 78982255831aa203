"""Names of images that are not quite the files': what is matched, what is not, and what is said of it."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from conftest import image_bytes
from test_formats import raw_folder

from shardsmith.dataset.findings import Finding
from shardsmith.formats.shared.names import clean_path, without_prefix
from shardsmith.pipeline.ingest import read_raw
from shardsmith.pipeline.params import IngestParams

ACCENT = "Capture d'écran 1.png"


@pytest.mark.parametrize(
    ("said", "image", "reason"),
    [
        ("Capture%20d%27%C3%A9cran%201.png", ACCENT, "percent-encoding"),
        (ACCENT, "Capture%20d%27%C3%A9cran%201.png", "percent-encoding"),
        ("50%2525.jpg", "50%25.jpg", "percent-encoding"),
        ("0f6142fb-a.jpg", "a.jpg", "prefix"),
        ("0f6142fb__a.jpg", "a.jpg", "prefix"),
        ("a.jpg", "0f6142fb-a.jpg", "prefix"),
        (unicodedata.normalize("NFD", ACCENT), ACCENT, "Unicode form"),
        (ACCENT, unicodedata.normalize("NFD", ACCENT), "Unicode form"),
        ("A.JPG", "a.jpg", "case"),
        ("a", "a.jpg", "extension"),
        ("a.png", "a.jpg", "extension"),
        ("0f6142fb-Capture_décran_1.png", ACCENT, "blanks and signs"),
        (r"C:\set\A.JPG", "a.jpg", "case"),
    ],
)
def test_a_name_that_is_not_quite_the_image_s(tmp_path: Path, said: str, image: str, reason: str) -> None:
    folder = raw_folder(tmp_path, {f"pics/{image}": b"x", "pics/other.jpg": b"x"})
    assert folder.locate(said, "l.json") == f"pics/{image}"
    (finding,) = folder.matched.values()
    assert (finding.code, finding.value, finding.image_id) == ("image-name-matched", said, f"pics/{image}")
    assert reason in finding.reason


@pytest.mark.parametrize(
    "said", ["a.jpg", "pics/a.jpg", "/x/a.jpg", r"x\pics\a.jpg", "\\\\?\\C:\\x\\a.jpg", r"C:\x\a.jpg", "./a.jpg"]
)
def test_the_image_s_own_name_in_another_folder_is_no_finding(tmp_path: Path, said: str) -> None:
    folder = raw_folder(tmp_path, {"pics/a.jpg": b"x"})
    assert (folder.locate(said, "l.json"), folder.matched) == ("pics/a.jpg", {})


@pytest.mark.parametrize(
    ("said", "images", "code"),
    [
        ("A.jpg", ["a.jpg", "x/a.JPG"], None),  # the nearest
        ("A.jpg", ["x/a.jpg", "y/a.jpg"], "image-ambiguous"),
        ("a", ["x/a.jpg", "x/a.png"], "image-ambiguous"),
        ("0f6142fb-a.jpg", ["11111111-a.jpg"], "image-missing"),  # another upload
        ("b.jpg", ["a.jpg"], "image-missing"),
    ],
)
def test_only_a_single_image_is_an_answer(tmp_path: Path, said: str, images: list, code: str | None) -> None:
    found = raw_folder(tmp_path, dict.fromkeys(images, b"x")).locate(said, "l.json")
    assert (found.code if isinstance(found, Finding) else None) == code


def test_the_own_name_wins(tmp_path: Path) -> None:
    folder = raw_folder(tmp_path, {"a%20b.jpg": b"x", "a b.jpg": b"x"})
    assert [folder.locate(name, "l.json") for name in ("a%20b.jpg", "a b.jpg")] == ["a%20b.jpg", "a b.jpg"]


@pytest.mark.parametrize("first", [0, 1])
def test_an_image_that_two_names_are_taken_for_is_nobody_s(tmp_path: Path, first: int) -> None:
    names = ["a.png", "a.jpg"]
    images = [{"id": n, "file_name": name} for n, name in enumerate(names[first:] + names[:first], start=1)]
    boxes = [{"id": n, "image_id": n, "category_id": 1, "bbox": [1, 2, 3, 4]} for n in (1, 2)]
    content = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "cat"}]}
    raw_folder(tmp_path, {"a.jpg": image_bytes(), "l.json": json.dumps(content)})
    source = read_raw(tmp_path, IngestParams())[1]
    assert (list(source.entries), source.annotations) == (["a.jpg"], [])
    assert [(one.code, one.image_id) for one in source.findings if one.action == "drop"] == [
        ("image-ambiguous", "a.jpg"),
        ("image-ambiguous", "a.jpg"),
    ]


def test_label_files_of_yolo(tmp_path: Path) -> None:
    files = {f"images/{ACCENT}": image_bytes(format="PNG"), "images/b.jpg": image_bytes(), "classes.txt": "cat\n"}
    labels = {"labels/Capture%20d%27%C3%A9cran%201.txt": "0 0.5 0.5 0.2 0.4\n", "labels/0f6142fb-b.txt": ""}
    raw_folder(tmp_path, files | labels)
    source = read_raw(tmp_path, IngestParams())[1]
    assert sorted(source.entries) == [f"images/{ACCENT}", "images/b.jpg"]
    assert [row.image_id for row in source.annotations] == [f"images/{ACCENT}"]
    assert {one.code for one in source.findings} == {"image-name-matched"}


def test_paths_and_prefixes() -> None:
    assert [str(clean_path(path)) for path in (r"\\?\D:\a\b.jpg", r"a\b", "/a/b")] == ["/a/b.jpg", "a/b", "/a/b"]
    names = ["0f6142fb-a.jpg", "0f6142fb__a.jpg", "0f6142fb-", "0f6142-a.jpg", "0f6142fbx-a.jpg"]
    assert [without_prefix(name) for name in names] == ["a.jpg", "a.jpg", *names[2:]]
