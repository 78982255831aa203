"""Give every image a split: `python -m stages.split IN OUT`, both folders of a stage.

Images that must stay together are a unit: those with the same bytes, those that validate found nearly identical, and
those of one declared group. A unit's key is the name of its group, else its content's sha256 (the smallest, where it is
of several), so that neither a folder's name nor an image's neighbours move it.

stable      a salted hash of the key: a larger dataset keeps every old image where it was
stratified  exact shares and balanced classes, by iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011,
            "On the Stratification of Multi-Label Data")
source      as the raw data came
"""

from __future__ import annotations

import argparse
import hashlib
import heapq
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa
import pyarrow.compute as pc

from stages.dataset import command
from stages.dataset.balance import balance
from stages.dataset.clusters import Links, is_cluster_group
from stages.dataset.errors import StageError
from stages.dataset.findings import Finding, action_for, count_severities, found, stop_on_fail, summarise
from stages.dataset.ledger import read_ledger, write_ledger
from stages.dataset.manifest import SPLITS, Image, Manifest
from stages.dataset.stage import read_stage, write_stage
from stages.params import Fractions, Params, load_params

# Classes of their own for stratified, the first one that every image has; no source can have such names.
_IMAGE, _NEGATIVE, _UNLABELLED = "\0image", "\0negative", "\0unlabelled"


@dataclass(frozen=True)
class Unit:
    """Images that stay together; `groups` are the declared ones among them, sorted.

    similar: the clusters of nearly identical images among them.
    """

    key: str
    images: tuple[Image, ...]
    groups: tuple[str, ...]
    similar: tuple[tuple[Image, ...], ...] = ()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m stages.split", description="Give every image a split.")
    parser.add_argument("input", type=Path, help="the folder that validate wrote")
    parser.add_argument("output", type=Path, help="the folder to write")
    folders = parser.parse_args()
    params = load_params()
    manifest, earlier = read_stage(folders.input)
    after, own = split(manifest, params)
    ledger = balance("split", manifest, after, own, sets=("split", "group"))
    write_stage(folders.output, after, [*earlier, *own])
    write_ledger(folders.output, read_ledger(folders.input) + ledger)
    print("\n".join([*summarise(own), *table(after)]))
    counts = Counter(after.images["split"].to_pylist())
    shares = ", ".join(f"{counts[name]:,} {name}" for name in SPLITS)
    print(f"split: {len(after.images):,} images ({params.split.strategy}): {shares}; {count_severities(own)}")


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
        findings = _joined(units)
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


def stable_split(key: str, seed: int, fractions: Fractions) -> str:
    """The split in whose share of [0, 1) the key's hash lies."""
    place = _hash(seed, key) / 2**64
    shares = {name: share for name, share in fractions.model_dump().items() if share > 0}
    for name, share in shares.items():
        place -= share
        if place < 0:
            return name
    return name  # shares that make 1 but for rounding


def stratify(units: Sequence[Unit], classes: Mapping[str, set[str]], fractions: Fractions, seed: int) -> dict[str, str]:
    """key -> split: exact shares of the images (but for units of several), and of each class as near as can be.

    As in iterative stratification, the class with the fewest units left goes first, so that rare classes are dealt
    out while every split still has room. A unit goes to the split, of those with room, that is emptiest in its classes,
    rare ones weighing more (the paper looks at the rarest alone: that left a class of 200 images off by 26, this by 1).

    Args:
        classes: image_id -> its classes, for images that have any.
    """
    counts = {unit.key: _count_classes(unit, classes) for unit in units}
    # larger units first, as there is room for them; the seed decides between equals
    order = sorted(counts, key=lambda key: (-counts[key][_IMAGE], _hash(seed, key)))
    units_of: dict[str, list[str]] = defaultdict(list)
    total: Counter[str] = Counter()
    for key in order:
        for name, count in counts[key].items():
            units_of[name].append(key)
            total[name] += count
    room = whole_shares(total[_IMAGE], fractions)
    shares = fractions.model_dump()
    holds = {place: dict.fromkeys(total, 0) for place in room}

    def fullness(place: str, unit: Mapping[str, int]) -> float:
        """With half the unit in it, as in Sainte-Lague's method, which favours neither large nor small shares."""
        return sum((holds[place][name] + count / 2) / total[name] for name, count in unit.items()) / shares[place]

    splits: dict[str, str] = {}
    for key in _rarest_first(units_of, counts):
        unit = counts[key]
        fitting = [place for place in room if room[place] >= unit[_IMAGE]] or [max(room, key=room.__getitem__)]
        chosen = min(fitting, key=lambda place: fullness(place, unit))
        splits[key] = chosen
        room[chosen] -= unit[_IMAGE]
        for name, count in unit.items():
            holds[chosen][name] += count
    return splits


def _rarest_first(units_of: Mapping[str, list[str]], counts: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """Each unit once: all of the class with the fewest units left, then of the next."""
    left = {name: len(keys) for name, keys in units_of.items()}
    rarest = [(count, name) for name, count in left.items()]
    heapq.heapify(rarest)
    done: set[str] = set()
    while rarest:
        count, rare = heapq.heappop(rarest)
        if count != left[rare]:
            continue  # an outdated entry: a newer one stands in the heap
        for key in units_of[rare]:
            if key in done:
                continue
            done.add(key)
            yield key
            for name in counts[key]:
                left[name] -= 1
                if name != rare:
                    heapq.heappush(rarest, (left[name], name))


def whole_shares(total: int, fractions: Fractions) -> dict[str, int]:
    """Whole numbers that make `total`, for each split with a share, by the largest remainder."""
    shares = {name: share for name, share in fractions.model_dump().items() if share > 0}
    exact = {name: total * share / sum(shares.values()) for name, share in shares.items()}
    whole = {name: int(value) for name, value in exact.items()}
    by_remainder = sorted(exact, key=lambda name: round(whole[name] - exact[name], 9))
    for name in by_remainder[: total - sum(whole.values())]:
        whole[name] += 1
    return whole


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


def _hash(seed: int, key: str) -> int:
    """64 bits of chance that depend on nothing else."""
    return int.from_bytes(hashlib.sha256(f"{seed} {key}".encode()).digest()[:8], "big")


def _classes(manifest: Manifest) -> dict[str, set[str]]:
    by_image: dict[str, set[str]] = defaultdict(set)
    annotations = manifest.annotations
    for image_id, label in zip(annotations["image_id"].to_pylist(), annotations["label"].to_pylist(), strict=True):
        by_image[image_id].add(label)
    return by_image


def _count_classes(unit: Unit, classes: Mapping[str, set[str]]) -> dict[str, int]:
    """In how many of the unit's images each class is; in an order that no run of Python changes."""
    counts: Counter[str] = Counter({_IMAGE: len(unit.images)})
    for image in unit.images:
        counts.update(classes.get(image.image_id) or {_NEGATIVE if image.annotated else _UNLABELLED})
    return dict(sorted(counts.items()))


def _joined(units: Iterable[Unit]) -> list[Finding]:
    """Units in which identical images tie a declared group to another group, or to an image without one."""
    findings = []
    for unit in units:
        alone = [image for image in unit.images if unit.groups and image.group not in unit.groups]
        like = "nearly identical" if unit.similar else "identical"
        if len(unit.groups) > 1:
            reason = f"groups {', '.join(unit.groups)} share {like} images and count as {unit.groups[0]}"
            findings.append(found("split-groups-joined", unit.images[0].image_id, reason=reason))
        elif alone:
            bytes_ = "nearly the same picture" if unit.similar else "the same bytes"
            reason = f"has no group, but {bytes_} as an image of group {unit.groups[0]}"
            findings += [found("split-groups-joined", image.image_id, reason=reason) for image in alone]
    return findings


def _split_by_source(units: Sequence[Unit]) -> tuple[dict[str, str], list[Finding]]:
    splits = {image.image_id: image.split for unit in units for image in unit.images}
    if not any(splits.values()):
        raise StageError(
            "the source gives no image a split: name its folders or lists train, valid and test, "
            "or set split.strategy to stable or stratified"
        )
    findings = [found("split-missing", image_id) for image_id in sorted(splits) if not splits[image_id]]
    return {image_id: place for image_id, place in splits.items() if place}, findings + find_leaks(units)


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
    return [found(code, min(first.values()), value=where, reason=f"{what} in several splits")]


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


if __name__ == "__main__":
    command.run(main)
