"""data/decisions.csv: what a person has decided about single images.

image_id,decision,why: a row a decision, which is `train`, `valid` or `test`, `excluded`, or `tag:NAME`. Validate leaves
the excluded ones out and adds the tags; split puts the others where they are to be.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from shardsmith.dataset.codes import Action
from shardsmith.dataset.errors import StageError, suggest
from shardsmith.dataset.findings import Finding, about, action_for, found
from shardsmith.dataset.manifest import SPLITS, Manifest
from shardsmith.pipeline.splits.rows import read_rows, write_rows

COLUMNS = ("image_id", "decision", "why")
_EXCLUDED, _TAG = "excluded", "tag:"


@dataclass(frozen=True)
class Decisions:
    """
    splits: image_id -> split. excluded: image_id -> why. tags: image_id -> tags, in the order of the file.
    places: image_id -> where it is named, for findings.
    """

    splits: Mapping[str, str] = field(default_factory=dict)
    excluded: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, list[str]] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)


def read_decisions(path: Path) -> Decisions:
    """
    Raises:
        StageError: a row cannot be understood, or an image is to be in two splits.
    """
    splits: dict[str, str] = {}
    excluded: dict[str, str] = {}
    tags: dict[str, list[str]] = defaultdict(list)
    places: dict[str, str] = {}
    for line, (image_id, decision, why) in read_rows(path, COLUMNS, "correct the row"):
        decision = decision.strip()
        places.setdefault(image_id, f"line {line}")
        if decision in SPLITS:
            if splits.setdefault(image_id, decision) != decision:
                raise StageError(
                    f"{path}, line {line}: {image_id} is to be in {decision}, and in {splits[image_id]} by "
                    f"{places[image_id]}; delete one of the rows"
                )
        elif decision == _EXCLUDED:
            excluded[image_id] = why.strip()
        elif decision.startswith(_TAG) and (tag := decision.removeprefix(_TAG).strip()):
            tags[image_id] += [tag] if tag not in tags[image_id] else []
        else:
            known = suggest(decision, [*SPLITS, _EXCLUDED, f"{_TAG}NAME"])
            raise StageError(f"{path}, line {line}: decision {decision!r} about {image_id}: {known}")
    return Decisions(splits, excluded, dict(tags), places)


def decide(path: Path, image_ids: Iterable[str], decision: str, why: str) -> None:
    """Decide about images: a split takes the place of another; the file is written in one step.

    Args:
        decision: as in the file.

    Raises:
        StageError: the decision is none, or the file is not ours.
    """
    images = dict.fromkeys(image_ids)
    kind = _kind(decision)
    stay = [row for row in _rows(path) if not (row[0] in images and _kind(row[1]) == kind)]
    write_rows(path, COLUMNS, [*stay, *((image_id, decision, why) for image_id in images)])


def take_back(path: Path, image_ids: Collection[str], decision: str = "") -> None:
    """Remove what was decided about images: everything, or one decision.

    Raises:
        StageError: the file is not ours.
    """
    images = set(image_ids)
    write_rows(
        path, COLUMNS, [row for row in _rows(path) if not (row[0] in images and decision in ("", row[1].strip()))]
    )


def _rows(path: Path) -> list[tuple[str, ...]]:
    read_decisions(path)
    return [row for _, row in read_rows(path, COLUMNS, "correct the row")]


def _kind(decision: str) -> str:
    """Two decisions of one kind about one image cannot both stand."""
    decision = decision.strip()
    if decision in SPLITS:
        return "split"
    if decision == _EXCLUDED or (decision.startswith(_TAG) and decision.removeprefix(_TAG).strip()):
        return decision
    raise StageError(f"decision {decision!r}: {suggest(decision, [*SPLITS, _EXCLUDED, f'{_TAG}NAME'])}")


def find_excluded(decisions: Decisions, image_ids: Collection[str], actions: Mapping[str, Action]) -> list[Finding]:
    """A finding for each image that is left out, and for each row that names none of the images."""
    there = set(image_ids)
    action = action_for("image-excluded", actions)
    left_out = [
        about("image-excluded", image_id, action, reason=f"left out by data/decisions.csv: {why}" if why else "")
        for image_id, why in sorted(decisions.excluded.items())
        if image_id in there
    ]
    unknown = [
        found("decision-without-image", "data/decisions.csv", place, image_id)
        for image_id, place in decisions.places.items()
        if image_id not in there
    ]
    return left_out + unknown


def with_tags(manifest: Manifest, tags: Mapping[str, Iterable[str]]) -> Manifest:
    """The manifest with the tags that its images are given."""
    if not tags:
        return manifest
    images = manifest.images
    at = images.schema.get_field_index("tags")
    column = [
        list(dict.fromkeys([*(own or []), *tags.get(image_id, ())]))
        for image_id, own in zip(images["image_id"].to_pylist(), images["tags"].to_pylist(), strict=True)
    ]
    tagged = images.set_column(at, images.schema.field(at), pa.array(column, images.schema.field(at).type))
    return manifest.with_images(tagged)
