"""Draw docs/sample.jpg, the README's picture: images of the sample dataset with their annotations on them.

python -m docs.sheet
"""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from stages.dataset.manifest import Annotation
from stages.formats.placement import corners
from tools.sample.drawing import Colour
from tools.sample.pictures import Picture, draw

SHOWN = [
    "coast-04", "reef-02", "sky-09", "beach-02",
    "meadow-06", "coast-11", "reef-12", "coast-06",
    "reef-05", "beach-05", "sky-08", "coast-13",
]  # fmt: skip
ACROSS, TILE_PX, GAP_PX = 4, (384, 288), 6
COLOURS: dict[str, Colour] = {
    "balloon": (255, 64, 129),
    "boat": (255, 235, 59),
    "buoy": (0, 230, 118),
    "fish": (255, 255, 255),
    "kite": (255, 145, 0),
    "starfish": (64, 196, 255),
}


def tile(picture: Picture) -> Image.Image:
    """The middle of a picture at the tile's shape, with its boxes; they are drawn at the tile's own resolution."""
    with Image.open(io.BytesIO(picture.data)) as image:
        scale = max(TILE_PX[0] / image.width, TILE_PX[1] / image.height)
        shown = image.convert("RGB").resize(
            (round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS
        )
    left, top = (shown.width - TILE_PX[0]) // 2, (shown.height - TILE_PX[1]) // 2
    shown = shown.crop((left, top, left + TILE_PX[0], top + TILE_PX[1]))
    canvas = ImageDraw.Draw(shown)
    boxes = [(annotation, placed(annotation, scale, left, top)) for annotation in picture.annotations]
    for annotation, (x, y, right, bottom) in boxes:
        canvas.rectangle((x - 2, y - 2, right + 1, bottom + 1), outline=(20, 20, 30), width=1)
        canvas.rectangle((x - 1, y - 1, right, bottom), outline=COLOURS[annotation.label], width=2)
    for annotation, (x, y, _, bottom) in boxes:
        write_name(canvas, annotation.label, max(x, 1), y - 14 if y >= 14 else min(bottom, TILE_PX[1] - 13))
    return shown


def placed(annotation: Annotation, scale: float, left: int, top: int) -> tuple[float, float, float, float]:
    """xmin, ymin, xmax, ymax in pixels of the tile."""
    x, y, right, bottom = corners(annotation)
    return x * scale - left, y * scale - top, right * scale - left, bottom * scale - top


def write_name(canvas: ImageDraw.ImageDraw, name: str, x: float, y: float) -> None:
    font = ImageFont.load_default(11)
    canvas.rectangle((x - 1, y, x + canvas.textlength(name, font) + 4, y + 13), fill=COLOURS[name])
    canvas.text((x + 2, y), name, (20, 20, 30), font)


def main() -> None:
    pictures = {Path(picture.name).stem: picture for picture in draw()}
    down = -(-len(SHOWN) // ACROSS)
    step_x, step_y = TILE_PX[0] + GAP_PX, TILE_PX[1] + GAP_PX
    sheet = Image.new("RGB", (ACROSS * step_x - GAP_PX, down * step_y - GAP_PX), "white")
    for position, name in enumerate(SHOWN):
        sheet.paste(tile(pictures[name]), (position % ACROSS * step_x, position // ACROSS * step_y))
    path = Path(__file__).with_name("sample.jpg")
    sheet.save(path, quality=84, optimize=True)
    print(f"{path}: {sheet.width} x {sheet.height} pixels, {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
