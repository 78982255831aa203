"""What validate remarks on boxes that stay: overlaps, tiny and covering ones."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from conftest import box, image_bytes, make_image, make_manifest
from hypothesis import given, settings
from hypothesis import strategies as st

from shardsmith.dataset.manifest import Annotation, Image, Manifest
from shardsmith.pipeline.checks.boxes import check_boxes
from shardsmith.pipeline.checks.overlaps import overlapping

IMAGE = Image("a.jpg", "a.jpg", "0", 100, 100, "jpeg")


def check(*rows: Image | Annotation, tiny_px: float = 3, **actions: str) -> tuple[Manifest, list[tuple[str, str, str]]]:
    wanted = {code.replace("_", "-"): action for code, action in actions.items()}
    manifest, findings = check_boxes(make_manifest(IMAGE, *rows), wanted, 0.05, tiny_px)  # type: ignore[arg-type]
    return manifest, [(finding.code, finding.action, finding.place) for finding in findings]


def twin(label: str = "cat", *corners: float, **columns: object) -> Annotation:
    return box("a.jpg", label, *(corners or (20, 20, 60, 60)), **columns)


PAIRS = [
    (twin(), twin("cat", 20, 20, 60, 60.5), "box-near-duplicate", "hardly another box"),
    (twin(), twin("cat", 20, 20, 60, 63), None, "IoU 0.93 of one class can be two objects"),
    (twin(), twin("dog"), "box-overlap", "two classes"),
    (twin(), twin("dog", 20, 20, 60, 64), "box-overlap", "IoU 0.91"),
    (twin(), twin("dog", 20, 20, 60, 65), None, "IoU 0.89"),
    (twin(), twin("cat", 20, 20, 60, 60.5, is_crowd=True), None, "a crowd is no object"),
    (twin(), twin("cat", segmentation="[[20, 20, 60, 60, 20, 60]]"), "box-near-duplicate", "the outline differs"),
    (twin(), twin("cat", 30, 30, 50, 50), None, "one inside the other"),
    (twin(), box("b.jpg", "dog", 20, 20, 60, 60), None, "on another image"),
]


@pytest.mark.parametrize(("one", "other", "code", "why"), PAIRS, ids=[row[-1] for row in PAIRS])
def test_pairs(one: Annotation, other: Annotation, code: str | None, why: str) -> None:
    more = [Image("b.jpg", "b.jpg", "1", 100, 100, "jpeg")] if other.image_id == "b.jpg" else []
    manifest, findings = check(one, other, *more)
    assert findings == ([(code, "keep", "box 2")] if code else []), why
    assert len(manifest.annotations) == 2


def test_a_near_duplicate_is_dropped_where_wanted_and_the_first_stays() -> None:
    rows = [twin(), twin("cat", 20, 20, 60, 60.5), twin("cat", 20, 20, 60, 61), twin("dog", 70, 70, 90, 90)]
    manifest, findings = check(*rows, box_near_duplicate="drop")
    assert findings == [("box-near-duplicate", "drop", "box 2"), ("box-near-duplicate", "drop", "box 3")]
    assert manifest.annotations["ymax"].to_pylist() == [60, 90]


def test_a_box_twice_is_said_once() -> None:
    assert check(twin(), twin())[1] == [("box-duplicate", "drop", "box 2")]
    assert check(twin(), twin(), box_duplicate="keep")[1] == [("box-duplicate", "keep", "box 2")]


SIZES = [
    ([10, 10, 12.9, 50], "box-tiny", "2.9 px"),
    ([10, 10, 13, 50], None, "3 px"),
    ([0, 0, 100, 95], "box-covers-image", "95 %"),
    ([0, 0, 100, 94.9], None, "94.9 %"),
]


@pytest.mark.parametrize(("corners", "code", "why"), SIZES, ids=[row[-1] for row in SIZES])
def test_sizes(corners: list[float], code: str | None, why: str) -> None:
    assert check(twin("cat", *corners))[1] == ([(code, "keep", "box 1")] if code else []), why


def test_the_tiny_size_is_a_parameter_and_drops_where_wanted() -> None:
    assert check(twin("cat", 10, 10, 13, 50), tiny_px=4)[1] == [("box-tiny", "keep", "box 1")]
    assert check(twin("cat", 10, 10, 11, 50), tiny_px=0)[1] == []
    manifest, findings = check(twin(), twin("cat", 10, 10, 12, 50), box_tiny="drop")
    assert findings == [("box-tiny", "drop", "box 2")]
    assert len(manifest.annotations) == 1


def test_a_repaired_box_is_remarked_on_too_and_places_count_dropped_ones() -> None:
    rows = [twin("cat", 5, 5, 5, 5), twin("cat", 101, 0, 0, 100)]
    assert check(*rows)[1] == [
        ("box-inverted", "repair", "box 2"),
        ("box-empty", "drop", "box 1"),
        ("box-covers-image", "keep", "box 2"),
    ]


def test_a_dropped_box_overlaps_nothing() -> None:
    rows = [twin("cat", 10, 10, 12, 50), twin("dog", 10, 10, 12, 50)]
    assert check(*rows, box_tiny="drop")[1] == [("box-tiny", "drop", "box 1"), ("box-tiny", "drop", "box 2")]


corner = st.integers(0, 4).map(float)


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, 1), corner, corner, st.integers(4, 9), st.integers(7, 9)), max_size=14),
    st.sampled_from([0.3, 0.5, 0.9]),
)
def test_every_pair_is_found(rows: list, least: float) -> None:
    images = np.array([row[0] for row in rows], int)
    boxes = np.array([[x, y, x + w, y + h] for _, x, y, w, h in rows], float).reshape(-1, 4)
    expected = set()
    for j in range(len(rows)):
        for i in range(j):
            a, b = boxes[i], boxes[j]
            sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
            shared = sides.prod() if (sides > 0).all() else 0
            union = (a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - shared
            if images[i] == images[j] and shared / union > least:
                expected.add((i, j))
    one, other, _ = overlapping(images, boxes, least)
    assert set(zip(one.tolist(), other.tolist(), strict=True)) == expected


def test_ten_thousand_boxes_of_one_image_are_quick() -> None:
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 4000, (10_000, 2))
    boxes = np.hstack([low, low + rng.uniform(5, 60, (10_000, 2))])
    start = time.process_time()
    overlapping(np.zeros(10_000, int), boxes, 0.9)
    assert time.process_time() - start < 5, "about 0.1 s"


def test_on_disk(tmp_path: Path) -> None:
    """The whole stage, with its own default for tiny boxes."""
    from shardsmith.pipeline.params import Params
    from shardsmith.pipeline.validate import validate

    image = make_image(tmp_path, data=image_bytes(100, 100))
    rows = [box("a.jpg", "cat", 20, 20, 60, 60), box("a.jpg", "dog", 20, 20, 60, 60), box("a.jpg", "cat", 1, 1, 3, 9)]
    findings = validate(make_manifest(image, *rows), [], Params())[1]
    assert [finding.code for finding in findings] == ["box-tiny", "box-overlap"]
    assert "IoU 1.000 with box 1 (cat)" in str(findings[1])
