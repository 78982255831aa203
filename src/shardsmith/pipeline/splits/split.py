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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shardsmith.dataset.errors import StageError
from shardsmith.dataset.findings import Finding, about, action_for, count_severities, found, stop_on_fail
from shardsmith.dataset.manifest import SPLITS, Image, Manifest, spooled
from shardsmith.pipeline.params import Params, SplitParams
from shardsmith.pipeline.splits.decisions import Decisions
from shardsmith.pipeline.splits.links import is_cluster_group
from shardsmith.pipeline.splits.record import Record, Row, recorded
from shardsmith.pipeline.splits.strategies import shares_differ, stable_split, stratify
from shardsmith.pipeline.splits.units import (
    declare_groups,
    find_leaks,
    find_lone,
    find_places,
    joined,
    key_of_content,
    make_units,
)

_LOOKED_AT = ("image_id", "sha256", "pixels", "group", "split", "annotated")
_ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class Placed:
    """The manifest with a split for every image and its declared group, what was found, and the rows of the record."""

    manifest: Manifest
    findings: list[Finding]
    rows: Iterable[Row]


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
    if not manifest.image_count:
        raise StageError("there is no image to split; look into data/validate/summary.md")
    own = params.split
    table = manifest.image_columns(*_LOOKED_AT)
    if own.strategy == "source" and table["split"].null_count == len(table):
        raise StageError(
            "the source gives no image a split: name its folders or lists train, valid and test, "
            "or set split.strategy to stable or stratified"
        )
    lone = np.zeros(len(table), bool) if own.strategy == "stratified" else find_lone(table, own.group_pattern)
    rows = list(_rows(table.filter(pa.array(~lone))))
    ties = {row.image_id: row.group for row in rows if row.group and (own.group_pattern or is_cluster_group(row.group))}
    images = declare_groups(rows, own.group_pattern)
    fixed, named = _fixed(rows, record, decisions, own)
    left_out = list[Finding]()
    findings = list[Finding]()
    if own.strategy == "source":
        splits = named | fixed
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
    places = np.full(len(table), -1, np.int8)
    places[~lone] = [SPLITS.index(splits[row.image_id]) if row.image_id in splits else -1 for row in rows]
    places[lone] = np.fromiter(_place_lone(table.filter(pa.array(lone)), record, decisions, own), np.int8)
    if own.strategy == "source":
        missing = table["image_id"].filter(pa.array(places < 0)).to_pylist()
        findings = [about("split-missing", image_id) for image_id in missing]
    else:
        sizes = [len(unit.images) for unit in units] + [1] * int(lone.sum())
        findings += shares_differ(sizes, _counts(places), own.fractions, own.strategy)
    kept = recorded(record, table.filter(pa.array(places >= 0)), places[places >= 0], own.era, _causes(decisions, own))
    batches = np.zeros(len(table), np.int32)
    batches[places >= 0] = np.fromiter((int(row.batch) for row in kept.here), np.int32)
    after = spooled(_with_splits(manifest, {image.image_id: image.group for image in images}, places, batches))
    present = [replace(image, split=splits[image.image_id]) for image in images if image.image_id in splits]
    bridged = {ties.get(one.image_id) for one in left_out}
    findings += find_leaks(present, {name: tie for name, tie in ties.items() if tie not in bridged})
    findings += _moved(kept.here, own.era)
    wanted = own.fractions.model_dump() if own.strategy != "source" else dict.fromkeys(SPLITS, 1.0)
    findings += _missing(after, wanted)
    actions = params.validate_.actions
    findings = [replace(finding, action=action_for(finding.code, actions)) for finding in findings]
    stop_on_fail(findings, actions)
    return Placed(after, findings, kept.rows)


def _rows(table: pa.Table) -> Iterator[Image]:
    """As far as the columns say; few as objects at a time."""
    for batch in table.to_batches(_ROWS_AT_ONCE):
        for row in batch.to_pylist():
            yield Image(path="", width=None, height=None, format=None, **row)


def _fixed(
    rows: Iterable[Image], record: Record, decisions: Decisions, own: SplitParams
) -> tuple[dict[str, str], dict[str, str]]:
    """(image_id -> its split, whatever it is tied to; image_id -> the split of another picture that had its name)."""
    rows = list(rows)
    kept, named = _remembered(rows, record, own.era)
    of_source = {row.image_id: row.split for row in rows if row.split} if own.strategy == "source" else {}
    decided = {row.image_id: decisions.splits[row.image_id] for row in rows if row.image_id in decisions.splits}
    return kept | of_source | decided, named


def _causes(decisions: Decisions, own: SplitParams) -> Callable[[str, str | None], str]:
    """What moves an image, by its image_id and the split that its source gives it; "" for the rule."""

    def cause(image_id: str, of_source: str | None) -> str:
        return "decision" if image_id in decisions.splits else "source" if _by_source(own) and of_source else ""

    return cause


def _by_source(own: SplitParams) -> bool:
    return own.strategy == "source"


def _place_lone(table: pa.Table, record: Record, decisions: Decisions, own: SplitParams) -> Iterator[int]:
    """The place in SPLITS of each image that nothing ties to another; -1 for none."""
    for batch in table.to_batches(_ROWS_AT_ONCE):
        rows = list(_rows(pa.Table.from_batches([batch])))
        fixed, named = _fixed(rows, record, decisions, own)
        for row in rows:
            split = fixed.get(row.image_id) or named.get(row.image_id)
            if not split and not _by_source(own):
                split = stable_split(key_of_content([row]), own.seed, own.fractions)
            yield SPLITS.index(split) if split else -1


def _counts(places: np.ndarray) -> Counter[str]:
    return Counter({name: int((places == place).sum()) for place, name in enumerate(SPLITS)})


def _remembered(rows: Sequence[Image], record: Record, era: int) -> tuple[dict[str, str], dict[str, str]]:
    """(image_id -> its split, image_id -> the split of another picture that had its name), both of this era."""
    kept: dict[str, str] = {}
    named: dict[str, str] = {}
    for image in rows:
        old, same = record.find(image.image_id, image.pixels)
        if old and old.era == str(era):
            (kept if same else named)[image.image_id] = old.split
    return kept, named


def _moved(rows: Iterable[Row], era: int) -> list[Finding]:
    """A finding for each image that a decision or the source moved, and one for all that an era placed anew."""
    by = {"decision": "data/decisions.csv", "source": "the source"}
    findings = [
        about("split-moved", row.image_id, value=f"{row.was} to {row.split}", reason=f"moved by {by[row.cause]}")
        for row in rows
        if row.was and row.cause
    ]
    whether = [bool(row.was) and not row.cause for row in rows]
    if count := sum(whether):
        reason = f"split.era {era} placed all images anew"
        findings.append(found("split-moved", "", f"split.era {era}", f"{count:,} of {len(whether):,} images", reason))
    return findings


def unused_splits(manifest: Manifest, params: Params) -> list[str]:
    """A line where the source has splits of its own, which the strategy does not look at.

    Args:
        manifest: as it enters the stage.
    """
    counts = Counter(manifest.image_columns("split")["split"].drop_null().to_pylist())
    if not counts or params.split.strategy == "source":
        return []
    listed = ", ".join(f"{counts[name]:,} {name}" for name in SPLITS if counts[name])
    return [f"split: the source has splits of its own ({listed}), not used; split.strategy: source keeps them"]


def table(manifest: Manifest) -> list[str]:
    """What was achieved, a line a split."""
    images, boxes = Counter[str](), Counter[str]()
    for part in manifest.parts(["image_id", "split"], ["image_id"]):
        splits = part.images["split"]
        images.update(splits.to_pylist())
        at = pc.index_in(part.annotations["image_id"], part.images["image_id"].combine_chunks())
        boxes.update(splits.combine_chunks().take(at.combine_chunks()).to_pylist())
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


def _with_splits(
    manifest: Manifest, groups: Mapping[str, str | None], places: np.ndarray, batches: np.ndarray
) -> Iterator[Manifest]:
    """The columns `split`, `group` and `batch` filled; without the images that have no split, and their annotations.

    Args:
        groups: of images that are tied to others; the rest have none.
        places: (images,) in SPLITS; -1 for none.
    """
    done = 0
    for part in manifest.parts():
        here, batch = (values[done : done + part.image_count] for values in (places, batches))
        done += part.image_count
        splits = pa.array(SPLITS).take(pa.array(here, mask=here < 0))
        own = pa.array([groups.get(image_id) for image_id in part.images["image_id"].to_pylist()], pa.string())
        images, annotations = part.images, part.annotations
        for name, column in (("split", splits), ("group", own), ("batch", pa.array(batch))):
            images = images.set_column(images.schema.get_field_index(name), images.schema.field(name), column)
        if (here < 0).any():
            gone = images["image_id"].filter(pa.array(here < 0)).combine_chunks()
            images, annotations = (
                rows.filter(pc.invert(pc.is_in(rows["image_id"], gone))) for rows in (images, annotations)
            )
        yield Manifest(images.combine_chunks(), annotations.combine_chunks())


def _missing(manifest: Manifest, wanted: Mapping[str, float]) -> list[Finding]:
    """Splits without an image, and classes that a split has none of."""
    labels: dict[str, set[str]] = defaultdict(set)
    for part in manifest.parts(["image_id", "split"], ["image_id", "label"]):
        ids = part.images["image_id"].combine_chunks()
        for name in part.images["split"].unique().to_pylist():
            of_split = ids.filter(pc.equal(part.images["split"].combine_chunks(), name))
            rows = pc.is_in(part.annotations["image_id"], of_split)
            labels[name] |= set(part.annotations["label"].filter(rows).unique().to_pylist())
    has = {name: labels[name] for name in SPLITS if name in labels}
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
    counts = Counter(manifest.image_columns("split")["split"].to_pylist())
    shares = ", ".join(f"{counts[name]:,} {name}" for name in SPLITS)
    return f"{manifest.image_count:,} images ({strategy}): {shares}; {count_severities(findings)}"
