"""What the steps of params.yaml make of chosen images: by the code of a build, to the byte, without one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import count, islice
from pathlib import Path

from shardsmith.dataset.errors import StageError
from shardsmith.dataset.findings import Finding
from shardsmith.dataset.manifest import Annotation
from shardsmith.inspect.search import evenly
from shardsmith.pipeline.params import Params, StepsParams
from shardsmith.transforms.base import FixedStep
from shardsmith.transforms.catalogue import AUGMENT, PREPROCESS, Operation, build_steps
from shardsmith.transforms.run.outputs import Encoding, transform
from shardsmith.transforms.run.plan import CopyPlan, plan_preprocess
from shardsmith.transforms.run.recipe import Recipe
from shardsmith.transforms.scene import Planned, SetStep, has_box
from shardsmith.transforms.steps.mosaic import Mosaic
from shardsmith.transforms.steps.parts import Tile
from shardsmith.transforms.steps.select import FilterNegatives, MinBoxSize, RandomSample

MOST_PARTS = 4
MOST_COPIES = 6


@dataclass(frozen=True)
class PreviewCell:
    """One picture: its row and annotations as a build would have them, what it was made by, and a remark."""

    planned: Planned
    operations: Sequence[Operation] = ()
    remark: str = ""


@dataclass(frozen=True)
class PreviewRow:
    """One image of data/raw; preprocessed: what becomes of it; copies: of the first of those, or of the original."""

    original: PreviewCell
    preprocessed: Sequence[PreviewCell]
    copies: Sequence[PreviewCell]


class Preprocessing:
    """Preprocessing of a dataset's images: planned, for all of them where that is asked for, and carried out for some.

    What is planned for all is kept: at 10,000 images it takes seconds.
    """

    def __init__(self, images: Sequence[Planned], params: StepsParams) -> None:
        """
        Args:
            images: all that a build would go on with, with their splits.
        """
        self.images = images
        self.steps = build_steps(params.steps, PREPROCESS) if is_on(params) else ()
        self.recipe = Recipe(params.min_visibility, params.min_size_px)
        self.encoding = Encoding(params.image_format, params.quality)

    @cached_property
    def planned(self) -> list[Planned]:
        """What comes of all images; no pixel is read."""
        return self.plan(self.images)

    @cached_property
    def planned_seen(self) -> dict[str, Planned]:
        """image_id -> the same, with those annotations alone that can still be seen."""
        return {one.image.image_id: one for one in self.seen(self.planned)}

    def plan(self, images: Iterable[Planned]) -> list[Planned]:
        return list(plan_preprocess(images, self.steps, self.recipe)[0])

    def seen(self, planned: Sequence[Planned]) -> list[Planned]:
        return list(plan_preprocess(planned, [_Seen()], self.recipe)[0]) if self.steps else list(planned)

    def objects_first(self, parts: Sequence[Planned]) -> list[Planned]:
        order = sorted(zip(parts, self.seen(parts), strict=True), key=lambda pair: not pair[1].annotations)
        return [part for part, _ in order]

    def make(self, planned: Sequence[Planned], folder: Path) -> dict[str, Planned]:
        """image_id -> the image as augment is given it."""
        if not self.steps:
            return {one.image.image_id: one for one in planned}
        return _carry_out(planned, self.recipe, self.encoding, folder, "preview: preprocessing")


def rows_of(
    before: Preprocessing,
    params: Params,
    chosen: Sequence[Planned],
    work: Path,
    check: Callable[[Sequence[Planned]], None] = lambda images: None,
    most_copies: int = MOST_COPIES,
) -> list[PreviewRow]:
    """What becomes of the images `chosen`; of one that the steps leave out, nothing.

    Args:
        before: by params.preprocess.
        work: an empty folder for what is made; the images of the result are there.
        check: is given the images that are needed, before they are.

    Raises:
        StageError: no image that was chosen is left, or none can be transformed.
    """
    planned = before.planned if _looks_at_all(params) else before.plan(chosen)
    pool = [one for one in planned if one.image.split in params.augment.splits] or planned
    paths = {one.image.path for one in chosen}
    parts: dict[str, list[Planned]] = {path: [] for path in paths}
    for one in planned:
        if one.image.path in paths:
            parts[one.image.path].append(one)
    parts = {path: before.objects_first(several)[:MOST_PARTS] for path, several in parts.items()}
    if not any(parts.values()):
        raise StageError("preprocess leaves no image; see preprocess.steps in params.yaml")
    check([one for one in chosen if parts[one.image.path]])
    made = before.make([part for one in chosen for part in parts[one.image.path]], work / "preprocess")
    parts = {path: [one for one in several if one.image.image_id in made] for path, several in parts.items()}
    if not made:
        raise StageError("no image that was chosen can be transformed, see above; change the step in params.yaml")
    firsts = {path: several[0].image.image_id for path, several in parts.items() if several}
    copies = _copies(pool, list(firsts.values()), params, before, made, work, check, most_copies)
    return [
        PreviewRow(
            PreviewCell(one),
            [PreviewCell(made[part.image.image_id], part.operations) for part in parts[one.image.path] if before.steps],
            copies.get(firsts.get(one.image.path, ""), []),
        )
        for one in chosen
    ]


def choose(images: Sequence[Planned], params: Params, number: int, turn: int = 0) -> list[Planned]:
    """Evenly over the images that get copies, those with annotations first; others where these are too few.

    Args:
        turn: another number chooses others.
    """
    pool = [one for one in images if one.image.split in params.augment.splits] or images
    taken = evenly([one for one in pool if one.annotations], number, turn)
    others = evenly([one for one in pool if not one.annotations], number - len(taken), turn)
    return sorted([*taken, *others], key=lambda one: one.image.image_id)


def left(before: Preprocessing) -> list[Planned]:
    """The images of which preprocessing leaves anything.

    Raises:
        StageError: of none.
    """
    if all(isinstance(step, FixedStep | Tile | MinBoxSize) for step in before.steps):
        return list(before.images)
    paths = {one.image.path for one in before.planned}
    if not paths:
        raise StageError("preprocess leaves no image; see preprocess.steps in params.yaml")
    return [one for one in before.images if one.image.path in paths]


def _looks_at_all(params: Params) -> bool:
    """Whether what becomes of an image depends on the others."""
    steps = build_steps(params.preprocess.steps, PREPROCESS) if is_on(params.preprocess) else ()
    copies = build_steps(params.augment.steps, AUGMENT) if is_on(params.augment) else ()
    return any(isinstance(step, FilterNegatives | RandomSample | Mosaic) for step in (*steps, *copies)) or (
        bool(copies) and params.augment.balance
    )


class _Seen(SetStep):
    """Changes no image, and tells what is left to be seen on each."""

    def plan(self, images: list[Planned]) -> tuple[list[Planned], list[Finding]]:
        return [replace(one, annotations=_still_seen(one)) for one in images], []


def _still_seen(one: Planned) -> list[Annotation]:
    kept = {id(annotation) for annotation in one.seen()[1]}
    return [annotation for annotation in one.annotations if not has_box(annotation) or id(annotation) in kept]


def _copies(
    pool: Sequence[Planned],
    firsts: Sequence[str],
    all_params: Params,
    before: Preprocessing,
    made: Mapping[str, Planned],
    work: Path,
    check: Callable[[Sequence[Planned]], None],
    most: int,
) -> dict[str, list[PreviewCell]]:
    """image_id -> its copies, of the images `firsts`.

    Which images a mosaic takes is known only when all that get copies are at hand, and it takes them preprocessed; so
    copies are planned again until all that they take are made.
    """
    params = all_params.augment
    if not is_on(params):
        return {image_id: [] for image_id in firsts}
    sources = [one for one in pool if one.image.split in params.splits] if _looks_at_all(all_params) else []
    steps = build_steps(params.steps, AUGMENT)
    by_id = {one.image.image_id: one for one in sources}
    for number in count(1):
        seen = dict(zip(made, before.seen(list(made.values())), strict=True))
        given = [seen.get(one.image.image_id) or before.planned_seen[one.image.image_id] for one in sources]
        plan = CopyPlan(partial(iter, given), steps, params.copies, params.seed, params.balance)
        planned = [copy for image_id in firsts for copy in islice(plan.of(made[image_id]), most)]
        taken = {image.image_id for one in planned for image, _ in one.partners} - made.keys()
        if not taken:
            break
        missing = [by_id[image_id] for image_id in sorted(taken)]
        check(missing)
        new = before.make(missing, work / f"partners {number}")
        made = {**made, **new}
        sources = [one for one in sources if one.image.image_id not in taken - new.keys()]
    recipe = Recipe(params.min_visibility, params.min_size_px)
    encoding = Encoding(params.image_format, params.quality)
    done = _carry_out(planned, recipe, encoding, work / "augment", "preview: copies")
    shown: dict[str, list[PreviewCell]] = {image_id: [] for image_id in firsts}
    first_with = {
        (image_id, made[image_id].image.sha256): "its original" for image_id in firsts if params.keep_original
    }
    for one in (one for one in planned if one.image.image_id in done):
        result, parent = done[one.image.image_id], one.image.parent_id or ""
        same = first_with.setdefault((parent, result.image.sha256), name := f"copy {one.image.copy}")
        remark = "" if same == name else f"identical to {same}: left out"
        shown[parent].append(PreviewCell(result, one.operations, remark))
    return shown


def _carry_out(
    planned: Sequence[Planned], recipe: Recipe, encoding: Encoding, folder: Path, label: str
) -> dict[str, Planned]:
    """image_id -> the image made, with its annotations. What cannot be made is said, as a build leaves it out."""
    rows, tally = transform(planned, recipe, encoding, folder, label, sources=len(planned))
    done = {image.image_id: Planned(image, annotations) for image, annotations in rows}
    for one in tally.not_made:
        print(f"preview: {one.where}: {one.reason}; left out, as a build leaves it out", file=sys.stderr)
    return done


def is_on(params: StepsParams) -> bool:
    return params.enabled and bool(params.steps)
