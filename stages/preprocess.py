"""preprocess: the steps that params.yaml lists, on every image of every split.

    python -m stages.preprocess IN OUT

Off, or without steps, the manifest passes through and no image is copied.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from stages.dataset import command
from stages.dataset.findings import Finding, stop_on_fail
from stages.dataset.manifest import Manifest
from stages.dataset.stage import read_stage, write_stage
from stages.params import PreprocessParams, load_params
from stages.transforms import PREPROCESS, build_steps
from stages.transforms.kept_folder import clear
from stages.transforms.outputs import Output, transform
from stages.transforms.recipe import Recipe

MIN_VISIBILITY = 0.01  # what a crop leaves of a box below this share is a sliver, no object


def preprocess(manifest: Manifest, params: PreprocessParams, folder: Path) -> tuple[Manifest, list[Finding], str]:
    """Every image through the steps, into `folder`/images, and its annotations with it.

    Returns:
        the new manifest, a finding for each box that was lost, and a summary in a line.

    Raises:
        StageError: an image is gone, is not the one in the manifest, or cannot be transformed.
    """
    steps = build_steps(params.steps, PREPROCESS)
    if not params.enabled or not steps:
        clear(folder)
        return manifest, [], "off"
    annotations = manifest.annotations_by_image()
    outputs = [Output(image, annotations.get(image.image_id, [])) for image in manifest.image_rows()]
    done = transform(outputs, Recipe(steps, MIN_VISIBILITY, __file__), folder, "preprocess")
    in_words = "; ".join(step.describe() for step in steps)
    summary = f"{len(done.images):,} images ({in_words}), {done.counts()}"
    return Manifest.of(done.images, done.annotations), done.lost, summary


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m stages.preprocess", description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, metavar="IN", help="the folder of the stage before")
    parser.add_argument("folder", type=Path, metavar="OUT", help="this stage's folder, kept between runs")
    args = parser.parse_args()
    params = load_params()
    manifest, findings = read_stage(args.source)
    result, new_findings, summary = preprocess(manifest, params.preprocess, args.folder)
    stop_on_fail(new_findings, params.validate_.actions)
    write_stage(args.folder, result, findings + new_findings)
    print(f"preprocess: {summary}")


if __name__ == "__main__":
    command.run(main)
