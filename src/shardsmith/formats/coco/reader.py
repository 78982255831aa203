"""Parsed COCO files -> what they say of the images in the folder.

Where an image stands in several files, all of them count: COCO's own person_keypoints repeats the persons of instances,
id for id, and its captions are of the same images.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import pyarrow.compute as pc

from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.label_map import MAX_ID
from shardsmith.dataset.manifest import Annotation
from shardsmith.dataset.shapes import OutlineError
from shardsmith.dataset.tables.packed import MANY, PackedRows, repeated
from shardsmith.formats.coco.content import CocoFile, CocoImage, CocoRow
from shardsmith.formats.coco.entries import parse_stream
from shardsmith.formats.shapes.placement import corners, keypoints_on_displayed, on_displayed, outline_on_displayed
from shardsmith.formats.shared.facts import merged
from shardsmith.formats.shared.raw_folder import SHOWN, ImageEntry, RawFolder, Source
from shardsmith.formats.shared.splits import split_in_name, split_in_path
from shardsmith.formats.shared.text import opened

_CROWD_SHARE = 0.5
_KEY = ("image_id", "source_key")


def read(folder: RawFolder, files: list[str]) -> Source:
    """
    Raises:
        RawDataError: a file is no JSON, or has not the three lists.
    """
    contents = [(file, _parse(folder, file)) for file in files]
    source = Source(shapes=0)
    if sum(content.shapes for _, content in contents) > MANY:
        source.annotations = cast("list[Annotation]", PackedRows())
    group = annotation_group([content for _, content in contents])
    if group:
        source.facts["annotation_group"] = group
    known: set[tuple] | None = set() if len(files) > 1 else None
    for file, content in sorted(contents, key=lambda each: each[1].is_text):
        source.shapes = (source.shapes or 0) + add(folder, content, file, source, known, group)
    source.findings += [*_untie_ids(source, files), *_name_crowds(source, files)]
    return source


def _parse(folder: RawFolder, file: str) -> CocoFile:
    with opened(folder.root / file, file) as text:
        return parse_stream(text, file)


def annotation_group(contents: Sequence[CocoFile]) -> str:
    """The category that is a name for all the others, and has no annotation: what Roboflow writes as its category 0."""
    parents = {category.name: category.parent for content in contents for category in content.categories}
    tops = [name for name, parent in parents.items() if not parent]
    if len(tops) != 1 or len(parents) < 2 or any(parents[name] != tops[0] for name in parents if name != tops[0]):
        return ""
    return "" if any(tops[0] in content.labels for content in contents) else tops[0]


def add(
    folder: RawFolder,
    content: CocoFile,
    file: str,
    source: Source,
    known: set[tuple] | None = None,
    group: str = "",
) -> int:
    """Take one file's content to the images of the folder; how many annotations it has of its own.

    Args:
        known: annotations of the files before, for a source of several.
        group: the category that is no class; see annotation_group.
    """
    source.findings += content.findings
    source.facts = merged(source.facts, content.facts)
    _add_classes(content, file, source, group)
    shapes, repeated = content.shapes, 0
    new: set[tuple] = set()
    ids_of: dict[str, list[str]] = {}
    images = content.images[::-1]
    content.images = []
    while images:
        image = images.pop()  # which is not kept beside what is made of it
        image_id = folder.locate(image.name, file, image.place)
        if isinstance(image_id, Finding):
            source.findings += _without_image(image, image_id)
            continue
        if content.is_text and not image.captions:  # a list of images that nobody wrote about says nothing of them
            continue
        rows = image.rows
        if known is not None:
            count = len(rows)
            rows = [row for row in rows if (image_id, *row.key) not in known]
            new |= {(image_id, *row.key) for row in rows}
            repeated += count - len(rows)
        source.findings += [replace(finding, image_id=image_id) for finding in [*image.lost, *image.notes]]
        if content.is_joined:
            _add_entry(image, image_id, file, source)
            ids_of.setdefault(image_id, []).append(image.source_id or "")
        source.annotations += _on_image(image, rows, image_id, folder, file, source)
    if known is not None:
        known |= new
    source.findings += _name_merged(ids_of, file)
    for kind, count in sorted((+content.not_carried).items()):
        source.findings.append(found("not-carried", file, value=count, reason=f"{kind} have no place in a dataset"))
    if repeated:
        reason = "annotations that repeat those of another file, id for id; each is taken once"
        source.findings.append(found("not-carried", file, value=repeated, reason=reason))
    return shapes - repeated


def _add_classes(content: CocoFile, file: str, source: Source, group: str) -> None:
    """Class names in the order of their ids, and the ids that a label map can have."""
    names = [category.name for category in content.categories if category.name and category.name != group]
    source.classes += [name for name in dict.fromkeys(names) if name not in source.classes]
    parents = sum(category.parent not in ("", category.name, group) for category in content.categories)
    content.not_carried["supercategories"] += parents
    taken = set(source.ids.values())
    for category in content.categories:
        id_ = category.id_
        if isinstance(id_, int) and 1 <= id_ <= MAX_ID and id_ not in taken and category.name in source.classes:
            source.ids.setdefault(category.name, id_)
            taken.add(id_)
    for name, count in Counter(names).items():
        if count > 1:
            reason = "categories of several ids have this name; they are one class"
            source.findings.append(found("metadata-not-carried", file, value=name[:SHOWN], reason=reason))


def _add_entry(image: CocoImage, image_id: str, file: str, source: Source) -> None:
    split, alone = split_in_name(file) or split_in_path(image_id, file), bool(image.captions) and not image.rows
    entry = source.entries.setdefault(image_id, ImageEntry(split, source_id=image.source_id, captions_alone=alone))
    entry.add(image.tags, image.metadata)
    entry.captions += image.captions
    entry.captions_alone = entry.captions_alone and alone
    if split and entry.split and split != entry.split:
        reason = f"it is in {entry.split} by another file and in {split} by this one; {entry.split} counts"
        source.findings.append(found("split-leak", file, image_id, reason=reason, image_id=image_id))


def _without_image(image: CocoImage, missing: Finding) -> list[Finding]:
    """A finding for each annotation of an image that is not there, or one for the image where it has none."""
    rows = [
        replace(missing, place=f"annotations[{row.position}]", source_key=row.annotation.source_key or "")
        for row in image.rows
    ]
    texts = [replace(missing, reason="its caption goes with it") for _ in image.captions]
    return [*(rows or texts or [missing]), *(texts if rows else []), *image.lost]


def _name_merged(ids_of: dict[str, list[str]], file: str) -> list[Finding]:
    return [
        found(
            "not-carried", file, value=", ".join(ids)[:SHOWN], image_id=image_id,
            reason=f"{image_id} stands under {len(ids)} image ids; it is one image, with the annotations of all",
        )
        for image_id, ids in ids_of.items()
        if len(ids) > 1
    ]  # fmt: skip


def _on_image(
    image: CocoImage, rows: list[CocoRow], image_id: str, folder: RawFolder, file: str, source: Source
) -> list[Annotation]:
    info, where = folder.images[image_id], f"{file}, {image_id}"
    boxed = [row for row in rows if row.annotation.xmin is not None]
    boxes, findings = on_displayed([corners(row.annotation) for row in boxed], info, image.declared_px, where)
    source.findings += [replace(finding, image_id=image_id) for finding in findings]
    for row, box in zip(boxed, boxes, strict=True):
        annotation = row.annotation
        annotation.xmin, annotation.ymin, annotation.xmax, annotation.ymax = box
        if annotation.segmentation:
            try:
                annotation.segmentation = outline_on_displayed(annotation.segmentation, info, image.declared_px)
            except OutlineError as error:
                source.findings.append(_without_outline(row, image_id, file, str(error)))
                annotation.segmentation = None
        if annotation.keypoints:
            annotation.keypoints = keypoints_on_displayed(annotation.keypoints, info, image.declared_px)
    for row in rows:
        row.annotation.image_id = image_id
    return [row.annotation for row in rows]


def _without_outline(row: CocoRow, image_id: str, file: str, error: str) -> Finding:
    place, key = f"annotations[{row.position}].segmentation", row.annotation.source_key or ""
    reason = f"{error}; the outline is dropped, the box stays"
    return found("not-carried", file, place, reason=reason, image_id=image_id, source_key=key)


def _untie_ids(source: Source, files: Sequence[str]) -> list[Finding]:
    """Take away the ids that several annotations of one image share: they name none of them."""
    rows = source.annotations
    if source.packed:
        tables = source.packed.batches()
        pairs = (pair for table in tables for pair in zip(*(table[name].to_pylist() for name in _KEY), strict=True))
    else:
        pairs = ((row.image_id, row.source_key) for row in rows)
    twice = repeated([(pair for pair in pairs if pair[1])])
    if not twice:
        return []
    every = ((row.image_id, row.source_key) for row in rows)
    counts = Counter(pair for pair in every if pair[1] and hash(pair) in twice)
    values: dict[str, None] = {}
    shared = 0
    without: list[Annotation] = cast("list[Annotation]", PackedRows()) if source.packed else []
    for row in rows:
        if counts[row.image_id, row.source_key] > 1:
            values[str(row.source_key)] = None
            shared += 1
            row.source_key = None
        without.append(row)
    if not shared:
        return []
    source.annotations = without
    reason = f"{shared:,} annotations share their id with another of their image; they get other ids"
    return [found("metadata-not-carried", files[0], value=", ".join(values)[:SHOWN], reason=reason)]


def _name_crowds(source: Source, files: Sequence[str]) -> list[Finding]:
    rows = source.annotations
    if source.packed:
        crowds = sum(pc.sum(table["is_crowd"]).as_py() or 0 for table in source.packed.batches())
    else:
        crowds = sum(row.is_crowd for row in rows)
    if crowds <= _CROWD_SHARE * len(rows):
        return []
    return [found("crowd-mostly", files[0], value=f"{crowds:,} of {len(rows):,} annotations")]
