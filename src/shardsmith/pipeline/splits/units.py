"""Units: the images that stay together in one split, and what the groups that they come of say."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shardsmith.dataset.findings import Finding, about
from shardsmith.dataset.manifest import SPLITS, Image
from shardsmith.pipeline.splits.links import Links, is_cluster_group, roboflow_source

_ROWS_AT_ONCE = 1024
Tie = tuple[str, str]  # a kind, and what images of one have in common


@dataclass(frozen=True)
class Unit:
    """Images that stay together; `groups` are the declared ones among them, sorted.

    similar: the clusters of nearly identical images among them.
    """

    key: str
    images: tuple[Image, ...]
    groups: tuple[str, ...]
    similar: tuple[tuple[Image, ...], ...] = ()


def declare_groups(images: Iterable[Image], pattern: str | None) -> list[Image]:
    """Each image with the group that the pattern finds in its image_id, else the one it has, else Roboflow's."""
    images = list(images)
    found_in = re.compile(pattern).search if pattern else lambda _: None
    sources = {image.image_id: roboflow_source(image.image_id) for image in images}
    counts = Counter(sources.values())
    groups = {name: source if counts[source] > 1 else None for name, source in sources.items()}
    return [
        replace(image, group=(m and m[1]) or image.group or groups[image.image_id])
        for image in images
        for m in [found_in(image.image_id)]
    ]


def find_lone(images: pa.Table, pattern: str | None) -> np.ndarray:
    """(n,) bool: the images that nothing ties to another, so that each is a unit; see ties_of.

    Args:
        images: with image_id, sha256, pixels and group.
    """
    lone = np.ones(len(images), bool)
    for name in ("sha256", "pixels"):
        counted = pc.value_counts(images[name].drop_null())
        several = counted.field("values").filter(pc.greater(counted.field("counts"), 1))
        lone &= ~pc.is_in(images[name], several).to_numpy()
    lone &= ~pc.fill_null(pc.not_equal(images["group"], ""), False).to_numpy()
    found_in = re.compile(pattern).search if pattern else lambda _: None
    batches = images.select(["image_id"]).to_batches(_ROWS_AT_ONCE)
    ids = (image_id for batch in batches for image_id in batch["image_id"].to_pylist())
    return lone & np.fromiter((not (found_in(image_id) or roboflow_source(image_id)) for image_id in ids), bool)


def key_of_content(images: Iterable[Image]) -> str:
    """The key of a unit that is no declared group."""
    return f"sha256 {min(image.sha256 for image in images)}"


def ties_of(image: Image, clusters: Mapping[str, str]) -> list[Tie]:
    """What an image shares with those that it must stay with: its bytes first, then pixels, group, cluster, source.

    Args:
        clusters: image_id -> the cluster of nearly identical images that it is in, or another group that it keeps.
    """
    ties = {
        "sha256": image.sha256,
        "pixels": image.pixels,
        "group": image.group,
        "cluster": clusters.get(image.image_id),
        "source": roboflow_source(image.image_id),
    }
    return [(kind, value) for kind, value in ties.items() if value]


def make_units(images: Iterable[Image], clusters: Mapping[str, str] = MappingProxyType({})) -> list[Unit]:
    """The connected components of what ties images together, in the order of their keys.

    Args:
        clusters: image_id -> the cluster of nearly identical images that it is in.
    """
    links: Links[Tie] = Links()
    images = sorted(images, key=lambda image: image.image_id)
    for image in images:
        first, *others = ties_of(image, clusters)
        links.root(first)
        for other in others:
            links.join(first, other)
    members: dict[Tie, list[Image]] = defaultdict(list)
    for image in images:
        members[links.root(("sha256", image.sha256))].append(image)
    units = []
    for together in members.values():
        groups = sorted({image.group for image in together if image.group and not is_cluster_group(image.group)})
        key = f"group {groups[0]}" if groups else key_of_content(together)
        similar: dict[str, list[Image]] = defaultdict(list)
        for image in together:
            if is_cluster_group(clusters.get(image.image_id)):
                similar[clusters[image.image_id]].append(image)
        units.append(Unit(key, tuple(together), tuple(groups), tuple(map(tuple, similar.values()))))
    return sorted(units, key=lambda unit: unit.key)


def find_places(
    images: Iterable[Image], clusters: Mapping[str, str], fixed: Mapping[str, str], named: Mapping[str, str]
) -> tuple[dict[str, str], list[Finding]]:
    """(image_id -> split, of every image that has one by itself or by what it is tied to; a finding for each new image
    that ties two splits together, which is left out).

    Args:
        fixed: image_id -> its split, whatever it is tied to.
        named: image_id -> the split of another picture that had this name; what the image is tied to comes first.
    """
    links: Links[Tie] = Links()
    places: dict[Tie, dict[str, str]] = {}  # what is tied together -> split -> the first image there
    admitted: list[tuple[Image, Tie]] = []
    findings = []
    for image in sorted(images, key=lambda image: (image.image_id not in fixed, image.image_id)):
        first, *others = ties_of(image, clusters)
        there: dict[str, str] = {}
        for root in sorted({links.root(tie) for tie in (first, *others)}):
            there |= {split: place for split, place in places.get(root, {}).items() if split not in there}
        own = fixed.get(image.image_id)
        if own is None and len(there) > 1:
            where = ", ".join(f"{name}: {there[name]}" for name in SPLITS if name in there)
            findings.append(about("split-bridge", image.image_id, value=where))
            continue
        if split := own or (None if there else named.get(image.image_id)):
            there.setdefault(split, image.image_id)
        for other in others:
            links.join(first, other)
        places[links.root(first)] = there
        admitted.append((image, first))
    found = {image.image_id: {*places[links.root(tie)]} for image, tie in admitted}
    splits = {name: next(iter(splits)) for name, splits in found.items() if len(splits) == 1}
    return splits | {name: split for name, split in fixed.items() if name in found}, findings


def joined(units: Iterable[Unit]) -> list[Finding]:
    """Units in which identical images tie a declared group to another group, or to an image without one."""
    findings = []
    for unit in units:
        alone = [image for image in unit.images if unit.groups and image.group not in unit.groups]
        like = "nearly identical" if unit.similar else "identical"
        if len(unit.groups) > 1:
            reason = f"groups {', '.join(unit.groups)} share {like} images and count as {unit.groups[0]}"
            one, other, *_ = unit.images
            findings.append(about("split-groups-joined", one.image_id, reason=reason, other=other.image_id))
        elif alone:
            bytes_ = "nearly the same picture" if unit.similar else "the same bytes"
            reason = f"has no group, but {bytes_} as an image of group {unit.groups[0]}"
            like = next(image.image_id for image in unit.images if image.group in unit.groups)
            findings += [about("split-groups-joined", image.image_id, reason=reason, other=like) for image in alone]
    return findings


def find_leaks(images: Sequence[Image], clusters: Mapping[str, str]) -> list[Finding]:
    """What belongs together, but stands in several splits: a finding a group, content and cluster.

    Args:
        images: with the splits that they have now.
    """
    declared = [replace(image, group=None) if is_cluster_group(image.group) else image for image in images]
    findings = []
    for unit in make_units(declared):
        what = f"images of group {unit.groups[0]}" if unit.groups else "identical images"
        findings += _leak("split-leak", unit.images, what)
    similar: dict[str, list[Image]] = defaultdict(list)
    for image in images:
        if is_cluster_group(clusters.get(image.image_id)):
            similar[clusters[image.image_id]].append(image)
    for _, cluster in sorted(similar.items()):
        if len({image.pixels or image.sha256 for image in cluster if image.split}) > 1:
            findings += _leak("split-leak-similar", cluster, "nearly identical images")
    return findings


def _leak(code: str, together: Iterable[Image], what: str) -> list[Finding]:
    first: dict[str, str] = {}
    for image in together:
        if image.split:
            first.setdefault(image.split, image.image_id)
    if len(first) < 2:
        return []
    where = ", ".join(f"{name}: {first[name]}" for name in SPLITS if name in first)
    one, other, *_ = sorted(first.values())
    return [about(code, one, value=where, reason=f"{what} in several splits", other=other)]
