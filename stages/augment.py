"""augment: random copies of each train image, beside the original.

    python -m stages.augment IN OUT

Off, or without steps, the manifest passes through and no image is copied.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from stages.dataset import command
from stages.dataset.errors import StageError
from stages.dataset.findings import Finding, stop_on_fail
from stages.dataset.manifest import Image, Manifest
from stages.dataset.stage import read_stage, write_stage
from stages.params import AugmentParams, load_params
from stages.transforms import AUGMENT, build_steps
from stages.transforms.kept_folder import clear
from stages.transforms.outputs import Output, transform
from stages.transforms.recipe import Recipe


def augment(manifest: Manifest, params: AugmentParams, folder: Path) -> tuple[Manifest, list[Finding], str]:
    """All images as they are, and `params.copies` of each train image in `folder`/images.

    Returns:
        the new manifest, a finding for each box that a copy lost, and a summary in a line.

    Raises:
        StageError: an image is gone, is not the one in the manifest, or cannot be transformed.
    """
    steps = build_steps(params.steps, AUGMENT)
    if not params.enabled or not steps:
        clear(folder)
        return manifest, [], "off"
    annotations = manifest.annotations_by_image()
    originals = manifest.image_rows()
    train = [image for image in originals if image.split == "train"]
    copies = [_copy(image, number) for image in train for number in range(1, params.copies + 1)]
    _check_ids(originals, copies)
    outputs = [
        # chance depends on nothing else: not on the worker, the order or the other images
        Output(copy, annotations.get(copy.parent_id or "", []), (params.seed, copy.parent_id or "", copy.copy))
        for copy in copies
    ]
    done = transform(outputs, Recipe(steps, params.min_visibility, __file__), folder, "augment")
    in_words = "; ".join(step.describe() for step in steps)
    summary = f"{len(copies):,} copies of {len(train):,} train images ({in_words}), {done.counts()}"
    result = Manifest.of([*originals, *done.images], [*manifest.annotation_rows(), *done.annotations])
    return result, done.lost, summary


def _copy(image: Image, number: int) -> Image:
    return replace(image, image_id=f"{image.image_id}#{number}", parent_id=image.image_id, copy=number)


def _check_ids(originals: list[Image], copies: list[Image]) -> None:
    clashes = {image.image_id for image in originals} & {copy.image_id for copy in copies}
    if clashes:
        raise StageError(f"{min(clashes)}: a copy of another image gets this name; rename the file in data/raw")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m stages.augment", description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, metavar="IN", help="the folder of the stage before")
    parser.add_argument("folder", type=Path, metavar="OUT", help="this stage's folder, kept between runs")
    args = parser.parse_args()
    params = load_params()
    manifest, findings = read_stage(args.source)
    result, new_findings, summary = augment(manifest, params.augment, args.folder)
    stop_on_fail(new_findings, params.validate_.actions)
    write_stage(args.folder, result, findings + new_findings)
    print(f"augment: {summary}")


if __name__ == "__main__":
    command.run(main)
