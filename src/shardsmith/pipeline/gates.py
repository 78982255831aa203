"""What params.yaml requires of a dataset before it is exported (`export.require`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from shardsmith.dataset.codes import CATALOGUE
from shardsmith.dataset.errors import StageError
from shardsmith.dataset.manifest import SPLITS, Manifest
from shardsmith.ledger.counts import images_per_class, own_ids
from shardsmith.ledger.fates import DROPPED, ENTERS, Line, total


def missed_gates(
    manifest: Manifest,
    ledger: Sequence[Line],
    min_images: int | None = None,
    min_images_per_class: int | None = None,
    max_dropped_share: float | None = None,
    splits: Iterable[str] = (),
) -> list[str]:
    """A line for each that is missed: what there is, what is required, how much is missing, and what to do.

    Args:
        min_images: in all; copies do not count, here and below.
        min_images_per_class: in train, of each class that any split has.
        max_dropped_share: of the images and of the boxes of data/raw, for what findings dropped.
        splits: those that must have an image.

    Raises:
        StageError: max_dropped_share is asked for, and there is no ledger.
    """
    missed = []
    rows = manifest.image_columns("image_id", "parent_id", "copy", "split")
    images = len(own_ids(rows).dictionary)
    if min_images is not None and images < min_images:
        missed.append(f"{images:,} images, {min_images:,} required: {min_images - images:,} missing")
    held = set(rows["split"].unique().to_pylist())
    missed += [f"split {split}: no image, 1 required" for split in SPLITS if split in splits and split not in held]
    if min_images_per_class is not None:
        for name, counts in images_per_class(manifest).items():
            if (count := counts["train"]) < min_images_per_class:
                missing = min_images_per_class - count
                missed.append(
                    f"{name}: {count:,} images in train, {min_images_per_class:,} required: {missing:,} missing"
                )
    if max_dropped_share is not None:
        missed += [line for what in ("images", "boxes") if (line := _dropped_too_many(ledger, what, max_dropped_share))]
    return missed


def _dropped_too_many(ledger: Sequence[Line], what: str, most: float) -> str | None:
    """What is dropped on purpose (ingest.classes, steps) is information, not a problem, and does not count."""
    dropped = Counter[str]()
    for line in ledger:
        rule = CATALOGUE.get(line.reason)
        of_kind = line.what == what or (what == "boxes" and line.what == "entries")
        if of_kind and line.fate == DROPPED and rule and rule.severity != "info":
            dropped[line.reason] += line.count
    entered = total(ledger, "ingest", what, ENTERS)
    if what == "boxes":
        entered += total(ledger, "ingest", "entries", ENTERS)  # an entry that cannot be read stands for a box
    if not ledger:
        raise StageError("there is no ledger to compare export.require.max_dropped_share with; run dvc repro")
    allowed = int(entered * most + 1e-9)
    if dropped.total() <= allowed:
        return None
    reasons = ", ".join(f"{code} {count:,}" for code, count in dropped.most_common(3))
    return (
        f"{dropped.total():,} of {entered:,} {what} dropped ({dropped.total() / entered:.2%}; {reasons}), "
        f"at most {most * 100:g}% allowed, which is {allowed:,}: {dropped.total() - allowed:,} too many"
    )
