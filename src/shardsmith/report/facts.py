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
_BLOCK = 65_536


@dataclass(frozen=True)
class Columns:
    """A manifest of m images and n annotations as arrays.

    names, ids: classes in the order of their ids; those that vanished are among them.
    image_of, class_of: (n,) rows of the images, places in `names`.
    boxes: (n, 4) float pixels, xmin ymin xmax ymax; NaN for a label of the whole image.
    split_of: (m,) places in SPLITS.
    sizes_px: (m, 2) width, height.
    annotated, is_copy: (m,) bool.
    """

    names: list[str]
    ids: list[int]
    image_of: np.ndarray
    class_of: np.ndarray
    boxes: np.ndarray
    split_of: np.ndarray
    sizes_px: np.ndarray
    annotated: np.ndarray
    is_copy: np.ndarray

    @classmethod
    def of(cls, manifest: Manifest, label_map: LabelMap) -> Columns:
        images, annotations = manifest.images, manifest.annotations
        names = pa.array(label_map.names, pa.string())
        corners = [_floats(annotations[side]) for side in CORNERS]
        return cls(
            names=label_map.names,
            ids=[label_map.ids[name] for name in label_map.names],
            image_of=_places(annotations["image_id"], images["image_id"].combine_chunks()),
            class_of=_places(annotations["label"], names),
            boxes=np.stack(corners, axis=1) if annotations.num_rows else np.empty((0, 4)),
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

    @cached_property
    def has_box(self) -> np.ndarray:
        return ~np.isnan(self.boxes[:, 0])

    @property
    def word(self) -> str:
        """What the annotations are; see word_for."""
        return word_for(int(self.has_box.sum()), len(self.boxes))


def classes(columns: Columns) -> list[tuple[str, list[int]]]:
    """(class, annotations per split), most frequent first; those that vanished are left out."""
    totals = columns.per_class.sum(axis=1)
    order = np.argsort(-totals, kind="stable")[: np.count_nonzero(totals)]
    return [(columns.names[of], columns.per_class[of].tolist()) for of in order.tolist()]


def box_sizes_px(columns: Columns) -> list[tuple[str, int]]:
    """(range, boxes): the side of a square of the box's area, in bins that double; empty ones at the ends left out."""
    width, height = (columns.boxes[columns.has_box][:, 2:] - columns.boxes[columns.has_box][:, :2]).T
    sides = np.sqrt(np.maximum(width * height, 0))
    bins = np.clip(np.floor(np.log2(np.maximum(sides, 1))).astype(int), 2, 11)
    counts = np.bincount(bins, minlength=12)
    names = ["< 8", *(f"{1 << power}-{(1 << power + 1) - 1}" for power in range(3, 11)), "2048 and more"]
    return _trimmed(list(zip(names, counts[2:].tolist(), strict=True)))


def side_quantiles_px(columns: Columns) -> list[float]:
    """The least, quarter, half, three quarters and largest of the boxes' sides, as `box_sizes_px` has them."""
    boxes = columns.boxes[columns.has_box]
    sides = np.sqrt(np.maximum((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]), 0))
    return np.quantile(sides, [0, 0.25, 0.5, 0.75, 1]).tolist()


def positions(columns: Columns) -> np.ndarray:
    """(GRID, GRID) share of all boxes that cover each cell of the image, rows from the top."""
    sums = np.zeros((GRID + 1, GRID + 1))
    rows = np.flatnonzero(columns.has_box)
    for block in np.array_split(rows, max(1, len(rows) // _BLOCK)):
        x1, y1, x2, y2 = _shares(columns, block).T * GRID
        left, top = (np.clip(np.floor(side), 0, GRID - 1).astype(int) for side in (x1, y1))
        right, bottom = (np.clip(np.ceil(side), 1, GRID).astype(int) for side in (x2, y2))
        for row, column, sign in ((top, left, 1), (top, right, -1), (bottom, left, -1), (bottom, right, 1)):
            np.add.at(sums, (row, column), sign)
    covered = sums.cumsum(axis=0).cumsum(axis=1)[:GRID, :GRID]
    return covered / max(len(rows), 1)


def shapes(columns: Columns) -> np.ndarray:
    """(GRID, GRID) how many boxes have each height (rows, from the lowest) and width, as shares of the image's."""
    boxes = _shares(columns, np.flatnonzero(columns.has_box))
    sides = np.clip(boxes[:, 2:] - boxes[:, :2], 0, 1)
    return np.histogram2d(sides[:, 1], sides[:, 0], bins=GRID, range=[[0, 1], [0, 1]])[0]


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


def _shares(columns: Columns, rows: np.ndarray) -> np.ndarray:
    """(n, 4) boxes as shares of their images' sides."""
    sizes = columns.sizes_px[columns.image_of[rows]]
    return columns.boxes[rows] / np.hstack([sizes, sizes])


def _trimmed(rows: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    filled = [place for place, (_, count) in enumerate(rows) if count] or [0]
    return list(rows[filled[0] : filled[-1] + 1])


def _floats(column: pa.ChunkedArray) -> np.ndarray:
    return pc.fill_null(column, float("nan")).to_numpy()


def _places(values: pa.ChunkedArray, among: pa.Array) -> np.ndarray:
    return pc.index_in(values, among).to_numpy().astype(np.int64)
