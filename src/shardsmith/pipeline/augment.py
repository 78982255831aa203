"""augment: random copies of each train image, beside the original.

Off, or without steps, the manifest passes through and no image is copied.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from shardsmith.dataset.findings import Finding, count_codes, found
from shardsmith.dataset.manifest import Annotation, Image, Manifest
from shardsmith.pipeline.code import digest
from shardsmith.pipeline.params import AugmentParams
from shardsmith.transforms.catalogue import AUGMENT, build_steps
from shardsmith.transforms.run.cache import clear
from shardsmith.transforms.run.outputs import Encoding, as_manifests, check_names, check_some, report, transform
from shardsmith.transforms.run.plan import CopyPlan
from shardsmith.transforms.run.recipe import Recipe
from shardsmith.transforms.run.trace import Trace
from shardsmith.transforms.scene import Planned, origin_so_far, planned_of

Rows = tuple[Image, list[Annotation]]


def augment(
    manifest: Manifest, params: AugmentParams, folder: Path, trace: Trace | None = None
) -> tuple[Manifest, list[Finding], str]:
    """The images, and copies of those in `params.splits` in `folder`/images.

    Args:
        trace: is told what each copy and box is made from.

    Returns:
        the new manifest, a finding for each box that a copy lost and each copy that came out twice or could not be
        made, and a summary.

    Raises:
        StageError: an image is gone, is not the one in the manifest, or none can be transformed.
    """
    steps = build_steps(params.steps, AUGMENT)
    if not params.enabled or not steps:
        clear(folder)
        return manifest, [], "off"
    images = manifest.images
    chosen = pc.is_in(images["split"], value_set=pa.array(params.splits))
    sources = Manifest(images.filter(chosen), manifest.annotations)
    kept = images if params.keep_original else images.filter(pc.invert(chosen))
    trace = trace or Trace("augment", manifest)

    def entering() -> Iterator[Planned]:
        return trace.entering(planned_of(sources))

    plan = CopyPlan(entering, steps, params.copies, params.seed, params.balance)
    planned = trace.planned(copy for image in entering() for copy in plan.of(image))
    recipe = Recipe(params.min_visibility, params.min_size_px, digest("augment", params.steps))
    encoding = Encoding(params.image_format, params.quality)
    rows, tally = transform(planned, recipe, encoding, folder, "augment", sources=sources.images.num_rows)
    identical: list[Finding] = []
    different = _different(trace.made(rows), sources if params.keep_original else Manifest.of([], []), identical)
    result = Manifest(kept, _of_images(manifest.annotations, kept)).joined(as_manifests(different))
    check_some(tally)
    check_names(result)
    findings = [*tally.lost, *identical]
    in_words = "; ".join(step.describe() for step in steps)
    counts = [f"{tally.reused:,} reused", *(f"{n:,} {code}" for code, n in count_codes(findings).items())]
    of = f"{sources.images.num_rows:,} {' and '.join(params.splits)} images"
    instead = "" if params.keep_original else ", which are left out themselves"
    summary = f"{tally.images - len(identical):,} copies of {of}{instead} ({in_words}), {', '.join(counts)}"
    return result, findings, "\n".join([summary, *report(tally)])


def _different(rows: Iterable[Rows], originals: Manifest, identical: list[Finding]) -> Iterator[Rows]:
    """The copies that are like neither their original, where that stays, nor an earlier copy of it; a finding for
    each other one.
    """
    digests = dict(zip(*(originals.images[name].to_pylist() for name in ("image_id", "sha256")), strict=True))
    for parent, copies in groupby(rows, key=lambda one: one[0].parent_id or ""):
        first = {digests[parent]: "its original"} if parent in digests else {}
        for image, boxes in copies:
            if image.sha256 in first:
                reason = f"it is identical to {first[image.sha256]}; it is left out"
                identical.append(
                    found(
                        "copy-identical",
                        parent,
                        f"copy {image.copy}",
                        reason=reason,
                        image_id=_raw(image),
                        made=image.image_id,
                    )
                )
            else:
                first[image.sha256] = f"copy {image.copy}"
                yield image, boxes


def _raw(image: Image) -> str:
    return str(origin_so_far(image)["image_id"])


def _of_images(annotations: pa.Table, images: pa.Table) -> pa.Table:
    return annotations.filter(pc.is_in(annotations["image_id"], value_set=images["image_id"].combine_chunks()))
