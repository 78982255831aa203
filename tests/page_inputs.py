"""What the tests of test_report_page share."""

from __future__ import annotations

from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

from conftest import box, image_bytes, make_image

from shardsmith.dataset.findings import Finding
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import SPLITS, Annotation, Image, Manifest
from shardsmith.ledger.fates import Line
from shardsmith.pipeline import report as stage
from shardsmith.pipeline.params import Params
from shardsmith.report.facts import Columns


class Seen(HTMLParser):
    """The page as a browser takes it: elements with their attributes, and the text outside of style and script."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag

    def handle_data(self, data: str) -> None:
        if self._inside not in ("style", "script") and data.strip():
            self.words.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th", "tr", "dd", "p", "li", "h1", "h2", "h3", "span", "text", "code"):
            self.words.append(" ")

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def all(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        return [one for name, one in self.elements if name == tag and attributes.items() <= one.items()]


def page_of(
    manifest: Manifest,
    *findings: Finding,
    params: Params | None = None,
    taken_in: Manifest | None = None,
    ledger: Sequence[Line] = (),
) -> str:
    taken_in = taken_in or manifest
    labels = list(dict.fromkeys(taken_in.annotations["label"].to_pylist()))
    label_map = LabelMap("ds", {label: number for number, label in enumerate(labels, start=1)})
    return stage.report(manifest, taken_in, findings, ledger, label_map, "data labelled as X", params or Params())[0]


def columns_of(manifest: Manifest) -> Columns:
    labels = sorted(set(manifest.annotations["label"].to_pylist()))
    return Columns.of(manifest, LabelMap("ds", {label: number for number, label in enumerate(labels, start=1)}))


def row(image_id: str, split: str = "train", width: int = 100, height: int = 100, **columns: object) -> Image:
    """An image without a file."""
    return Image(image_id, image_id, "", width, height, "jpeg", split=split, **columns)  # type: ignore[arg-type]


def label(image_id: str, name: str) -> Annotation:
    return Annotation(image_id, name, None, None, None, None)


def some_images(folder: Path, count: int) -> list[Image | Annotation]:
    """Images with two boxes each, spread over the splits."""
    rows: list[Image | Annotation] = []
    for number in range(count):
        name = f"{number:02}.jpg"
        split = SPLITS[number % 3]
        rows.append(make_image(folder, name, image_bytes(64, 48, number), split=split))
        rows += [box(name, "cat"), box(name, "dog", 20, 20, 40, 44)]
    return rows
