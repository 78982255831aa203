"""COCO JSON's text -> images with their annotations: an entry at a time, in any order of the lists, and no disk.

Source: the data format page of the COCO dataset; `extra.user_tags` is Roboflow's.
"""

from __future__ import annotations

import difflib
import io
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.manifest import Annotation
from shardsmith.formats.coco.content import Category, CocoFile, CocoImage
from shardsmith.formats.coco.facts import further, info_facts, license_fact, license_names, parse_image
from shardsmith.formats.coco.rows import Stored
from shardsmith.formats.coco.shapes import (
    NotCarried,
    attributes_of,
    caption_of,
    edges_of,
    has_text_numbers,
    is_label,
    parse_annotation,
    parse_label,
    points_of,
)
from shardsmith.formats.coco.values import EntryError, Id, as_id, as_text, id_text, in_order, is_scalar
from shardsmith.formats.shared.json import stream_members

_LISTS = {"categories": "category", "images": "image", "annotations": "annotation"}
_OF_CATEGORY = frozenset({"id", "name", "supercategory", "keypoints", "skeleton"})
_NO_SIZE = "images declare no width and height, or 0; the images' own are used"
_TEXT = "annotations have numbers as text; they are read as numbers"


def parse(text: str, file: str) -> CocoFile:
    """As parse_stream, of a text that is whole."""
    return parse_stream(io.StringIO(text).read, file)


def parse_stream(read: Callable[[int], str], file: str) -> CocoFile:
    """What cannot be read, or has no place in a dataset here, becomes a finding.

    Args:
        read: gives so many characters, or fewer; "" at the end.
        file: its name, for findings.

    Raises:
        RawDataError: it is no JSON to its end, or has not the three lists.
    """
    reader = _Reader(file)
    seen: dict[str, bool] = {}
    for key, position, entry in stream_members(read, file):
        seen[key] = seen.get(key, False) or position is not None
        if key in _LISTS and position is not None:
            if position >= 0:
                reader.add(key, position, entry)
        elif key == "licenses" and position is not None:
            reader.licenses += [entry] if position >= 0 else []
        elif key == "info" and position is None:
            reader.add_info(entry)
        elif key not in _LISTS and (entry if position is None else position == 0) and not isinstance(entry, str):
            reader.unsaid[key] += 1
    _check_lists(seen, file, not len(reader.rows) and bool(reader.captions or reader.segments))
    return reader.content()


def _check_lists(seen: dict[str, bool], file: str, has_no_classes: bool) -> None:
    missing = [key for key in ("images", "annotations", "categories") if not seen.get(key)]
    if has_no_classes and missing == ["categories"]:
        return
    for key in missing:
        alike = difflib.get_close_matches(key, [name for name in seen if name not in _LISTS], 1)
        if key in seen:
            raise RawDataError(f"{file}: has no list {key!r}: what stands under that key is none; correct it")
        if alike:
            raise RawDataError(f"{file}: has no list {key!r}, but {alike[0]!r}; rename it to {key!r}, if it is that")
        raise RawDataError(f"{file}: has no list {key!r}, so it is not COCO detection data; move it away")


class _Reader:
    """Takes the entries as they come, and joins them at the end."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.images: dict[Id, CocoImage] = {}
        self.broken: list[CocoImage] = []  # of `images`, for which no annotation is known
        self.categories: dict[Id, Category] = {}
        self.rows = Stored()
        self.lost: dict[Id | None, list[Finding]] = {}
        self.notes: dict[Id, list[Finding]] = {}
        self.findings: list[Finding] = []
        self.not_carried: Counter[str] = Counter()
        self.unsaid: Counter[str] = Counter()
        self.lenient: Counter[str] = Counter()
        self.licenses: list[Any] = []
        self.facts: dict[str, str] = {}
        self.labels: list[tuple[dict[str, Any], int]] = []
        self.captions: dict[Id | None, list[tuple[str, int]]] = {}  # of an image: (text, position)
        self.shapes = self.segments = 0

    def add(self, key: str, position: int, entry: Any) -> None:
        place = f"{key}[{position}]"
        if not isinstance(entry, dict):
            finding = self._unreadable(place, f"it is no {_LISTS[key]}: not a JSON object")
            if key == "annotations":
                self._lose(None, finding)
            else:
                self.findings.append(finding)
        elif key == "images":
            self._add_image(entry, place)
        elif key == "categories":
            self._add_category(entry, place)
        else:
            self._add_annotation(entry, position, place)

    def add_info(self, info: Any) -> None:
        facts, at_length = info_facts(info)
        self.facts |= facts
        self.unsaid.update(at_length)

    def _unreadable(self, place: str, reason: str, key: str | None = None) -> Finding:
        return found("annotation-unreadable", self.file, place, reason=reason, source_key=key or "")

    def _add_image(self, entry: dict[str, Any], place: str) -> None:
        image, id_ = parse_image(entry, place), as_id(entry.get("id"))
        if id_ in self.images and self.images[id_].name == image.name:
            self.findings.append(found("not-carried", self.file, place, reason=f"it repeats the image with id {id_}"))
            return
        if id_ is None or id_ in self.images:
            used = f"its id {str(id_)[:40]} is used twice; the first one counts"
            image.lost.append(self._unreadable(place, "it has no id" if id_ is None else used))
            self.broken.append(image)
            return
        self.images[id_] = image
        self.lenient[_NO_SIZE] += image.declared_px is None
        at_length = (key for key, value in further(entry).items() if value and not is_scalar(value))
        self.unsaid.update(f"{key} of images" for key in at_length)

    def _add_category(self, entry: dict[str, Any], place: str) -> None:
        id_, name, parent = as_id(entry.get("id")), as_text(entry.get("name")), as_text(entry.get("supercategory"))
        known = None if id_ is None else self.categories.get(id_)
        if id_ is None:
            self.findings.append(self._unreadable(place, "it has no id"))
        elif known is None:
            self.categories[id_] = Category(
                id_, name, "" if parent.lower() == "none" else parent, points_of(entry), edges_of(entry)
            )
        elif known.name != name:
            used = f"its id {str(id_)[:40]} is used twice; the first one counts"
            self.findings.append(self._unreadable(place, used))
        self.unsaid.update(f"{key} of categories" for key in sorted(entry.keys() - _OF_CATEGORY) if entry[key])

    def _lose(self, image: Id | None, finding: Finding) -> None:
        self.shapes += 1
        self.lost.setdefault(image, []).append(finding)

    def _add_annotation(self, entry: dict[str, Any], position: int, place: str) -> None:
        image, key = as_id(entry.get("image_id")), id_text(entry.get("id"))
        if isinstance(entry.get("segments_info"), list) and not entry.get("bbox"):
            self.segments += 1
            for number, segment in enumerate(entry["segments_info"]):
                key = id_text(segment.get("id")) if isinstance(segment, dict) else None
                self._lose(image, self._of_kind("panoptic segment", f"{place}.segments_info[{number}]", key))
            return
        if is_label(entry):
            self.labels.append((entry, position))
            return
        if text := caption_of(entry):
            self.shapes += 1
            self.captions.setdefault(image, []).append((text, position))
            return
        try:
            row, problems = parse_annotation(entry)
        except NotCarried as kind:
            self._lose(image, self._of_kind(str(kind), place, key))
            return
        except EntryError as error:
            self._lose(image, self._unreadable(place, str(error), key))
            return
        if problems and image is not None:
            self.notes.setdefault(image, []).extend(
                found("not-carried", self.file, f"{place}.{part}", reason=why, source_key=key or "")
                for part, why in problems.items()
            )
        self._keep(row, entry, position)

    def _keep(self, row: Annotation, entry: dict[str, Any], position: int) -> None:
        """A row, if it has an image and a class."""
        image, category = as_id(entry.get("image_id")), as_id(entry.get("category_id"))
        place, key = f"annotations[{position}]", row.source_key
        if category is None:
            reason = f"its category_id {str(entry.get('category_id'))[:40]} is not in categories"
            self._lose(image, self._unreadable(place, reason, key))
        elif image is None:
            reason = f"its image_id {str(entry.get('image_id'))[:40]} is not in images"
            self._lose(None, self._unreadable(place, reason, key))
        else:
            row.attributes, at_length = attributes_of(entry)
            self.not_carried.update(at_length)
            self.lenient[_TEXT] += has_text_numbers(entry)
            self.shapes += 1
            self.rows.add(row, position, image, category)

    def _add_labels(self) -> None:
        """Annotations without a place: classes of whole images, where all are so, else boxes that are missing."""
        whole = not self.shapes
        for entry, position in self.labels:
            if whole:
                self._keep(parse_label(entry), entry, position)
            else:
                reason = "it has neither bbox nor segmentation, as others of its file have"
                unreadable = self._unreadable(f"annotations[{position}]", reason, id_text(entry.get("id")))
                self._lose(as_id(entry.get("image_id")), unreadable)

    def _of_kind(self, kind: str, place: str, key: str | None) -> Finding:
        return found("shape-not-carried", self.file, place, kind, source_key=key or "")

    def content(self) -> CocoFile:
        self._add_labels()
        strays = list(self.lost.pop(None, []))
        self.rows.close(self.categories)
        strays += self._join()
        for wanted, texts in self.captions.items():
            image = None if wanted is None else self.images.get(wanted)
            if image:
                image.captions = [text for text, _ in texts]
            else:
                strays += [self._unreadable(f"annotations[{at}]", "its image_id is not in images") for _, at in texts]
        for wanted, lost in self.lost.items():
            image = None if wanted is None else self.images.get(wanted)
            (image.lost if image else strays).extend(lost)
        for id_, notes in self.notes.items():
            if id_ in self.images:
                self.images[id_].notes += notes
        images = [self.images[id_] for id_ in in_order(self.images)]
        content = CocoFile([*images, *self.broken], [self.categories[id_] for id_ in in_order(self.categories)])
        content.labels = self.rows.labels(self.images)
        content.findings = [*self.findings, *strays, *self._unsaid()]
        content.not_carried, content.shapes = self.not_carried, self.shapes
        content.is_text = bool(self.captions) and sum(map(len, self.captions.values())) == self.shapes
        content.is_joined = not strays or any(
            image.lost or image.captions or self.rows.count(id_) for id_, image in self.images.items()
        )
        content.facts = self.facts
        names = license_names(self.licenses)
        for image in images:
            if image.license in names:
                image.metadata["license"] = names[image.license]
        if name := license_fact(names, Counter(image.license for image in images if image.license is not None)):
            content.facts["license"] = name
        return content

    def _join(self) -> Iterator[Finding]:
        """Lead each image to its rows; a row that has no image is a finding."""
        for id_ in self.rows.image_ids():
            if id_ not in self.images:
                for row in self.rows.all_of_image(id_):
                    reason = f"its image_id {id_!r} is not in images"
                    yield self._unreadable(f"annotations[{row.position}]", reason, row.annotation.source_key)
        for id_, image in self.images.items():
            image.stored, image.id_ = self.rows, id_
        for id_, row in self.rows.without_category():
            if id_ in self.images:
                reason = f"its category_id {row.category!r} is not in categories"
                place, key = f"annotations[{row.position}]", row.annotation.source_key
                self.images[id_].lost.append(self._unreadable(place, reason, key))
        for id_, row, problem in self.rows.wrong_points():
            if id_ in self.images:
                place, key = f"annotations[{row.position}].keypoints", row.annotation.source_key or ""
                note = found("not-carried", self.file, place, reason=problem, source_key=key)
                self.images[id_].notes.append(note)

    def _unsaid(self) -> Iterator[Finding]:
        if self.unsaid:
            value = "; ".join(f"{key} ({count:,})" for key, count in sorted(self.unsaid.items())[:20])
            yield found("metadata-not-carried", self.file, value=value)
        for reason, count in (+self.lenient).items():
            yield found("read-leniently", self.file, value=f"{count:,}", reason=reason)
