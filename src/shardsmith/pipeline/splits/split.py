"""split: train, valid or test for every image.

Images that must stay together are a unit: those with the same bytes, those that validate found nearly identical, and
those of one declared group. A unit's key is the name of its group, else its content's sha256 (the smallest, where it is
of several), so that neither a folder's name nor an image's neighbours move it.

stable      a salted hash of the key: a larger dataset keeps every old image where it was
stratified  exact shares and balanced classes, by iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011,
            "On the Stratification of Multi-Label Data")
source      as the raw data came
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from shardsmith.dataset.errors import StageError
from shardsmith.dataset.findings import Finding, about, action_for, count_severities, found, stop_on_fail
from shardsmith.dataset.manifest import SPLITS, Manifest
from shardsmith.pipeline.params import Params
from shardsmith.pipeline.splits.links import is_cluster_group
from shardsmith.pipeline.splits.strategies import stable_split, stratify
from shardsmith.pipeline.splits.units import Unit, declare_groups, find_leaks, joined, make_units


def split(manifest: Manifest, params: Params) -> tuple[Manifest, list[Finding]]:
    """The manifest with a split for every image and its declared group, and what was found.

    Raises:
        FindingError: a code was found whose action is `fail`.
        StageError: there is no image, or the source gives none of them a split.
    """
    if not len(manifest.images):
        raise StageError("there is no image to split; look into data/validate/summary.md")
    rows = manifest.image_rows()
    clusters = {row.image_id: row.group for row in rows if row.group and is_cluster_group(row.group)}
    images = declare_groups(rows, params.split.group_pattern)
    units = make_units(images, clusters)
    if params.split.strategy == "source":
        splits, findings = _split_by_source(units)
    else:
        findings = joined(units)
        if params.split.strategy == "stable":
            splits = {unit.key: stable_split(unit.key, params.split.seed, params.split.fractions) for unit in units}
        else:
            splits = stratify(units, _classes(manifest), params.split.fractions, params.split.seed)
        splits = {image.image_id: splits[unit.key] for unit in units for image in unit.images}
    after = _with_splits(manifest, {image.image_id: image.group for image in images}, splits)
    wanted = params.split.fractions.model_dump() if params.split.strategy != "source" else dict.fromkeys(SPLITS, 1.0)
    findings += _missing(after, wanted)
    actions = params.validate_.actions
    findings = [replace(finding, action=action_for(finding.code, actions)) for finding in findings]
    stop_on_fail(findings, actions)
    return after, findings


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


def _split_by_source(units: Sequence[Unit]) -> tuple[dict[str, str], list[Finding]]:
    splits = {image.image_id: image.split for unit in units for image in unit.images}
    if not any(splits.values()):
        raise StageError(
            "the source gives no image a split: name its folders or lists train, valid and test, "
            "or set split.strategy to stable or stratified"
        )
    findings = [about("split-missing", image_id) for image_id in sorted(splits) if not splits[image_id]]
    return {image_id: place for image_id, place in splits.items() if place}, findings + find_leaks(units)


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
