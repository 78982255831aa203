"""A diff for a person to read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from shardsmith.compare.boxes import Box, BoxPair
from shardsmith.compare.bump import bump_of
from shardsmith.compare.changes import Diff
from shardsmith.versions.summary import table

EXAMPLES = 3
SAME = "The same images, boxes, classes and parameters."


def text(diff: Diff) -> str:
    """Counts side by side, then what changed, with the first few of each kind."""
    old, new = diff.old, diff.new
    if old.partition("@")[0] == new.partition("@")[0]:
        old, new = (name.partition("@")[2] or name for name in (old, new))
    lines = [f"{diff.old} -> {diff.new}", *proposal(diff), "", *table(counts(diff, old, new))]
    found = sections(diff)
    for title, body in found:
        lines += ["", title, *(f"  {line}" for line in body)]
    lines += [] if found else ["", SAME]
    return "\n".join("".join(c if c.isprintable() else "?" for c in line) for line in lines)


def sections(diff: Diff) -> list[tuple[str, list[str]]]:
    """(what changed, lines with the first few of each kind); kinds of nothing are left out."""
    found = (
        ("Images", _images(diff)),
        ("Boxes", _boxes(diff)),
        ("Classes", _classes(diff)),
        ("Parameters", _parameters(diff)),
    )
    return [(title, body) for title, lines in found if (body := list(lines))]


def counts(diff: Diff, old: str, new: str) -> list[list[str]]:
    """A table with a header: what is counted, in both, and by how much it changed.

    Args:
        old, new: what the two are called.
    """
    images, boxes, classes = diff.images, diff.boxes, diff.classes
    copies = any(images.copies)
    rows = [["", old, new, "change"], _row("images", images.total)]
    rows += [_row("copies", images.copies)] if copies else []
    rows += [_row("boxes", boxes.total)]
    rows += [_row("boxes of copies", boxes.copies)] if copies else []
    rows += [_row("classes", classes.total)]
    megabytes = [size / 1e6 for size in diff.bytes]
    change = f"{megabytes[1] - megabytes[0]:+,.1f}" if diff.bytes[0] != diff.bytes[1] else "="
    rows += [["size (MB)", *(f"{size:,.1f}" for size in megabytes), change]]
    by_size = sorted(classes.counts.items(), key=lambda item: (-max(item[1].boxes), item[0]))
    return rows + [_row(f"  {name}", count.boxes) for name, count in by_size]


def _row(name: str, pair: Sequence[int]) -> list[str]:
    old, new = pair
    return [name, f"{old:,}", f"{new:,}", f"{new - old:+,}" if new != old else "="]


def _images(diff: Diff) -> Iterator[str]:
    images = diff.images
    yield from _kind("added", [f"{one.image_id} ({one.split})" for one in images.added])
    yield from _kind("removed", [f"{one.image_id} ({one.split})" for one in images.removed])
    in_raw = [one.image_id for one in images.changed if one.in_raw_data]
    yield from _kind("changed in the raw data", in_raw)
    yield from _kind("made otherwise by steps", [one.image_id for one in images.changed if not one.in_raw_data])
    yield from _kind("moved between splits", [f"{one.image_id}: {one.old} -> {one.new}" for one in images.moved])
    for train_of, one_and_other in (("old", (diff.old, diff.new)), ("new", (diff.new, diff.old))):
        leaked = [
            one.image_id + (f" (there {one.name_in_test})" if one.name_in_test != one.image_id else "")
            for one in images.leaked
            if one.train_of == train_of
        ]
        yield from _kind("in train of {}, and in test of {}".format(*one_and_other), leaked)
    retagged = [f"{one.image_id}: {_value(one.old)} -> {_value(one.new)}" for one in images.retagged]
    yield from _kind("with other tags", retagged)
    for what, names in (("made", images.remade_added), ("no longer made", images.remade_removed)):
        yield from _kind(f"{what} of images that both have; their boxes are not compared", names)


def _boxes(diff: Diff) -> Iterator[str]:
    boxes = diff.boxes
    for what, listed, images in (
        ("added", boxes.added, {one.image_id for one in diff.images.added}),
        ("removed", boxes.removed, {one.image_id for one in diff.images.removed}),
    ):
        # those in images that both have first: the others are no surprise
        ordered = sorted(listed, key=lambda box: box.image_id in images)
        within = sum(box.image_id in images for box in listed)
        also = f" ({within:,} with their images)" if within else ""
        yield from _kind(what + also, [f"{box.image_id}: {_box(box)}" for box in ordered])
    yield from _kind("moved", [_pair(pair) for pair in boxes.moved])
    yield from _kind("relabelled", [_pair(pair) for pair in boxes.relabelled])
    edited = [f"{pair.new.image_id}: {_box(pair.new)}: {', '.join(pair.columns)}" for pair in boxes.edited]
    yield from _kind("with other attributes in the same place", edited)
    if boxes.reshaped:
        yield (
            f"boxes of {boxes.reshaped:,} images that steps made otherwise are paired by class: "
            "where they lie is not compared"
        )


def _classes(diff: Diff) -> Iterator[str]:
    classes = diff.classes
    yield from _kind("added", classes.added)
    yield from _kind("removed", classes.removed)
    yield from _kind("renamed", [f"{one.old} -> {one.new} ({one.boxes:,} boxes)" for one in classes.renamed])
    ids = [f"{name}: {old or 'none'} -> {new or 'none'}" for name, (old, new) in classes.ids.items()]
    yield from _kind("whose id is another", ids)
    was, now = diff.annotation_group
    if was and now and was != now:  # an old version does not say, nor one that is not in the cache
        yield f"annotation group: {was} -> {now}"


def _parameters(diff: Diff) -> list[str]:
    rows = [[key, f"{_value(old)} -> {_value(new)}"] for key, (old, new) in diff.parameters.items()]
    return table(rows, left=2) if rows else []


def proposal(diff: Diff) -> Iterator[str]:
    """The name that is proposed, and why."""
    bump = bump_of(diff)
    if bump.level != "none":
        yield f"Proposed: a {bump.level} version{f', {bump.name}' if bump.name else ''}: {'; '.join(bump.why)}"


def _kind(what: str, listed: Sequence[str]) -> Iterator[str]:
    if listed:
        yield f"{len(listed):,} {what}"
        yield from (f"  {line}" for line in listed[:EXAMPLES])
    if len(listed) > EXAMPLES:
        yield f"  and {len(listed) - EXAMPLES:,} more"


def _pair(pair: BoxPair) -> str:
    """The class once where it is the same, the corners once where they are."""
    if pair.old.corners == pair.new.corners and pair.new.corners:
        return f"{pair.new.image_id}: {pair.old.label} -> {pair.new.label} at {_corners(pair.new.corners)}"
    return f"{pair.new.image_id}: {_box(pair.old)} -> {_box(pair.new)}"


def _box(box: Box) -> str:
    return f"{box.label} {_corners(box.corners)}" if box.corners else box.label


def _corners(corners: list[float]) -> str:
    return " ".join(f"{value:.6g}" for value in corners)


def _value(value: Any) -> str:
    return "none" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
