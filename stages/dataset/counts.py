"""How many images and boxes there are: for metrics.json, the plots and the version's README."""

from __future__ import annotations

from collections import Counter
from typing import Any

from stages.dataset.findings import Finding, count_codes
from stages.dataset.manifest import SPLITS, Manifest


def count_manifest(manifest: Manifest) -> dict[str, Any]:
    """Counts as metrics.json has them: images, boxes, negatives and copies in all and per split, boxes per class.

    Splits without images are there with zeros, so that versions can be compared.
    """
    images = manifest.images.select(["image_id", "split", "copy", "annotated"]).to_pydict()
    split_of = dict(zip(images["image_id"], images["split"], strict=True))
    annotations = manifest.annotations.select(["image_id", "label"]).to_pydict()
    with_box = set(annotations["image_id"])
    totals = {split: Counter(images=0, boxes=0, negatives=0, copies=0) for split in SPLITS}
    for image_id, split, copy, annotated in zip(*images.values(), strict=True):
        totals[split]["images"] += 1
        totals[split]["copies"] += copy > 0
        totals[split]["negatives"] += annotated and image_id not in with_box
    per_class: dict[str, Counter[str]] = {}
    for image_id, label in zip(annotations["image_id"], annotations["label"], strict=True):
        split = split_of[image_id]
        totals[split]["boxes"] += 1
        per_class.setdefault(label, Counter())[split] += 1
    return {
        **{key: sum(total[key] for total in totals.values()) for key in ("images", "boxes", "negatives", "copies")},
        "splits": {split: dict(total) for split, total in totals.items()},
        "classes": {name: {split: per_class[name][split] for split in SPLITS} for name in sorted(per_class)},
    }


def count_findings(findings: list[Finding]) -> dict[str, dict[str, int]]:
    """How often each code was found, and how often it cost an image or a box."""
    dropped = [finding for finding in findings if finding.action == "drop"]
    return {"findings": count_codes(findings), "dropped": count_codes(dropped)}
