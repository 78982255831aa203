"""The checks of single image files, and of those with the same bytes; and how many boxes go with an image."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shardsmith.dataset.boxes import CORNERS, LOST
from shardsmith.dataset.codes import Action
from shardsmith.dataset.findings import Finding, about, action_for
from shardsmith.dataset.images import PORTABLE_FORMATS, extension_contradicts
from shardsmith.dataset.manifest import Image, Manifest
from shardsmith.dataset.tables.schema import rows_of

# of images, what the checks of whole images look at
LOOKED_AT = [
    "image_id", "path", "sha256", "width", "height", "format", "orientation", "group", "tags", "annotated",
    "captions",
]  # fmt: skip
_SAID = ("label", *CORNERS, "is_crowd", "segmentation", "keypoints")


def check_images(manifest: Manifest, reasons: Sequence[str], actions: Mapping[str, Action]) -> list[Finding]:
    """
    Args:
        reasons: why each image does not decode, or "".
    """
    findings = []
    images = manifest.images.select(LOOKED_AT)
    broken = []
    for row, (image, reason) in enumerate(zip(rows_of(images, Image), reasons, strict=True)):
        for code, value, why in _problems(image, reason):
            findings.append(about(code, image.image_id, action_for(code, actions), value=value, reason=why))
            if findings[-1].action in LOST:
                broken.append(row)
                break
    remaining = images.filter(pa.array(~np.isin(np.arange(len(images)), broken)))
    findings += _check_duplicates(remaining, manifest, actions)
    return told_in_full(sorted(findings, key=lambda finding: finding.code), manifest)


def _problems(image: Image, reason: str) -> Iterator[tuple[str, str, str]]:
    """(code, value, reason) of each thing to say about one image."""
    if reason or image.format is None:
        yield "image-unreadable", "", reason
        return
    if image.orientation != 1:
        yield "image-turned", f"orientation {image.orientation}", ""
    if image.format not in PORTABLE_FORMATS:
        yield "image-encoding", image.format, ""
    if extension_contradicts(image.image_id, image.format):
        yield "image-extension", image.format, ""


def _check_duplicates(images: pa.Table, manifest: Manifest, actions: Mapping[str, Action]) -> list[Finding]:
    """A finding for each image with the bytes of one before it; which code depends on the two's annotations."""
    counts = pc.value_counts(images["sha256"])
    several = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    by_content: dict[str, list[Image]] = defaultdict(list)
    for image in rows_of(images.filter(pc.is_in(images["sha256"], several)), Image):
        by_content[image.sha256].append(image)
    alike = list(by_content.values())
    annotations = _labelling(manifest, [image.image_id for same in alike for image in same])
    findings = []
    for first, *copies in alike:
        for copy in copies:
            one, other = annotations[first.image_id], annotations[copy.image_id]
            agree = (first.annotated, first.captions, one) == (copy.annotated, copy.captions, other)
            code = "image-duplicate" if agree else "image-duplicate-conflict"
            reason = f"same bytes as {first.image_id}"
            if not agree:
                reason += f", other annotations: {_told(copy, other)} here, {_told(first, one)} there"
            findings.append(about(code, copy.image_id, action_for(code, actions), reason=reason, other=first.image_id))
    return findings


def _labelling(manifest: Manifest, image_ids: list[str]) -> dict[str, list[str]]:
    """image_id -> what its annotations say, in an order that does not depend on theirs."""
    said: dict[str, list[str]] = {image_id: [] for image_id in image_ids}
    wanted = pa.array(image_ids, pa.string())
    for table in manifest.annotation_batches("image_id", *_SAID) if image_ids else ():
        for row in table.filter(pc.is_in(table["image_id"], wanted)).to_pylist():
            said[row["image_id"]].append(repr([row[key] for key in _SAID]))
    return {image_id: sorted(annotations) for image_id, annotations in said.items()}


def _told(image: Image, annotations: list[str]) -> str:
    texts = f" and {len(image.captions):,} captions" if image.captions else ""
    return (_counted(len(annotations), "box") if image.annotated else "unlabelled") + texts


def count_annotations(manifest: Manifest, image_ids: Collection[str]) -> Counter[str]:
    """image_id -> how many annotations it has, of some images."""
    counts: Counter[str] = Counter()
    wanted = pa.array(sorted(image_ids), pa.string())
    for some in manifest.annotation_batches("image_id") if image_ids else ():
        counts.update(some["image_id"].filter(pc.is_in(some["image_id"], wanted)).to_pylist())
    return counts


def told_in_full(findings: Iterable[Finding], manifest: Manifest) -> list[Finding]:
    """With how many boxes go with each image that is dropped."""
    findings = list(findings)
    boxes = count_annotations(manifest, {finding.image_id for finding in findings if finding.action in LOST})
    told = []
    for finding in findings:
        if finding.action in LOST and boxes[finding.image_id]:
            reason = finding.reason or finding.rule.meaning.partition(";")[0]
            finding = replace(finding, reason=f"{reason}; {_counted(boxes[finding.image_id], 'box')} with it")
        told.append(finding)
    return told


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 'es'}"
