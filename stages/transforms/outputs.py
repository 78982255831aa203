"""From rows of the manifest to rows of the manifest, with transformed images between: what both stages share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stages.dataset.findings import Finding, count_codes, found
from stages.dataset.manifest import Annotation, Image
from stages.transforms.kept_folder import Box, Made, Wanted, make_all
from stages.transforms.recipe import Recipe


@dataclass(frozen=True)
class Output:
    """One image to come.

    image: its row to be; path, sha256, size, format and orientation are still those of its source.
    annotations: those of the source.
    chance: what its random choices depend on (JSON values).
    """

    image: Image
    annotations: Sequence[Annotation]
    chance: Sequence[str | int] = ()


@dataclass(frozen=True)
class Transformed:
    """
    lost: a finding for each box of which too little was left, and for each outline that did not follow its box.
    reused: how many images were there from an earlier run.
    """

    images: list[Image]
    annotations: list[Annotation]
    lost: list[Finding]
    reused: int

    def counts(self) -> str:
        """What a person should know, for the end of a summary."""
        parts = [f"{self.reused:,} reused"]
        parts += [f"{count:,} {code}" for code, count in count_codes(self.lost).items()]
        return ", ".join(parts)


def transform(outputs: Sequence[Output], recipe: Recipe, folder: Path, label: str) -> Transformed:
    """Make what `folder` does not hold yet, and the rows of all.

    Raises:
        StageError: a source is gone, is not the one in the manifest, or a step cannot transform it.
    """
    wanted = [Wanted(output.image, _boxes_of(output.annotations), output.chance) for output in outputs]
    all_made, reused = make_all(wanted, recipe, folder, label)
    result = Transformed([], [], [], reused)
    for output, made in zip(outputs, all_made, strict=True):
        result.images.append(_image_row(output.image, made, folder))
        kept, lost = _place(output.annotations, made)
        result.annotations.extend(replace(annotation, image_id=output.image.image_id) for annotation in kept)
        result.lost.extend(_lost(output, number, recipe) for number in lost)
        if made.moved:
            result.lost.extend(_outlines_lost(output, set(lost)))
    return result


def _boxes_of(annotations: Sequence[Annotation]) -> list[Box]:
    return [(a.xmin, a.ymin, a.xmax, a.ymax) for a in annotations if _has_box(a)]  # type: ignore[misc]


def _has_box(annotation: Annotation) -> bool:
    """False for a label of the whole image."""
    return annotation.xmin is not None


def _image_row(image: Image, made: Made, folder: Path) -> Image:
    path = (folder / made.file).as_posix()
    return replace(
        image,
        path=path,
        sha256=made.sha256,
        width=made.width,
        height=made.height,
        format=made.format,
        orientation=1,
    )


def _place(annotations: Sequence[Annotation], made: Made) -> tuple[list[Annotation], list[int]]:
    """The annotations as they lie on what was made, and the places in the list (from 0) of those that were lost."""
    boxes = dict(zip(made.rows, made.boxes, strict=True))
    kept, lost, row = [], [], 0
    for place, annotation in enumerate(annotations):
        # steps do not transform outlines yet, and an outline in the old place would be wrong
        new = replace(annotation, area=None, segmentation=None) if made.moved else annotation
        if _has_box(annotation):
            box = boxes.get(row)
            row += 1
            if box is None:
                lost.append(place)
                continue
            xmin, ymin, xmax, ymax = box
            new = replace(new, xmin=xmin, ymin=ymin, xmax=xmax, ymax=ymax)
        kept.append(new)
    return kept, lost


def _outlines_lost(output: Output, lost: set[int]) -> list[Finding]:
    file = output.image.parent_id or output.image.image_id
    outlined = {place for place, annotation in enumerate(output.annotations) if annotation.segmentation is not None}
    outlines = sorted(outlined - lost)
    return [
        found("outline-lost", file, _place_of(output, place), output.annotations[place].label) for place in outlines
    ]


def _place_of(output: Output, place: int) -> str:
    copy = f"copy {output.image.copy}, " if output.image.copy else ""
    return f"{copy}object {place + 1}"


def _lost(output: Output, place: int, recipe: Recipe) -> Finding:
    image = output.image
    reason = f"less than {recipe.min_visibility:.0%} of the object is left; its box is left out"
    return found(
        "box-lost", image.parent_id or image.image_id, _place_of(output, place), output.annotations[place].label, reason
    )
