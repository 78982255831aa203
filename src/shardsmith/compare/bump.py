"""Which number of a semantic version a difference asks for: major.minor.patch."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from shardsmith.compare.changes import Diff

_SEMANTIC = re.compile(r"(v?)(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True)
class Bump:
    """level: "major" where a reader of the old version breaks, "minor" for other data, "patch" for the same, or "none".

    why: in words. name: the next one, where the old one is a semantic version.
    """

    level: str
    why: list[str]
    name: str | None


def bump_of(diff: Diff) -> Bump:
    """What the new version is to be called after the old one."""
    for level, found in (("major", _breaks(diff)), ("minor", _changes(diff)), ("patch", _rest(diff))):
        if why := list(found):
            return Bump(level, why, _next(diff.old.rpartition("@")[2], level))
    return Bump("none", [], None)


def _breaks(diff: Diff) -> Iterator[str]:
    classes = diff.classes
    if classes.ids:
        yield "ids of classes mean something else"
    yield from (f"class {name} is gone" for name in classes.removed)
    yield from (f"class {one.old} is called {one.new}" for one in classes.renamed)
    old, new = diff.annotation_group
    if old and new and old != new:
        yield f"the annotation group is {new}, and was {old}"
    was, now = (set(formats or []) for formats in diff.parameters.get("export.formats", ((), ())))
    yield from (f"format {name} is no longer written" for name in sorted(was - now))


def _changes(diff: Diff) -> Iterator[str]:
    images, boxes = diff.images, diff.boxes
    listed = (images.added, images.removed, images.changed, images.moved, images.retagged)
    if any(listed) or images.remade_added or images.remade_removed or images.copies[0] != images.copies[1]:
        yield "other images, or in other splits"
    if boxes.added or boxes.removed or boxes.moved or boxes.relabelled or boxes.edited or boxes.reshaped:
        yield "other annotations"
    yield from (f"class {name} is new" for name in diff.classes.added)


def _rest(diff: Diff) -> Iterator[str]:
    if diff.parameters:
        yield "the same images and annotations, other parameters"
    elif diff.bytes[0] != diff.bytes[1]:
        yield "the same images and annotations, stored in another way"


def _next(name: str, level: str) -> str | None:
    if not (found := _SEMANTIC.fullmatch(name)):
        return None
    start, *numbers = found.groups()
    at = ("major", "minor", "patch").index(level)
    after = [int(number) for number in numbers[: at + 1]]
    after[-1] += 1
    return start + ".".join(map(str, [*after, 0, 0][:3]))
