"""Where images would stand: by the split stage's own function, over tables that are there, without a pixel."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pyarrow as pa

from shardsmith.app.taken import Taken
from shardsmith.dataset.manifest import SPLITS, Manifest
from shardsmith.pipeline.params import Params, SplitParams
from shardsmith.pipeline.splits.decisions import Decisions, read_decisions
from shardsmith.pipeline.splits.record import Record, read_record
from shardsmith.pipeline.splits.split import place
from shardsmith.workspace import paths


@dataclass(frozen=True)
class Places:
    """Images of each split: those that stand there already and stay, and those that come.

    moved: of those that had a split, how many get another.
    """

    stay: dict[str, int]
    come: dict[str, int]
    moved: int

    @property
    def total(self) -> dict[str, int]:
        return {name: self.stay[name] + self.come[name] for name in SPLITS}

    @property
    def new(self) -> int:
        return sum(self.come.values()) - self.moved


@lru_cache(maxsize=4)
def placed(folder: Path, root: Path, split: SplitParams) -> tuple[Manifest, Places]:
    """What a build would go on with, with its splits; and their counts.

    Args:
        folder: the tables of data/raw as they stand (raw.raw_taken): another state has another folder.
        root: the workspace.

    Raises:
        ShardsmithError: as the split stage does.
    """
    before, decisions, record = _before(folder, root)
    manifest = place(before, Params(split=split), decisions, record).manifest
    stay, come, moved = Counter[str](), Counter[str](), 0
    for image in manifest.image_rows():
        row, is_same = record.find(image.image_id, image.pixels)
        known = row.split if row and is_same else None
        (stay if known == image.split else come)[image.split or ""] += 1
        moved += known not in (None, image.split)
    return manifest, Places({name: stay[name] for name in SPLITS}, {name: come[name] for name in SPLITS}, moved)


@lru_cache(maxsize=2)
def _before(folder: Path, root: Path) -> tuple[Manifest, Decisions, Record]:
    """What the split stage is given: images with the splits of the source."""
    taken = Taken(folder)
    valid, source = taken.valid(), taken.manifest().images
    of_source = dict(zip(source["image_id"].to_pylist(), source["split"].to_pylist(), strict=True))
    column = pa.array([of_source.get(name) for name in valid.images["image_id"].to_pylist()], pa.string())
    field = valid.images.schema.get_field_index("split")
    images = valid.images.set_column(field, valid.images.schema.field(field), column)
    return Manifest(images, valid.annotations), read_decisions(root / paths.DECISIONS), read_record(root / paths.SPLITS)
