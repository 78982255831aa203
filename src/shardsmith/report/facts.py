"""What there is to count on a manifest, as plain tables: for the page's charts and their text, and for `dvc plots`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shardsmith.dataset.boxes import CORNERS
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import SPLITS, Manifest, word_for

GRID = 24  # cells of the heat maps, across and down
ASPECTS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99, 1.01, 1.11, 1.25, 1.45, 1.7, 2.0, 2.5)
_MOST_SIZES = 250


@dataclass(frozen=True)
class Columns:
    """A manifest of m images and n annotations as arrays.

    names, ids: classes in the order of their ids; those that vanished are among them.
    image_of, class_of: (n,) rows of the images, places in `names`.
    boxes: of annotations that have one.
    split_of: (m,) places in SPLITS.
    sizes_px: (m, 2) width, height.
    annotated, is_copy: (m,) bool.
    """

    names: list[str]
    ids: list[int]
    image_of: np.ndarray
    class_of: np.ndarray
    boxes: Boxes
    split_of: np.ndarray
    sizes_px: np.ndarray
    annotated: np.ndarray
    is_copy: np.ndarray

    @classmethod
    def of(cls, manifest: Manifest, label_map: LabelMap) -> Columns:
        names = pa.array(label_map.names, pa.string())
        images = manifest.image_columns("split", "width", "height", "annotated", "copy")
        image_of, class_of, boxes, done = [], [], Boxes(), 0
        for part in manifest.parts(["image_id", "width", "height"], ["image_id", "label", *CORNERS]):
            places = _places(part.annotations["image_id"], part.images["image_id"].combine_chunks())
            boxes.add(part, places)
            image_of.append((places + done).astype(np.int32))
            class_of.append(_places(part.annotations["label"], names).astype(np.int32))
            done += part.image_count
        return cls(
            names=label_map.names,
            ids=[label_map.ids[name] for name in label_map.names],
            image_of=np.concatenate(image_of),
            class_of=np.concatenate(class_of),
            boxes=boxes,
            split_of=_places(images["split"], pa.array(SPLITS)),
            sizes_px=np.stack([images[side].to_numpy() for side in ("width", "height")], axis=1),
            annotated=images["annotated"].to_numpy(),
            is_copy=images["copy"].to_numpy() > 0,
        )

    @cached_property
    def per_image(self) -> np.ndarray:
        """(m,) how many annotations each image has."""
        return np.bincount(self.image_of, minlength=len(self.split_of))

    @cached_property
    def per_class(self) -> np.ndarray:
        """(classes, splits) how many annotations."""
        cells = self.class_of * len(SPLITS) + self.split_of[self.image_of]
        return np.bincount(cells, minlength=len(self.names) * len(SPLITS)).reshape(-1, len(SPLITS))

    @cached_property
    def images_per_class(self) -> np.ndarray:
        """(classes,) on how many images each class is."""
        pairs = np.unique(self.image_of.astype(np.int64) * len(self.names) + self.class_of)
        return np.bincount(pairs % max(len(self.names), 1), minlength=len(self.names))

    @property
    def word(self) -> str:
        """What the annotations are; see word_for."""
        return word_for(len(self.boxes), len(self.image_of))


class Boxes:
    """What there is to say of boxes, as they pass.

    corners: (GRID + 1, GRID + 1) how many begin at a cell, less how many end there; its sums across and down cover.
    shapes: (GRID, GRID) how many boxes have each height (rows, from the lowest) and width, as shares of the image's.
    """

    def __init__(self) -> None:
        self.corners = np.zeros((GRID + 1, GRID + 1))
        self.shapes = np.zeros((GRID, GRID))
        self._sides = [np.zeros(0)]

    def __len__(self) -> int:
        return sum(map(len, self._sides))

    @property
    def sides_px(self) -> np.ndarray:
        """(boxes,) of a square as large as each."""
        return np.concatenate(self._sides)

    def add(self, part: Manifest, image_of: np.ndarray) -> None:
        every = np.stack([_floats(part.annotations[side]) for side in CORNERS], axis=1)
        rows = np.flatnonzero(~np.isnan(every[:, 0]))
        boxes = every[rows]
        width, height = (boxes[:, 2:] - boxes[:, :2]).T
        self._sides.append(np.sqrt(np.maximum(width * height, 0)))
        sizes = np.stack([part.images[side].to_numpy() for side in ("width", "height")], axis=1)[image_of[rows]]
        shares = boxes / np.hstack([sizes, sizes])
        x1, y1, x2, y2 = shares.T * GRID
        left, top = (np.clip(np.floor(side), 0, GRID - 1).astype(int) for side in (x1, y1))
        right, bottom = (np.clip(np.ceil(side), 1, GRID).astype(int) for side in (x2, y2))
        for row, column, sign in ((top, left, 1), (top, right, -1), (bottom, left, -1), (bottom, right, 1)):
            np.add.at(self.corners, (row, column), sign)
        sides = np.clip(shares[:, 2:] - shares[:, :2], 0, 1)
        self.shapes += np.histogram2d(sides[:, 1], sides[:, 0], bins=GRID, range=[[0, 1], [0, 1]])[0]


def classes(columns: Columns) -> list[tuple[str, list[int]]]:
    """(class, annotations per split), most frequent first; those that vanished are left out."""
    totals = columns.per_class.sum(axis=1)
    order = np.argsort(-totals, kind="stable")[: np.count_nonzero(totals)]
    return [(columns.names[of], columns.per_class[of].tolist()) for of in order.tolist()]


def box_sizes_px(columns: Columns) -> list[tuple[str, int]]:
    """(range, boxes): the side of a square of the box's area, in bins that double; empty ones at the ends left out."""
    sides = columns.boxes.sides_px
    bins = np.clip(np.floor(np.log2(np.maximum(sides, 1))).astype(int), 2, 11)
    counts = np.bincount(bins, minlength=12)
    names = ["< 8", *(f"{1 << power}-{(1 << power + 1) - 1}" for power in range(3, 11)), "2048 and more"]
    return _trimmed(list(zip(names, counts[2:].tolist(), strict=True)))


def side_quantiles_px(columns: Columns) -> list[float]:
    """The least, quarter, half, three quarters and largest of the boxes' sides, as `box_sizes_px` has them."""
    return np.quantile(columns.boxes.sides_px, [0, 0.25, 0.5, 0.75, 1]).tolist()


def positions(columns: Columns) -> np.ndarray:
    """(GRID, GRID) share of all boxes that cover each cell of the image, rows from the top."""
    covered = columns.boxes.corners.cumsum(axis=0).cumsum(axis=1)[:GRID, :GRID]
    return covered / max(len(columns.boxes), 1)


def image_sizes(columns: Columns) -> list[tuple[int, int, int]]:
    """(width, height, images), most frequent first; rounded where there are very many sizes."""
    sizes = columns.sizes_px
    if len(np.unique(sizes, axis=0)) > _MOST_SIZES:
        step = max(1, int(sizes.max()) // 15)
        sizes = np.maximum((sizes + step // 2) // step, 1) * step
    distinct, counts = np.unique(sizes, axis=0, return_counts=True)
    rows = [(int(width), int(height), int(count)) for (width, height), count in zip(distinct, counts, strict=True)]
    return sorted(rows, key=lambda row: (-row[2], row))


def aspects(columns: Columns) -> list[tuple[str, int]]:
    """(range of width / height, images); empty ones at the ends left out."""
    ratios = columns.sizes_px[:, 0] / columns.sizes_px[:, 1]
    counts = np.bincount(np.searchsorted(ASPECTS, ratios, side="right"), minlength=len(ASPECTS) + 1)
    names = [f"< {ASPECTS[0]:g}"]
    for low, high in pairwise(ASPECTS):
        names.append("square" if low < 1 < high else f"{low:g}-{high:g}")
    return _trimmed(list(zip([*names, f"{ASPECTS[-1]:g} and more"], counts.tolist(), strict=True)))


def objects_per_image(columns: Columns) -> list[tuple[str, list[int]]]:
    """(how many, images per split): each number by itself up to 8, from there in ranges that double."""
    most = int(columns.per_image.max(initial=0))
    edges = [*range(min(most, 8) + 1)]
    while edges[-1] < most:
        edges.append(9 if edges[-1] == 8 else 2 * (edges[-1] - 1) + 1)
    edges = [edge for edge in edges if edge <= most]
    ends = [*(edge - 1 for edge in edges[1:]), most]
    bins = np.searchsorted(edges, columns.per_image, side="right") - 1
    counts = np.zeros((len(edges), len(SPLITS)), int)
    np.add.at(counts, (bins, columns.split_of), 1)
    names = [str(low) if low == high else f"{low}-{high}" for low, high in zip(edges, ends, strict=True)]
    return list(zip(names, counts.tolist(), strict=True))


def _trimmed(rows: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    filled = [place for place, (_, count) in enumerate(rows) if count] or [0]
    return list(rows[filled[0] : filled[-1] + 1])


def _floats(column: pa.ChunkedArray) -> np.ndarray:
    return pc.fill_null(column, float("nan")).to_numpy()


def _places(values: pa.ChunkedArray, among: pa.Array) -> np.ndarray:
    return pc.index_in(values, among).to_numpy().astype(np.int64)
