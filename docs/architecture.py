"""Draw docs/architecture.svg from the imports as they are: `python -m docs.architecture`."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import grimp

_WIDTH, _HEIGHT, _ACROSS, _DOWN = 104, 28, 136, 62
_STYLE = (
    "text{font:13px sans-serif;text-anchor:middle;fill:#1a1a1a}rect{fill:#eef2ff;stroke:#5c6bc0}"
    "path{stroke:#7986cb;fill:none}marker path{fill:#7986cb;stroke:none}"
)
_ARROW = (
    '<marker id="a" viewBox="0 0 6 6" refX="6" refY="3" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0L6 3L0 6z"/></marker>'
)
Imports = dict[str, set[str]]


def read_imports() -> Imports:
    """Folder -> the folders that it imports, those left out that it reaches through another one too."""
    graph = grimp.build_graph("shardsmith", cache_dir=None, exclude_type_checking_imports=True)
    folders = graph.find_children("shardsmith")
    for folder in folders:
        graph.squash_module(folder)
    imports = {one: graph.find_modules_directly_imported_by(one) & folders for one in folders}

    @cache
    def reached(folder: str) -> frozenset[str]:
        return frozenset(imports[folder].union(*(reached(one) for one in imports[folder])))

    direct = {one: below - {far for near in below for far in reached(near)} for one, below in imports.items()}
    return {one.split(".")[1]: {each.split(".")[1] for each in below} for one, below in direct.items()}


def draw(imports: Imports) -> str:
    """The SVG: each folder one row above the highest one that it imports, the ground at the bottom."""
    rows: dict[str, int] = {}
    for folder in TopologicalSorter(imports).static_order():
        rows[folder] = 1 + max((rows[one] for one in imports[folder]), default=-1)
    by_row: dict[int, list[str]] = defaultdict(list)
    for folder in sorted(rows):
        by_row[rows[folder]].append(folder)
    width, top = _ACROSS * max(map(len, by_row.values())), max(rows.values())
    middle = {
        folder: (width / 2 + _ACROSS * (place - (len(row) - 1) / 2), 24 + _DOWN * (top - number))
        for number, row in by_row.items()
        for place, folder in enumerate(row)
    }
    height = 48 + _DOWN * top
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">', f"<style>{_STYLE}</style>"]
    parts += [f'<rect width="{width}" height="{height}" style="fill:#fff;stroke:none"/>', _ARROW]
    for folder, (x, y) in sorted(middle.items()):
        for below in sorted(imports[folder]):
            to_x, to_y = middle[below]
            start, end, side = y + _HEIGHT / 2, to_y - _HEIGHT / 2, -1 if to_x < x else 1
            bend = (end - start) / 2
            around = side * min(90 * (rows[folder] - rows[below] - 1), width / 2)  # past the rows between
            parts.append(
                f'<path d="M{x:g} {start:g}C{x + around:g} {start + bend:g} {to_x + around:g} {end - bend:g} '
                f'{to_x:g} {end:g}" marker-end="url(#a)"/>'
            )
    for folder, (x, y) in sorted(middle.items()):
        parts.append(
            f'<rect x="{x - _WIDTH / 2:g}" y="{y - _HEIGHT / 2:g}" width="{_WIDTH}" height="{_HEIGHT}" rx="5"/>'
        )
        parts.append(f'<text x="{x:g}" y="{y + 4:g}">{folder}</text>')
    return "\n".join([*parts, "</svg>\n"])


def main() -> None:
    Path(__file__).with_suffix(".svg").write_text(draw(read_imports()), encoding="utf-8")


if __name__ == "__main__":
    main()
