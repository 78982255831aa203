"""YAML that anyone may write: what is not read is said, at its line, wherever it stands."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from shardsmith.dataset.errors import ParamsError, RawDataError, VersionError
from shardsmith.dataset.yaml import YamlError, load_yaml
from shardsmith.formats.yolo.ultralytics import parse_data
from shardsmith.pipeline.params import parse_params
from shardsmith.workspace.settings import parse_settings, with_settings
from shardsmith.workspace.workspace import Workspace

ODD = [
    "a: [1,\nb", "a: 1\na: 2", "? [[a]]", "a: 2021-99-99", "a: 0000-01-01", 'a: !!int ""', "a: !!bool x", "a: *b",
    "a: !!float x", "a: !!binary x", "a: !!python/object/apply:os.system [ls]", "\ta", "a: \x01", "[" * 999,
    "- " * 5000,
]  # fmt: skip


@pytest.mark.parametrize("text", ODD)
def test_what_is_no_yaml_is_said_in_one_line(text: str, tmp_path: Path) -> None:
    with pytest.raises(YamlError, match=r"^not YAML \(.+\)$"):
        load_yaml(text)
    for read, error in (
        (lambda: parse_params(text), ParamsError),
        (lambda: parse_settings([f"a={text}"]), ParamsError),
        (lambda: with_settings(text, {"split.seed": 1}), ParamsError),
        (lambda: parse_data(text, "data.yaml"), RawDataError),
        (lambda: workspace_of(tmp_path, text).code(), VersionError),
        (lambda: workspace_of(tmp_path, text).lock_file(), VersionError),
    ):
        with pytest.raises(error, match="YAML"):
            read()


def workspace_of(folder: Path, text: str) -> Workspace:
    for name in ("dvc.yaml", "dvc.lock"):
        (folder / name).write_text(text)
    return Workspace(folder)


def test_the_line_is_named() -> None:
    with pytest.raises(ParamsError, match=r"^params\.yaml:3: not YAML \(.*duplicate key \"a\".*\); correct it$"):
        parse_params("split:\n  a: 1\n  a: 2\n")


BLOCK = """augment:
  steps:              # in this order:
                      # flip, rotate
    - flip: {horizontal: 0.5}    # the share
                                 # of copies
    - rotate: {degrees: 15}      # between

  seed: 0             # another
"""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("[{flip: {horizontal: 0.1}}, {hue: {}}]", [
            "    - flip: {horizontal: 0.1}    # the share", "                                 # of copies",
            "    - hue: {}", "    # rotate: between", "", "  seed: 0             # another",
        ]),
        ("[]", ["    # flip: the share", "    # flip: of copies", "    # rotate: between", "",
                "  seed: 0             # another"]),
    ],
)  # fmt: skip
def test_a_block_stays_a_block_with_its_comments(value: str, expected: list[str]) -> None:
    lines = with_settings(BLOCK, parse_settings([f"augment.steps={value}"])).splitlines()
    assert lines[1].split("#")[1] == " in this order:" and lines[2].strip() == "# flip, rotate"
    assert lines[3:] == expected


@pytest.mark.parametrize("text", ["", "# nothing", "- a", "a"])
def test_a_pipeline_without_stages_is_said(text: str, tmp_path: Path) -> None:
    with pytest.raises(VersionError, match=r"dvc\.yaml: has no stages; restore it"):
        workspace_of(tmp_path, text).code()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nc:\n" * 60_000, "120,000 of : , - and lines"),
        ("- " * 110_000, "110,000 of"),
        ("[" * 10_000, "10,000 of"),
        ("[]," * 2000, "2,000 of"),
        ("x" * 1_000_001, "1,000,001 characters"),
    ],
    ids=["lines", "dashes", "nested", "brackets", "length"],
)
@pytest.mark.usefixtures("attack")
def test_what_would_take_long_is_refused_unread(text: str, said: str) -> None:
    start = time.process_time()
    with pytest.raises(YamlError, match=rf"^{said}.*allowed: up to"):
        load_yaml(text)
    assert time.process_time() - start < 0.5


def test_what_data_sets_have_is_read() -> None:
    """As many classes as ImageNet-21k, with several words and dashes each."""
    names = "".join(f"  {number}: blue-ish thing, sort {number}\n" for number in range(21_841))
    assert len(load_yaml(f"names:\n{names}")["names"]) == 21_841
