"""What `shardsmith preview` shows: originals, what preprocessing makes of them, and copies, without a build.

What is shown is what a build would make, to the byte: the same steps are planned for the same images, and carried out
by the same code, into a temporary folder. To take seconds, only images that are shown, or joined to one that is, are
decoded. So an image that validate would drop because its pixels are damaged still counts where a choice depends on
all images: stratified splits, random_sample, filter_negatives and augment.balance; and nearly identical images can get
copies here that share a split there. Where validate.actions drop such images, all are decoded.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from shardsmith.dataset.boxes import LOST
from shardsmith.dataset.errors import StageError
from shardsmith.dataset.findings import Finding, about
from shardsmith.dataset.images import decoding_error
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import Annotation, Manifest
from shardsmith.pipeline.checks.boxes import check_boxes
from shardsmith.pipeline.ingest import ingest
from shardsmith.pipeline.params import AugmentParams, Params, StepsParams
from shardsmith.pipeline.splits.decisions import Decisions, find_excluded
from shardsmith.pipeline.splits.record import Record
from shardsmith.pipeline.splits.split import split
from shardsmith.pipeline.validate import check_images, check_left_empty, validate
from shardsmith.transforms.catalogue import AUGMENT, PREPROCESS, Operation, build_steps
from shardsmith.transforms.run.outputs import Encoding, transform
from shardsmith.transforms.run.plan import CopyPlan, plan_preprocess
from shardsmith.transforms.run.recipe import Recipe
from shardsmith.transforms.scene import Planned, SetStep, has_box, planned_of

MOST_PARTS = 4
MOST_COPIES = 6
_BESIDE_OTHERS = ("image-colours", "image-plain", "image-size-far", "image-near-duplicate")


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


class DoesNotDecode(Exception):
    """Images that are needed: path -> why it does not."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        self.reasons = reasons


def look(
    raw: Path,
    params: Params,
    count: int,
    work: Path,
    decisions: Decisions = Decisions(),  # noqa: B008
    record: Record = Record(),  # noqa: B008
) -> list[PreviewRow]:
    """Up to `count` images, evenly over those that get copies; images with annotations first.

    An image that is cut into parts has MOST_PARTS of them at most, those with objects first; of the copies, the first
    MOST_COPIES are made.

    Args:
        raw: the folder of raw data.
        work: an empty folder for what is made; the images of the result are there.
        decisions, record: which say in what splits images stand.

    Raises:
        ShardsmithError: as a build's stages do.
    """
    manifest = ingest(raw, params.ingest, LabelMap(params.dataset.name), work)[0]
    manifest = _checked(manifest, params)
    gone = find_excluded(decisions, manifest.images["image_id"].to_pylist(), params.validate_.actions)
    manifest = _without(manifest, gone)
    while True:
        folder = work / f"of {manifest.images.num_rows}"
        try:
            return _rows(split(manifest, params, decisions, record)[0], params, count, folder)
        except DoesNotDecode as broken:
            unreadable = [image for image in manifest.image_rows() if image.path in broken.reasons]
            for image in unreadable:
                reason = broken.reasons[image.path]
                print(f"preview: {image.image_id}: {reason}; left out, as validate leaves it out", file=sys.stderr)
            manifest = _without(manifest, [about("image-unreadable", image.image_id) for image in unreadable])


def is_on(params: StepsParams) -> bool:
    return params.enabled and bool(params.steps)


def _checked(manifest: Manifest, params: Params) -> Manifest:
    """What validate leaves, by the images' headers alone, unless an action drops by pixels or beside the others."""
    actions = params.validate_.actions
    if any(actions.get(code) == "drop" for code in _BESIDE_OTHERS):
        return validate(manifest, [], params)[0]
    manifest = _without(manifest, check_images(manifest, [""] * manifest.images.num_rows, actions))
    rules = params.validate_
    manifest, box_findings = check_boxes(manifest, actions, rules.max_over_edge, rules.tiny_box_px)
    return _without(manifest, check_left_empty(manifest, box_findings, actions))


def _without(manifest: Manifest, findings: Iterable[Finding]) -> Manifest:
    gone = pa.array([finding.image_id for finding in findings if finding.action in LOST], pa.string())
    tables = (manifest.images, manifest.annotations)
    images, annotations = (table.filter(pc.invert(pc.is_in(table["image_id"], gone))) for table in tables)
    return Manifest(images.combine_chunks(), annotations.combine_chunks())


def _rows(manifest: Manifest, params: Params, count: int, work: Path) -> list[PreviewRow]:
    originals = {one.image.path: one for one in planned_of(manifest)}
    maker = _Maker(params.preprocess, work / "preprocess")
    planned = maker.plan(originals.values())
    pool = [one for one in planned if one.image.split in params.augment.splits] or planned
    if not pool:
        raise StageError("preprocess leaves no image; see preprocess.steps in params.yaml")
    parts: dict[str, list[Planned]] = {}
    for one in pool:
        parts.setdefault(one.image.path, []).append(one)
    chosen = _spread([originals[path] for path in parts], count)
    parts = {one.image.path: maker.objects_first(parts[one.image.path])[:MOST_PARTS] for one in chosen}
    _check(chosen)
    made = maker.make([one for several in parts.values() for one in several])
    parts = {path: [one for one in several if one.image.image_id in made] for path, several in parts.items()}
    if not made:
        raise StageError("no image that was chosen can be transformed, see above; change the step in params.yaml")
    chosen = [one for one in chosen if parts[one.image.path]]
    firsts = [parts[one.image.path][0].image.image_id for one in chosen]
    copies = _copies(pool, firsts, params.augment, maker, made, work / "augment")
    return [
        PreviewRow(
            PreviewCell(one),
            [PreviewCell(made[part.image.image_id], part.operations) for part in parts[one.image.path] if maker.steps],
            copies[first],
        )
        for one, first in zip(chosen, firsts, strict=True)
    ]


def _spread(images: Sequence[Planned], count: int) -> list[Planned]:
    """Evenly over the images that have annotations; with others where those are too few."""
    taken = _evenly([one for one in images if one.annotations], count)
    others = _evenly([one for one in images if not one.annotations], count - len(taken))
    return sorted([*taken, *others], key=lambda one: one.image.image_id)


def _evenly(images: Sequence[Planned], count: int) -> list[Planned]:
    count = min(count, len(images))
    return [images[number * len(images) // count] for number in range(count)]


class _Maker:
    """Preprocessing, planned for all images and carried out for some."""

    def __init__(self, params: StepsParams, folder: Path) -> None:
        self.steps = build_steps(params.steps, PREPROCESS) if is_on(params) else ()
        self.recipe = Recipe(params.min_visibility, params.min_size_px)
        self.encoding = Encoding(params.image_format, params.quality)
        self.folder, self.runs = folder, 0

    def plan(self, images: Iterable[Planned]) -> list[Planned]:
        return list(plan_preprocess(images, self.steps, self.recipe)[0])

    def seen(self, planned: Sequence[Planned]) -> list[Planned]:
        """With those annotations alone that can still be seen."""
        return list(plan_preprocess(planned, [_Seen()], self.recipe)[0]) if self.steps else list(planned)

    def objects_first(self, parts: Sequence[Planned]) -> list[Planned]:
        order = sorted(zip(parts, self.seen(parts), strict=True), key=lambda pair: not pair[1].annotations)
        return [part for part, _ in order]

    def make(self, planned: Sequence[Planned]) -> dict[str, Planned]:
        """image_id -> the image as augment is given it."""
        self.runs += 1
        if not self.steps:
            return {one.image.image_id: one for one in planned}
        folder = self.folder / str(self.runs)
        return _carry_out(planned, self.recipe, self.encoding, folder, "preview: preprocessing")


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
    params: AugmentParams,
    maker: _Maker,
    made: Mapping[str, Planned],
    folder: Path,
) -> dict[str, list[PreviewCell]]:
    """image_id -> its copies, of the images `firsts`.

    Which images a mosaic takes is known only when all that get copies are at hand, and it takes them preprocessed; so
    copies are planned again until all that they take are made.
    """
    if not is_on(params):
        return {image_id: [] for image_id in firsts}
    sources = [one for one in pool if one.image.split in params.splits]
    steps = build_steps(params.steps, AUGMENT)
    by_id = {one.image.image_id: one for one in sources}
    while True:
        given = maker.seen([made.get(one.image.image_id, one) for one in sources])
        plan = CopyPlan(partial(iter, given), steps, params.copies, params.seed, params.balance)
        planned = [copy for image_id in firsts for copy in islice(plan.of(made[image_id]), MOST_COPIES)]
        taken = {image.image_id for one in planned for image, _ in one.partners} - made.keys()
        if not taken:
            break
        missing = [by_id[image_id] for image_id in sorted(taken)]
        _check(missing)
        new = maker.make(missing)
        made = {**made, **new}
        sources = [one for one in sources if one.image.image_id not in taken - new.keys()]
    recipe = Recipe(params.min_visibility, params.min_size_px)
    encoding = Encoding(params.image_format, params.quality)
    done = _carry_out(planned, recipe, encoding, folder, "preview: copies")
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


def _check(images: Sequence[Planned]) -> None:
    """
    Raises:
        DoesNotDecode: some do not.
    """
    formats = {one.image.path: one.image.format or "" for one in images}
    reasons = {path: decoding_error(Path(path).read_bytes(), format) for path, format in formats.items()}
    if any(reasons.values()):
        raise DoesNotDecode({path: reason for path, reason in reasons.items() if reason})
