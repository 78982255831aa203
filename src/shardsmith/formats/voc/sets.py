"""ImageSets/Main: the splits, and which images show a class.

`train.txt`, `val.txt` and `test.txt` list names without an extension, perhaps with their folder. `cat_train.txt` has
beside each name of the split whether the image shows the class: 1, -1 for no, 0 for a difficult object alone.
Source: the VOC2012 development kit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.images import EXTENSIONS
from shardsmith.formats.shared.raw_folder import RawFolder

_SETS = {"train": "train", "val": "valid", "valid": "valid", "test": "test"}
_OF_CLASS = re.compile(r"(.+)_(train|val|valid|test|trainval)")
_SHOWS = {"1": 1, "+1": 1, "0": 0, "-1": -1}


@dataclass
class ImageSets:
    """splits: name -> split. shows: class -> {name: 1, 0 or -1}, from the files of one class alone."""

    splits: dict[str, str] = field(default_factory=dict)
    shows: dict[str, dict[str, int]] = field(default_factory=dict)

    def split_of(self, *paths: str) -> str | None:
        """By the longest end of a path that is listed: `siteA/0001`, then `0001`."""
        for path in paths:
            parts = PurePosixPath(path).with_suffix("").parts
            for start in range(len(parts)):
                if split := self.splits.get("/".join(parts[start:])):
                    return split
        return None


def set_files(folder: RawFolder) -> list[str]:
    return [file for file in folder.with_suffix(".txt") if PurePosixPath(file).parent.name == "Main"]


def read_sets(folder: RawFolder) -> ImageSets:
    """
    Raises:
        RawDataError: a file is not text.
    """
    sets = ImageSets()
    from_classes: dict[str, str] = {}
    for file in set_files(folder):
        stem = PurePosixPath(file).stem
        of_class = _OF_CLASS.fullmatch(stem)
        if stem.lower() in _SETS:
            for name, _ in parse_set(folder.text(file)):
                sets.splits[name] = _SETS[stem.lower()]
        elif of_class:
            flagged = [(name, shows) for name, shows in parse_set(folder.text(file)) if shows is not None]
            sets.shows.setdefault(of_class[1], {}).update(flagged)
            if split := _SETS.get(of_class[2]):
                from_classes |= {name: split for name, _ in flagged}
    sets.splits = from_classes | sets.splits
    return sets


def parse_set(text: str) -> list[tuple[str, int | None]]:
    """(name, whether it shows the class) of each line; None where it does not say."""
    entries: list[tuple[str, int | None]] = []
    for line in map(str.strip, text.splitlines()):
        name, *shows = line.rsplit(maxsplit=1) or [""]
        if not name:
            continue
        flag = _SHOWS.get(shows[0]) if shows else None
        entries.append((_without_extension(name if flag is not None else line), flag))
    return entries


def _without_extension(name: str) -> str:
    path = PurePosixPath(name.replace("\\", "/"))
    return str(path.with_suffix("")) if path.suffix.lower() in EXTENSIONS else str(path)


def class_files(folder: RawFolder) -> list[str]:
    """The files of one class each: all of their first lines say whether the image shows it."""
    return [
        file for file in set_files(folder) if _OF_CLASS.fullmatch(PurePosixPath(file).stem) and _flags(folder, file)
    ]


def _flags(folder: RawFolder, file: str) -> bool:
    try:
        entries = parse_set(folder.head(file).rpartition("\n")[0] or folder.text(file))
    except RawDataError:
        return False
    return bool(entries) and all(shows is not None for _, shows in entries)
