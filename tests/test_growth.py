"""A dataset that grows: no old image moves without a finding, and what belongs together stays together.

`make test-long` runs it on the raccoon photographs, where they are there, and prints the figures with `-s`.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import box, make_image, make_manifest
from PIL import Image as PilImage
from PIL import ImageOps
from test_findings_images import soft

from shardsmith.dataset.manifest import Image
from shardsmith.pipeline.params import parse_params
from shardsmith.pipeline.splits.decisions import Decisions
from shardsmith.pipeline.splits.record import Record
from shardsmith.pipeline.splits.split import Placed, place
from shardsmith.pipeline.validate import examine

Change = Callable[[bytes, int], bytes]
STRATEGIES = ("stable", "stratified", "source")


def saved_again(data: bytes, _: int) -> bytes:
    return encoded(PilImage.open(io.BytesIO(data)).convert("RGB"))


def with_metadata(data: bytes, number: int) -> bytes:
    comment = f"taken on day {number}".encode()
    return data[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + data[2:]


def cut_or_mirrored(data: bytes, number: int) -> bytes:
    image = PilImage.open(io.BytesIO(data)).convert("RGB")
    width, height = image.size
    box = (width // 20, height // 20, width - width // 20, height - height // 20)
    return encoded(ImageOps.mirror(image) if number % 2 else image.crop(box))


def under_another_name(data: bytes, _: int) -> bytes:
    return data


WAYS: list[Change] = [saved_again, with_metadata, cut_or_mirrored, under_another_name]


def encoded(image: PilImage.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=90)
    return stream.getvalue()


def build(images: list[Image], strategy: str, record: Record, seed: int = 0) -> Placed:
    """As validate and split do it; and again from the record that comes out, as a rebuild does."""
    params = parse_params(f"split: {{strategy: {strategy}, seed: {seed}}}")
    rows = [*images, *(box(one.image_id, "cat" if number % 3 else "dog") for number, one in enumerate(images))]
    valid, _ = examine(make_manifest(*rows), [], params)
    placed = place(valid, params, Decisions(), record)
    again = place(valid, params, Decisions(), Record(placed.rows))
    assert again.manifest.images.equals(placed.manifest.images)
    assert again.findings == placed.findings
    assert sorted(again.rows) == sorted(placed.rows)
    return placed


def splits(placed: Placed) -> dict[str, str]:
    return {row.image_id: str(row.split) for row in placed.manifest.image_rows()}


def grown(folder: Path, photographs: list[bytes], share: float, way: Change, strategy: str) -> tuple[int, ...]:
    """(old images, those that moved, new images, those that stand elsewhere than their original)."""
    places = ("train", "train", "valid", "test")
    old = [
        make_image(folder, f"{number:03}.jpg", data, split=places[number % 4])
        for number, data in enumerate(photographs)
    ]
    first = build(old, strategy, Record())
    count = max(1, round(share * len(old)))
    step = len(old) // count
    new = [
        make_image(folder, f"new/{number:03}.jpg", way(photographs[number], number), split=old[number].split)
        for number in range(0, count * step, step)
    ]
    fresh = [make_image(folder, "new/other.jpg", encoded(soft(9_000)), split="train")]
    second = build([replace(one) for one in [*old, *new, *fresh]], strategy, Record(first.rows), seed=1)
    assert "split-moved" not in {one.code for one in second.findings}
    before, after = splits(first), splits(second)
    moved = sum(after.get(name) != where for name, where in before.items())
    left_out = {one.image_id for one in second.findings if one.action == "drop"}
    kept = [one for one in new if one.image_id not in left_out]
    straddle = sum(after[one.image_id] != after[Path(one.image_id).name] for one in kept)
    return len(before), moved, len(new), straddle


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("way", WAYS)
def test_no_old_image_moves(tmp_path: Path, strategy: str, way: Change) -> None:
    photographs = [encoded(soft(seed)) for seed in range(24)]
    assert grown(tmp_path, photographs, 1, way, strategy) == (24, 0, 24, 0)


@pytest.mark.long
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("share", [0.01, 1])
def test_no_old_photograph_moves(tmp_path: Path, raccoon: Path, strategy: str, way: Change, share: float) -> None:
    photographs = [file.read_bytes() for file in sorted((raccoon / "JPEGImages").glob("*.jpg"))]
    old, moved, new, straddle = grown(tmp_path, photographs, share, way, strategy)
    print(f"{strategy:10} {way.__name__:18} {old} images and {new} more: {moved} moved, {straddle} related straddle")
    assert (moved, straddle) == (0, 0)
