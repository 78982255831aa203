"""One planted instance of every finding is reported, in its place; the clean sample has none."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest
from planted import GROUPED, IN_GROUPS, PARAMS, PLANTED, plant

from docs import findings as docs_findings
from stages.dataset.findings import CATALOGUE, Finding
from stages.params import Params, parse_params
from tools.check import check, findings_markdown
from tools.sample import write_sample

# of the steps and of writing, which change or choose and say so: no flaw of a dataset
NOT_OF_DATA = {
    *("not-exported", "image-left-out", "box-left-out", "image-smaller-than-tile", "copy-identical", "box-lost"),
    "outline-lost",
}
# where each is to be found: the file, or the class or split, or a part of the value
PLACES = {
    "annotation-unreadable": "annotations/instances_train.json",
    "image-missing": "annotations/instances_train.json",
    "image-ambiguous": "annotations/instances_train.json",
    "image-unlabelled": "images/unmentioned.jpg",
    "size-declared-wrong": "annotations/instances_train.json, images/wrong-size.jpg",
    "orientation-ambiguous": "annotations/instances_train.json, images/upside-down.jpg",
    "class-name-empty": "images/omitted.jpg",
    "class-without-boxes": "unused",
    "class-omitted": "images/omitted.jpg",
    "class-alike": "Dog",
    "class-not-found": "params.yaml",
    "not-carried": "annotations/instances_train.json",
    "image-unreadable": "images/cut-off.jpg",
    "image-turned": "images/turned.jpg",
    "image-encoding": "images/bitmap.bmp",
    "image-extension": "images/really-a-png.jpg",
    "image-colours": "images/cmyk.jpg",
    "image-plain": "images/black.jpg",
    "image-size-far": "images/huge.jpg",
    "image-duplicate": "images/same-2.jpg",
    "image-duplicate-conflict": "images/conflict-2.jpg",
    "image-near-duplicate": "images/near-2.jpg",
    "box-not-finite": "images/box-not-finite.jpg",
    "box-inverted": "images/box-inverted.jpg",
    "box-over-edge": "images/box-over-edge.jpg",
    "box-outside-image": "images/box-outside.jpg",
    "box-empty": "images/box-empty.jpg",
    "box-duplicate": "images/box-duplicate.jpg",
    "box-near-duplicate": "images/box-near-duplicate.jpg",
    "box-overlap": "images/box-overlap.jpg",
    "box-tiny": "images/box-tiny.jpg",
    "box-covers-image": "images/box-covers.jpg",
    "image-left-empty": "images/left-empty.jpg",
    "class-rare": "rare",
    "split-empty": "",
    "split-lacks-class": "",
    "split-missing": "images/no-split.jpg",
    "split-leak": "images/conflict-1.jpg",
    "split-leak-similar": "images/near-1.jpg",
    "split-groups-joined": "images/group-a.jpg",
}
# that come with another one: an empty box is planted alone too, an image stands upside down both ways, ...
OFTEN = {"box-empty": 2, "image-turned": 2, "image-near-duplicate": 2, "class-rare": 2, "split-lacks-class": 2}


def by_code(findings: list[Finding]) -> dict[str, list[Finding]]:
    found = defaultdict(list)
    for finding in findings:
        found[finding.code].append(finding)
    return found


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Finding]]:
    folder = tmp_path_factory.mktemp("planted")
    plant(folder)
    found = by_code(check(folder, parse_params(PARAMS)).findings)
    grouped = by_code(check(folder, parse_params(GROUPED)).findings)
    return found | {code: grouped[code] for code in IN_GROUPS}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("clean") / "sample"
    write_sample(folder, "voc")
    return {finding.code for finding in check(folder, Params()).findings}


pytestmark = pytest.mark.xdist_group("planted")


def test_every_code_is_planted_or_of_a_step() -> None:
    assert set(CATALOGUE) == PLANTED | IN_GROUPS | NOT_OF_DATA
    assert set(PLACES) == PLANTED | IN_GROUPS


def test_nothing_else_is_found(planted: dict[str, list[Finding]]) -> None:
    assert set(planted) == PLANTED | IN_GROUPS


@pytest.mark.parametrize("code", sorted(PLACES))
def test_what_is_planted_is_found_in_its_place(code: str, planted: dict[str, list[Finding]]) -> None:
    found = planted.get(code, [])
    assert PLACES[code] in [finding.file for finding in found]
    assert len(found) == OFTEN.get(code, 1), [str(finding) for finding in found]


@pytest.mark.parametrize("code", sorted(PLACES))
def test_the_clean_sample_has_none(code: str, clean: set[str]) -> None:
    assert code not in clean


def test_the_docs_list_every_code() -> None:
    path = Path(docs_findings.__file__).with_suffix(".md")
    assert path.read_text(encoding="utf-8") == findings_markdown(), "run python -m docs.findings"
