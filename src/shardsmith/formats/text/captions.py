"""Images and their captions, a row each: JSON lines, a list of JSON, CSV, and `metadata.jsonl` or `.csv` beside images.

A row names an image (`file_name`, `image`) and says one text of it, or a list (`text`, `caption`); an image may have
several rows. Sources: the page "Create an image dataset" of Hugging Face's `datasets`; BLIP's and Flickr8k's files.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from shardsmith.dataset.findings import Finding, found
from shardsmith.formats.csv.lines import head_lines, numbered
from shardsmith.formats.format import Format
from shardsmith.formats.shared.json import elements, paired
from shardsmith.formats.shared.raw_folder import SHOWN, ImageEntry, RawFolder, Source
from shardsmith.formats.shared.splits import split_in_name, split_in_path

_LINES, _LIST, _TABLES = (".jsonl", ".ndjson"), ".json", (".csv", ".tsv", ".txt")
_IMAGE = ("file_name", "image", "filename", "image_path", "image_name", "img", "path", "file")
_TEXT = ("text", "caption", "captions", "texts")
_OTHERS = frozenset({"annotator", "annotation_id", "xmin", "x1", "region_shape_attributes"})  # of other formats' rows
_OBJECTS = ("annotations", "objects")
_FACTS = ("image_id", "width", "height", "annotated", "split", "tags", "metadata")
_OWN = frozenset({*_IMAGE[:3], *_TEXT, *_OBJECTS, *_FACTS})
_HEAD = 1 << 16
Rows = Iterator[tuple[str, Any]]


def detect(folder: RawFolder) -> list[str]:
    """Files of which a row at the beginning has an image's name and a text, and most have no boxes."""
    tables = [file for suffix in _TABLES for file in folder.with_suffix(suffix) if _is_table(folder, file)]
    return [*(file for suffix in (*_LINES, _LIST) for file in folder.with_suffix(suffix) if _is_json(folder, file)),
            *tables]  # fmt: skip


def _is_table(folder: RawFolder, file: str) -> bool:
    header = next(iter(head_lines(folder, file)), [])
    names = [name.lower() for name in header]
    fits = _column(names, _IMAGE) and _column(names, _TEXT) and not _OTHERS & set(names)
    return bool(fits) and (len(names) == 2 or not file.lower().endswith(".txt"))


def _is_json(folder: RawFolder, file: str) -> bool:
    head = folder.head(file, _HEAD).lstrip()
    if file.lower().endswith(_LIST):
        return head.startswith("[") and _is_row(_first(head[1:].lstrip()))
    rows = [_first(line) for line in head.split("\n")] if head.startswith("{") else []
    with_objects = sum(isinstance(row, dict) and _objects(row) > 0 for row in rows)
    return sum(map(_is_row, rows)) >= max(1, with_objects)


def _first(text: str) -> Any:
    try:
        return json.JSONDecoder().raw_decode(text)[0]
    except (ValueError, RecursionError):
        return None


def _is_row(row: Any) -> bool:
    if not isinstance(row, dict) or _OTHERS & row.keys() or _objects(row):
        return False
    name, said = row.get(_column(row, _IMAGE)), row.get(_column(row, _TEXT))
    texts = said if isinstance(said, list) else [said]
    return isinstance(name, str) and any(isinstance(text, str) for text in texts)


def _column(names: Any, known: tuple[str, ...]) -> str:
    return next((name for name in known if name in names), "")


def read(folder: RawFolder, files: list[str]) -> Source:
    """
    Raises:
        RawDataError: a file is not text, or no list of JSON to its end.
    """
    source = Source(shapes=0)
    for file in files:
        passed: Counter[str] = Counter()
        for place, row in _rows(folder, file):
            _add(folder, file, place, row, source, passed)
        source.findings += [
            found("not-carried", file, value=count, reason=f"{name} of images have no place in a dataset")
            for name, count in sorted(passed.items())
        ]
    return source


def _rows(folder: RawFolder, file: str) -> Rows:
    """(place, row) of each; None for one that cannot be read."""
    text = folder.text(file)
    if file.lower().endswith(_TABLES):
        lines = numbered(text)
        header = [name.lower() for name in next(lines, ("", [""]))[1]]
        for place, cells in lines:
            yield place, dict(zip(header, cells, strict=True)) if len(cells) == len(header) else None
    elif file.lower().endswith(_LIST):
        yield from ((f"[{at}]", row) for at, row in enumerate(elements(paired(text), file)))
    else:
        for number, line in enumerate(paired(text).split("\n"), start=1):
            if line.strip():
                yield f"line {number}", _whole(line)


def _whole(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _add(folder: RawFolder, file: str, place: str, row: Any, source: Source, passed: Counter[str]) -> None:
    """One row's texts to its image; what cannot be read becomes a finding."""
    name = row.get(_column(row, _IMAGE)) if isinstance(row, dict) else None
    if not isinstance(name, str) or not name.strip():
        source.shapes = (source.shapes or 0) + 1
        reason = "it names no image" if isinstance(row, dict) else "it is no row as those before"
        source.findings.append(found("annotation-unreadable", file, place, reason=reason))
        return
    said = row.get(_column(row, _TEXT))
    texts = [text for text in (said if isinstance(said, list) else [said]) if text is not None and text != ""]
    good = [text for text in texts if isinstance(text, str)]
    lost = _objects(row)
    source.shapes = (source.shapes or 0) + len(texts) + lost
    image_id = folder.locate(name, file, place)
    if isinstance(image_id, Finding):
        source.findings += [image_id] * max(1, len(texts) + lost)
        return
    if texts or lost:
        split = row.get("split")
        of_row = split_in_name(split) if isinstance(split, str) else None
        entry = source.entries.setdefault(
            image_id, ImageEntry(of_row or split_in_name(file) or split_in_path(image_id, file), captions_alone=True)
        )
        entry.add(_tags(row), _metadata(row, passed))
        entry.captions += good
    unreadable = found("annotation-unreadable", file, place, reason="its caption is no text", image_id=image_id)
    source.findings += [unreadable] * (len(texts) - len(good))
    reason = "captions are read here, and no boxes or classes"
    source.findings += [
        found("shape-not-carried", file, f"{place}, object {number}", "object", reason, image_id=image_id)
        for number in range(1, lost + 1)
    ]


def _objects(row: Mapping[str, Any]) -> int:
    """How many boxes or classes it has besides: of our own JSON lines, or of Hugging Face's."""
    said = row.get(_column(row, _OBJECTS))
    if isinstance(said, dict):
        return max((len(value) for value in said.values() if isinstance(value, list)), default=0)
    return len(said) if isinstance(said, list) else 0


def _tags(row: Mapping[str, Any]) -> list[str]:
    tags = row.get("tags")
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []


def _metadata(row: Mapping[str, Any], passed: Counter[str]) -> dict[str, object]:
    """What else a row says in words and numbers; what it says at length is counted."""
    own = row.get("metadata")
    known = dict(own) if isinstance(own, dict) else {}
    for name, value in row.items():
        if name in _OWN or value in (None, "", [], {}):
            continue
        if isinstance(value, str | int | float):
            known[name[:SHOWN]] = value
        else:
            passed[name[:SHOWN]] += 1
    return known


FORMAT = Format(
    name="captions",
    title="Images and captions (JSON lines, CSV)",
    carries=frozenset({"captions", "splits"}),
    detect=detect,
    read=read,
)
