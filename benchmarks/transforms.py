"""Rows for preprocess and augment: each beside a plain loop over albumentations, and what 1 % more images cost."""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import transform_floor
import workspace
from table import HERE, Row, measure, table_of

from shardsmith.dataset.manifest import Manifest

# Every image is a train image, so that augment has as many sources as preprocess.
PARAMS: dict[str, dict[str, Any]] = {
    "split": {"fractions": {"train": 1, "valid": 0, "test": 0}},
    "preprocess": {
        "enabled": True,
        "steps": [{"resize": {"width": transform_floor.SIDE_PX, "height": transform_floor.SIDE_PX, "mode": "fit"}}],
    },
    "augment": {
        "enabled": True,
        "copies": transform_floor.COPIES,
        "steps": [
            {"flip": {"horizontal": 0.5}},
            {"rotate": {"degrees": 15}},
            {"brightness_contrast": {"brightness": 0.2, "contrast": 0.2}},
        ],
    },
}
STAGES = ("preprocess", "augment")
WORKERS = (1, 2)
INPUTS = {"preprocess": "data/split", "augment": "data/preprocess"}  # as dvc.yaml names them
SOURCES = {"preprocess": "data/split", "augment": "data/resized"}  # as measured: rows write data/preprocess anew


@dataclass
class Group:
    """A stage with a number of workers: the floor, the stage on all images, and on a fifth of them."""

    floor: Row
    stage: Row
    fifth: Row

    def rows(self) -> list[Row]:
        return [self.floor, self.stage, self.fifth]


def measured(root: Path, scratch: Path, count: int, runs: int) -> tuple[list[dict[str, Any]], str]:
    """The table's lines and a sentence on 1 % more images.

    Changes params.yaml of the workspace at `root`, in which `dvc repro` has run.
    """
    prepare(root, scratch)
    groups = [group(root, scratch, count, stage, workers) for stage in STAGES for workers in WORKERS]
    measure([row for each in groups for row in each.rows()], runs)
    more = more_rows(root, count)
    measure(more, runs)
    lines = [line for each in groups for line in table_of(each.rows(), each.floor)]
    full = [each.stage for each in groups if each.stage.workers == WORKERS[-1]]
    return [*lines, *table_of(more)], sentence(full, more)


def prepare(root: Path, scratch: Path) -> None:
    """Inputs of both stages, whole, as a fifth, and as the floor reads them."""
    workspace.set_params(root, PARAMS)
    workspace.run(root, *workspace.stage_command(root, "split"))
    workspace.run(root, *workspace.stage_command(root, "preprocess", {"data/preprocess": SOURCES["augment"]}))
    for stage, source in SOURCES.items():
        write_for_floor(root, root / source, scratch / f"floor-{stage}")


def group(root: Path, scratch: Path, count: int, stage: str, workers: int) -> Group:
    source, with_workers = SOURCES[stage], f"{workers} worker{'s' * (workers > 1)}"
    fifth, out = f"{source}-fifth", scratch / "floor-out"
    if not (root / fifth).exists():
        workspace.take_part(root / source, root / fifth, count // 5)
    floor = [str(HERE / "transform_floor.py"), stage, str(scratch / f"floor-{stage}"), str(out), str(workers)]

    def ours(name: str, folder: str) -> Row:
        command = workspace.stage_command(root, stage, {INPUTS[stage]: folder})
        return Row(f"{name}, {with_workers}", command, root, workers, root / "data" / stage)

    return Group(
        Row(f"{stage} as a plain loop, {with_workers}", [sys.executable, *floor], output=out),
        ours(stage, source),
        ours(f"{stage} of {count // 5:,}", fifth),
    )


def more_rows(root: Path, count: int) -> list[Row]:
    """Both stages in their kept folders, in which the last 1 % of the images are not yet."""
    before = "data/before"
    workspace.take_part(root / INPUTS["preprocess"], root / before, count * 100 // 101)
    workspace.run(root, *workspace.stage_command(root, "preprocess", {INPUTS["preprocess"]: before}))
    workspace.run(root, *workspace.stage_command(root, "augment"))
    return [
        Row(f"{stage}, 1 % more images", workspace.stage_command(root, stage), root, WORKERS[-1], once=True)
        for stage in STAGES
    ]


def sentence(full: list[Row], more: list[Row]) -> str:
    if not all(row.results for row in [*full, *more]):
        return "1 % more images: not measured, since a row failed"
    full_s, more_s = (sum(row.median("cpu_s") for row in rows) for rows in (full, more))
    return (
        f"1 % more images: both stages take {more_s:.1f} CPU s, {more_s / full_s:.1%} of the {full_s:.1f} of a full run"
    )


def write_for_floor(root: Path, folder: Path, out: Path) -> None:
    """A stage's images and boxes as transform_floor.py reads them; the images as links."""
    manifest = Manifest.read(folder)
    out.mkdir()
    for image in manifest.image_rows():
        (out / Path(image.image_id).name).symlink_to(root / image.path)
    with (out / "boxes.csv").open("w", newline="") as file:
        rows = [
            (Path(row.image_id).name, row.label, row.xmin, row.ymin, row.xmax, row.ymax)
            for row in manifest.annotation_rows()
        ]
        csv.writer(file).writerows([transform_floor.COLUMNS, *rows])
