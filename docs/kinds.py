"""Write docs/kinds.md, which kinds of annotations each format can hold, from the formats' own declarations.

python -m docs.kinds
"""

from __future__ import annotations

from pathlib import Path

from shardsmith.formats.format import KINDS
from shardsmith.formats.registry import OURS

_HEAD = """# Kinds of annotations

What each format holds, as the formats themselves declare it: *in* where its reader finds the kind, *out* where its
writer writes it. A kind that a format has no place for is named with its count (`not-exported`).
`tests/test_kinds.py` tries each cell by writing and reading; `python -m docs.kinds` writes this page anew.

- **caption**: a text about the whole image, or several. **label**: a class of the whole image. **box**: an upright box.
- **oriented**: a turned box, by its four corners. **polygon**: an outline of one part or several.
- **mask**: pixels, as run lengths (RLE); TFRecord and VOC have them where `export.masks` is true (or `--masks`).
- **keypoints**: named points with a skeleton; left and right change places where an image is mirrored.

An object may have several: a box with an outline and keypoints. A box can always be derived.
"""


def page() -> str:
    rows = [["format", "name", *KINDS.values()]]
    for one in sorted(OURS, key=lambda one: one.title.lower()):
        cells = [
            ", ".join(way for way, kinds in (("in", one.kinds_in), ("out", one.kinds_out)) if word in kinds)
            for word in KINDS
        ]
        rows.append([one.title, f"`{one.name}`", *cells])
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([_HEAD, lines[0], "| " + " | ".join("---" for _ in rows[0]) + " |", *lines[1:]]) + "\n"


def main() -> None:
    path = Path(__file__).with_suffix(".md")
    path.write_text(page(), encoding="utf-8")
    print(f"{path}: {len(OURS)} formats")


if __name__ == "__main__":
    main()
