"""balance, balance_read and the chain of stages alone, on tables of a few rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import box, image_bytes, make_image, make_manifest
from staged import twice, without

from shardsmith.dataset.errors import StageError
from shardsmith.dataset.findings import Finding, about, found
from shardsmith.dataset.manifest import Manifest
from shardsmith.ledger.balance import balance
from shardsmith.ledger.fates import Line, check_chain, read_ledger
from shardsmith.ledger.reading import ReadSource, balance_read
from shardsmith.transforms.run.trace import Trace
from shardsmith.transforms.scene import planned_of


@pytest.fixture
def rows(tmp_path: Path) -> Iterator[Manifest]:
    images = [make_image(tmp_path, name, image_bytes(seed=ord(name[0]))) for name in ("a.jpg", "b.jpg")]
    yield make_manifest(*images, box("a.jpg", "cat"), box("a.jpg", "dog"), box("b.jpg", "cat", area=float("nan")))


@pytest.mark.parametrize(
    ("finding", "message"),
    [
        (about("box-empty", "a.jpg", source_key="n3"), "names no image and no box"),
        (about("box-empty", "c.jpg", source_key="n1"), "names no image"),
        (found("box-empty", "a.jpg", "line 1"), "names no image and no box"),
        (about("box-empty", "a.jpg", source_key="n1"), "is missing|came out"),
        (about("image-unreadable", "a.jpg"), "is dropped by a finding, and came out"),
    ],
)
def test_a_finding_that_is_not_true_fails(rows: Manifest, finding: Finding, message: str) -> None:
    with pytest.raises(StageError, match=message):
        balance("validate", rows, rows, [finding])


def test_a_box_is_dropped_once(rows: Manifest) -> None:
    after = without("annotations", 0)(rows)
    one = about("box-empty", "a.jpg", source_key="n1")
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
    repaired = about("box-inverted", "a.jpg", "repair", source_key="n2")
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
    empty = Manifest(rows.images, rows.annotations.slice(0, 0))
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
        ("", [about("class-omitted", "a.jpg", source_key="n9")], "names no annotation that was read"),
        ("", [about("image-unlabelled", "b.jpg")], "image b.jpg came out 1 times, and was dropped by 1 findings"),
        ("b.jpg", [about("image-unlabelled", "b.jpg")], "cat of image b.jpg, box .* came out without its image"),
    ],
)
def test_what_ingest_says_must_be_so(rows: Manifest, lost: str, findings: list[Finding], message: str) -> None:
    seen = ReadSource(["a.jpg", "b.jpg"], rows.annotation_rows())
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


def repaired(key: str) -> Finding:
    return about("box-inverted" if key else "image-turned", "a.jpg", "repair", source_key=key)


@pytest.mark.parametrize(
    ("findings", "lines"),
    [
        ([repaired("")], [("images", "kept", "", 1), ("images", "repaired", "image-turned", 1)]),
        ([about("box-empty", "a.jpg", source_key="n1"), repaired("n1")], [("boxes", "dropped", "box-empty", 1)]),
        (
            [about("image-unreadable", "a.jpg"), about("box-empty", "a.jpg", source_key="n1")],
            [("boxes", "dropped", "box-empty", 1), ("boxes", "dropped", "image-unreadable", 1)],
        ),
    ],
    ids=["an image repaired", "dropped, not repaired", "a box dropped before its image"],
)
def test_fates_and_their_reasons(rows: Manifest, findings: list[Finding], lines: list[tuple]) -> None:
    gone = {"box 1" for one in findings if one.code == "box-empty"}
    whole = any(one.code == "image-unreadable" for one in findings)
    annotations = [row for row in rows.annotation_rows() if not whole or row.image_id != "a.jpg"]
    images = [row for row in rows.image_rows() if not whole or row.image_id != "a.jpg"]
    after = Manifest.of(images, annotations if whole or not gone else annotations[1:])
    assert {Line("s", *line) for line in lines} <= set(balance("s", rows, after, findings))


def test_a_stage_without_boxes_has_a_line_for_them(rows: Manifest) -> None:
    empty = Manifest(rows.images, rows.annotations.slice(0, 0))
    assert Line("s", "boxes", "kept", "", 0) in balance("s", empty, empty, [])


@pytest.mark.parametrize("order", [[0, 2, 1], [2, 0, 1]])
def test_boxes_that_enter_out_of_order_are_named(rows: Manifest, order: list[int]) -> None:
    wrong = Manifest(rows.images, rows.annotations.take(order))
    with pytest.raises(StageError, match=r"a box of image a\.jpg entered without its image, or out of order"):
        balance("s", wrong, wrong, [])


def test_a_box_that_enters_without_its_image_is_named(rows: Manifest) -> None:
    wrong = without("images", 0)(rows)
    with pytest.raises(StageError, match=r"a box of image a\.jpg entered without its image"):
        balance("s", wrong, wrong, [])


def test_an_image_from_nowhere_fails(rows: Manifest, tmp_path: Path) -> None:
    after = Manifest.of([*rows.image_rows(), make_image(tmp_path, "c.jpg")], rows.annotation_rows())
    with pytest.raises(StageError, match=r"image c.jpg came out, and neither entered nor was made"):
        balance("s", rows, after, [])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda seen, rows: rows.image_rows()[:1], "image b.jpg came out 0 times"),
        (lambda seen, rows: [*rows.image_rows(), replace(rows.image_rows()[0], image_id="c.jpg")], "image c.jpg"),
    ],
    ids=["lost", "invented"],
)
def test_images_that_ingest_loses_or_invents(rows: Manifest, change: Callable, message: str) -> None:
    seen = ReadSource(["a.jpg", "b.jpg"], [])
    with pytest.raises(StageError, match=message):
        balance_read(seen, Manifest.of(change(seen, rows), []), [])


@pytest.mark.parametrize("column", ["label", "xmin", "ymin", "xmax", "ymax"])
def test_a_box_that_ingest_changes_is_named(rows: Manifest, column: str) -> None:
    seen = ReadSource(["a.jpg", "b.jpg"], rows.annotation_rows())
    annotations = rows.annotation_rows()
    setattr(annotations[1], column, "fox" if column == "label" else 2.25)
    with pytest.raises(StageError, match=r"of image a\.jpg, box .* was read, and neither came out nor has a finding"):
        balance_read(seen, Manifest.of(rows.image_rows(), annotations), [])


def test_a_box_that_ingest_invents_is_named(rows: Manifest) -> None:
    seen = ReadSource(["a.jpg", "b.jpg"], rows.annotation_rows()[:2])
    with pytest.raises(StageError, match=r"cat of image b\.jpg, box .* came out, and was never read"):
        balance_read(seen, rows, [])


def test_two_findings_do_not_account_for_one_box_of_two_alike(rows: Manifest) -> None:
    """Each finding is used up."""
    junk = [box("a.jpg", "junk", source_key="n1"), box("a.jpg", "junk", source_key="n2")]
    seen = ReadSource(["a.jpg", "b.jpg"], junk)
    one, other = (about("class-omitted", "a.jpg", source_key=key) for key in ("n1", "n2"))
    nothing = Manifest(rows.images, rows.annotations.slice(0, 0))
    assert Line("ingest", "boxes", "dropped", "class-omitted", 2) in balance_read(seen, nothing, [one, other])
    with pytest.raises(StageError, match="was read, and neither came out"):
        balance_read(seen, nothing, [one])


# --- the trace


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda made: [*made, made[0]], "image a.jpg was made, and not planned next"),
        (lambda made: [made[1], made[0]], "image a.jpg was made, and not planned next"),
        (lambda made: [(made[0][0], [*made[0][1], made[0][1][0]]), made[1]], "a box of image a.jpg was made, and not"),
        (lambda made: [(made[0][0], made[1][1]), made[1]], "a box of image a.jpg was made, and not planned"),
    ],
    ids=["one too many", "another order", "a box twice", "a box of another image"],
)
def test_what_is_made_is_what_was_planned(rows: Manifest, wrong: Callable, message: str) -> None:
    trace = Trace("preprocess", rows)
    planned = list(trace.planned(trace.entering(planned_of(rows))))
    with pytest.raises(StageError, match=re.escape(message)):
        list(trace.made(wrong([(one.image, list(one.annotations)) for one in planned])))


@pytest.mark.parametrize(("made", "missing"), [(slice(1, 2), "a.jpg"), (slice(0, 1), "b.jpg")])
def test_the_trace_tells_what_was_planned_and_not_made(rows: Manifest, made: slice, missing: str) -> None:
    trace = Trace("preprocess", rows)
    planned = list(trace.planned(trace.entering(planned_of(rows))))
    list(trace.made([(one.image, list(one.annotations)) for one in planned[made]]))
    assert trace.result().passed_over == {(missing, missing)}


def test_the_trace_tells_where_each_row_is_from(rows: Manifest) -> None:
    trace = Trace("preprocess", rows)
    planned = list(trace.planned(trace.entering(planned_of(rows))))
    list(trace.made((one.image, list(one.annotations[1:])) for one in planned))
    told = trace.result()
    assert (told.ids.to_pylist(), told.parents.tolist()) == (["a.jpg", "b.jpg"], [0, 1])
    assert (told.counts.tolist(), told.rows.tolist(), told.planned.tolist()) == ([1, 0], [1], [True, True, True])
    assert told.lost == {("a.jpg", "n1", "a.jpg"): 1, ("b.jpg", "n1", "b.jpg"): 1}
