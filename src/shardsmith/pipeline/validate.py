"""validate: check every image and every box.

Each image and each box has one fate: kept, repaired or dropped. What is not simply kept has a finding that says why;
`validate.actions` in params.yaml chooses the fate per code. OUT also gets a readable summary.md.

One change has no finding: a box that passes the edge by at most 0.01 px (boxes.ROUNDING_PX), or a millionth of the side
(boxes.EDGE_NOISE), is clipped, since so much is what sources round away.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shardsmith.dataset.boxes import LOST
from shardsmith.dataset.codes import Action
from shardsmith.dataset.errors import ParamsError, StageError
from shardsmith.dataset.findings import Finding, about, action_for, count_severities, stop_on_fail, summarise
from shardsmith.dataset.manifest import Manifest, spooled
from shardsmith.pipeline.checks.boxes import check_boxes, in_order
from shardsmith.pipeline.checks.files import LOOKED_AT, check_images, count_annotations, told_in_full
from shardsmith.pipeline.checks.images import (
    NUMBER,
    Seen,
    check_classes,
    check_looks,
    check_similar,
    check_sizes,
    check_sources,
    count_images,
    numbers_of,
    with_groups,
)
from shardsmith.pipeline.checks.kept import Keeping, decode
from shardsmith.pipeline.checks.points import check_points
from shardsmith.pipeline.params import Params
from shardsmith.pipeline.splits.decisions import Decisions, find_excluded, with_tags

_SET = ("group", "tags", "pixels")  # of images, what their checks set


def validate(
    manifest: Manifest,
    findings: list[Finding],
    params: Params,
    decisions: Decisions = Decisions(),  # noqa: B008
    keeping: Keeping | None = None,
) -> tuple[Manifest, list[Finding]]:
    """The manifest without what is dropped and with what is repaired, and the findings given plus its own.

    Args:
        manifest: as ingest wrote it; the images' files are read.
        findings: those of ingest.
        decisions: which images a person excludes, and tags.
        keeping: where what decoding told is kept for the next run, and from the last one.

    Raises:
        FindingError: a code was found whose action is `fail`.
        ParamsError: an action that comes too late, as ingest has done otherwise.
        StageError: an image file is gone or changed, or no image is left.
    """
    after, found_all = examine(manifest, findings, params, decisions, keeping)
    if not after.image_count:
        because = _because(found_all[len(findings) :])
        raise StageError(f"none of {manifest.image_count} images is left{because}")
    return after, found_all


def examine(
    manifest: Manifest,
    findings: list[Finding],
    params: Params,
    decisions: Decisions = Decisions(),  # noqa: B008
    keeping: Keeping | None = None,
) -> tuple[Manifest, list[Finding]]:
    """As `validate`, where it is no error that no image is left."""
    actions = params.validate_.actions
    _refuse_late_actions(findings, actions)
    if not manifest.image_count:
        raise StageError("there is no image to validate: ingest left none" + _because(findings))
    images, own = _check_whole(manifest, params, decisions, keeping)
    lost: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        if finding.action in LOST:
            lost[finding.image_id].append(finding)
    points, boxes, empty = list[Finding](), list[Finding](), list[Finding]()
    shown: Counter[str] = Counter()

    def checked() -> Iterator[Manifest]:
        done = 0
        for part in manifest.parts():
            left = _left_of(part, images, done)
            done += part.image_count
            left, found = check_points(left, actions)
            points.extend(found)
            left, found = check_boxes(left, actions, params.validate_.max_over_edge, params.validate_.tiny_box_px)
            boxes.extend(found)
            earlier = [one for image_id in left.images["image_id"].to_pylist() for one in lost.get(image_id, ())]
            found = check_left_empty(left, [*earlier, *found], actions)
            empty.extend(found)
            left = _unlabelled(_without(left, found), found)
            shown.update(count_images(left))
            yield left

    after = spooled(checked())
    own += [*points, *in_order(boxes, actions), *empty, *check_classes(shown, actions)]
    stop_on_fail([*findings, *own], actions)
    return after, [*findings, *own]


def _check_whole(
    manifest: Manifest, params: Params, decisions: Decisions, keeping: Keeping | None
) -> tuple[pa.Table, list[Finding]]:
    """(what is left of the images, as far as it was looked at or set, and NUMBER, the row of each; the findings) of the
    checks of whole images.
    """
    actions = params.validate_.actions
    rows = manifest.image_columns(*LOOKED_AT)
    rows = rows.append_column(NUMBER, pa.array(np.arange(len(rows), dtype=np.int32)))
    own = told_in_full(find_excluded(decisions, rows["image_id"].to_pylist(), actions), manifest)
    images = with_tags(manifest.with_images(_left(rows, own)), decisions.tags).images
    seen = Seen(zip(numbers_of(images), decode(images, keeping), strict=True))
    errors = [seen.errors.get(number, "") for number in numbers_of(images)]
    own += check_images(manifest.with_images(images), errors, actions)
    images = _left(images, own)
    pixels = pa.array(map(seen.pixels, numbers_of(images)), pa.string())
    images = images.append_column("pixels", pixels)
    own += check_sources(images, actions)
    for check in (lambda rows: check_looks(rows, seen, actions), lambda rows: check_sizes(rows, actions)):
        own += told_in_full(check(images), manifest)
        images = _left(images, own)
    similar, clusters = check_similar(images, seen, params.validate_.near_identical, actions)
    images = _left(images, similar)
    if action_for("image-near-duplicate", actions) not in LOST:
        images = with_groups(images, clusters)
    return images, own + told_in_full(similar, manifest)


def _left_of(part: Manifest, images: pa.Table, first: int) -> Manifest:
    """What the checks of whole images leave of a part, and what they set.

    Args:
        first: the row of the part's first image.
    """
    numbers = images[NUMBER].to_numpy()
    start, end = np.searchsorted(numbers, [first, first + part.image_count]).tolist()
    rows = part.images.take(pa.array(numbers[start:end] - first))
    for name in _SET:
        column = images[name].slice(start, end - start)
        rows = rows.set_column(rows.schema.get_field_index(name), rows.schema.field(name), column)
    annotations = part.annotations
    if end - start < part.image_count:
        annotations = annotations.filter(pc.is_in(annotations["image_id"], rows["image_id"].combine_chunks()))
    return Manifest(rows.combine_chunks(), annotations.combine_chunks())


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
    images = manifest.images
    told = pc.and_(pc.is_valid(images["captions"]), pc.invert(images["annotated"]))  # no negative without boxes
    there = lost.keys() & set(images["image_id"].filter(pc.invert(told)).to_pylist()) if lost else set()
    boxes = count_annotations(manifest, there)
    action = action_for("image-left-empty", actions)
    return [
        about("image-left-empty", image_id, action, value=f"{lost[image_id]:,} lost")
        for image_id in sorted(there)
        if not boxes[image_id]
    ]


def _unlabelled(manifest: Manifest, left_empty: list[Finding]) -> Manifest:
    """With the images that are kept although nothing of their annotations is left: nobody knows what is on them."""
    if not left_empty:
        return manifest
    empty = pc.is_in(manifest.images["image_id"], pa.array([one.image_id for one in left_empty], pa.string()))
    number = manifest.images.schema.get_field_index("annotated")
    annotated = pc.and_(manifest.images["annotated"], pc.invert(empty))
    return manifest.with_images(manifest.images.set_column(number, "annotated", annotated))


def kept(before: Manifest, after: Manifest) -> str:
    """ "198 of 200 images and 215 of 217 boxes" """
    return (
        f"{after.image_count:,} of {before.image_count:,} images and "
        f"{after.annotation_count:,} of {before.annotation_count:,} {before.word}"
    )


def summary(before: Manifest, after: Manifest, findings: list[Finding]) -> str:
    """The findings of ingest and validate as Markdown, most severe first."""
    lines = ["# Findings", "", f"{kept(before, after)} kept by validate; {count_severities(findings)}.", ""]
    for line in summarise(findings, examples=10):
        lines.append(f"    - {line.strip()}" if line.startswith(" ") else f"- {line}")
    if findings:
        lines += ["", "All of them, a row each, stand in findings.csv beside this file."]
    return "\n".join(lines).rstrip() + "\n"


def _refuse_late_actions(findings: list[Finding], actions: Mapping[str, Action]) -> None:
    for finding in findings:
        wanted = actions.get(finding.code, finding.action)
        if wanted not in (finding.action, "fail"):
            raise ParamsError(
                f"params.yaml: validate.actions: {finding.code}: {wanted}: ingest already chose {finding.action}; "
                f"leave the code out of validate.actions; {finding.rule.remedy}"
            )


def _left(images: pa.Table, findings: Iterable[Finding]) -> pa.Table:
    """The images that no finding drops."""
    gone = [finding.image_id for finding in findings if finding.action in LOST]
    return images.filter(pc.invert(pc.is_in(images["image_id"], pa.array(gone, pa.string())))).combine_chunks()


def _without(manifest: Manifest, findings: list[Finding]) -> Manifest:
    """Without the images that a finding drops, and without their annotations."""
    return Manifest(_left(manifest.images, findings), _left(manifest.annotations, findings))


def _because(findings: list[Finding]) -> str:
    return ":\n" + "\n".join(summarise(findings)) if findings else "; see data/raw"
