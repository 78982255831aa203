"""The page's charts, drawn by Vega-Lite into SVG. Colours are variables of the page's style, for light and
dark.

Sizes are fixed and no layout depends on how wide a text is: the fonts of a machine must not change a byte. Names from
the data never reach Vega, which measures text, and aborts the process at some: it draws @NUMBER@, which they replace.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from markupsafe import escape

from shardsmith.dataset.manifest import SPLITS
from shardsmith.report.facts import GRID, Columns
from shardsmith.report.marks import letters, shortened

_VERSION = "6.4"  # of Vega-Lite: vl-convert brings several
_WIDTH = 380
_MOST_BARS = 20
_LETTERS = 18
_CONFIG = {
    "aria": False,  # each chart has its text and its table beside it
    "background": None,
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--soft)", "titleColor": "var(--soft)", "gridColor": "var(--line)",
        "tickColor": "var(--line)", "domainColor": "var(--line)",
        "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal",
        "titlePadding": 8, "labelLimit": 0, "labelOverlap": False, "tickSize": 0, "labelPadding": 6, "domain": False,
    },
}  # fmt: skip
_TOKEN = re.compile(r"@(\d+)@")
_COUNT_AXIS = {"tickCount": 4, "format": "~s", "tickMinStep": 1, "labelFlush": False}


def split_bars(rows: list[tuple[str, list[int]]], what: str, left: int = 64) -> str:
    """Bars to the right, a row each, made up of the splits."""
    values = [
        {"name": _token(number), "split": split, "count": count, "order": order}
        for number, (_, counts) in enumerate(rows)
        for order, (split, count) in enumerate(zip(SPLITS, counts, strict=True))
    ]
    colour = {
        "field": "split", "legend": None, "scale": {"domain": SPLITS, "range": [f"var(--{split})" for split in SPLITS]},
    }  # fmt: skip
    return _bars(values, [name for name, _ in rows], what, left, {"color": colour, "order": {"field": "order"}})


def bars(rows: list[tuple[str, int]], what: str, left: int = 92) -> str:
    values = [{"name": _token(number), "count": count} for number, (_, count) in enumerate(rows)]
    return _bars(values, [name for name, _ in rows], what, left, {"color": {"value": "var(--accent)"}})


def class_bars(columns: Columns) -> tuple[str, int]:
    """The classes with most annotations, and how many there are beyond those."""
    totals = columns.per_class.sum(axis=1)
    there = int(np.count_nonzero(totals))
    order = np.argsort(-totals, kind="stable")[: min(there, _MOST_BARS)].tolist()
    rows = [(shortened(columns.names[of], _LETTERS), columns.per_class[of].tolist()) for of in order]
    widest = max((letters(name) for name, _ in rows), default=0)  # by letters: fonts differ between machines
    return split_bars(rows, columns.word, left=max(44, 20 + 6 * widest)), there - len(rows)


def heat_map(cells: np.ndarray, across: str, down: str, from_top: bool) -> str:
    """Squares, the fuller the more; axes are per cent of the image's sides."""
    most = cells.max(initial=0) or 1
    values = [
        {"x": 100 * x / GRID, "x2": 100 * (x + 1) / GRID, "y": 100 * y / GRID, "y2": 100 * (y + 1) / GRID,
         "share": round(0.06 + 0.94 * float(cells[y, x] / most), 3)}
        for y in range(GRID) for x in range(GRID) if cells[y, x]
    ]  # fmt: skip
    scale = {"domain": [0, 100], "nice": False}
    axis = {"values": [0, 25, 50, 75, 100], "grid": False}
    encoding = {
        "x": {"field": "x", "type": "quantitative", "scale": scale, "axis": axis, "title": f"{across}, %"},
        "y": {"field": "y", "type": "quantitative", "scale": scale | {"reverse": from_top}, "axis": axis,
              "title": f"{down}, %"},
        "x2": {"field": "x2"},
        "y2": {"field": "y2"},
        "opacity": {"field": "share", "type": "quantitative", "scale": None, "legend": None},
    }  # fmt: skip
    frame = {"fill": "var(--sunk)", "stroke": "var(--line)"}
    mark = {"type": "rect", "color": "var(--accent)"}
    return _draw({"data": {"values": values}, "mark": mark, "encoding": encoding, "view": frame}, 250, 58)


def image_sizes(rows: list[tuple[int, int, int]]) -> str:
    """A circle a size, its area the number of images."""
    values = [{"width": width, "height": height, "count": count} for width, height, count in rows]
    most = max((count for *_, count in rows), default=1)
    axis = {"tickCount": 4, "format": "~s"}
    encoding = {
        "x": {"field": "width", "type": "quantitative", "axis": axis, "title": "width, pixels"},
        "y": {"field": "height", "type": "quantitative", "axis": axis, "title": "height, pixels"},
        "size": {
            "field": "count", "type": "quantitative", "legend": None,
            "scale": {"range": [14, 420], "domain": [1, most]},
        },
    }  # fmt: skip
    mark = {"type": "circle", "color": "var(--accent)", "opacity": 0.55, "clip": False}
    return _draw({"data": {"values": values}, "mark": mark, "encoding": encoding}, 220, 58)


def _bars(values: list[dict[str, Any]], names: list[str], what: str, left: int, more: dict[str, Any]) -> str:
    encoding = {
        "y": {"field": "name", "type": "nominal", "sort": None, "title": None, "axis": {"grid": False}},
        "x": {"field": "count", "type": "quantitative", "title": what, "axis": _COUNT_AXIS, "stack": "zero"},
        **more,
    }
    mark = {"type": "bar", "height": {"band": 0.72}}
    svg = _draw({"data": {"values": values}, "mark": mark, "encoding": encoding}, 22 * max(len(names), 1), left)
    return _TOKEN.sub(lambda match: str(escape(names[int(match[1])])), svg)


def _token(number: int) -> str:
    return f"@{number}@"


def _draw(spec: dict[str, Any], height_px: int, left_px: int) -> str:
    import vl_convert

    padding = {"left": left_px, "right": 18, "top": 8, "bottom": 44}
    return vl_convert.vegalite_to_svg(
        {
            "width": _WIDTH - left_px - padding["right"],
            "height": height_px,
            "padding": padding,
            "autosize": {"type": "none"},
            "config": _CONFIG,
            **spec,
        },
        vl_version=_VERSION,
        allowed_base_urls=[],
    )
