"""split: train, valid or test for every image.

An image stays where it was: the record (record.py) says where. A person's decision (decisions.py) comes before it, and
so does a split that the source gives, with the strategy `source`. What is new goes with what it is tied to, and else by
the strategy. Images that must stay together are a unit: those with the same bytes or pixels, those that validate found
nearly identical, versions of one picture by Roboflow, and those of one declared group. A unit's key is the name of its
group, else its content's sha256 (the smallest, where it is of several), so that neither a folder's name nor an image's
neighbours move it.

stable      a salted hash of the key
stratified  exact shares and balanced classes, by iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011,
            "On the Stratification of Multi-Label Data")
source      as the raw data came
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from shardsmith.dataset.errors import StageError
from shardsmith.dataset.findings import Finding, about, action_for, count_severities, found, stop_on_fail
from shardsmith.dataset.manifest import SPLITS, Image, Manifest
from shardsmith.pipeline.params import Params
from shardsmith.pipeline.splits.decisions import Decisions
from shardsmith.pipeline.splits.links import is_cluster_group
from shardsmith.pipeline.splits.record import Record, Row, recorded
from shardsmith.pipeline.splits.strategies import shares_differ, stable_split, stratify
from shardsmith.pipeline.splits.units import declare_groups, find_leaks, find_places, joined, make_units


@dataclass(frozen=True)
class Placed:
    """The manifest with a split for every image and its declared group, what was found, and the rows of the record."""

    manifest: Manifest
    findings: list[Finding]
    rows: list[Row]


def split(
    manifest: Manifest,
    params: Params,
    decisions: Decisions = Decisions(),  # noqa: B008
    record: Record = Record(),  # noqa: B008
) -> tuple[Manifest, list[Finding]]:
    """As `place`, without the rows for the record."""
    placed = place(manifest, params, decisions, record)
    return placed.manifest, placed.findings


def place(manifest: Manifest, params: Params, decisions: Decisions, record: Record) -> Placed:
    """
    Raises:
        FindingError: a code was found whose action is `fail`.
        StageError: there is no image, or the source gives none of them a split.
    """
    if not len(manifest.images):
        raise StageError("there is no image to split; look into data/validate/summary.md")
    own = params.split
    rows = manifest.image_rows()
    ties = {row.image_id: row.group for row in rows if row.group and (own.group_pattern or is_cluster_group(row.group))}
    images = declare_groups(rows, own.group_pattern)
    of_source = {row.image_id: row.split for row in rows if row.split} if own.strategy == "source" else {}
    if own.strategy == "source" and not of_source:
        raise StageError(
            "the source gives no image a split: name its folders or lists train, valid and test, "
            "or set split.strategy to stable or stratified"
        )
    decided = {row.image_id: decisions.splits[row.image_id] for row in rows if row.image_id in decisions.splits}
    kept, named = _remembered(rows, record, own.era)
    fixed = kept | of_source | decided
    if own.strategy == "source":
        splits, left_out = named | fixed, list[Finding]()
        findings = [about("split-missing", row.image_id) for row in rows if row.image_id not in splits]
    else:
        splits, left_out = find_places(images, ties, fixed, named)
        gone = {one.image_id for one in left_out}
        units = make_units([image for image in images if image.image_id not in gone], ties)
        findings = left_out + joined(units)
        if own.strategy == "stable":
            new = {unit.key: stable_split(unit.key, own.seed, own.fractions) for unit in units}
        else:
            new = stratify(units, _classes(manifest), own.fractions, own.seed, splits)
        splits = {image.image_id: new[unit.key] for unit in units for image in unit.images if unit.key in new} | splits
        findings += shares_differ([len(unit.images) for unit in units], splits, own.fractions, own.strategy)
    after = _with_splits(manifest, {image.image_id: image.group for image in images}, splits)
    present = [replace(image, split=splits[image.image_id]) for image in images if image.image_id in splits]
    bridged = {ties.get(one.image_id) for one in left_out}
    findings += find_leaks(present, {name: tie for name, tie in ties.items() if tie not in bridged})
    causes = dict.fromkeys(of_source, "source") | dict.fromkeys(decided, "decision")
    here, gone_rows = recorded(record, present, own.era, causes)
    after = _with_batches(after, {row.image_id: int(row.batch) for row in here})
    findings += _moved(here, own.era)
    wanted = own.fractions.model_dump() if own.strategy != "source" else dict.fromkeys(SPLITS, 1.0)
    findings += _missing(after, wanted)
    actions = params.validate_.actions
    findings = [replace(finding, action=action_for(finding.code, actions)) for finding in findings]
    stop_on_fail(findings, actions)
    return Placed(after, findings, here + gone_rows)


def _remembered(rows: Sequence[Image], record: Record, era: int) -> tuple[dict[str, str], dict[str, str]]:
    """(image_id -> its split, image_id -> the split of another picture that had its name), both of this era."""
    kept: dict[str, str] = {}
    named: dict[str, str] = {}
    for image in rows:
        old, same = record.find(image)
        if old and old.era == str(era):
            (kept if same else named)[image.image_id] = old.split
    return kept, named


def _moved(rows: Sequence[Row], era: int) -> list[Finding]:
    """A finding for each image that a decision or the source moved, and one for all that an era placed anew."""
    by = {"decision": "data/decisions.csv", "source": "the source"}
    findings = [
        about("split-moved", row.image_id, value=f"{row.was} to {row.split}", reason=f"moved by {by[row.cause]}")
        for row in rows
        if row.was and row.cause
    ]
    if count := sum(bool(row.was) and not row.cause for row in rows):
        reason = f"split.era {era} placed all images anew"
        findings.append(found("split-moved", "", f"split.era {era}", f"{count:,} of {len(rows):,} images", reason))
    return findings


def unused_splits(manifest: Manifest, params: Params) -> list[str]:
    """A line where the source has splits of its own, which the strategy does not look at.

    Args:
        manifest: as it enters the stage.
    """
    counts = Counter(manifest.images["split"].drop_null().to_pylist())
    if not counts or params.split.strategy == "source":
        return []
    listed = ", ".join(f"{counts[name]:,} {name}" for name in SPLITS if counts[name])
    return [f"split: the source has splits of its own ({listed}), not used; split.strategy: source keeps them"]


def table(manifest: Manifest) -> list[str]:
    """What was achieved, a line a split."""
    images = Counter(manifest.images["split"].to_pylist())
    split_of = dict(zip(manifest.images["image_id"].to_pylist(), manifest.images["split"].to_pylist(), strict=True))
    boxes = Counter(split_of[image_id] for image_id in manifest.annotations["image_id"].to_pylist())
    lines = [f"{'split':8}{'images':>10}{'share':>9}{manifest.word:>10}{'share':>9}"]
    for name in SPLITS:
        parts = [(images[name], images.total()), (boxes[name], boxes.total())]
        lines.append(f"{name:8}" + "".join(f"{n:>10,}{n / total if total else 0:>9.1%}" for n, total in parts))
    return lines


def _classes(manifest: Manifest) -> dict[str, set[str]]:
    by_image: dict[str, set[str]] = defaultdict(set)
    annotations = manifest.annotations
    for image_id, label in zip(annotations["image_id"].to_pylist(), annotations["label"].to_pylist(), strict=True):
        by_image[image_id].add(label)
    return by_image


def _with_splits(manifest: Manifest, groups: Mapping[str, str | None], splits: Mapping[str, str]) -> Manifest:
    """The columns `split` and `group` filled; without the images that have no split, and their annotations."""
    images, annotations = manifest.images, manifest.annotations
    image_ids = images["image_id"].to_pylist()
    for name, values in (("split", splits), ("group", groups)):
        column = pa.array([values.get(image_id) for image_id in image_ids], pa.string())
        images = images.set_column(images.schema.get_field_index(name), images.schema.field(name), column)
    gone = pa.array([image_id for image_id in image_ids if image_id not in splits], pa.string())
    images, annotations = (rows.filter(pc.invert(pc.is_in(rows["image_id"], gone))) for rows in (images, annotations))
    return Manifest(images.combine_chunks(), annotations.combine_chunks())


def _with_batches(manifest: Manifest, batches: Mapping[str, int]) -> Manifest:
    column = pa.array([batches[image_id] for image_id in manifest.images["image_id"].to_pylist()], pa.int32())
    images = manifest.images
    return manifest.with_images(images.set_column(images.schema.get_field_index("batch"), "batch", column))


def _missing(manifest: Manifest, wanted: Mapping[str, float]) -> list[Finding]:
    """Splits without an image, and classes that a split has none of."""
    split_of = dict(zip(manifest.images["image_id"].to_pylist(), manifest.images["split"].to_pylist(), strict=True))
    has: dict[str, set[str]] = {name: set() for name in SPLITS if name in set(split_of.values())}
    for image_id, labels in _classes(manifest).items():
        has[split_of[image_id]] |= labels
    empty = [found("split-empty", "", f"split {name}") for name in SPLITS if wanted[name] > 0 and name not in has]
    every = sorted(set().union(*has.values()))
    lacks = [
        found("split-lacks-class", "", f"split {name}", label)
        for name, labels in has.items()
        for label in every
        if label not in labels
    ]
    return empty + lacks


def describe(manifest: Manifest, findings: list[Finding], strategy: str) -> str:
    """For the stage's last line."""
    counts = Counter(manifest.images["split"].to_pylist())
    shares = ", ".join(f"{counts[name]:,} {name}" for name in SPLITS)
    return f"{len(manifest.images):,} images ({strategy}): {shares}; {count_severities(findings)}"
