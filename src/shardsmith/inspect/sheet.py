"""A contact sheet: images in a grid, with boxes, outlines, masks and class names drawn on them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as PilImage
from PIL import ImageDraw, ImageFont

from shardsmith.dataset.images import decode
from shardsmith.dataset.manifest import Annotation, Image
from shardsmith.dataset.shapes import keypoints_of, to_mask

Colour = tuple[int, int, int]
Size = tuple[int, int]
TILE_PX = (384, 288)
_GAP_PX = 6
_FONT_PX = 11
_LINE_PX = 13
_COLOURS: list[Colour] = [
    (255, 64, 129), (255, 235, 59), (0, 230, 118), (64, 196, 255), (255, 145, 0),
    (179, 136, 255), (255, 255, 255), (118, 255, 3), (255, 82, 82), (24, 255, 255),
]  # fmt: skip
_DARK, _WHOLE = (20, 20, 30), (255, 235, 59)
_MASK_OPACITY = 0.45


def draw_sheet(rows: Sequence[tuple[Image, Sequence[Annotation]]], across: int = 4) -> PilImage.Image:
    """Each image with its annotations, `across` in a row, as a picture of its own."""
    return in_grid([draw_tile(read_pixels(image), annotations) for image, annotations in rows], across)


def read_pixels(image: Image, root: Path = Path()) -> np.ndarray:
    """(height, width, 3) uint8, RGB, upright; of an image whose path is relative to `root`."""
    return decode((root / image.path).read_bytes())


def in_grid(tiles: Sequence[PilImage.Image], across: int) -> PilImage.Image:
    """Tiles of one size, `across` in a row."""
    down = -(-len(tiles) // across) or 1
    width, height = ((tiles[0].size if tiles else TILE_PX)[axis] + _GAP_PX for axis in (0, 1))
    sheet = PilImage.new("RGB", (across * width - _GAP_PX, down * height - _GAP_PX), "white")
    for place, tile in enumerate(tiles):
        sheet.paste(tile, (place % across * width, place // across * height))
    return sheet


def draw_tile(
    pixels: np.ndarray,
    annotations: Sequence[Annotation],
    tile_px: Size = TILE_PX,
    fill: bool = False,
    colours: Mapping[str, Colour] | None = None,
) -> PilImage.Image:
    """One image with its annotations on a tile; lines are drawn at the tile's own resolution.

    Args:
        pixels: (height, width, 3) uint8, RGB, upright.
        tile_px: width and height.
        fill: whether the image fills the tile, cut at its edges; else it is shown whole.
        colours: label -> its colour; any other label has one of ours.
    """
    picture = PilImage.fromarray(pixels)
    scales = [side / old for side, old in zip(tile_px, picture.size, strict=True)]
    scale = max(scales) if fill else min(scales)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    at = (-((size[0] - tile_px[0]) // 2), -((size[1] - tile_px[1]) // 2))
    tile = PilImage.new("RGB", tile_px, (32, 32, 32))
    tile.paste(picture.resize(size, PilImage.Resampling.LANCZOS), at)
    view = _TileView(tile, picture.size, size, at, scale)
    coloured = [(row, (colours or {}).get(row.label) or colour_of(row.label)) for row in annotations]
    for row, colour in coloured:
        view.draw_outline(row, colour)
        view.draw_points(row, colour)
    boxes = [(row, colour, box) for row, colour in coloured if (box := view.placed(row))]
    for _, colour, box in boxes:
        view.draw_box(box, colour)
    for row, colour, (x, y, _, bottom) in boxes:
        name_y = y - _LINE_PX - 1 if y > _LINE_PX + 1 else min(bottom, tile_px[1] - _LINE_PX)
        view.write(max(x, 1), name_y, row.label, colour)
    if whole := [row.label for row in annotations if row.xmin is None]:
        view.write(max(at[0], 0) + 4, max(at[1], 0) + 4, ", ".join(whole), _WHOLE)
    return tile


def colour_of(label: str) -> Colour:
    """The same for a label on every sheet."""
    return _COLOURS[hashlib.sha256(label.encode()).digest()[0] % len(_COLOURS)]


def write_line(canvas: ImageDraw.ImageDraw, x: float, y: float, text: str, colour: str | Colour = _DARK) -> None:
    canvas.text((x, y), text, colour, ImageFont.load_default(_FONT_PX))


def in_lines(text: str, width_px: int, lines: int) -> list[str]:
    """Text in at most so many lines, broken at blanks where there are any; the last one is cut where it is too long."""
    done: list[str] = []
    while text and len(done) < lines - 1:
        end = _fitting(text, width_px)
        blank = text.rfind(" ", 0, end + 1)
        end = blank if end < len(text) and blank > 0 else end
        done, text = [*done, text[:end]], text[end:].strip()
    end = _fitting(text, width_px)
    last = text if end == len(text) else f"{text[: end - 1]}…"
    return [*done, last] if last else done


def _fitting(text: str, width_px: int) -> int:
    """How many characters, 1 at least, take up no more than the width."""
    font = ImageFont.load_default(_FONT_PX)
    return next((end for end in range(len(text), 1, -1) if font.getlength(text[:end]) <= width_px), min(len(text), 1))


@dataclass(frozen=True)
class _TileView:
    """An image on a tile.

    image_px, shown_px: its size, and that at which it is shown; at: where its top-left corner lies on the tile.
    """

    tile: PilImage.Image
    image_px: Size
    shown_px: Size
    at: tuple[int, int]
    scale: float

    @property
    def canvas(self) -> ImageDraw.ImageDraw:
        return ImageDraw.Draw(self.tile)

    def on_tile(self, x: float, y: float) -> tuple[float, float]:
        return self.at[0] + x * self.scale, self.at[1] + y * self.scale

    def placed(self, row: Annotation) -> tuple[float, float, float, float] | None:
        """xmin, ymin, xmax, ymax in pixels of the tile; None for a label of the whole image."""
        if row.xmin is None or row.ymin is None or row.xmax is None or row.ymax is None:
            return None
        return *self.on_tile(row.xmin, row.ymin), *self.on_tile(row.xmax, row.ymax)

    def draw_outline(self, row: Annotation, colour: Colour) -> None:
        """Polygons as lines, a mask as a veil."""
        outline = json.loads(row.segmentation) if row.segmentation else []
        if isinstance(outline, dict):
            mask = PilImage.fromarray(to_mask(row.segmentation or "", *self.image_px) * round(255 * _MASK_OPACITY))
            self.tile.paste(colour, self.at, mask.resize(self.shown_px, PilImage.Resampling.BOX))
            return
        for polygon in outline:
            points = [self.on_tile(x, y) for x, y in zip(polygon[::2], polygon[1::2], strict=False)]
            if len(points) > 1:
                self.canvas.line([*points, points[0]], colour, 2)

    def draw_points(self, row: Annotation, colour: Colour) -> None:
        """Keypoints as dots, hollow where they are hidden, and the skeleton's edges as lines between them."""
        points, edges = keypoints_of(row)
        places = [self.on_tile(x, y) for x, y, _ in points]
        for a, b in edges:
            self.canvas.line([places[a], places[b]], colour, 2)
        for (x, y), (_, _, seen) in zip(places, points, strict=True):
            self.canvas.ellipse((x - 4, y - 4, x + 4, y + 4), colour if seen else None, _DARK if seen else colour, 2)

    def draw_box(self, box: tuple[float, float, float, float], colour: Colour) -> None:
        """Around what is in it, with a dark line outside, so that it shows on any colour."""
        x, y, right, bottom = box
        self.canvas.rectangle((x - 2, y - 2, right + 1, bottom + 1), outline=_DARK, width=1)
        self.canvas.rectangle((x - 1, y - 1, right, bottom), outline=colour, width=2)

    def write(self, x: float, y: float, text: str, colour: Colour) -> None:
        length = self.canvas.textlength(text, ImageFont.load_default(_FONT_PX))
        self.canvas.rectangle((x - 1, y, x + length + 4, y + _LINE_PX), fill=colour)
        write_line(self.canvas, x + 2, y, text)
