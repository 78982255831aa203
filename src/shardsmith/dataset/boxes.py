"""Boxes as the manifest's annotations hold them: their columns, and what every module asks of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pyarrow as pa

CORNERS = ["xmin", "ymin", "xmax", "ymax"]
LOST = ("drop", "fail")
# A source that writes shares of the side with six decimals is off by this much; nothing finer is an error.
EDGE_NOISE = 1e-6
ROUNDING_PX = 0.01  # as much is what tools round away


def corners(box: Sequence[float] | np.ndarray) -> str:
    """ "12 3 30.5 13" """
    return " ".join(f"{value:.10g}" for value in box)


def label_whole_image(table: pa.Table) -> np.ndarray:
    """(n,) bool: the annotations that label a whole image."""
    return np.logical_and.reduce([table[name].is_null().to_numpy() for name in CORNERS])


def upright_boxes(boxes: np.ndarray, orientation: int, width_px: int, height_px: int) -> np.ndarray:
    """Boxes drawn on the stored pixels, as they lie on the displayed image.

    Args:
        boxes: (n, 4) float pixels, xmin ymin xmax ymax, on the stored image.
        orientation: EXIF orientation, 1 to 8.
        width_px, height_px: the displayed size.

    Source: EXIF 2.32, tag 0x0112.
    """
    x, y = boxes[:, [0, 2]], boxes[:, [1, 3]]
    if orientation >= 5:
        x, y = y, x
    if orientation in (2, 3, 6, 7):
        x = width_px - x
    if orientation in (3, 4, 7, 8):
        y = height_px - y
    x, y = np.sort(x, axis=1), np.sort(y, axis=1)
    return np.stack([x[:, 0], y[:, 0], x[:, 1], y[:, 1]], axis=1)


def with_columns(table: pa.Table, schema: pa.Schema, later: Collection[str] | None = None) -> pa.Table:
    """A table of an older version with the columns that came later, empty; in the types of today.

    Args:
        later: the only columns that may be missing; any by default.

    Raises:
        KeyError: another one is.
    """
    columns = {name: table[name] for name in table.column_names}
    fields = [field for field in schema if later is None or field.name in later]
    missing = {field.name: pa.nulls(table.num_rows, field.type) for field in fields if field.name not in columns}
    return pa.table({name: (columns | missing)[name] for name in schema.names}).cast(schema)
