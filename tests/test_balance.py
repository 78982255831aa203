"""balance, balance_read and the chain of stages alone, on tables of a few rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import box, image_bytes, make_image, make_manifest
from staged import twice, without

from stages.dataset.balance import balance
from stages.dataset.balance_read import Seen, balance_read
from stages.dataset.errors import StageError
from stages.dataset.findings import Finding, found
from stages.dataset.ledger import Line, check_chain, read_ledger
from stages.dataset.manifest import Manifest


@pytest.fixture
def rows(tmp_path: Path) -> Iterator[Manifest]:
    images = [make_image(tmp_path, name, image_bytes(seed=ord(name[0]))) for name in ("a.jpg", "b.jpg")]
    yield make_manifest(*images, box("a.jpg", "cat"), box("a.jpg", "dog"), box("b.jpg", "cat", area=float("nan")))


@pytest.mark.parametrize(
    ("finding", "message"),
    [
        (found("box-empty", "a.jpg", "box 3"), "names no box of the image"),
        (found("box-empty", "c.jpg", "box 1"), "names no image"),
        (found("box-empty", "a.jpg", "line 1"), "names no image and no box"),
        (found("box-empty", "a.jpg", "box 1"), "is missing|came out"),
        (found("image-unreadable", "a.jpg"), "is dropped by a finding, and came out"),
    ],
)
def test_a_finding_that_is_not_true_fails(rows: Manifest, finding: Finding, message: str) -> None:
    with pytest.raises(StageError, match=message):
        balance("validate", rows, rows, [finding])


def test_a_box_is_dropped_once(rows: Manifest) -> None:
    after = without("annotations", 0)(rows)
    one = found("box-empty", "a.jpg", "box 1")
    assert Line("s", "boxes", "dropped", "box-empty", 1) in balance("s", rows, after, [one])
    with pytest.raises(StageError, match=r"box 1 \(cat\) of image a.jpg is dropped by two findings"):
        balance("s", rows, after, [one, one])


@pytest.mark.parametrize(("column", "value"), [("xmin", 2.5), ("label", "fox"), ("is_crowd", True)])
def test_a_row_that_changed_without_a_finding_fails(rows: Manifest, column: str, value: object) -> None:
    annotations = rows.annotation_rows()
    setattr(annotations[1], column, value)
    after = Manifest.of(rows.image_rows(), annotations)
    with pytest.raises(StageError, match=r"box 2 \(dog\) of image a.jpg"):
        balance("s", rows, after, [])
    repaired = Finding("box-inverted", "repair", "a.jpg", "box 2")
    if column == "xmin":
        assert Line("s", "boxes", "repaired", "box-inverted", 1) in balance("s", rows, after, [repaired])


def test_an_image_that_changed_fails_unless_the_stage_sets_it(rows: Manifest) -> None:
    images = rows.image_rows()
    images[1].split = "train"
    after = Manifest.of(images, rows.annotation_rows())
    with pytest.raises(StageError, match=r"image b.jpg has another split"):
        balance("s", rows, after, [])
    assert balance("s", rows, after, [], sets=["split"])


def test_a_negative_that_comes_out_twice_fails(rows: Manifest) -> None:
    empty = replace(rows, annotations=rows.annotations.slice(0, 0))
    with pytest.raises(StageError, match=r"image b.jpg came out twice"):
        balance("s", empty, twice("images", 1)(empty), [])


def test_a_box_that_went_to_another_image_fails(rows: Manifest) -> None:
    annotations = rows.annotation_rows()
    annotations[1].image_id = "b.jpg"
    with pytest.raises(StageError, match=r"a box of image a.jpg is missing"):
        balance("s", rows, Manifest.of(rows.image_rows(), annotations), [])


@pytest.mark.parametrize(
    ("lost", "findings", "message"),
    [
        ("", [found("class-omitted", "a.jpg", "box 1 1 1 1", "cat")], "names no annotation that was read"),
        ("", [found("image-unlabelled", "b.jpg")], "image b.jpg came out 1 times, and was dropped by 1 findings"),
        ("b.jpg", [found("image-unlabelled", "b.jpg")], "cat of image b.jpg, box .* came out without its image"),
    ],
)
def test_what_ingest_says_must_be_so(rows: Manifest, lost: str, findings: list[Finding], message: str) -> None:
    seen = Seen(["a.jpg", "b.jpg"], rows.annotation_rows())
    after = Manifest.of([row for row in rows.image_rows() if row.image_id != lost], rows.annotation_rows())
    with pytest.raises(StageError, match=message):
        balance_read(seen, after, findings)


def test_stages_must_follow_one_another() -> None:
    lines = [
        Line("a", "images", "kept", "", 3),
        Line("b", "images", "kept", "", 2),
        Line("b", "images", "dropped", "x", 1),
    ]
    check_chain(lines, 2, 0)
    with pytest.raises(StageError, match=r"b: .* 2 images leave it, and 3 are there to export"):
        check_chain(lines, 3, 0)
    with pytest.raises(StageError, match=r"a: .* 3 images leave it, and 2 enter b"):
        check_chain(lines[:2], 2, 0)


def test_a_ledger_that_is_not_one_says_so(tmp_path: Path) -> None:
    (tmp_path / "ledger.csv").write_text("stage,what,fate,reason,count\na,images,kept,,many\n")
    with pytest.raises(StageError, match=r"ledger.csv: cannot be read .*run dvc repro"):
        read_ledger(tmp_path)
