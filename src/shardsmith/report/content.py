"""All that the page says and shows, ready for the template: every string in it is still plain text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shardsmith.dataset.findings import Finding
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import SPLITS, Annotation, Image, Manifest
from shardsmith.ledger.counts import count_manifest
from shardsmith.ledger.fates import Line
from shardsmith.report import samples
from shardsmith.report.areas import Area, Pointed, Viewport, box_of, frame_of, point
from shardsmith.report.blocks import FoundBlock, done, found_blocks, told
from shardsmith.report.facts import Columns
from shardsmith.report.fates import LedgerStep, dropped, fates, steps
from shardsmith.report.marks import Mark, marks_of, shortened
from shardsmith.report.pictures import Thumbnail, shrink

_MOST_NAMES = 6
_CODE = re.compile(r"```\w*\n(.*?)```", re.DOTALL)
_LEAST_RATIO, _MOST_RATIO = 0.3, 4.0


@dataclass(frozen=True)
class HowMade:
    """How the version was made, and how its formats (title, LOADING) are loaded; all in words.

    facts: ("Licence", "CC BY 4.0"), of the data.
    """

    annotation_group: str
    facts: list[tuple[str, str]]
    source: str
    split: str
    preprocessing: list[str]
    augmentation: list[str]
    formats: list[tuple[str, str]]


@dataclass(frozen=True)
class ShownImage:
    """An image with its picture.

    classes: places in the label map, as its annotations have them; [-1] for none.
    ratio: width / height in hundredths as it is shown: a very long or thin image is shown less so.
    hidden: how many annotations are not drawn.
    """

    picture: Thumbnail
    image: Image
    marks: list[Mark]
    classes: list[int]
    holds: str
    ratio: int
    hidden: int
    remark: str = ""


@dataclass(frozen=True)
class FoundImage:
    """A finding with the image of data/raw that it is about, as ingest took it in.

    picture: None for an image that does not decode.
    inset: where the picture lies in a frame that shows more than the image; None where it fills it.
    marks: the image's other boxes.
    pointed: the box that the finding is about, where that can be told.
    split: where the image went; "" for one that is not in the version.
    done: what was done about the finding.
    other: the other image of a finding about two.
    """

    finding: Finding
    image: Image
    picture: Thumbnail | None
    inset: Area | None
    marks: list[Mark]
    pointed: Pointed | None
    ratio: int
    split: str
    done: str
    told: str
    other: FoundImage | None = None


@dataclass(frozen=True)
class Content:
    """counts: as count_manifest gives them; bytes: of all images."""

    label_map: LabelMap
    made: HowMade
    columns: Columns
    counts: dict[str, Any]
    bytes: int
    findings: list[tuple[FoundBlock, list[FoundImage]]]
    ledger: list[LedgerStep]
    fates: list[tuple[str, int]]
    dropped: str
    gallery: list[ShownImage]
    copies: list[tuple[ShownImage | None, list[ShownImage]]]


def compose(
    manifest: Manifest,
    taken_in: Manifest,
    findings: Sequence[Finding],
    ledger: Sequence[Line],
    label_map: LabelMap,
    made: HowMade,
    bytes: int,
) -> Content:
    """Count, choose, and read the chosen images.

    Args:
        taken_in: what ingest read: with the images and boxes that were dropped there or since.

    Raises:
        StageError: an image is gone, is not the one in the manifest, or does not decode.
    """
    columns = Columns.of(manifest, label_map)
    images = manifest.image_columns("image_id", "parent_id", "split")
    places = samples.shuffled(images["image_id"].combine_chunks())
    gallery = sorted(samples.choose_gallery(columns, places), key=lambda row: int(columns.split_of[row]))
    pairs = samples.choose_copies(images, columns, places)
    rows = [*gallery, *(row for parent, copies in pairs for row in (parent, *copies) if row is not None)]
    rows = sorted(set(rows))
    blocks = found_blocks(findings, taken_in.image_columns("image_id")["image_id"].combine_chunks())
    unreadable = {finding.image_id for finding in findings if finding.code == "image-unreadable"}
    chosen = _pairs(manifest, rows)
    rows_found = {row for block in blocks for _, *of in block.shown for row in of if row is not None}
    about = _pairs(taken_in, sorted(rows_found))
    about_readable = {row: pair for row, pair in about.items() if pair[0].image_id not in unreadable}
    pictures = shrink([image for image, _ in (*chosen.values(), *about_readable.values())])
    numbers = {name: number for number, name in enumerate(columns.names)}
    shown = {row: _shown(next(pictures), *pair, numbers) for row, pair in chosen.items()}
    found_pictures = {row: next(pictures) for row in about_readable}
    there = images.filter(
        pc.is_in(images["image_id"], pa.array([one.image_id for one, _ in about.values()], pa.string()))
    )
    splits = dict(zip(there["image_id"].to_pylist(), there["split"].to_pylist(), strict=True))

    def found_of(finding: Finding, row: int, other: int | None) -> FoundImage:
        one = _found(finding, found_pictures.get(row), *about[row], numbers, splits)
        if other is None:
            return one
        plain = Finding(finding.code, finding.action, "")
        beside = _found(plain, found_pictures.get(other), *about[other], numbers, splits)
        return replace(one, other=replace(beside, done="the other"))

    return Content(
        label_map=label_map,
        made=made,
        columns=columns,
        counts=count_manifest(manifest),
        bytes=bytes,
        findings=[(block, [found_of(*shown) for shown in block.shown]) for block in blocks],
        ledger=steps(ledger, columns.word),
        fates=fates(ledger, columns.word),
        dropped=dropped(ledger, columns.word),
        gallery=[shown[row] for row in gallery],
        copies=[(None if parent is None else shown[parent], [shown[row] for row in some]) for parent, some in pairs],
    )


def _pairs(manifest: Manifest, rows: list[int]) -> dict[int, tuple[Image, list[Annotation]]]:
    """Row -> the image and its annotations, for each of `rows` (sorted)."""
    pairs: dict[int, tuple[Image, list[Annotation]]] = {}
    done = 0
    for part in manifest.parts():
        here = [row for row in rows if done <= row < done + part.image_count]
        images = part.images.take(pa.array([row - done for row in here], pa.int64()))
        there = pc.is_in(part.annotations["image_id"], images["image_id"].combine_chunks())
        pairs |= zip(here, Manifest(images, part.annotations.filter(there)).pairs(), strict=True)
        done += part.image_count
    return pairs


def _shown(picture: Thumbnail, image: Image, annotations: list[Annotation], numbers: Mapping[str, int]) -> ShownImage:
    frame = Viewport.of(image)
    marks = marks_of(frame, annotations, numbers)
    boxes = sum(row.xmin is not None for row in annotations)
    return ShownImage(
        picture=picture,
        image=image,
        marks=marks,
        classes=sorted({numbers[row.label] for row in annotations}) or [-1],
        holds=_holds(image, annotations),
        ratio=_ratio(frame),
        hidden=boxes - len(marks),
        remark=_operations(image) if image.copy else "",
    )


def _found(
    finding: Finding,
    picture: Thumbnail | None,
    image: Image,
    annotations: list[Annotation],
    numbers: Mapping[str, int],
    splits: Mapping[str, str],
) -> FoundImage:
    box = box_of(finding, annotations)
    frame = frame_of(image, box)
    whole = Viewport.of(image)
    return FoundImage(
        finding=finding,
        image=image,
        picture=picture,
        inset=None if frame == whole else _inset(frame, whole),
        marks=marks_of(frame, [row for row in annotations if row.label in numbers], numbers),
        pointed=point(frame, box) if box else None,
        ratio=_ratio(frame),
        split=splits.get(image.image_id, ""),
        done=done(finding),
        told=told(finding),
    )


def _inset(frame: Viewport, whole: Viewport) -> Area:
    return Area.of(frame.x(0), frame.y(0), frame.x(whole.width), frame.y(whole.height))


def _ratio(frame: Viewport) -> int:
    """In hundredths; a very long or thin frame is shown less so."""
    return round(100 * min(max(frame.width / frame.height, _LEAST_RATIO), _MOST_RATIO))


def _holds(image: Image, annotations: Sequence[Annotation]) -> str:
    """ "2 cat, 1 dog"; what a person would say of a picture without boxes, too."""
    if not annotations and image.captions and not image.annotated:
        return f"{len(image.captions)} captions: {shortened(image.captions[0], 60)}"
    if not annotations:
        return "negative: nothing to find here" if image.annotated else "unlabelled"
    counts: dict[str, int] = {}
    for row in annotations:
        counts[row.label] = counts.get(row.label, 0) + 1
    if all(row.xmin is None for row in annotations):
        names = [shortened(name, 60) for name in counts]
    else:
        names = [f"{count} {shortened(name, 60)}" for name, count in counts.items()]
    more = [f"{len(names) - _MOST_NAMES} more classes"] if len(names) > _MOST_NAMES else []
    return ", ".join([*names[:_MOST_NAMES], *more])


def _operations(image: Image) -> str:
    """What made a copy, in the order in which it was done."""
    stages = json.loads(image.origin or "{}").get("stages") or [{}]
    return " · ".join(_operation(name, values) for name, values in stages[-1].get("operations", []))


def _operation(name: str, values: Mapping[str, Any]) -> str:
    """ "rotate: degrees -12.3"; its words where it has no numbers, as "flip: horizontal"."""
    numbers = [
        f"{key.replace('_', ' ')} {value:.3g}" for key, value in values.items() if isinstance(value, int | float)
    ]
    words = [value[:40] for value in values.values() if isinstance(value, str)]
    said = ", ".join((numbers or words)[:3])
    return name.replace("_", " ") + (f": {said}" if said else "")


def code_blocks(loading: str, dataset: str) -> Iterator[tuple[str, str]]:
    """A format's LOADING as ("text" or "code", content) in order."""
    loading = loading.strip().replace("DATASET", dataset)
    for number, part in enumerate(_CODE.split(loading)):
        if part.strip():
            yield ("code" if number % 2 else "text"), part.strip()


def share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "0%"


def split_totals(columns: Columns) -> dict[str, int]:
    """Split -> its images."""
    counts = np.bincount(columns.split_of, minlength=len(SPLITS)).tolist()
    return dict(zip(SPLITS, counts, strict=True))
