"""The label map: which class has which id. Ids start at 1 and never change meaning.

On disk it is the Object Detection API's `label_map.pbtxt`, with the dataset's name in a comment on its first line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf import text_encoding, text_format

from shardsmith.dataset.errors import RawDataError, StageError
from shardsmith.dataset.messages import StringIntLabelMap

MAX_ID = 100_000  # every id below one that is used takes room in YOLO's and TFDS's lists of names
_HEADER = "# dataset: "


@dataclass(frozen=True)
class LabelMap:
    """ids: class name -> id (1 and up, no gaps needed); reserved names of vanished classes stay in it."""

    dataset: str
    ids: Mapping[str, int] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The class names in the order of their ids."""
        return sorted(self.ids, key=self.ids.__getitem__)

    def names_by_id(self) -> list[str]:
        """names[id] for every id from 0; 0 is `background`, an id nobody has is `unused-ID`.

        This is the order of TFDS's ClassLabel, whose names must be unique and without gaps.
        """
        by_id = {i: name for name, i in self.ids.items()}
        return ["background"] + [by_id.get(i, f"unused-{i}") for i in range(1, max(by_id, default=0) + 1)]

    def extended(self, labels: Iterable[str], pins: Mapping[str, int] | None = None) -> LabelMap:
        """With every label that is new given the next free id, in the order given.

        Args:
            labels: class names as the source orders them.
            pins: class name -> the id it must have.

        Raises:
            RawDataError: a pin contradicts an id that already has a meaning, or is above MAX_ID.
        """
        ids = dict(self.ids)
        pinned = pins or {}
        taken = {i: name for name, i in ids.items()}
        for name, i in pinned.items():
            if i > MAX_ID:
                raise RawDataError(f"params.yaml: ingest.classes pins {name!r} to id {i:g}; allowed: up to {MAX_ID:,}")
            if ids.get(name, i) != i or taken.get(i, name) != name:
                has = f"{name!r} has id {ids[name]}" if name in ids else f"id {i} is {taken[i]!r}"
                raise RawDataError(
                    f"params.yaml: ingest.classes pins {name!r} to id {i}, but {has} in the label map; "
                    "ids never change meaning: choose a free id, or start anew: shardsmith labels --restart"
                )
            ids[name], taken[i] = i, name
        next_id = 1
        for name in labels:
            if name in ids:
                continue
            while next_id in taken:
                next_id += 1
            ids[name], taken[next_id] = next_id, name
        return LabelMap(self.dataset, ids)

    def format(self) -> str:
        """The label map as `label_map.pbtxt` holds it."""
        items = [
            f'item {{\n  name: "{text_encoding.CEscape(name, as_utf8=True)}"\n  id: {self.ids[name]}\n}}\n'
            for name in self.names
        ]
        return f"{_HEADER}{self.dataset}\n" + "".join(items)


def parse_label_map(text: str, where: str) -> LabelMap:
    """Read a label map written by us, by the Object Detection API or by a hosted tool (with commas).

    Args:
        text: the file's content.
        where: the file's name, for messages.

    Raises:
        StageError: it is no label map, or an id is missing, below 1 or used twice.
    """
    # protobuf takes the square of the length of a run of backslashes; \134 is one of them, and ends the run
    plain = text.replace("\\\\", "\\134")
    try:
        message = text_format.Parse(plain, StringIntLabelMap(), allow_unknown_field=True)
    except text_format.ParseError as error:
        raise StageError(f"{where}:{str(error)[:300]}; it is no label map: restore it from git or delete it") from None
    except RecursionError:
        raise StageError(f"{where}: nested too deep for a label map: restore it from git or delete it") from None
    first = text.partition("\n")[0]
    dataset = first.removeprefix(_HEADER).strip() if first.startswith(_HEADER) else ""
    ids: dict[str, int] = {}
    taken: set[int] = set()
    for item in message.item:
        name = item.name or item.display_name
        if item.id < 1 or not name or name in ids or item.id in taken:
            raise StageError(
                f"{where}: item name {name!r}, id {item.id}: each item needs a name and an id of its own, 1 or more"
            )
        ids[name] = item.id
        taken.add(item.id)
    return LabelMap(dataset, ids)


def read_label_map(path: Path) -> LabelMap:
    """
    Raises:
        StageError: the file is no label map.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise StageError(f"{path}: not UTF-8 ({error.reason} at byte {error.start}); restore it from git") from None
    return parse_label_map(text, str(path))
