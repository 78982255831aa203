"""Names of images that differ from what an annotation says, for reasons that are known: the one place for all formats.

Tried last of all, from the smallest difference to the largest, and only a single image is an answer.

Sources: Label Studio's upload (eight hexadecimal digits and a hyphen before the name, which Django's
`get_valid_filename` has rid of blanks and signs) and its SDK's cache (eight digits and two underscores); URLs (RFC
3986); Unicode Annex 15, for macOS's decomposed accents.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from urllib.parse import unquote

from shardsmith.dataset.images import EXTENSIONS
from shardsmith.formats.shared.splits import split_in_name, split_in_path

_PREFIX = re.compile(r"[0-9a-f]{8}(?:-|__)(?=.)")
_SIGNS = re.compile(r"[^-\w.]")


def clean_path(name: str) -> PurePosixPath:
    r"""A path of any system: `\` separates as `/` does; `\\?\` and a drive are no folders."""
    path = name.replace("\\", "/").removeprefix("//?/")
    return PurePosixPath(re.sub(r"^[A-Za-z]:(?=/)", "", path))


def without_prefix(name: str) -> str:
    """A file's name without the eight hexadecimal digits that an upload or a cache puts before it."""
    return _PREFIX.sub("", name, count=1)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", _decoded(name)).casefold()


def _decoded(name: str) -> str:
    """Without percent-encoding, however often it was done: `50%25.jpg` may be a file's own name."""
    while (plain := unquote(name)) != name:
        name = plain
    return name


def _stem(name: str) -> str:
    path = PurePosixPath(name)
    return path.stem if path.suffix in EXTENSIONS else name


def _valid(name: str) -> str:
    return _SIGNS.sub("", unicodedata.normalize("NFC", name.strip().replace(" ", "_")))


class NameIndex:
    """Images by what remains of their names without what may differ."""

    def __init__(self, images: Iterable[str]) -> None:
        self.images = list(images)
        self.known: dict[tuple[bool, bool, bool], dict[str, list[str]]] = {}

    def matches(self, name: str) -> Iterator[list[str]]:
        """The images that a file's name could mean, those of the smallest difference first."""
        folded, bare = _folded(name), without_prefix(_folded(name))
        for no_extension in (False, True):
            for no_signs in (False, True):
                yield self._of(no_extension, no_signs, False).get(_key(folded, no_extension, no_signs), [])
                if bare == folded:
                    yield self._of(no_extension, no_signs, True).get(_key(folded, no_extension, no_signs), [])
                else:
                    yield self._of(no_extension, no_signs, False).get(_key(bare, no_extension, no_signs), [])

    def _of(self, no_extension: bool, no_signs: bool, prefixed: bool) -> dict[str, list[str]]:
        """prefixed: only images with a prefix, by their names without it."""
        way = (no_extension, no_signs, prefixed)
        if way not in self.known:
            by_key = defaultdict(list)
            for image in self.images:
                folded = _folded(PurePosixPath(image).name)
                bare = without_prefix(folded)
                if not prefixed or bare != folded:
                    by_key[_key(bare if prefixed else folded, no_extension, no_signs)].append(image)
            self.known[way] = dict(by_key)
        return self.known[way]


def _key(name: str, no_extension: bool, no_signs: bool) -> str:
    name = _stem(name) if no_extension else name
    return _valid(name) if no_signs else name


def ending_with(files: list[str], wanted: PurePosixPath) -> list[str]:
    """The files whose paths end as the wanted one does, folders included; [] where it has no folder."""
    return [file for file in files if f"/{file}".endswith(f"/{wanted}")] if len(wanted.parts) > 1 else []


def nearest(files: list[str], annotation_file: str) -> list[str]:
    """The files that share the most leading folders with the annotation file (set1/xml/a.xml means set1/images/a.jpg);
    of several, those with its last folder's name (Annotations/train/a.xml means images/train/a.jpg), or of its split.
    """
    folder = PurePosixPath(annotation_file).parent

    def shared(file: str) -> int:
        pairs = zip(PurePosixPath(file).parent.parts, folder.parts, strict=False)
        return len(list(itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)))

    most = max((shared(file) for file in files), default=0)
    found = [file for file in files if shared(file) == most]
    split = split_in_name(annotation_file) or split_in_path(annotation_file)
    for narrower in (
        [file for file in found if PurePosixPath(file).parent.name == folder.name],
        [file for file in found if split and split_in_path(file) == split],
    ):
        found = narrower or found
    return found


def fold_path(path: PurePosixPath) -> PurePosixPath:
    """A path as `NameIndex` compares it."""
    return PurePosixPath(_folded(str(path)))


def difference(said: str, image: str) -> str:
    """What tells the two names apart, for a person."""
    name = PurePosixPath(image).name
    steps = (
        ("Unicode form", lambda text: unicodedata.normalize("NFC", text)),
        ("percent-encoding", _decoded),
        ("case", str.casefold),
        ("prefix", without_prefix),
        ("blanks and signs", _valid),
        ("extension", _stem),
    )
    differs = []
    for what, change in steps:
        before = said == name
        was = (said, name)
        said, name = change(said), change(name)
        if not before and (said, name) != was and _closer(was, (said, name)):
            differs.append(what)
    return " and ".join(differs) or "spelling"


def _closer(before: tuple[str, str], after: tuple[str, str]) -> bool:
    """Whether a step changed one side alone, or made two names one."""
    changed = [one != other for one, other in zip(before, after, strict=True)]
    return sum(changed) == 1 or after[0] == after[1]
