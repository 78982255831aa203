"""From images planned to rows of the manifest, with the images made between: what both stages share."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

from shardsmith.dataset.errors import StageError
from shardsmith.dataset.findings import Finding, summarise
from shardsmith.dataset.manifest import Annotation, Image, Manifest
from shardsmith.transforms.run.cache import MadeFile, make_all
from shardsmith.transforms.run.make import Refused, SourceImage, WantedImage
from shardsmith.transforms.run.origin import origin_of
from shardsmith.transforms.run.recipe import TOO_SMALL, Recipe
from shardsmith.transforms.scene import Planned, further, has_box

_BATCH = 1024


@dataclass
class StepCount:
    """What one operation did, over all images: how many it changed, how many boxes it cut, how many it lost."""

    images: int = 0
    cut: int = 0
    lost: int = 0


@dataclass
class Tally:
    """
    images: how many there are.
    reused: how many of them were there from an earlier run.
    lost: a finding for each image that could not be made, each box of which too little was left, and each outline that
        did not follow its box.
    steps: operation -> what it did.
    """

    images: int = 0
    reused: int = 0
    lost: list[Finding] = field(default_factory=list)
    steps: dict[str, StepCount] = field(default_factory=dict)

    @property
    def not_made(self) -> list[Finding]:
        """Those of images that could not be made."""
        return [one for one in self.lost if one.code == "image-not-transformed"]


@dataclass(frozen=True)
class Encoding:
    """How a stage writes images: in one format, or ("same") each in that of its source, PNG where that is neither
    JPEG nor WebP."""

    format: str = "same"
    quality: int = 95

    def format_for(self, source_format: str | None) -> str:
        if self.format != "same":
            return self.format
        return source_format if source_format in ("jpeg", "webp") else "png"


def transform(
    planned: Iterable[Planned], recipe: Recipe, encoding: Encoding, folder: Path, label: str, sources: int
) -> tuple[Iterator[tuple[Image, list[Annotation]]], Tally]:
    """Make what `folder` does not hold yet: the rows of each image, in order; and the tally, complete with the last.

    Args:
        planned: those of one source one after the other.
        sources: how many sources there are, for the progress bar.

    Raises:
        StageError: a source is gone, is not the one in the manifest, or there is not enough memory.
    """
    tally = Tally()
    return _transform(planned, recipe, encoding, folder, label, sources, tally), tally


def _transform(
    planned: Iterable[Planned], recipe: Recipe, encoding: Encoding, folder: Path, label: str, sources: int, tally: Tally
) -> Iterator[tuple[Image, list[Annotation]]]:
    pending: deque[tuple[Planned, WantedImage]] = deque()  # those that workers are at

    def ask() -> Iterator[WantedImage]:
        for one in planned:
            wanted = _wanted(one, encoding)
            pending.append((one, wanted))
            yield wanted

    for made, reused in make_all(ask(), recipe, folder, label, sources):
        one, wanted = pending.popleft()
        if isinstance(made, Refused):
            tally.lost.append(one.finding("image-not-transformed", made.reason))
            continue
        objects = made.parsed()
        tally.images += 1
        tally.reused += reused
        _count(objects, tally.steps)
        tally.lost.extend(_captions_lost(one))
        tally.lost.extend(_lost(one, objects["lost"], recipe))
        if made.moved:
            tally.lost.extend(_outlines_lost(one, objects))
        yield _image_row(one, wanted, made, folder), _annotation_rows(one, made, objects)


def as_manifests(rows: Iterable[tuple[Image, list[Annotation]]]) -> Iterator[Manifest]:
    """In parts, as tables: rows as objects would take many times the memory."""
    rows = iter(rows)
    while some := list(islice(rows, _BATCH)):
        yield Manifest.of((image for image, _ in some), (one for _, annotations in some for one in annotations))


def check_some(tally: Tally) -> None:
    """
    Raises:
        StageError: images were to be made, and none could be: it is the step that is wrong.
    """
    if tally.lost and not tally.images:
        first = tally.lost[0]
        raise StageError(f"no image can be transformed; {first.where}: {first.reason}; change the step in params.yaml")


def check_names(manifest: Manifest) -> None:
    """
    Raises:
        StageError: a file of data/raw has the name that a tile or a copy of another gets.
    """
    for one, other in pairwise(manifest.images["image_id"].to_pylist()):  # sorted
        if one == other:
            raise StageError(f"{one}: a tile or copy of another image gets this name; rename the file in data/raw")


def report(tally: Tally) -> list[str]:
    """For the end of a stage's output: what could not be made, and a table of what the steps did; [] for neither."""
    return [*summarise(tally.not_made), *(_table(tally.steps) if tally.steps else [])]


def _table(steps: dict[str, StepCount]) -> list[str]:
    rows = [("step", "images", "boxes cut", "boxes lost")]
    rows += [(name, f"{one.images:,}", f"{one.cut:,}", f"{one.lost:,}") for name, one in steps.items()]
    width = max(len(row[0]) for row in rows)
    return [f"  {row[0]:{width}} {row[1]:>9} {row[2]:>10} {row[3]:>11}" for row in rows]


def _wanted(planned: Planned, encoding: Encoding) -> WantedImage:
    image = planned.image
    sources = [_source(image, planned.annotations), *(_source(*partner) for partner in planned.partners)]
    return WantedImage(sources, planned.operations, encoding.format_for(image.format), encoding.quality)


def _source(image: Image, annotations: Sequence[Annotation]) -> SourceImage:
    boxed = [annotation for annotation in annotations if has_box(annotation)]
    boxes: Any = [(a.xmin, a.ymin, a.xmax, a.ymax) for a in boxed]
    outlines = [a.segmentation for a in boxed]
    return SourceImage(image.path, image.sha256, image.format, image.orientation, boxes, outlines, further(boxed))


def _image_row(planned: Planned, wanted: WantedImage, made: MadeFile, folder: Path) -> Image:
    return replace(
        planned.image,
        path=(folder / made.file).as_posix(),
        sha256=made.sha256,
        width=made.width,
        height=made.height,
        format=wanted.format,
        orientation=1,
        origin=origin_of(planned, wanted),
    )


def _annotation_rows(planned: Planned, made: MadeFile, objects: dict[str, Any]) -> list[Annotation]:
    """Labels of the whole image first where a mosaic brought others' boxes, else in the order of the source."""
    image_id = planned.image.image_id
    boxed = planned.boxed()
    places = {row: place for place, row in enumerate(objects["rows"])}
    rows, row = [], 0
    for annotation in [*planned.annotations, *boxed[sum(map(has_box, planned.annotations)) :]]:
        if not has_box(annotation):
            rows.append(replace(annotation, image_id=image_id))
            continue
        place, row = places.get(row), row + 1
        if place is None:
            continue
        new = replace(annotation, image_id=image_id)
        if made.moved:
            new.xmin, new.ymin, new.xmax, new.ymax = objects["boxes"][place]
            new.segmentation = objects["segmentations"][place]
            new.keypoints = objects["keypoints"][place] if "keypoints" in objects else None
            new.area = None if annotation.area is None else round(annotation.area * objects["area"][place], 4)
        rows.append(new)
    return rows


def _count(objects: dict[str, Any], steps: dict[str, StepCount]) -> None:
    for name in objects["done"]:
        steps.setdefault(name, StepCount()).images += 1
    for name, count in objects["cut"].items():
        steps.setdefault(name, StepCount()).cut += count
    for name, count in Counter(objects["lost"].values()).items():
        steps.setdefault(name, StepCount()).lost += count


def _lost(planned: Planned, lost: dict[str, str], recipe: Recipe) -> Iterable[Finding]:
    boxed = planned.boxed()
    for row, name in lost.items():
        if name == TOO_SMALL:
            reason = f"its box is less than {recipe.min_size_px:g} px wide or high; it is left out"
        else:
            reason = f"{name} leaves less than {recipe.min_visibility:.0%} of the object; its box is left out"
        yield planned.finding("box-lost", reason, boxed[int(row)])


def _captions_lost(planned: Planned) -> Iterable[Finding]:
    """Of an image that shows a part of its source, or others beside it."""
    texts = planned.made_from.captions if planned.made_from else None
    if texts and not planned.image.captions:
        reason = f"it is not what {len(texts):,} captions tell of its source" if len(texts) > 1 else ""
        yield planned.finding("caption-lost", reason or "it is not what the caption tells of its source")


def _outlines_lost(planned: Planned, objects: dict[str, Any]) -> Iterable[Finding]:
    boxed = planned.boxed()
    for row, segmentation in zip(objects["rows"], objects["segmentations"], strict=True):
        if segmentation is None and boxed[row].segmentation is not None:
            yield planned.finding("outline-lost", "", boxed[row])
