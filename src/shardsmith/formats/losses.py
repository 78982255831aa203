"""What of a manifest a format cannot carry: said, with counts, wherever something is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shardsmith.dataset.errors import StageError
from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.manifest import Annotation, Manifest
from shardsmith.formats.registry import WRITERS

_UNSAID = (0, "Unspecified", None, "")
_OWN_WORDS = ("difficult", "truncated", "occluded", "pose")


def losses_of_export(manifest: Manifest, formats: Iterable[str], masks: bool) -> list[Finding]:
    """What each of the formats loses.

    Args:
        masks: whether those that hold masks where asked to are asked to.
    """
    losses = []
    for name in dict.fromkeys(formats):
        writer = WRITERS[name]
        carries = writer.carried(masks)
        losses += find_losses(manifest, name, carries)
    return losses


def find_losses(manifest: Manifest, format_name: str, carries: frozenset[str]) -> list[Finding]:
    """A finding for each word of CARRYABLE that the manifest holds and the format does not carry, with its count."""
    fit = fitted(manifest, carries)
    held = count_held(fit)
    findings = []
    if left_out := manifest.images.num_rows - fit.images.num_rows:
        reason = "all that they have are classes of whole images; without these they would be negatives"
        findings.append(found("not-exported", format_name, "", f"{left_out:,} images", reason))
        held["labels"] = manifest.annotations["xmin"].null_count
    if "boxes" not in carries and (boxes := _count_boxes(manifest)):
        reason = "each image keeps the classes of its boxes" if "labels" in carries else ""
        findings.append(found("not-exported", format_name, "", f"{boxes:,} boxes", reason))
        held.pop("boxes")
    if "oriented" not in carries and "outlines" in carries:
        held["oriented"] = 0  # the corners stay, as an outline
    lost = {word: count for word, count in held.items() if count and word not in carries}
    return findings + [found("not-exported", format_name, value=f"{count:,} {word}") for word, count in lost.items()]


def in_brief(losses: Iterable[Finding]) -> tuple[str, ...]:
    """What is lost, with counts, for a README."""
    return tuple(loss.value for loss in losses)


def fitted(manifest: Manifest, carries: frozenset[str]) -> Manifest:
    """The manifest as a format takes it.

    Where the format has no boxes, each image has the classes of its boxes as its own. Where it has no labels of whole
    images, those that have nothing else are left out: there they would be negatives.

    Raises:
        StageError: none is left.
    """
    if "labels" not in carries:
        return _without_labelled(manifest)
    if "boxes" in carries or not _count_boxes(manifest):
        return manifest
    rows = dict.fromkeys((row.image_id, row.label) for row in manifest.annotation_rows())
    labels = [Annotation(image_id, label, None, None, None, None) for image_id, label in rows]
    return Manifest.of(manifest.image_rows(), labels)


def _without_labelled(manifest: Manifest) -> Manifest:
    table, ids = manifest.annotations, manifest.images["image_id"]
    boxed = table.filter(pc.is_valid(table["xmin"]))["image_id"].combine_chunks()
    left_out = pc.and_(pc.is_in(ids, table["image_id"].combine_chunks()), pc.invert(pc.is_in(ids, boxed)))
    if not pc.any(left_out).as_py():
        return manifest
    images = manifest.images.filter(pc.invert(left_out)).combine_chunks()
    if not images.num_rows:
        raise StageError(
            "the annotations are classes of whole images, and this format has no place for them; "
            "choose one that carries labels (`shardsmith formats`)"
        )
    there = pc.is_in(table["image_id"], images["image_id"].combine_chunks())
    return Manifest(images, table.filter(there).combine_chunks())


def count_held(manifest: Manifest) -> dict[str, int]:
    """Word of CARRYABLE -> how many annotations (of several_labels, negatives and splits: images) have it."""
    table, images = manifest.annotations, manifest.images
    outlines = table["segmentation"].drop_null()
    polygons = int(pc.sum(pc.starts_with(outlines, "[")).as_py() or 0)
    oriented = int(pc.sum(pc.equal(table["kind"], "oriented")).as_py() or 0)
    of_whole = table.filter(pc.is_null(table["xmin"]))
    with_rows = pc.is_in(images["image_id"], table["image_id"].combine_chunks())
    negatives = pc.and_(images["annotated"], pc.invert(with_rows))
    return {
        "boxes": _count_boxes(manifest),
        "outlines": polygons - oriented,
        "masks": len(outlines) - polygons,
        "oriented": oriented,
        "keypoints": table.num_rows - table["keypoints"].null_count,
        "labels": table["xmin"].null_count,
        "several_labels": sum(count > 1 for count in Counter(of_whole["image_id"].to_pylist()).values()),
        "negatives": int(pc.sum(negatives).as_py() or 0),
        "splits": images.num_rows - images["split"].null_count,
        "crowd": int(np.count_nonzero(table["is_crowd"].to_numpy(zero_copy_only=False))),
        "area": table.num_rows - table["area"].null_count,
        **_count_attributes(table["attributes"]),
    }


def _count_boxes(manifest: Manifest) -> int:
    return manifest.annotations.num_rows - manifest.annotations["xmin"].null_count


def _count_attributes(column: pa.ChunkedArray) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for entry in pc.value_counts(column.drop_null().combine_chunks()).to_pylist():
        known = Annotation("", "", None, None, None, None, attributes=entry["values"]).attributes_dict()
        said = {key for key, value in known.items() if value not in _UNSAID}
        for word in {key if key in _OWN_WORDS else "attributes" for key in said}:
            counts[word] += entry["counts"]
    return {word: counts[word] for word in (*_OWN_WORDS, "attributes")}
