"""The objects of one image as a reader parses them: each comes out as a row, or as one finding that drops it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from shardsmith.dataset.findings import found
from shardsmith.dataset.images import ImageInfo
from shardsmith.dataset.manifest import Annotation
from shardsmith.dataset.shapes import OutlineError, rle_size_px
from shardsmith.formats.shapes.outlines import NotCarriedError, Shape
from shardsmith.formats.shapes.placement import Size, corners, on_displayed, outline_on_displayed
from shardsmith.formats.shared.raw_folder import SHOWN, Source

BROKEN = (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError, RecursionError, MemoryError)
_FLAGS = ("difficult", "occluded", "truncated")


@dataclass
class Lost:
    """An object that does not come out, and why; `key` is the source's own id of it."""

    code: str
    place: str
    value: str
    reason: str
    key: str


@dataclass
class Objects:
    """rows: not yet placed, without image_id. kept_less: what single objects lose, though they stay: kind -> count."""

    rows: list[Annotation] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)
    kept_less: Counter[str] = field(default_factory=Counter)

    def add(self, item: Any, place: str, parse: Callable[[dict[str, Any]], Annotation], id_name: str = "id") -> None:
        """One object of the source, by a function that makes a row of it, or raises what is wrong with it.

        Args:
            id_name: where the source's own id of it stands.
        """
        key = key_of(item, id_name)
        try:
            if not isinstance(item, dict):
                raise OutlineError("it is no JSON object")
            row = parse(item)
        except NotCarriedError as error:
            self.lose("shape-not-carried", place, key, value=str(error))
        except BROKEN as error:
            self.lose("annotation-unreadable", place, key, reason=told(error))
        else:
            row.source_key = key or None
            self.rows.append(row)

    def lose(self, code: str, place: str, key: str = "", value: str = "", reason: str = "") -> None:
        self.lost.append(Lost(code, place, value[:SHOWN], reason, key))


def key_of(item: Any, id_name: str = "id") -> str:
    """The source's own id of an object, or ""."""
    key = item.get(id_name) if isinstance(item, dict) else None
    return str(key)[:SHOWN] if isinstance(key, (str, int)) and not isinstance(key, bool) else ""


def told(error: BaseException) -> str:
    """Why an object cannot be read."""
    if isinstance(error, KeyError):
        return f"it has no {str(error.args[0])[:40]!r}"
    return str(error)[:120] or type(error).__name__


def row_of(label: str, shape: Shape | None, attributes: str | None = None, is_crowd: bool = False) -> Annotation:
    """A row without its image; None is a label of the whole image."""
    row = Annotation("", label, None, None, None, None, is_crowd, attributes=attributes)
    if shape:
        (row.xmin, row.ymin, row.xmax, row.ymax), row.segmentation = shape
    return row


def flagged(attributes: Any) -> dict[str, object]:
    """Attributes with VOC's flags as 0 or 1."""
    known = {str(name): value for name, value in attributes.items()} if isinstance(attributes, dict) else {}
    return known | {flag: int(known[flag]) for flag in _FLAGS if isinstance(known.get(flag), bool)}


def place_objects(
    objects: Objects, image_id: str, info: ImageInfo, declared_px: Size | None, where: tuple[str, str], source: Source
) -> None:
    """Add one image's objects to the source, on the displayed image.

    Args:
        where: the annotation file, and the image's place in it ("item 3") or "".
    """
    file, at = where
    boxed = [row for row in objects.rows if row.xmin is not None]
    name = file if not at else f"{file}, {image_id}"
    boxes, findings = on_displayed([corners(row) for row in boxed], info, declared_px, name)
    source.findings += findings
    for row, box in zip(boxed, boxes, strict=True):
        row.xmin, row.ymin, row.xmax, row.ymax = box
        row.segmentation = _outline(row.segmentation, info, declared_px, objects)
    keys = Counter(row.source_key for row in objects.rows)
    for row in objects.rows:
        row.image_id = image_id
        row.source_key = row.source_key if keys[row.source_key] == 1 else None
    source.annotations += objects.rows
    source.findings += [
        found(one.code, file, ", ".join(part for part in (at, one.place) if part), one.value, one.reason,
              image_id=image_id, source_key=one.key)
        for one in objects.lost
    ]  # fmt: skip
    source.findings += [
        found("not-carried", file, at, count, f"{kind} have no place in a dataset", image_id=image_id)
        for kind, count in sorted((+objects.kept_less).items())
    ]
    source.shapes = (source.shapes or 0) + len(objects.rows) + len(objects.lost)


def _outline(outline: str | None, info: ImageInfo, declared_px: Size | None, objects: Objects) -> str | None:
    if outline is None:
        return None
    try:
        return outline_on_displayed(outline, info, declared_px)
    except OutlineError:
        objects.kept_less[f"masks of {'{} x {}'.format(*(rle_size_px(outline) or (0, 0)))} pixels"] += 1
        return None


def has_list(holder: dict[str, Any], key: str, what: str) -> list[Any]:
    """The list of an image's objects.

    Raises:
        OutlineError: it is not there, or no list: nobody can say that the image is empty then.
    """
    items = holder.get(key)
    if not isinstance(items, list):
        near = f"no {key!r}" if key not in holder else f"no list in {key!r}"
        others = ", ".join(repr(str(name)[:30]) for name in list(holder)[:8])
        raise OutlineError(f"{what} has {near}, which should hold its objects; it has {others or 'nothing'}")
    return items
