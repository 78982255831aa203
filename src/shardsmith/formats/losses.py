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
from shardsmith.formats.format import Format
from shardsmith.formats.registry import WRITERS
from shardsmith.ledger.counts import count_captions

MASKS_OFF = "masks are not asked for (masks: true of export in params.yaml, or --masks)"
_UNSAID = (0, "Unspecified", None, "")
_OWN_WORDS = ("difficult", "truncated", "occluded", "pose")


def losses_of_export(manifest: Manifest, formats: Iterable[str], masks: bool) -> list[Finding]:
    """What each of the formats loses.

    Args:
        masks: whether those that hold masks where asked to are asked to.
    """
    return [loss for name in dict.fromkeys(formats) for loss in find_losses(manifest, WRITERS[name], masks)]


def find_losses(manifest: Manifest, writer: Format, masks: bool) -> list[Finding]:
    """A finding for each word of CARRYABLE that the manifest holds and the format does not carry, with its count; and
    what it loses of what it carries.
    """
    carries = writer.carried(masks)
    fit = fitted(manifest, carries)
    held = count_held(fit)
    findings = []
    if "captions" not in carries and (alone := _captions_alone(manifest).to_pylist().count(True)):
        reason = "all that they have are captions; without these they would be unlabelled"
        findings.append(found("not-exported", writer.name, "", f"{alone:,} images", reason))
        held["captions"] = count_captions(manifest)
        manifest = _without_captions_alone(manifest)
    if left_out := manifest.image_count - fit.image_count:
        what = "classes of whole images" if "boxes" in carries else "boxes or classes without an outline"
        reason = f"all that they have are {what}; without these they would be negatives"
        findings.append(found("not-exported", writer.name, "", f"{left_out:,} images", reason))
        held["labels"] = manifest.annotation_count - _count_boxes(manifest)
    if "boxes" not in carries and (boxes := _count_boxes(manifest) - _count_outlined(manifest, carries)):
        reason = "each image keeps the classes of its boxes" if "labels" in carries else "they have no outline"
        findings.append(found("not-exported", writer.name, "", f"{boxes:,} boxes", reason))
    if "boxes" not in carries:
        held.pop("boxes")
    if "oriented" not in carries and "outlines" in carries:
        held["oriented"] = 0  # the corners stay, as an outline
    lost = {word: count for word, count in held.items() if count and word not in carries}
    findings += [
        found("not-exported", writer.name, "", f"{count:,} {word}", MASKS_OFF if word in writer.masks else "")
        for word, count in lost.items()
    ]
    measured = writer.measure(fit) if writer.measure and "masks" in carries else []
    return findings + [found("not-exported", writer.name, "", *said) for said in measured]


def in_brief(losses: Iterable[Finding]) -> tuple[str, ...]:
    """What is lost, with counts, for a README."""
    return tuple(loss.value for loss in losses)


def fitted(manifest: Manifest, carries: frozenset[str]) -> Manifest:
    """The manifest as a format takes it.

    Where the format has no captions, the images that have nothing else are left out.
    Where the format has labels and no boxes, each image has the classes of its boxes as its own. Where it has no labels
    of whole images, or no boxes without an outline, those that have nothing else are left out: there they would be
    negatives.

    Raises:
        StageError: none is left.
    """
    if "captions" not in carries:
        manifest = _without_captions_alone(manifest)
    if "labels" not in carries:
        return _with_place(manifest, "xmin" if "boxes" in carries else "segmentation")
    if "boxes" in carries or not _count_boxes(manifest):
        return manifest
    rows = dict.fromkeys((row.image_id, row.label) for row in manifest.annotation_rows())
    labels = [Annotation(image_id, label, None, None, None, None) for image_id, label in rows]
    return Manifest.of(manifest.image_rows(), labels)


def _captions_alone(manifest: Manifest) -> pa.Array:
    """(n,) bool: images that have captions, and for which nobody looked for boxes or classes."""
    if not count_captions(manifest):
        return pa.nulls(0, pa.bool_())
    images = manifest.images
    without = pc.invert(pc.or_(images["annotated"], pc.is_in(images["image_id"], _ids(manifest.annotations))))
    return pc.and_(without, pc.is_valid(images["captions"])).combine_chunks()


def _without_captions_alone(manifest: Manifest) -> Manifest:
    alone = _captions_alone(manifest)
    if not pc.any(alone).as_py():  # none has captions alone
        return manifest
    if pc.all(alone).as_py():
        raise StageError(
            "the images have captions alone, and this format has no place for them; choose one that carries captions "
            "(`shardsmith formats`)"
        )
    return Manifest(manifest.images.filter(pc.invert(alone)).combine_chunks(), manifest.annotations)


def _ids(table: pa.Table) -> pa.Array:
    return table["image_id"].combine_chunks()


def _with_place(manifest: Manifest, column: str) -> Manifest:
    """Without the images whose annotations all lack a column; and without theirs."""
    unplaced = [_unplaced(part, column) for part in manifest.parts(["image_id"], ["image_id", column])]
    left_out = pa.chunked_array(unplaced, pa.bool_())
    if not pc.any(left_out).as_py():
        return manifest
    table = manifest.annotations
    images = manifest.images.filter(pc.invert(left_out)).combine_chunks()
    if not images.num_rows:
        what = "are classes of whole images" if column == "xmin" else "have no outline"
        raise StageError(
            f"the annotations {what}, and this format has no place for them; choose one that carries "
            f"{'labels' if column == 'xmin' else 'boxes'} (`shardsmith formats`)"
        )
    there = pc.is_in(table["image_id"], images["image_id"].combine_chunks())
    return Manifest(images, table.filter(there).combine_chunks())


def _unplaced(part: Manifest, column: str) -> pa.Array:
    """(images,) bool: those that have annotations, and none with a column."""
    table, ids = part.annotations, part.images["image_id"].combine_chunks()
    placed = table.filter(pc.is_valid(table[column]))["image_id"].combine_chunks()
    return pc.and_(pc.is_in(ids, table["image_id"].combine_chunks()), pc.invert(pc.is_in(ids, placed)))


_HELD = ("image_id", "xmin", "segmentation", "kind", "keypoints", "is_crowd", "area", "attributes")


def count_held(manifest: Manifest) -> dict[str, int]:
    """Word of CARRYABLE -> how many annotations (of several_labels, negatives and splits: images) have it."""
    held: dict[str, int] = {}
    for part in manifest.parts(["image_id", "annotated", "split", "captions"], _HELD):
        held = {word: held.get(word, 0) + count for word, count in _count_held(part).items()}
    return held


def _count_held(manifest: Manifest) -> dict[str, int]:
    table, images = manifest.annotations, manifest.images
    outlines = table["segmentation"].drop_null()
    polygons = int(pc.sum(pc.starts_with(outlines, "[")).as_py() or 0)
    oriented = int(pc.sum(pc.equal(table["kind"], "oriented")).as_py() or 0)
    of_whole = table.filter(pc.is_null(table["xmin"]))
    with_rows = pc.is_in(images["image_id"], table["image_id"].combine_chunks())
    negatives = pc.and_(images["annotated"], pc.invert(with_rows))
    return {
        "captions": count_captions(manifest),
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
    return _count_given(manifest, "xmin")


def _count_given(manifest: Manifest, column: str) -> int:
    return sum(len(some) - some[column].null_count for some in manifest.annotation_batches(column))


def _count_outlined(manifest: Manifest, carries: frozenset[str]) -> int:
    """How many boxes leave as their outline."""
    return _count_given(manifest, "segmentation") if "outlines" in carries else 0


def _count_attributes(column: pa.ChunkedArray) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for entry in pc.value_counts(column.drop_null().combine_chunks()).to_pylist():
        known = Annotation("", "", None, None, None, None, attributes=entry["values"]).attributes_dict()
        said = {key for key, value in known.items() if value not in _UNSAID}
        for word in {key if key in _OWN_WORDS else "attributes" for key in said}:
            counts[word] += entry["counts"]
    return {word: counts[word] for word in (*_OWN_WORDS, "attributes")}
