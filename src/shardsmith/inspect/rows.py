"""What `shardsmith preview` shows: originals, what preprocessing makes of them, and copies, without a build.

What is shown is what a build would make, to the byte: the same steps are planned for the same images, and carried out
by the same code, into a temporary folder. To take seconds, only images that are shown, or joined to one that is, are
decoded. So an image that validate would drop because its pixels are damaged still counts where a choice depends on
all images: stratified splits, random_sample, filter_negatives and augment.balance; and nearly identical images can get
copies here that share a split there. Where validate.actions drop such images, all are decoded.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from shardsmith.dataset.boxes import LOST
from shardsmith.dataset.findings import Finding, about
from shardsmith.dataset.images import decoding_error
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import Manifest
from shardsmith.inspect.made import Preprocessing, PreviewRow, choose, left, rows_of
from shardsmith.pipeline.checks.boxes import check_boxes
from shardsmith.pipeline.checks.files import check_images
from shardsmith.pipeline.ingest import ingest
from shardsmith.pipeline.params import Params
from shardsmith.pipeline.splits.decisions import Decisions, find_excluded
from shardsmith.pipeline.splits.record import Record
from shardsmith.pipeline.splits.split import split
from shardsmith.pipeline.validate import check_left_empty, validate
from shardsmith.transforms.scene import Planned, planned_of

_BESIDE_OTHERS = ("image-colours", "image-plain", "image-size-far", "image-near-duplicate")


class DoesNotDecode(Exception):
    """Images that are needed: path -> why it does not."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        self.reasons = reasons


def look(
    raw: Path,
    params: Params,
    count: int,
    work: Path,
    decisions: Decisions = Decisions(),  # noqa: B008
    record: Record = Record(),  # noqa: B008
) -> list[PreviewRow]:
    """Up to `count` images, evenly over those that get copies; images with annotations first.

    An image that is cut into parts has MOST_PARTS of them at most, those with objects first; of the copies, the first
    MOST_COPIES are made.

    Args:
        raw: the folder of raw data.
        work: an empty folder for what is made; the images of the result are there.
        decisions, record: which say in what splits images stand.

    Raises:
        ShardsmithError: as a build's stages do.
    """
    manifest = ingest(raw, params.ingest, LabelMap(params.dataset.name), work)[0]
    manifest = _checked(manifest, params)
    gone = find_excluded(decisions, manifest.images["image_id"].to_pylist(), params.validate_.actions)
    manifest = _without(manifest, gone)
    while True:
        folder = work / f"of {manifest.images.num_rows}"
        try:
            images = list(planned_of(split(manifest, params, decisions, record)[0]))
            before = Preprocessing(images, params.preprocess)
            return rows_of(before, params, choose(left(before), params, count), folder, _check)
        except DoesNotDecode as broken:
            unreadable = [image for image in manifest.image_rows() if image.path in broken.reasons]
            for image in unreadable:
                reason = broken.reasons[image.path]
                print(f"preview: {image.image_id}: {reason}; left out, as validate leaves it out", file=sys.stderr)
            manifest = _without(manifest, [about("image-unreadable", image.image_id) for image in unreadable])


def _checked(manifest: Manifest, params: Params) -> Manifest:
    """What validate leaves, by the images' headers alone, unless an action drops by pixels or beside the others."""
    actions = params.validate_.actions
    if any(actions.get(code) == "drop" for code in _BESIDE_OTHERS):
        return validate(manifest, [], params)[0]
    manifest = _without(manifest, check_images(manifest, [""] * manifest.images.num_rows, actions))
    rules = params.validate_
    manifest, box_findings = check_boxes(manifest, actions, rules.max_over_edge, rules.tiny_box_px)
    return _without(manifest, check_left_empty(manifest, box_findings, actions))


def _without(manifest: Manifest, findings: Iterable[Finding]) -> Manifest:
    gone = pa.array([finding.image_id for finding in findings if finding.action in LOST], pa.string())
    tables = (manifest.images, manifest.annotations)
    images, annotations = (table.filter(pc.invert(pc.is_in(table["image_id"], gone))) for table in tables)
    return Manifest(images.combine_chunks(), annotations.combine_chunks())


def _check(images: Sequence[Planned]) -> None:
    """
    Raises:
        DoesNotDecode: some do not.
    """
    formats = {one.image.path: one.image.format or "" for one in images}
    reasons = {path: decoding_error(Path(path).read_bytes(), format) for path, format in formats.items()}
    if any(reasons.values()):
        raise DoesNotDecode({path: reason for path, reason in reasons.items() if reason})
