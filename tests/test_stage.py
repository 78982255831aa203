"""What a stage leaves is what the next one reads: a flipped bit in any of its files stops the build."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import box, make_image, make_manifest

from shardsmith.dataset.errors import StageError
from shardsmith.dataset.findings import found
from shardsmith.dataset.manifest import SUMS, write_sums
from shardsmith.ledger.fates import Line, read_ledger
from shardsmith.pipeline.description import read_source
from shardsmith.pipeline.ingest import write_source
from shardsmith.pipeline.stage import read_stage, write_stage
from shardsmith.transforms.run.cache import MadeFile, Table

FILES = ("images.parquet", "annotations.parquet", "findings.csv", "ledger.csv", "source.json")


@pytest.fixture
def stage(tmp_path: Path) -> Path:
    manifest = make_manifest(*(row for name in "abcd" for row in (make_image(tmp_path / "raw", name), box(name))))
    folder = tmp_path / "stage"
    write_stage(folder, manifest, [found("own-odd", "a", value="7")], [Line("ingest", "images", "kept", "", 4)])
    write_source(folder, "voc", {})
    return folder


def read(folder: Path) -> Any:
    return *read_stage(folder), read_ledger(folder), read_source(folder / "source.json")


def flipped(path: Path, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_is_named(stage: Path, name: str) -> None:
    whole = (stage / name).read_bytes()
    for bit in range(3, 8 * len(whole), max(1, len(whole) // 3)):
        flipped(stage / name, bit)
        with pytest.raises(StageError, match=rf"stage/{name}: damaged: .*repair.*dvc repro --force"):
            read(stage)
        (stage / name).write_bytes(whole)
    (stage / name).unlink()
    with pytest.raises(StageError, match=f"stage/{name}: missing"):
        read(stage)


def test_a_flipped_bit_in_the_sums_changes_nothing_that_is_read(stage: Path) -> None:
    right, whole = read(stage), (stage / SUMS).read_bytes()
    for bit in range(0, 8 * len(whole), 61):
        flipped(stage / SUMS, bit)
        try:
            assert read(stage) == right
        except StageError as error:
            assert "SHA256SUMS" in str(error)
        (stage / SUMS).write_bytes(whole)


def test_what_was_written_before_there_were_sums_is_read(stage: Path) -> None:
    right = read(stage)
    (stage / SUMS).unlink()
    assert read(stage) == right


def test_sums_say_what_is_there_and_nothing_else(stage: Path) -> None:
    (stage / "source.json").unlink()
    write_sums(stage, "ledger.csv")
    assert [line.split()[1] for line in (stage / SUMS).read_text().splitlines()] == sorted(FILES[:-1])


def test_a_damaged_table_of_made_images_is_made_again(tmp_path: Path) -> None:
    table = Table()
    table.add(MadeFile("images/00/a.jpg", "0" * 64, 4, 4, False, '{"rows": [0], "boxes": [[1, 1, 2, 2]]}'))
    table.write(tmp_path)
    assert "images/00/a.jpg" in Table.read(tmp_path)
    flipped(tmp_path / "outputs.parquet", 8 * 60)
    assert "images/00/a.jpg" not in Table.read(tmp_path)
