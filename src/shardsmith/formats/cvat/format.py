"""CVAT's XML, "for images" and "for video": boxes, polygons, ellipses and masks, turned ones too, skeletons and tags.

Every image of a task counts as looked at: CVAT does not say of one that nobody was there. A `subset` is the split.
Lines, points and cuboids have no place in a dataset here. Source: "XML annotation format" of CVAT's
documentation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.manifest import Annotation
from shardsmith.dataset.shapes import OutlineError, Skeleton
from shardsmith.formats.cvat.frames import annotated_frames, frame_images, shapes_by_frame
from shardsmith.formats.cvat.shapes import BAD, CARRIED, LABEL, annotation, figure
from shardsmith.formats.cvat.skeletons import TAG, points_in, skeletons_in
from shardsmith.formats.format import Format
from shardsmith.formats.shapes.placement import (
    Box,
    Size,
    drawn_on_stored,
    keypoints_on_displayed,
    on_displayed,
    outline_on_displayed,
)
from shardsmith.formats.shared.raw_folder import SHOWN, ImageEntry, RawFolder, Source
from shardsmith.formats.shared.splits import split_in_name, split_in_path

_ROOT = re.compile(r"<annotations[\s>]")
_INSIDE = re.compile(r"<(?:image|track)\s[^>]*\b(?:name|label|id)\s*=|<meta>\s*<(?:task|project|job)>|<version>1\.")
_HEAD = 1 << 16
_SHOWN_FRAMES = 4

Shapes = list[tuple[Element, str]]


def detect(folder: RawFolder) -> list[str]:
    return [file for file in folder.with_suffix(".xml") if _is_cvat(folder.head(file, _HEAD).replace("\0", ""))]


def _is_cvat(head: str) -> bool:
    root = _ROOT.search(head)
    return bool(root and _INSIDE.search(head, root.start()))


def read(folder: RawFolder, files: list[str]) -> Source:
    """
    Raises:
        RawDataError: a file is no XML, or not CVAT's.
    """
    source = Source(shapes=0)
    for file in files:
        root = _parse(folder.text(file), file)
        names = [name for name in _labels(root) if name not in source.classes]
        source.classes += names
        known = skeletons_in(root)
        for position, image in enumerate(root.findall("image"), start=1):
            _read_image(folder, image, position, file, source, known)
        _read_tracks(folder, root, file, source, known)
    return source


def _parse(text: str, file: str) -> Element:
    try:
        root = fromstring(text)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise RawDataError(f"{file}: not XML that can be read ({error}); it may be cut short: get it again") from None
    if root.tag != "annotations":
        raise RawDataError(f"{file}: its root is <{root.tag[:SHOWN]}>, and CVAT's <annotations>; set ingest.format")
    return root


def _labels(root: Element) -> list[str]:
    """The names of the task's labels in their order; the points of a skeleton are none."""
    labels = [label for meta in root.findall("meta") for label in meta.iter("label")]
    names = [(label.findtext("name") or "").strip() for label in labels if not (label.findtext("parent") or "").strip()]
    return [name for name in dict.fromkeys(names) if name]


def _read_image(
    folder: RawFolder, image: Element, position: int, file: str, source: Source, known: Mapping[str, Skeleton]
) -> None:
    place = f"image {image.get('id') or position}"
    name = image.get("name") or ""
    image_id = folder.locate(name, file, place) if name else found("annotation-unreadable", file, place, "", _NO_NAME)
    if isinstance(image_id, Finding):
        source.findings.append(image_id)
        return
    split = split_in_name(image.get("subset") or "") or split_in_path(image_id, file)
    source.entries.setdefault(image_id, ImageEntry(split))
    shapes = [(shape, "") for shape in image]
    _Image(folder, file, image_id, place, _size(image.get("width"), image.get("height"))).add(shapes, source, known)


_NO_NAME = "it has no name"


def _size(width: str | None, height: str | None) -> Size | None:
    try:
        size = int(float(width or "")), int(float(height or ""))
    except (ValueError, OverflowError):
        return None
    return size if 0 < size[0] < 1e7 and 0 < size[1] < 1e7 else None


def _read_tracks(folder: RawFolder, root: Element, file: str, source: Source, known: Mapping[str, Skeleton]) -> None:
    by_frame, bad = shapes_by_frame(root)
    source.findings += [found("annotation-unreadable", file, place, "", "its frame is no number") for place in bad]
    source.shapes = (source.shapes or 0) + len(bad)
    is_lost = bool(bad) and not by_frame  # then nobody knows which frames are empty
    frames = annotated_frames(root) if root.find("image") is None and not is_lost else range(0)
    images = frame_images(folder.image_files, frames or by_frame)
    declared = _size(root.findtext("meta/task/original_size/width"), root.findtext("meta/task/original_size/height"))
    missing = []
    for frame in sorted({*by_frame, *(frame for frame in images if frame in frames)}):
        of_frame = images.get(frame, [])
        if len(of_frame) == 1:
            source.entries.setdefault(of_frame[0], ImageEntry(split_in_path(of_frame[0], file)))
            place = f"frame {frame}"
            _Image(folder, file, of_frame[0], place, declared).add(by_frame.get(frame, []), source, known)
        elif len(of_frame) > 1:
            reason = f"it could be {' or '.join(of_frame[:_SHOWN_FRAMES])}"
            source.findings.append(found("image-ambiguous", file, f"frame {frame}", f"frame_{frame:06d}", reason))
        elif frame in by_frame:
            missing.append(frame)
    if missing:
        shown = ", ".join(f"frame_{frame:06d}" for frame in missing[:_SHOWN_FRAMES])
        count = sum(len(by_frame[frame]) for frame in missing)
        reason = (
            f"{len(missing)} frames with {count} shapes have no image of that name: export them with their images, "
            'or, where the images have names of their own, as "CVAT for images"'
        )
        source.findings.append(found("image-missing", file, "", shown, reason))


class _Image:
    """Puts the shapes of one image or frame into a source."""

    def __init__(self, folder: RawFolder, file: str, image_id: str, place: str, declared_px: Size | None) -> None:
        self.file, self.image_id, self.place, self.declared_px = file, image_id, place, declared_px
        self.info = folder.images[image_id]

    def add(self, shapes: Shapes, source: Source, known: Mapping[str, Skeleton]) -> None:
        """
        Args:
            shapes: (shape, the source's own id of it or "").
            known: label -> its skeleton.
        """
        source.shapes = (source.shapes or 0) + len(shapes)
        rows: list[Annotation] = []
        boxes: list[Box] = []
        for number, (shape, key) in enumerate(shapes, start=1):
            place = f"{self.place}, {shape.tag} {number}"[:SHOWN]
            if shape.tag == LABEL:
                source.annotations.append(annotation(shape, self.image_id, None, None, key))
                continue
            if shape.tag not in CARRIED:
                reason = f"CVAT's {shape.tag[:60]} is neither a box nor an outline"
                source.findings.append(self._found("shape-not-carried", place, shape.tag[:60], reason, key))
                continue
            points = None
            try:
                if shape.tag == TAG:
                    points = points_in(shape, known)
                box, outline = (points.box, None) if points else figure(shape, self._size())
                outline = outline_on_displayed(outline, self.info, self.declared_px) if outline else None
            except BAD as error:
                reason = f"its {error.args[0]} is missing" if isinstance(error, KeyError) else str(error)[:100]
                source.findings.append(self._found("annotation-unreadable", place, shape.tag, reason, key))
                continue
            boxes.append(box)
            row = annotation(shape, self.image_id, box, outline, key)
            if points:
                row.skeleton = points.skeleton
                row.keypoints = keypoints_on_displayed(points.keypoints, self.info, self.declared_px)
            rows.append(row)
        placed, findings = on_displayed(boxes, self.info, self.declared_px, f"{self.file}, {self.image_id}")
        source.findings += [replace(one, image_id=self.image_id) for one in findings]
        for row, box in zip(rows, placed, strict=True):
            row.xmin, row.ymin, row.xmax, row.ymax = box
        source.annotations += rows

    def _found(self, code: str, place: str, value: str, reason: str, key: str) -> Finding:
        return found(code, self.file, place, value, reason, self.image_id, key)

    def _size(self) -> Size:
        """The size of the pixels that it was drawn on."""
        if self.declared_px and drawn_on_stored(self.info, self.declared_px):
            return self.declared_px
        if self.info.width and self.info.height:
            return self.info.width, self.info.height
        if self.declared_px is None:
            raise OutlineError("nothing says how large its image is")
        return self.declared_px


FORMAT = Format(
    name="cvat",
    title="CVAT XML, for images and for video",
    carries=frozenset(
        {
            *("boxes", "outlines", "masks", "oriented", "keypoints", "labels", "several_labels", "negatives", "splits"),
            *("occluded", "attributes"),
        }
    ),
    detect=detect,
    read=read,
)
