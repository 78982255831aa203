"""Units: the images that stay together in one split, and what the groups that they come of say."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from shardsmith.dataset.findings import Finding, about
from shardsmith.dataset.manifest import SPLITS, Image
from shardsmith.pipeline.splits.links import Links, is_cluster_group


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
    """Each image with the group that the pattern finds in its image_id, else the one it has."""
    if pattern is None:
        return list(images)
    found_in = re.compile(pattern).search
    return [replace(image, group=(m and m[1]) or image.group) for image in images for m in [found_in(image.image_id)]]


def make_units(images: Iterable[Image], clusters: Mapping[str, str] = MappingProxyType({})) -> list[Unit]:
    """The connected components of "same bytes", "same group" and "same cluster", in the order of their keys.

    Args:
        clusters: image_id -> the cluster of nearly identical images that it is in.
    """
    links: Links[tuple[str, str]] = Links()
    images = sorted(images, key=lambda image: image.image_id)
    for image in images:
        content = links.root(("sha256", image.sha256))
        if image.group:
            links.join(content, ("group", image.group))
        if image.image_id in clusters:
            links.join(content, ("group", clusters[image.image_id]))
    members: dict[tuple[str, str], list[Image]] = defaultdict(list)
    for image in images:
        members[links.root(("sha256", image.sha256))].append(image)
    units = []
    for together in members.values():
        groups = sorted({image.group for image in together if image.group and not is_cluster_group(image.group)})
        key = f"group {groups[0]}" if groups else f"sha256 {min(image.sha256 for image in together)}"
        similar: dict[str, list[Image]] = defaultdict(list)
        for image in together:
            if image.image_id in clusters:
                similar[clusters[image.image_id]].append(image)
        units.append(Unit(key, tuple(together), tuple(groups), tuple(map(tuple, similar.values()))))
    return sorted(units, key=lambda unit: unit.key)


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


def find_leaks(units: Sequence[Unit]) -> list[Finding]:
    """What belongs together, but stands in several splits of the source: a finding a group, content and cluster."""
    images = [image for unit in units for image in unit.images]
    declared = [replace(image, group=None) if is_cluster_group(image.group) else image for image in images]
    findings = []
    for unit in make_units(declared):
        what = f"images of group {unit.groups[0]}" if unit.groups else "identical images"
        findings += _leak("split-leak", unit.images, what)
    for cluster in (cluster for unit in units for cluster in unit.similar):
        if len({image.sha256 for image in cluster if image.split}) > 1:
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
