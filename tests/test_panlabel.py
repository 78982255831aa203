"""Through panlabel: what `auto` finds, what is read of each form, and what is lost by it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from conftest import image_bytes
from test_formats import codes, corners, raw_folder

from shardsmith.dataset.errors import ParamsError, RawDataError
from shardsmith.formats.panlabel import format as panlabel
from shardsmith.formats.registry import PANLABEL, READERS
from shardsmith.formats.shared.raw_folder import Source
from shardsmith.pipeline.ingest import find_format
from shardsmith.pipeline.params import parse_params

BDD_BOX = {"category": "cat", "box2d": {"x1": 2, "y1": 3, "x2": 12, "y2": 13}}


def bdd(*boxes: object, image: str = "a.jpg") -> str:
    return json.dumps([{"name": image, "labels": list(boxes)}])


def read(tmp_path: Path, files: dict[str, str | bytes], form: str = "auto") -> tuple[str, Source]:
    folder = raw_folder(tmp_path, files)
    name, found = find_format(folder, form)
    return name, READERS[name].read(folder, found)


def test_a_form_is_found(tmp_path: Path) -> None:
    name, source = read(tmp_path, {"l.json": bdd(BDD_BOX), "images/a.jpg": image_bytes()})
    assert (name, source.findings) == ("panlabel:bdd100k", [])
    assert [(row.image_id, row.label, corners(row)) for row in source.annotations] == [
        ("images/a.jpg", "cat", pytest.approx([2, 3, 12, 13]))
    ]


@pytest.mark.parametrize(
    ("text", "boxes", "code"),
    [
        (bdd(BDD_BOX, BDD_BOX | {"box2d": {"x1": "?"}}), 1, "annotation-unreadable"),
        (bdd(BDD_BOX, 7), 1, "annotation-unreadable"),
        (json.dumps(json.loads(bdd(BDD_BOX)) + json.loads(bdd(image="b.jpg"))), 1, "image-missing"),
    ],
)
def test_bad_items_cost_no_others(tmp_path: Path, text: str, boxes: int, code: str) -> None:
    _, source = read(tmp_path, {"a.jpg": image_bytes(), "l.json": text})
    assert (len(source.annotations), codes(source)) == (boxes, [code])


def test_several_files_of_one_form_are_splits(tmp_path: Path) -> None:
    files = {"train.json": bdd(BDD_BOX), "test.json": bdd(BDD_BOX, image="b.jpg")}
    _, source = read(tmp_path, {"i/a.jpg": image_bytes(), "i/b.jpg": image_bytes(seed=1), **files})
    assert {image: entry.split for image, entry in source.entries.items()} == {"i/a.jpg": "train", "i/b.jpg": "test"}


XML = "<annotations><Page PageNum='1'/></annotations>"


@pytest.mark.parametrize(
    ("files", "form", "message"),
    [
        ({"l.json": '{"name": "package"}'}, "auto", "no annotations found among 2 files"),
        ({"notes.txt": "x"}, "auto", "no annotations found"),
        ({"l.xml": '<!DOCTYPE a [<!ENTITY b "c">]>' + XML}, "auto", "no annotations found"),
        ({"l.json": bdd(BDD_BOX)}, "panlabel:vott-json", "panlabel cannot read it"),
    ],
)
def test_what_it_cannot_read_is_one_clear_error(tmp_path: Path, files: dict, form: str, message: str) -> None:
    with pytest.raises(RawDataError, match=message) as error:
        read(tmp_path, {"a.jpg": image_bytes(), **files}, form)
    assert "/tmp" not in str(error.value).replace(str(tmp_path), "")


def test_it_is_not_asked_where_a_format_of_ours_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panlabel, "forms", lambda folder: pytest.fail("asked"))
    xml = "<annotation><object/></annotation>"
    assert find_format(raw_folder(tmp_path, {"a.jpg": image_bytes(), "a.xml": xml}))[0] == "voc"


def test_without_the_program_it_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panlabel.sysconfig, "get_path", lambda _: str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RawDataError, match="panlabel is not installed"):
        read(tmp_path, {"a.jpg": image_bytes(), "l.json": bdd(BDD_BOX)})


def test_forms_are_of_those_of_the_program() -> None:
    listed = subprocess.check_output([panlabel._program(), "list-formats", "--output", "json"], text=True)
    assert {each["name"] for each in json.loads(listed) if each["read"]} >= set(panlabel.FORMS)


def test_params_take_a_form_by_its_name() -> None:
    assert parse_params("ingest: {format: 'panlabel:bdd100k'}").ingest.format in PANLABEL
    with pytest.raises(ParamsError, match="panlabel:bdd100k"):
        parse_params("ingest: {format: 'panlabel:bdd'}")
    with pytest.raises(ParamsError) as error:
        parse_params("ingest: {format: cocoo}")
    assert "panlabel:bdd100k" not in str(error.value)
