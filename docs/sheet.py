"""Draw docs/sample.jpg, the README's picture: images of the sample dataset with their annotations on them.

python -m docs.sheet
"""

from __future__ import annotations

from pathlib import Path

from shardsmith.dataset.images import decode
from shardsmith.inspect.sheet import Colour, draw_tile, in_grid
from shardsmith.sample.pictures import draw

SHOWN = [
    "coast-04", "reef-02", "sky-09", "beach-02",
    "meadow-06", "coast-11", "reef-12", "coast-06",
    "reef-05", "beach-05", "sky-08", "coast-13",
]  # fmt: skip
ACROSS = 4
COLOURS: dict[str, Colour] = {
    "balloon": (255, 64, 129),
    "boat": (255, 235, 59),
    "buoy": (0, 230, 118),
    "fish": (255, 255, 255),
    "kite": (255, 145, 0),
    "starfish": (64, 196, 255),
}


def main() -> None:
    pictures = {Path(picture.name).stem: picture for picture in draw()}
    shown = [pictures[name] for name in SHOWN]
    tiles = [draw_tile(decode(one.data), one.annotations, fill=True, colours=COLOURS) for one in shown]
    sheet = in_grid(tiles, ACROSS)
    path = Path(__file__).with_name("sample.jpg")
    sheet.save(path, quality=84, optimize=True)
    print(f"{path}: {sheet.width} x {sheet.height} pixels, {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
