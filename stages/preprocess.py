"""preprocess: the steps that params.yaml lists, on every image of every split.

    python -m stages.preprocess IN OUT

Off, or without steps, the manifest passes through and no image is copied.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from stages.dataset import command
from stages.dataset.balance_made import balance_made
from stages.dataset.findings import Finding, count_codes, stop_on_fail
from stages.dataset.ledger import read_ledger, write_ledger
from stages.dataset.manifest import Manifest
from stages.dataset.stage import read_stage, write_stage
from stages.params import PreprocessParams, load_params
from stages.transforms import PREPROCESS, build_steps
from stages.transforms.kept_folder import clear
from stages.transforms.outputs import Encoding, as_manifests, check_names, check_some, report, transform
from stages.transforms.plan import plan_preprocess
from stages.transforms.planned import planned_of
from stages.transforms.recipe import Recipe
from stages.transforms.trace import Trace


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
    recipe = Recipe(params.min_visibility, params.min_size_px, __file__)
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


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m stages.preprocess", description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, metavar="IN", help="the folder of the stage before")
    parser.add_argument("folder", type=Path, metavar="OUT", help="this stage's folder, kept between runs")
    args = parser.parse_args()
    params = load_params()
    manifest, findings = read_stage(args.source)
    trace = Trace("preprocess", manifest)
    result, new_findings, summary = preprocess(manifest, params.preprocess, args.folder, trace)
    stop_on_fail(new_findings, params.validate_.actions)
    ledger = balance_made("preprocess", manifest, result, new_findings, trace.result())
    write_stage(args.folder, result, findings + new_findings)
    write_ledger(args.folder, read_ledger(args.source) + ledger)
    print(f"preprocess: {summary}")


if __name__ == "__main__":
    command.run(main)
