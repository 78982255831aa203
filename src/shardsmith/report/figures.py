"""Each chart with what it says in a sentence and in a table: for who does not see it, and for who wants the number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from shardsmith.dataset.manifest import SPLITS
from shardsmith.report import charts, facts
from shardsmith.report.facts import Columns

Cell = str | int
MOST_SIZES = 30


@dataclass(frozen=True)
class Figure:
    """svg is markup; everything else is text."""

    title: str
    text: str
    svg: str
    header: list[str]
    rows: list[list[Cell]]
    has_splits: bool = False


def class_figure(columns: Columns) -> Figure | None:
    """None for a dataset without classes."""
    totals = columns.per_class.sum(axis=1)
    if not totals.sum():
        return None
    svg, hidden = charts.class_bars(columns)
    order = np.argsort(-totals, kind="stable").tolist()
    first, last = order[0], order[np.count_nonzero(totals) - 1]
    text = (
        f"From {totals[first]:,} {columns.word} of {columns.names[first]} to {totals[last]:,} of {columns.names[last]}."
    )
    if first == last:
        text = f"All {totals[first]:,} {columns.word} are {columns.names[first]}."
    if hidden:
        text += f" The {hidden:,} classes with fewest are in the table alone."
    rows: list[list[Cell]] = [
        [
            columns.names[of],
            columns.ids[of],
            *columns.per_class[of].tolist(),
            int(totals[of]),
            int(columns.images_per_class[of]),
        ]
        for of in order
    ]
    header = ["class", "id", *SPLITS, "all", "images with it"]
    return Figure(f"{columns.word.capitalize()} per class", text, svg, header, rows, has_splits=True)


def shape_figures(columns: Columns) -> Iterator[Figure]:
    """Boxes where there are any, then images."""
    if len(columns.boxes):
        yield _positions(columns)
        yield _shapes(columns)
        yield _box_sizes(columns)
    yield _objects(columns)
    yield _image_sizes(columns)
    yield _aspects(columns)


def _positions(columns: Columns) -> Figure:
    cells = facts.positions(columns)
    coarse = _coarse(cells, 3) / (facts.GRID // 3) ** 2
    rows: list[list[Cell]] = [
        [name, *(f"{value:.0%}" for value in row)]
        for name, row in zip(("top", "middle", "bottom"), coarse, strict=True)
    ]
    y, x = np.unravel_index(int(cells.argmax()), cells.shape)
    text = (
        f"The part that most boxes cover, {cells.max():.0%} of them, lies "
        f"{100 * (x + 0.5) / facts.GRID:.0f} % from the left and {100 * (y + 0.5) / facts.GRID:.0f} % from the top."
    )
    svg = charts.heat_map(cells, "from the left", "from the top", from_top=True)
    header = ["share of boxes that cover it", "left", "centre", "right"]
    return Figure("Where boxes lie", text, svg, header, rows)


def _shapes(columns: Columns) -> Figure:
    cells = columns.boxes.shapes
    coarse = _coarse(cells, 4).astype(int)
    quarters = ["0-25 %", "25-50 %", "50-75 %", "75-100 %"]
    rows: list[list[Cell]] = [[name, *row] for name, row in zip(quarters, coarse.tolist(), strict=True)]
    wide = cells[:, facts.GRID // 2 :].sum() / cells.sum()
    text = (
        f"Width and height as shares of the image's. {wide:.0%} of the boxes are more than half as wide as their image."
    )
    svg = charts.heat_map(cells, "width", "height", from_top=False)
    return Figure("Box shapes", text, svg, ["height, by width", *quarters], rows)


def _box_sizes(columns: Columns) -> Figure:
    rows = facts.box_sizes_px(columns)
    least, low, middle, high, most = facts.side_quantiles_px(columns)
    text = (
        f"The side of a square as large as the box: half of the boxes have {low:,.0f} to {high:,.0f} pixels "
        f"(median {middle:,.0f}); all {least:,.0f} to {most:,.0f}."
    )
    return Figure("Box sizes", text, charts.bars(rows, "boxes"), ["side, pixels", "boxes"], [list(row) for row in rows])


def _objects(columns: Columns) -> Figure:
    rows = facts.objects_per_image(columns)
    counts = columns.per_image
    word = "Objects" if columns.word == "boxes" else columns.word.capitalize()
    text = (
        f"{counts.mean():.1f} on average, {int(counts.max()):,} at most; {int((counts == 0).sum()):,} images have none."
    )
    svg = charts.split_bars(rows, "images")
    table: list[list[Cell]] = [[name, *per, sum(per)] for name, per in rows]
    return Figure(f"{word} per image", text, svg, ["how many", *SPLITS, "all"], table, has_splits=True)


def _image_sizes(columns: Columns) -> Figure:
    rows = facts.image_sizes(columns)
    width, height, count = rows[0]
    sizes = columns.sizes_px
    (narrow, low), (wide, high) = sizes.min(axis=0), sizes.max(axis=0)
    text = f"All images have {width:,} x {height:,} pixels."
    if len(rows) > 1:
        text = (
            f"{narrow:,} to {wide:,} pixels wide, {low:,} to {high:,} high; most often {width:,} x {height:,} "
            f"({count:,} images). A circle's area is the number of images."
        )
    table: list[list[Cell]] = [[f"{one[0]} x {one[1]}", one[2]] for one in rows[:MOST_SIZES]]
    return Figure("Image sizes", text, charts.image_sizes(rows), ["pixels", "images"], table)


def _aspects(columns: Columns) -> Figure:
    rows = facts.aspects(columns)
    name, count = max(rows, key=lambda row: row[1])
    text = f"Width divided by height; most often {name} ({count:,} images)."
    return Figure("Aspect ratios", text, charts.bars(rows, "images"), ["ratio", "images"], [list(row) for row in rows])


def _coarse(cells: np.ndarray, parts: int) -> np.ndarray:
    """(parts, parts) sums of a (GRID, GRID) table."""
    size = facts.GRID // parts
    return cells.reshape(parts, size, parts, size).sum(axis=(1, 3))
