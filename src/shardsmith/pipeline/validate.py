"""validate: check every image and every box.

Each image and each box has one fate: kept, repaired or dropped. What is not simply kept has a finding that says why;
`validate.actions` in params.yaml chooses the fate per code. OUT also gets a readable summary.md.

One change has no finding: a box that passes the edge by at most 0.01 px (boxes.ROUNDING_PX), or a millionth of the side
(boxes.EDGE_NOISE), is clipped, since so much is what sources round away.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from shardsmith.dataset.boxes import CORNERS, LOST
from shardsmith.dataset.codes import Action
from shardsmith.dataset.errors import ParamsError, StageError
from shardsmith.dataset.findings import Finding, about, action_for, count_severities, stop_on_fail, summarise
from shardsmith.dataset.images import PORTABLE_FORMATS, extension_contradicts
from shardsmith.dataset.manifest import Image, Manifest
from shardsmith.dataset.workers import map_items
from shardsmith.pipeline.checks.boxes import check_boxes
from shardsmith.pipeline.checks.images import (
    Decoded,
    check_classes,
    check_looks,
    check_similar,
    check_sizes,
    check_sources,
    look,
    with_groups,
    with_pixels,
)
from shardsmith.pipeline.checks.points import check_points
from shardsmith.pipeline.params import Params
from shardsmith.pipeline.splits.decisions import Decisions, find_excluded, with_tags


def validate(
    manifest: Manifest,
    findings: list[Finding],
    params: Params,
    decisions: Decisions = Decisions(),  # noqa: B008
) -> tuple[Manifest, list[Finding]]:
    """The manifest without what is dropped and with what is repaired, and the findings given plus its own.

    Args:
        manifest: as ingest wrote it; the images' files are read.
        findings: those of ingest.
        decisions: which images a person excludes, and tags.

    Raises:
        FindingError: a code was found whose action is `fail`.
        ParamsError: an action that comes too late, as ingest has done otherwise.
        StageError: an image file is gone or changed, or no image is left.
    """
    after, found_all = examine(manifest, findings, params, decisions)
    if not len(after.images):
        because = _because(found_all[len(findings) :])
        raise StageError(f"none of {len(manifest.images)} images is left{because}")
    return after, found_all


def examine(
    manifest: Manifest,
    findings: list[Finding],
    params: Params,
    decisions: Decisions = Decisions(),  # noqa: B008
) -> tuple[Manifest, list[Finding]]:
    """As `validate`, where it is no error that no image is left."""
    actions = params.validate_.actions
    _refuse_late_actions(findings, actions)
    if not len(manifest.images):
        raise StageError("there is no image to validate: ingest left none" + _because(findings))
    own = _told_in_full(find_excluded(decisions, manifest.images["image_id"].to_pylist(), actions), manifest)
    left = with_tags(_without(manifest, own), decisions.tags)
    seen = dict(zip(left.images["image_id"].to_pylist(), _decode(left.images), strict=True))
    own += check_images(left, [one.error for one in seen.values()], actions)
    left = with_pixels(_without(left, own), seen)
    own += check_sources(left, actions)
    for check in (lambda rows: check_looks(rows, seen, actions), lambda rows: check_sizes(rows, actions)):
        own += _told_in_full(check(left), manifest)
        left = _without(left, own)
    similar, clusters = check_similar(left, seen, params.validate_.near_identical, actions)
    left = _without(left, similar)
    if action_for("image-near-duplicate", actions) not in LOST:
        left = with_groups(left, clusters)
    own += _told_in_full(similar, manifest)
    left, point_findings = check_points(left, actions)
    left, box_findings = check_boxes(left, actions, params.validate_.max_over_edge, params.validate_.tiny_box_px)
    empty_findings = check_left_empty(left, [*findings, *box_findings], actions)
    after = _unlabelled(_without(left, empty_findings), empty_findings)
    own += [*point_findings, *box_findings, *empty_findings, *check_classes(after, actions)]
    stop_on_fail([*findings, *own], actions)
    return after, [*findings, *own]


def check_images(manifest: Manifest, reasons: Sequence[str], actions: Mapping[str, Action]) -> list[Finding]:
    """
    Args:
        reasons: why each image does not decode, or "".
    """
    findings = []
    remaining = []
    for image, reason in zip(manifest.image_rows(), reasons, strict=True):
        own = []
        for code, value, why in _problems(image, reason):
            own.append(about(code, image.image_id, action_for(code, actions), value=value, reason=why))
            if own[-1].action in LOST:
                break
        else:
            remaining.append(image)
        findings += own
    findings += _check_duplicates(remaining, manifest, actions)
    return _told_in_full(sorted(findings, key=lambda finding: finding.code), manifest)


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


def _check_duplicates(images: list[Image], manifest: Manifest, actions: Mapping[str, Action]) -> list[Finding]:
    """A finding for each image with the bytes of one before it; which code depends on the two's annotations."""
    by_content: dict[str, list[Image]] = defaultdict(list)
    for image in images:
        by_content[image.sha256].append(image)
    alike = [same for same in by_content.values() if len(same) > 1]
    annotations = _labelling(manifest, [image.image_id for same in alike for image in same])
    findings = []
    for first, *copies in alike:
        for copy in copies:
            one, other = annotations[first.image_id], annotations[copy.image_id]
            agree = first.annotated == copy.annotated and one == other
            code = "image-duplicate" if agree else "image-duplicate-conflict"
            reason = f"same bytes as {first.image_id}"
            if not agree:
                reason += f", other annotations: {_told(copy, other)} here, {_told(first, one)} there"
            findings.append(about(code, copy.image_id, action_for(code, actions), reason=reason, other=first.image_id))
    return findings


def _labelling(manifest: Manifest, image_ids: list[str]) -> dict[str, list[str]]:
    """image_id -> what its annotations say, in an order that does not depend on theirs."""
    table = manifest.annotations
    rows = table.filter(pc.is_in(table["image_id"], pa.array(image_ids, pa.string()))).to_pylist()
    said: dict[str, list[str]] = {image_id: [] for image_id in image_ids}
    for row in rows:
        said[row["image_id"]].append(
            repr([row[key] for key in ("label", *CORNERS, "is_crowd", "segmentation", "keypoints")])
        )
    return {image_id: sorted(annotations) for image_id, annotations in said.items()}


def _told(image: Image, annotations: list[str]) -> str:
    return _counted(len(annotations), "box") if image.annotated else "unlabelled"


def check_left_empty(manifest: Manifest, findings: list[Finding], actions: Mapping[str, Action]) -> list[Finding]:
    """Images that would pass for negatives, because every annotation of theirs was lost.

    Args:
        findings: those of ingest about annotations that it could not read or carry, and those about boxes.
    """
    lost = Counter(
        finding.image_id
        for finding in findings
        if finding.action in LOST and finding.rule.severity != "info" and finding.image_id
    )
    boxes = _count_annotations(manifest)
    ids = set(manifest.images["image_id"].to_pylist())
    action = action_for("image-left-empty", actions)
    return [
        about("image-left-empty", image_id, action, value=f"{lost[image_id]:,} lost")
        for image_id in sorted(lost.keys() & ids)
        if not boxes[image_id]
    ]


def _unlabelled(manifest: Manifest, left_empty: list[Finding]) -> Manifest:
    """With the images that are kept although nothing of their annotations is left: nobody knows what is on them."""
    if not left_empty:
        return manifest
    empty = pc.is_in(manifest.images["image_id"], pa.array([one.image_id for one in left_empty], pa.string()))
    number = manifest.images.schema.get_field_index("annotated")
    annotated = pc.and_(manifest.images["annotated"], pc.invert(empty))
    return Manifest(manifest.images.set_column(number, "annotated", annotated), manifest.annotations)


def kept(before: Manifest, after: Manifest) -> str:
    """ "198 of 200 images and 215 of 217 boxes" """
    return (
        f"{len(after.images):,} of {len(before.images):,} images and "
        f"{len(after.annotations):,} of {len(before.annotations):,} {before.word}"
    )


def summary(before: Manifest, after: Manifest, findings: list[Finding]) -> str:
    """The findings of ingest and validate as Markdown, most severe first."""
    lines = ["# Findings", "", f"{kept(before, after)} kept by validate; {count_severities(findings)}.", ""]
    for line in summarise(findings, examples=10):
        lines.append(f"    - {line.strip()}" if line.startswith(" ") else f"- {line}")
    if findings:
        lines += ["", "All of them, a row each, stand in findings.csv beside this file."]
    return "\n".join(lines).rstrip() + "\n"


def _decode(images: pa.Table) -> Iterator[Decoded]:
    """What decoding each image tells."""
    columns = [images[name].to_pylist() for name in ("path", "format", "orientation", "width", "height")]
    items = [(*first, (width, height)) for *first, width, height in zip(*columns, strict=True)]
    return map_items(look, items, "validate")


def _refuse_late_actions(findings: list[Finding], actions: Mapping[str, Action]) -> None:
    for finding in findings:
        wanted = actions.get(finding.code, finding.action)
        if wanted not in (finding.action, "fail"):
            raise ParamsError(
                f"params.yaml: validate.actions: {finding.code}: {wanted}: ingest already chose {finding.action}; "
                f"leave the code out of validate.actions; {finding.rule.remedy}"
            )


def _without(manifest: Manifest, findings: list[Finding]) -> Manifest:
    """Without the images that a finding drops, and without their annotations."""
    gone = pa.array([finding.image_id for finding in findings if finding.action in LOST], pa.string())
    tables = (manifest.images, manifest.annotations)
    images, annotations = (table.filter(pc.invert(pc.is_in(table["image_id"], gone))) for table in tables)
    return Manifest(images.combine_chunks(), annotations.combine_chunks())


def _count_annotations(manifest: Manifest) -> Counter[str]:
    """image_id -> how many annotations it has."""
    return Counter(manifest.annotations["image_id"].to_pylist())


def _told_in_full(findings: Iterable[Finding], manifest: Manifest) -> list[Finding]:
    """With how many boxes go with each image that is dropped."""
    boxes = _count_annotations(manifest)
    told = []
    for finding in findings:
        if finding.action in LOST and boxes[finding.image_id]:
            reason = finding.reason or finding.rule.meaning.partition(";")[0]
            finding = replace(finding, reason=f"{reason}; {_counted(boxes[finding.image_id], 'box')} with it")
        told.append(finding)
    return told


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 'es'}"


def _because(findings: list[Finding]) -> str:
    return ":\n" + "\n".join(summarise(findings)) if findings else "; see data/raw"
