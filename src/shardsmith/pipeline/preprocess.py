"""preprocess: the steps that params.yaml lists, on every image of every split.

Off, or without steps, the manifest passes through and no image is copied.
"""

from __future__ import annotations

from pathlib import Path

from shardsmith.dataset.findings import Finding, count_codes
from shardsmith.dataset.manifest import Manifest
from shardsmith.pipeline.code import digest
from shardsmith.pipeline.params import PreprocessParams
from shardsmith.transforms.catalogue import PREPROCESS, build_steps
from shardsmith.transforms.run.cache import clear
from shardsmith.transforms.run.outputs import Encoding, as_manifests, check_names, check_some, report, transform
from shardsmith.transforms.run.plan import plan_preprocess
from shardsmith.transforms.run.recipe import Recipe
from shardsmith.transforms.run.trace import Trace
from shardsmith.transforms.scene import planned_of


def preprocess(
    manifest: Manifest, params: PreprocessParams, folder: Path, trace: Trace | None = None
) -> tuple[Manifest, list[Finding], str]:
    """Every image through the steps, into `folder`/images, and its annotations with it.

    Args:
        trace: is told what each image and box is made from.

    Returns:
        the new manifest, a finding for each image and box that was left out, lost or could not be made, and a summary.

    Raises:
        StageError: an image is gone, is not the one in the manifest, or none can be transformed.
    """
    steps = build_steps(params.steps, PREPROCESS)
    if not params.enabled or not steps:
        clear(folder)
        return manifest, [], "off"
    recipe = Recipe(params.min_visibility, params.min_size_px, digest("preprocess", params.steps))
    count = manifest.images.num_rows
    trace = trace or Trace("preprocess", manifest)
    planned, findings = plan_preprocess(trace.entering(planned_of(manifest)), steps, recipe)
    encoding = Encoding(params.image_format, params.quality)
    rows, tally = transform(trace.planned(planned), recipe, encoding, folder, "preprocess", sources=count)
    result = Manifest.of([], []).joined(as_manifests(trace.made(rows)))
    check_some(tally)
    check_names(result)
    findings += tally.lost
    in_words = "; ".join(step.describe() for step in steps)
    counts = [f"{tally.reused:,} reused", *(f"{n:,} {code}" for code, n in count_codes(findings).items())]
    of = "" if tally.images == count else f" from {count:,}"
    summary = f"{tally.images:,} images{of} ({in_words}), {', '.join(counts)}"
    return result, findings, "\n".join([summary, *report(tally)])
