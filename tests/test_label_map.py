"""The label map: ids that never change meaning, and names that survive the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardsmith.dataset.errors import RawDataError, StageError
from shardsmith.dataset.label_map import LabelMap, parse_label_map, read_label_map

ODD_NAMES = [
    "cat",
    'a "quoted" one',
    "it's",
    "back\\slash",
    "two\nlines",
    "tab\there",
    "Füchse",
    "猫",
    "😀",
    "a # b",
    " ",
]


@pytest.mark.parametrize("name", ODD_NAMES, ids=ascii)
def test_round_trip(name: str, tmp_path: Path) -> None:
    labels = LabelMap("sample", {name: 3, "other": 1})
    path = tmp_path / "label_map.pbtxt"
    path.write_text(labels.format(), encoding="utf-8")
    assert read_label_map(path) == labels


@given(st.dictionaries(st.text(min_size=1).filter(lambda name: name.isprintable()), st.integers(1, 2**31 - 1)))
def test_round_trip_of_any(ids: dict[str, int]) -> None:
    labels = LabelMap("sample", {name: i for i, name in {i: name for name, i in ids.items()}.items()})
    assert parse_label_map(labels.format(), "it") == labels


def test_format() -> None:
    assert LabelMap("pets", {"dog": 2, "cat": 1}).format() == (
        '# dataset: pets\nitem {\n  name: "cat"\n  id: 1\n}\nitem {\n  name: "dog"\n  id: 2\n}\n'
    )


OTHERS = [
    ('item {\n name: "cat",\n id: 1\n}\nitem {\n name: "dog",\n id: 2\n}', "Roboflow writes commas"),
    ("item { id: 1 name: 'cat' }\nitem { id: 2 name: 'dog' }", "the Object Detection API's own"),
    ('item { id: 1 name: "" display_name: "cat" }\nitem { id: 2 display_name: "dog" }', "display_name only"),
    ('item { name: "cat" id: 1 keypoints { id: 4 label: "ear" } }\nitem { name: "dog" id: 2 }', "fields we do not use"),
]


@pytest.mark.parametrize(("text", "why"), OTHERS, ids=[why for _, why in OTHERS])
def test_reads_others(text: str, why: str) -> None:
    assert parse_label_map(text, "it") == LabelMap("", {"cat": 1, "dog": 2}), why


WRONG = [
    ('item { name: "cat" id: 0 }', "id 0"),
    ('item { name: "cat" }', "id 0"),
    ("item { id: 1 }", "name ''"),
    ('item { name: "cat" id: 1 }\nitem { name: "cat" id: 2 }', "'cat', id 2"),
    ('item { name: "cat" id: 1 }\nitem { name: "dog" id: 1 }', "'dog', id 1"),
    ("cat\ndog\n", "no label map"),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_refuses(text: str, said: str) -> None:
    with pytest.raises(StageError, match=f"^labels.pbtxt:.*{said}"):
        parse_label_map(text, "labels.pbtxt")


EXTENDED = [
    ({}, ["b", "a"], {}, {"b": 1, "a": 2}, "ids from 1, in the order given"),
    ({"z": 1}, ["a", "z"], {}, {"z": 1, "a": 2}, "an old class keeps its id, whatever a new one's name"),
    ({"z": 1, "y": 2}, ["a"], {}, {"z": 1, "y": 2, "a": 3}, "the ids of vanished classes stay reserved"),
    ({"z": 1}, ["a", "b"], {"b": 2}, {"z": 1, "b": 2, "a": 3}, "a pin comes before the order"),
    ({}, ["a", "b", "c"], {"b": 7}, {"a": 1, "b": 7, "c": 2}, "free ids are filled from below"),
    ({"a": 1}, ["a"], {"a": 1}, {"a": 1}, "a pin that is so already"),
    ({}, ["a", "a"], {}, {"a": 1}, "named twice"),
]


@pytest.mark.parametrize(("ids", "labels", "pins", "expected", "why"), EXTENDED, ids=[row[-1] for row in EXTENDED])
def test_extended(ids: dict, labels: list, pins: dict, expected: dict, why: str) -> None:
    before = dict(ids)
    assert LabelMap("d", ids).extended(labels, pins).ids == expected, why
    assert ids == before, "the argument stays as it was"


@pytest.mark.parametrize(
    ("pins", "said"), [({"a": 2}, "'a' has id 1"), ({"b": 1}, "id 1 is 'a'"), ({"b": 3, "c": 3}, "id 3 is 'b'")]
)
def test_a_pin_cannot_change_a_meaning(pins: dict, said: str) -> None:
    with pytest.raises(RawDataError, match=said):
        LabelMap("d", {"a": 1}).extended([], pins)


def test_names_by_id_has_no_gaps() -> None:
    labels = LabelMap("d", {"b": 3, "a": 1})
    assert labels.names == ["a", "b"]
    assert labels.names_by_id() == ["background", "a", "unused-2", "b"]
    assert LabelMap("d").names_by_id() == ["background"]
