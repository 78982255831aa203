"""Every shape of a valid file comes out as a row, or as one finding of its image that drops it."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from test_formats import read
from valid_shapes import MAKERS

CASES, MANY = 40, 2_000  # of five images each


def check(format: str, tmp_path: Path, cases: int) -> None:
    for seed in range(cases):
        made = MAKERS[format](Random(seed))
        source = read(tmp_path / "raw", dict(made.files))
        kept = Counter(row.image_id for row in source.annotations)
        lost = Counter(one.image_id for one in source.findings if one.action == "drop")
        assert set(source.entries) == set(made.shapes), seed
        assert {image_id: kept[image_id] + lost[image_id] for image_id in made.shapes} == made.shapes, seed
        assert source.shapes == sum(made.shapes.values()), seed
        shutil.rmtree(tmp_path / "raw")


@pytest.mark.parametrize("format", MAKERS)
def test_shapes_in_are_shapes_out_and_named(format: str, tmp_path: Path) -> None:
    check(format, tmp_path, CASES)


@pytest.mark.long
@pytest.mark.parametrize("format", MAKERS)
def test_many_shapes(format: str, tmp_path: Path) -> None:
    check(format, tmp_path, MANY)
