"""Validate: one fate for each image and each box, and a finding for each loss."""

from __future__ import annotations

import csv
import math
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import CODE, box, image_bytes, make_image, make_manifest
from hypothesis import given
from hypothesis import strategies as st
from PIL.Image import Exif
from staged import start_stage

from shardsmith.dataset.errors import FindingError, ParamsError, StageError
from shardsmith.dataset.findings import Finding, found, read_findings, write_findings
from shardsmith.dataset.manifest import Annotation, Image, Manifest
from shardsmith.pipeline.checks.boxes import CODES, check_boxes
from shardsmith.pipeline.params import Params, parse_params
from shardsmith.pipeline.stage import read_stage, write_stage
from shardsmith.pipeline.validate import validate

TOP = Path(__file__).parents[1]
CORNERS = ("xmin", "ymin", "xmax", "ymax")


def acting(**actions: str) -> Params:
    """Params with validate.actions; `box_empty` means box-empty."""
    lines = [f"    {code.replace('_', '-')}: {action}" for code, action in actions.items()]
    return parse_params("\n".join(["validate:", "  actions:", *lines]) if lines else "")


def judge(*rows: Image | Annotation, **actions: str) -> tuple[Manifest, list[tuple[str, str, str]]]:
    manifest, findings = validate(make_manifest(*rows), [], acting(**actions))
    return manifest, [(finding.code, finding.action, finding.file) for finding in findings]


def fates(findings: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Without what is only remarked on boxes that stay; test_findings_boxes.py has that."""
    return [finding for finding in findings if finding[0] in CODES[:6]]


def boxes_of(manifest: Manifest) -> list[list[float | None]]:
    return [[row[corner] for corner in CORNERS] for row in manifest.annotations.to_pylist()]


# the image is 100 x 30 px
BOXES = [
    ([0, 0, 100, 30], None, [0, 0, 100, 30], "the whole image"),
    ([-1e-5, 0, 100 + 9e-5, 30], None, [0, 0, 100, 30], "rounding is clipped without a finding"),
    ([-0.0, 1, 2, 3], None, [0, 1, 2, 3], "minus zero is zero"),
    ([-2, -2, 102, 32], "box-over-edge", [0, 0, 100, 30], "2 px are allowed on every side"),
    ([-5, 0, 10, 10], "box-over-edge", [0, 0, 10, 10], "so are 5 % of the width"),
    ([-5.01, 0, 10, 10], "box-outside-image", None, "but no more"),
    ([0, -2.01, 10, 10], "box-outside-image", None, "2 px are more than 5 % of the height"),
    ([-1, 0, 0, 10], "box-outside-image", None, "nothing of it is inside"),
    ([100, 0, 101, 10], "box-outside-image", None, "nothing of it is inside, right"),
    ([300, 300, 310, 310], "box-outside-image", None, "far away"),
    ([10, 0, 4, 10], "box-inverted", [4, 0, 10, 10], "swapped"),
    ([102, 20, 4, 10], "box-inverted", [4, 10, 100, 20], "swapped, then clipped: one finding"),
    ([310, 0, 300, 10], "box-outside-image", None, "swapped, then outside: one finding"),
    ([4, 4, 4, 10], "box-empty", None, "no width"),
    ([0, 0, 0, 0], "box-empty", None, "nothing, in the corner"),
    ([100, 30, 100, 30], "box-empty", None, "nothing, in the other corner"),
    ([4, 4, 4 + 1e-5, 10], "box-empty", None, "less than float32 can tell"),
    ([math.nan, 0, 1, 1], "box-not-finite", None, "no number"),
    ([0, -math.inf, 1, 1], "box-not-finite", None, "no end"),
    ([0, 0, None, 1], "box-not-finite", None, "a coordinate is missing"),
    ([0.1, 0, 0.5, 1], "box-in-shares", None, "shares of the image"),
    ([0, 0, 1, 1], None, [0, 0, 1, 1], "one pixel, in the corner"),
    ([None] * 4, None, [None] * 4, "a label of the whole image is left alone"),
]


@pytest.mark.parametrize(("corners", "code", "expected", "why"), BOXES, ids=[row[-1] for row in BOXES])
def test_box(corners: list, code: str | None, expected: list | None, why: str, tmp_path: Path) -> None:
    image = make_image(tmp_path, data=image_bytes(100, 30))
    witness = box("a.jpg", "cat", 20, 20, 30, 30)
    manifest, findings = judge(image, witness, box("a.jpg", "cat", *corners))
    assert boxes_of(manifest) == [[20, 20, 30, 30]] + ([expected] if expected else []), why
    action = "drop" if expected is None else "repair"
    assert fates(findings) == ([(code, action, "a.jpg")] if code else []), why
    assert not any(math.copysign(1, value) < 0 for value in boxes_of(manifest)[-1] if value is not None)


ACTIONS = [
    ([-20, 0, 10, 10], {"box_outside_image": "repair"}, "repair", [0, 0, 10, 10], "clipped where something is left"),
    ([-20, 0, -10, 10], {"box_outside_image": "repair"}, "drop", None, "nothing is left to repair"),
    ([-1, 0, 10, 10], {"box_over_edge": "drop"}, "drop", None, "strict about the edge"),
    ([10, 0, 4, 10], {"box_inverted": "drop"}, "drop", None, "strict about the order"),
    ([20, 20, 30, 30], {"box_duplicate": "keep"}, "keep", [20, 20, 30, 30], "a box twice"),
]


@pytest.mark.parametrize(("corners", "actions", "action", "expected", "why"), ACTIONS, ids=[row[-1] for row in ACTIONS])
def test_box_actions(
    corners: list, actions: dict, action: str, expected: list | None, why: str, tmp_path: Path
) -> None:
    image = make_image(tmp_path, data=image_bytes(100, 30))
    witness = box("a.jpg", "cat", 20, 20, 30, 30)
    manifest, findings = judge(image, witness, box("a.jpg", "cat", *corners), **actions)
    assert boxes_of(manifest)[1:] == ([expected] if expected else []), why
    assert findings == [(next(iter(actions)).replace("_", "-"), action, "a.jpg")]


TWINS = [
    (box("a.jpg", "cat", 1, 1, 5, 5), True, "same class, same coordinates"),
    (box("a.jpg", "dog", 1, 1, 5, 5), False, "another class"),
    (box("a.jpg", "cat", 1, 1, 5, 5.5), False, "other coordinates"),
    (box("a.jpg", "cat", 1, 1, 5, 5, is_crowd=True), False, "a crowd is no object"),
    (box("a.jpg", "cat", 1, 1, 5, 5, segmentation="[[1, 1, 5, 5, 1, 5]]"), False, "another mask"),
    (box("a.jpg", "cat", 5, 5, 1, 1), True, "the same once its sides are swapped"),
    (box("b.jpg", "cat", 1, 1, 5, 5), False, "another image"),
]


@pytest.mark.parametrize(("other", "twice", "why"), TWINS, ids=[row[-1] for row in TWINS])
def test_box_duplicate(other: Annotation, twice: bool, why: str, tmp_path: Path) -> None:
    images = make_image(tmp_path, "a.jpg"), make_image(tmp_path, "b.jpg", image_bytes(seed=9))
    manifest, findings = judge(*images, box("a.jpg", "cat", 1, 1, 5, 5), other)
    assert [finding for finding in findings if finding[0] == "box-duplicate"] == (
        [("box-duplicate", "drop", "a.jpg")] if twice else []
    ), why
    assert len(manifest.annotations) == 2 - twice


def turned(orientation: int) -> bytes:
    exif = Exif()
    exif[0x0112] = orientation
    return image_bytes(exif=exif)


IMAGES = [
    ("a.jpg", image_bytes(), {}, [], True),
    ("a.jpg", image_bytes()[:-100], {}, [("image-unreadable", "drop")], False),
    ("a.jpg", b"no image", {}, [("image-unreadable", "drop")], False),
    ("a.png", image_bytes(format="PNG")[:-5], {}, [("image-unreadable", "drop")], False),
    ("a.jpg", turned(6), {}, [("image-turned", "repair")], True),
    ("a.jpg", turned(6), {"image_turned": "drop"}, [("image-turned", "drop")], False),
    ("a.tif", image_bytes(format="TIFF"), {}, [("image-encoding", "repair")], True),
    ("a.webp", image_bytes(format="WEBP"), {"image_encoding": "drop"}, [("image-encoding", "drop")], False),
    ("a.jpg", image_bytes(format="PNG"), {}, [("image-extension", "keep")], True),
    ("a.jpg", image_bytes(format="TIFF"), {}, [("image-encoding", "repair"), ("image-extension", "keep")], True),
    ("a.jpg", image_bytes(format="TIFF"), {"image_encoding": "drop"}, [("image-encoding", "drop")], False),
]


@pytest.mark.parametrize(("name", "data", "actions", "expected", "stays"), IMAGES)
def test_image(name: str, data: bytes, actions: dict, expected: list, stays: bool, tmp_path: Path) -> None:
    witness = make_image(tmp_path, "witness.jpg", image_bytes(seed=9))
    rows: list[Image | Annotation] = [
        make_image(tmp_path, name, data),
        box(name),
        box(name, "dog", 12, 3, 22, 13),
        witness,
        box("witness.jpg"),
    ]
    manifest, findings = judge(*rows, **actions)
    assert findings == [(*codes, name) for codes in expected]
    assert manifest.images["image_id"].to_pylist() == ([name] if stays else []) + ["witness.jpg"]
    assert len(manifest.annotations) == 1 + 2 * stays, "its boxes go with it"


def test_a_dropped_image_says_why_and_how_many_boxes_go(tmp_path: Path) -> None:
    rows: list[Image | Annotation] = [
        make_image(tmp_path, "a.jpg", b"no image"),
        box(),
        box("a.jpg", "dog", 12, 3, 22, 13),
        make_image(tmp_path, "b.jpg"),
    ]
    _, findings = validate(make_manifest(*rows), [], Params())
    assert [finding.reason for finding in findings] == ["no image header: not a known image format; 2 boxes with it"]


DUPLICATES = [
    ("image-duplicate", [box("b.jpg"), box("b.jpg", "dog", 12, 3, 22, 13)], {}, "same boxes in the same order"),
    ("image-duplicate", [box("b.jpg", "dog", 12, 3, 22, 13), box("b.jpg")], {}, "in another order"),
    ("image-duplicate-conflict", [box("b.jpg")], {}, "a box is missing"),
    ("image-duplicate-conflict", [box("b.jpg"), box("b.jpg", "dog", 0, 0, 9, 9)], {}, "a box is elsewhere"),
    ("image-duplicate-conflict", [], {"annotated": False}, "one is unlabelled"),
]


@pytest.mark.parametrize("action", ["keep", "drop"])
@pytest.mark.parametrize(("code", "boxes", "columns", "why"), DUPLICATES, ids=[row[-1] for row in DUPLICATES])
def test_image_duplicate(code: str, boxes: list, columns: dict, why: str, action: str, tmp_path: Path) -> None:
    first, copy = (
        make_image(tmp_path, name, image_bytes(), **row) for name, row in (("a.jpg", {}), ("b.jpg", columns))
    )
    manifest, findings = judge(
        copy, *boxes, first, box(), box("a.jpg", "dog", 12, 3, 22, 13), **{code.replace("-", "_"): action}
    )
    assert findings == [(code, action, "b.jpg")], why
    assert manifest.images["image_id"].to_pylist() == (["a.jpg", "b.jpg"] if action == "keep" else ["a.jpg"])


def test_an_unlabelled_copy_of_a_negative_is_a_conflict(tmp_path: Path) -> None:
    rows = [make_image(tmp_path, "a.jpg", image_bytes()), make_image(tmp_path, "b.jpg", image_bytes(), annotated=False)]
    assert judge(*rows)[1] == [("image-duplicate-conflict", "keep", "b.jpg")]


def test_an_image_that_lost_every_box_is_named(tmp_path: Path) -> None:
    """It would pass for a negative otherwise."""
    rows: list[Image | Annotation] = [
        make_image(tmp_path, "a.jpg"),
        box("a.jpg", "cat", 1, 1, 1, 1),
        make_image(tmp_path, "other.jpg"),
    ]
    manifest, findings = judge(*rows)
    assert findings == [("box-empty", "drop", "a.jpg"), ("image-left-empty", "drop", "a.jpg")]
    assert manifest.images["image_id"].to_pylist() == ["other.jpg"]
    manifest, findings = judge(*rows, image_left_empty="keep")
    assert manifest.images["annotated"].to_pylist() == [False, True]


def test_fail_names_count_places_and_remedy(tmp_path: Path) -> None:
    rows: list[Image | Annotation] = [
        make_image(tmp_path),
        *(box("a.jpg", "cat", i, i, i, i) for i in range(8)),
        box("a.jpg", "cat", 9, 9, 1, 1),
    ]
    with pytest.raises(FindingError) as error:
        judge(*rows, box_empty="fail", box_inverted="fail")
    for said in (
        "9 findings (8 errors, 1 warning)",
        "box-empty: 8",
        "a.jpg, box 1",
        "and 3 more",
        "draw the box again",
    ):
        assert said in str(error.value)


def test_fail_stops_for_what_ingest_found(tmp_path: Path) -> None:
    earlier = [found("image-missing", "a.xml", value="a.jpg")]
    manifest = make_manifest(make_image(tmp_path))
    assert validate(manifest, earlier, acting(image_missing="drop"))[1] == earlier
    with pytest.raises(FindingError, match=r"a\.xml"):
        validate(manifest, earlier, acting(image_missing="fail"))


def test_an_action_that_comes_too_late_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match=r"image-unlabelled: keep: ingest already chose drop.*set ingest.unlabelled"):
        validate(
            make_manifest(make_image(tmp_path)), [found("image-unlabelled", "b.jpg")], acting(image_unlabelled="keep")
        )


def test_input_on_disk_is_checked(tmp_path: Path) -> None:
    image = make_image(tmp_path)
    with pytest.raises(StageError, match="no such image in the manifest"):
        judge(image, box("other.jpg"))
    with pytest.raises(StageError, match="there is no image to validate"):
        judge()
    unreadable = make_image(tmp_path, "b.jpg", width=None, height=None, format=None)
    with pytest.raises(StageError, match=r"b\.jpg: the image changed since it was ingested"):
        judge(unreadable)
    Path(image.path).unlink()
    with pytest.raises(StageError, match=r"a\.jpg: the image is gone since it was ingested"):
        judge(image)


def test_no_image_left_says_what_happened(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"(?s)none of 1 images is left:.*image-unreadable: 1.*replace the image"):
        judge(make_image(tmp_path, data=b""))


coordinates = st.floats(-40, 140) | st.sampled_from([math.nan, math.inf, 0.0, 100.0, -5.0])


@given(st.lists(st.tuples(coordinates, coordinates, coordinates, coordinates), max_size=12))
def test_what_is_kept_is_a_good_box_and_what_is_lost_is_named(rows: list) -> None:
    image = Image("a.jpg", "a.jpg", "0", 100, 100, "jpeg")
    manifest, findings = check_boxes(make_manifest(image, *(box("a.jpg", "cat", *row) for row in rows)), {}, 0.05)
    for xmin, ymin, xmax, ymax in boxes_of(manifest):
        assert 0 <= xmin < xmax <= 100 and 0 <= ymin < ymax <= 100  # type: ignore[operator]
    assert len(rows) == len(manifest.annotations) + sum(finding.action == "drop" for finding in findings)
    own = [finding.place for finding in findings if finding.code in CODES[:6]]
    assert len(set(own)) == len(own), "one fate a box"


@pytest.mark.parametrize("cell", ["=1+1", "'=1+1", "@SUM(A1)", "+a", "-cmd|' /C calc'!A0", "\t=1", "''-x", "-", "\r="])
def test_a_spreadsheet_runs_no_finding(tmp_path: Path, cell: str) -> None:
    finding = Finding("box-lost", "drop", cell, cell, cell, cell, cell, cell, cell)
    write_findings([finding], tmp_path / "findings.csv")
    with (tmp_path / "findings.csv").open(newline="", encoding="utf-8") as file:
        assert not any(each.startswith(tuple("=+-@\t\r")) for each in list(csv.reader(file))[1])
    assert read_findings(tmp_path / "findings.csv") == [finding]


def test_findings_survive_their_file(tmp_path: Path) -> None:
    odd = [
        found("box-lost", "'a", "-12.5", "+3", "'-3"),
        Finding("box-empty", "drop", 'a "b", c.jpg', "box 1", "return\ralone", "Füchse"),
        found("box-lost", "", "x"),
    ]
    write_findings(odd, tmp_path / "findings.csv")
    assert read_findings(tmp_path / "findings.csv") == odd


def test_command(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("")
    rows: list[Image | Annotation] = [
        make_image(tmp_path, "a.jpg"),
        box(),
        box("a.jpg", "cat", 1, 1, 1, 1),
        make_image(tmp_path, "b.jpg", b""),
    ]
    write_stage(tmp_path / "in", make_manifest(*rows), [found("class-without-boxes", "", "class dog")])
    done = start_stage(tmp_path, "validate", "in", "none", "out")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "validate: 1 of 2 images and 1 of 2 boxes kept; 3 findings (2 errors, 1 info): out/summary.md\n"
    )
    manifest, findings = read_stage(tmp_path / "out")
    assert (len(manifest.images), len(manifest.annotations)) == (1, 1)
    assert [finding.code for finding in findings] == ["class-without-boxes", "image-unreadable", "box-empty"]
    text = (tmp_path / "out" / "summary.md").read_text()
    assert "image-unreadable" in text and "the file is empty" in text

    missing = start_stage(tmp_path, "validate", "nowhere", "none", "out")
    assert missing.returncode == 1
    assert missing.stderr.startswith("error: nowhere: no manifest")
    assert len(missing.stderr.splitlines()) == 1


def test_the_number_of_workers_changes_no_byte(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("")
    images = [make_image(tmp_path, f"{i}.jpg", image_bytes(seed=i)[: 600 if i % 7 == 0 else None]) for i in range(30)]
    boxes = [box(f"{i}.jpg", "cat", -1, 0, 5, 5) for i in range(30)]
    write_stage(tmp_path / "in", make_manifest(*images, *boxes), [])
    code = "from pathlib import Path; import sys, shardsmith.dataset.workers as w, stages.validate as s; "
    code += "w.ALONE_S = 0; s.main(*map(Path, sys.argv[1:]))"
    for workers in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code, "in", "none", f"out{workers}"],
            cwd=tmp_path,
            env={"PYTHONPATH": CODE, "PATH": "", "SHARDSMITH_WORKERS": workers},
        )
        assert done.returncode == 0
    for name in ("images.parquet", "annotations.parquet", "findings.csv"):
        assert (tmp_path / "out1" / name).read_bytes() == (tmp_path / "out2" / name).read_bytes()
