"""Class names and ids of TFRecords: those that the records pair, and those of the label maps beside them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from shardsmith.dataset.errors import RawDataError, StageError
from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.label_map import MAX_ID, parse_label_map
from shardsmith.formats.shared.raw_folder import SHOWN, RawFolder, Source
from shardsmith.formats.tfrecord.example import Record


def add_classes(source: Source, maps: dict[str, dict[str, int]], contents: Iterable[Sequence[Record]]) -> None:
    """The classes and ids of the label maps, else those that the records pair."""
    pairs = [(text, id_) for of_file in contents for record in of_file for text, id_ in record.labels + record.classes]
    every = [pair for ids in maps.values() for pair in ids.items()] or pairs
    taken: set[int] = set()
    for text, id_ in dict.fromkeys(every):
        if text and 0 < id_ <= MAX_ID and text not in source.ids and id_ not in taken:
            source.ids[text] = id_
            taken.add(id_)
    source.classes = sorted(source.ids, key=source.ids.__getitem__)


def differing_ids(files: list[str], contents: Iterable[Sequence[Record]]) -> list[Finding]:
    """A finding for each class id that the records pair with several names; the names count."""
    names: dict[int, set[str]] = defaultdict(set)
    for of_file in contents:
        for record in of_file:
            for text, id_ in record.labels + record.classes:
                if text and id_ > 0:
                    names[id_].add(text)
    reason = "records have this class id with several names; the names count"
    return [
        found("metadata-not-carried", files[0], value=f"{id_}: {', '.join(sorted(said))}"[:SHOWN], reason=reason)
        for id_, said in sorted(names.items())
        if len(said) > 1
    ]


def label_map_of(folder: RawFolder, file: str) -> dict[str, int]:
    """The ids in a label map; none where the file is something else.

    Raises:
        RawDataError: it is a label map that cannot be read.
    """
    if not file.endswith((".labels.txt", ".pbtxt", ".pbtext")):
        return {}
    try:
        text = folder.text(file)
        if file.endswith(".txt"):
            return {name: id_ for id_, name in enumerate(text.splitlines()) if id_ and name != f"unused-{id_}"}
        return dict(parse_label_map(text, file).ids) if re.search(r"^[ \t]*item\s*\{", text, re.MULTILINE) else {}
    except StageError as error:
        raise RawDataError(str(error)) from None


def nearest_first(maps: dict[str, dict[str, int]], file: str) -> list[dict[str, int]]:
    """The label maps in reverse order of precedence: those beside the file come last."""
    parent = PurePosixPath(file).parent
    order = sorted(maps, key=lambda name: (PurePosixPath(name).parent == parent, name.endswith(".pbtxt"), name))
    return [maps[name] for name in order]
