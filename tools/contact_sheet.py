"""A contact sheet: images in a grid, with boxes, outlines and class names drawn on them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from PIL import Image as PilImage
from PIL import ImageDraw, ImageFont

from stages.dataset.images import decode
from stages.dataset.manifest import Annotation, Image

TILE_PX = (384, 288)
_GAP_PX = 6
_COLOURS = [
    (255, 64, 129), (255, 235, 59), (0, 230, 118), (64, 196, 255), (255, 145, 0),
    (179, 136, 255), (255, 255, 255), (118, 255, 3), (255, 82, 82), (24, 255, 255),
]  # fmt: skip


def draw_sheet(rows: Sequence[tuple[Image, Sequence[Annotation]]], across: int = 4) -> PilImage.Image:
    """Each image with its annotations, `across` in a row, as a picture of its own."""
    tiles = [draw_tile(image, annotations) for image, annotations in rows]
    down = -(-len(tiles) // across) or 1
    width, height = TILE_PX[0] + _GAP_PX, TILE_PX[1] + _GAP_PX
    sheet = PilImage.new("RGB", (across * width - _GAP_PX, down * height - _GAP_PX), "white")
    for place, tile in enumerate(tiles):
        sheet.paste(tile, (place % across * width, place // across * height))
    return sheet


def draw_tile(image: Image, annotations: Sequence[Annotation]) -> PilImage.Image:
    """One image, whole, on a tile; lines are drawn at the tile's own resolution."""
    tile = PilImage.new("RGB", TILE_PX, (32, 32, 32))
    picture = PilImage.fromarray(decode(Path(image.path).read_bytes()))
    scale = min(TILE_PX[0] / picture.width, TILE_PX[1] / picture.height)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    left, top = (TILE_PX[0] - size[0]) // 2, (TILE_PX[1] - size[1]) // 2
    tile.paste(picture.resize(size, PilImage.Resampling.LANCZOS), (left, top))
    pen = ImageDraw.Draw(tile)
    whole = [row.label for row in annotations if row.xmin is None]
    for row in annotations:
        colour = _COLOURS[hashlib.sha256(row.label.encode()).digest()[0] % len(_COLOURS)]
        for polygon in _polygons(row):
            points = [(left + x * scale, top + y * scale) for x, y in zip(polygon[::2], polygon[1::2], strict=False)]
            if len(points) > 1:
                pen.line([*points, points[0]], colour, 2)
        if row.xmin is not None and row.ymin is not None and row.xmax is not None and row.ymax is not None:
            box = (left + row.xmin * scale, top + row.ymin * scale, left + row.xmax * scale, top + row.ymax * scale)
            pen.rectangle(box, outline=colour, width=2)
            _write(pen, (box[0], box[1] - 13), row.label, colour)
    if whole:
        _write(pen, (left + 4, top + 4), ", ".join(whole), (255, 235, 59))
    return tile


def _polygons(row: Annotation) -> list[list[float]]:
    outline = json.loads(row.segmentation) if row.segmentation else []
    return outline if isinstance(outline, list) else []


def _write(pen: ImageDraw.ImageDraw, at: tuple[float, float], text: str, colour: tuple[int, int, int]) -> None:
    font = ImageFont.load_default(12)
    at = (max(0, at[0]), max(0, at[1]))
    pen.rectangle(pen.textbbox(at, text, font), fill=colour)
    pen.text(at, text, fill="black", font=font)
