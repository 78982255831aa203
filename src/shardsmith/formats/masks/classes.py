"""What the values and colours of masks mean: class lists as several tools write them.

Source: Roboflow's `_classes.csv` (Pixel Value, Class), the `labelmap.txt` of CVAT and Datumaro (name:r,g,b:parts:
actions; without colours where they are VOC's, in turn), ADE20K's `objectInfo150.txt`, CamVid's `class_dict.csv` and
`label_colors.txt`, labelme's `class_names.txt`, labelformat's `class_id_to_name.json`.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

LIST_FILES = (
    "_classes.csv", "labelmap.txt", "classes.txt", "class_names.txt", "classes.csv", "class_dict.csv",
    "label_colors.txt", "labels.txt", "objectInfo150.txt", "class_id_to_name.json",
)  # fmt: skip
_NOTHING = re.compile(r"[_\s]*(background|bg|void|unlabell?ed|ignored?|no_?data|none)[_\s]*", re.IGNORECASE)
_IGNORED = "__ignore__"  # labelme's class -1, before the one of value 0
_VALUE = ("pixel value", "pixel_value", "pixel", "value", "id", "idx", "index", "label_id")
_NAME = ("class", "name", "label", "class_name", "classname")
_LABELMAP = re.compile(r"([^:#]+):\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*(?::.*)?")
_UNCOLOURED = re.compile(r"([^:#]+):\s*:[^:]*:?[^:]*")
_COLOURED = re.compile(r"(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\S.*)")
_NUMBERED = re.compile(r"(\d{1,5})\s*[:,=\s]\s*(\S.*)")
_NUMBER_LAST = re.compile(r"(\S.*?)\s*[:,=\t]\s*(\d{1,5})")
VOID = 255
VOID_COLOURS = frozenset({0xE0E0C0, 0xFFFFFF})  # VOC's border of an object
BLACK = 0


@dataclass
class ClassList:
    """by_value, by_colour (r << 16 | g << 8 | b): class names, those of nothing too. plain: names without a value."""

    file: str
    by_value: dict[int, str] = field(default_factory=dict)
    by_colour: dict[int, str] = field(default_factory=dict)
    plain: list[str] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """The classes, in their order, without those that mean nothing."""
        ordered = [self.by_value[value] for value in sorted(self.by_value)]
        every = [*ordered, *self.by_colour.values(), *self.plain]
        return [name for name in dict.fromkeys(every) if not is_nothing(name)]

    def nothing(self) -> set[int]:
        """The values or colours that mean background or void."""
        if self.by_colour:
            unsaid = {BLACK, *VOID_COLOURS} - self.by_colour.keys()
            return unsaid | {colour for colour, name in self.by_colour.items() if is_nothing(name)}
        unsaid = {BLACK, VOID} - self.by_value.keys()
        return unsaid | {value for value, name in self.by_value.items() if is_nothing(name)}

    def resolved(self, values: Iterable[int]) -> tuple[ClassList, bool]:
        """(with a value or colour for each plain name, whether that had to be assumed).

        Colours are VOC's, in turn, as in Datumaro's CamVid. A list that begins with the background counts from 0.
        Another counts from 1 where a mask has the value of its last class then, and from 0 where none has.
        """
        if not self.plain:
            return self, False
        values = set(values)
        colours = {voc_colour(at): name for at, name in enumerate(self.plain)}
        if values <= colours.keys() and max(values, default=0) > VOID:
            return ClassList(self.file, by_colour=colours), False
        if is_nothing(self.plain[0]):
            return ClassList(self.file, dict(enumerate(self.plain))), False
        first = int(len(self.plain) in values)
        return ClassList(self.file, dict(enumerate(self.plain, start=first))), True

    def for_two(self, values: Iterable[int]) -> ClassList:
        """With 255 as the one class, where the masks know no other value: a mask of two colours."""
        ones = [value for value, name in self.by_value.items() if not is_nothing(name)]
        if len(ones) == 1 and VOID not in self.by_value and {*values} - {BLACK} == {VOID}:
            return ClassList(self.file, {**self.by_value, VOID: self.by_value[ones[0]]})
        return self


def is_nothing(name: str) -> bool:
    return bool(_NOTHING.fullmatch(name))


def parse_list(text: str, file: str) -> ClassList | None:
    """A class list; None for a file of something else."""
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if file.lower().endswith(".csv"):
        return parse_csv(lines, file)
    if file.lower().endswith(".json"):
        return parse_json(text, file)
    if lines and lines[0].lower().startswith("idx\t"):
        return parse_csv(lines, file, "\t")
    return parse_text(lines, file)


def parse_csv(lines: list[str], file: str, mark: str = ",") -> ClassList | None:
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=mark)]
    except csv.Error:
        return None
    header = [cell.lower() for cell in rows[0]] if rows else []
    name = next((header.index(each) for each in _NAME if each in header), None)
    value = next((header.index(each) for each in _VALUE if each in header), None)
    colours = [header.index(each) for each in ("r", "g", "b") if each in header]
    if name is None or (value is None and len(colours) < 3):
        return None
    found = ClassList(file)
    for row in rows[1:]:
        try:
            if len(colours) == 3:
                found.by_colour[packed(*(int(row[at]) for at in colours))] = row[name]
            else:
                found.by_value[int(row[value or 0])] = row[name]
        except (IndexError, ValueError):
            continue  # its pixels have a value without a class, then
    return found if found.by_value or found.by_colour else None


def parse_json(text: str, file: str) -> ClassList | None:
    """An object of names by value."""
    try:
        return ClassList(file, {int(value): str(name) for value, name in json.loads(text).items()})
    except (ValueError, AttributeError, RecursionError):
        return None


def parse_text(lines: list[str], file: str) -> ClassList | None:
    if not lines:
        return None
    if all(_LABELMAP.fullmatch(line) for line in lines):
        coloured = [_LABELMAP.fullmatch(line) for line in lines]
        return ClassList(file, by_colour={packed(*map(int, m.groups()[1:4])): m[1].strip() for m in coloured if m})
    if all(_UNCOLOURED.fullmatch(line) for line in lines):
        names = [line.partition(":")[0].strip() for line in lines]
        return ClassList(file, by_colour={voc_colour(at): name for at, name in enumerate(names)})
    if all(_COLOURED.fullmatch(line) for line in lines):
        coloured = [_COLOURED.fullmatch(line) for line in lines]
        return ClassList(file, by_colour={packed(*map(int, m.groups()[:3])): m[4] for m in coloured if m})
    if all(_NUMBERED.fullmatch(line) for line in lines):
        numbered = [_NUMBERED.fullmatch(line) for line in lines]
        return ClassList(file, {int(m[1]): m[2] for m in numbered if m})
    if all(_NUMBER_LAST.fullmatch(line) for line in lines):
        numbered = [_NUMBER_LAST.fullmatch(line) for line in lines]
        return ClassList(file, {int(m[2]): m[1] for m in numbered if m})
    return ClassList(file, plain=lines[1:] if lines[0] == _IGNORED else lines)


def packed(red: int, green: int, blue: int) -> int:
    return red << 16 | green << 8 | blue


def voc_colour(value: int) -> int:
    """VOC's colour of a value: its bits, three at a time, are the highest ones left of red, green and blue."""
    red = green = blue = 0
    for place in range(7, -1, -1):
        red |= (value & 1) << place
        green |= (value >> 1 & 1) << place
        blue |= (value >> 2 & 1) << place
        value >>= 3
    return packed(red, green, blue)


def shown(value: int, by_colour: bool) -> str:
    """How a finding names a value of a mask."""
    return f"colour #{value:06x}" if by_colour else f"value {value}"
