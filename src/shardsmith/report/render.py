"""The page as one HTML file: no request to anywhere, and nothing runs but what stands in page.js (a policy says so)."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from shardsmith.dataset.codes import SEVERITIES
from shardsmith.dataset.manifest import SPLITS
from shardsmith.report.areas import Area
from shardsmith.report.content import Content, FoundImage, ShownImage, code_blocks, share, split_totals
from shardsmith.report.figures import Figure, class_figure, shape_figures

_HERE = Path(__file__).parent
_UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def render(content: Content) -> str:
    """The page; it says the same for the same content, to the byte."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "number": _number, "share": share, "ratio": _ratio, "code_parts": _code_parts, "sentence": _sentence,
    }  # fmt: skip
    style = f"{_text('page.css')}{_ratios(content)}"
    script = _text("page.js")
    columns = content.columns
    return environment.from_string(_text("page.html.jinja")).render(
        content=content,
        counts=content.counts,
        columns=columns,
        name=content.label_map.dataset,
        made=content.made,
        word=columns.word,
        size=_size(content.bytes),
        splits=SPLITS,
        split_totals=split_totals(columns),
        class_figure=_drawn(class_figure(columns)),
        figures=[_drawn(figure) for figure in shape_figures(columns)],
        gallery_classes=_gallery_classes(content),
        loading=[(title, list(code_blocks(text, content.label_map.dataset))) for title, text in content.made.formats],
        severities=_severities(content),
        total_findings=sum(block.count for block, _ in content.findings),
        insets=_insets(content),
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        policy=_policy(style, script),
    )


def _drawn(figure: Figure | None) -> tuple[Figure, Markup] | None:
    return (figure, Markup(figure.svg)) if figure else None  # noqa: S704


def _policy(style: str, script: str) -> str:
    return (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src '{_digest(style)}'; script-src '{_digest(script)}'"
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _all_shown(content: Content) -> list[ShownImage | FoundImage]:
    pairs = [shown for parent, copies in content.copies for shown in (parent, *copies) if shown]
    found = [one for _, some in content.findings for shown in some for one in (shown, shown.other) if one]
    return [*content.gallery, *found, *pairs]


def _ratios(content: Content) -> str:
    """A class for each shape of picture: the policy forbids a style of an element's own."""
    ratios = sorted({shown.ratio for shown in _all_shown(content)})
    insets = _insets(content)
    return "".join(
        [
            *(f".r{ratio}{{--r:{ratio / 100:g}}}\n" for ratio in ratios),
            *(
                f".pic .i{number}{{left:{at.left}%;top:{at.top}%;width:{at.width}%;height:{at.height}%}}\n"
                for at, number in insets.items()
            ),
        ]
    )


def _insets(content: Content) -> dict[Area, int]:
    """Where pictures lie in frames larger than they are, each with a number."""
    there = [one.inset for _, some in content.findings for one in some if one.inset]
    return {at: number for number, at in enumerate(dict.fromkeys(there))}


def _gallery_classes(content: Content) -> list[tuple[int, str, int]]:
    """(place in the label map, name, images in the gallery) of each class that the gallery has; -1 for none."""
    counts: dict[int, int] = {}
    for shown in content.gallery:
        for of in shown.classes:
            counts[of] = counts.get(of, 0) + 1
    names = content.columns.names
    return [(of, names[of] if of >= 0 else "", counts[of]) for of in sorted(counts, key=lambda of: (of < 0, of))]


def _severities(content: Content) -> list[tuple[str, int, list[tuple[str, int]]]]:
    """(severity, how many findings, each code with its number), the worst first."""
    rows: list[tuple[str, int, list[tuple[str, int]]]] = []
    for severity in reversed(SEVERITIES):
        codes = [(block.code, block.count) for block, _ in content.findings if block.rule.severity == severity]
        if codes:
            rows.append((severity, sum(count for _, count in codes), codes))
    return rows


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:,}"


def _ratio(shown: ShownImage | FoundImage) -> str:
    return f"r{shown.ratio}"


def _size(count: int) -> str:
    return next((f"{count / unit:,.1f} {name}" for unit, name in _UNITS if count >= unit), f"{count:,} bytes")


def _code_parts(text: str) -> list[tuple[bool, str]]:
    """Text with `code` in it, in parts: (whether it is code, text)."""
    return [(bool(number % 2), part) for number, part in enumerate(text.split("`")) if part]


def _sentence(text: str) -> str:
    first = text.partition(" ")[0]
    return text if "." in first else text[:1].upper() + text[1:]  # a key of params.yaml keeps its letters
