"""How units of images are dealt to the splits: by a hash of their key, or stratified."""

from __future__ import annotations

import hashlib
import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.manifest import SPLITS, Image
from shardsmith.pipeline.params import Fractions
from shardsmith.pipeline.splits.units import Unit

# Classes of their own for stratified, the first one that every image has; no source can have such names.
_IMAGE, _NEGATIVE, _UNLABELLED = "\0image", "\0negative", "\0unlabelled"


def stable_split(key: str, seed: int, fractions: Fractions) -> str:
    """The split in whose share of [0, 1) the key's hash lies."""
    place = _hash(seed, key) / 2**64
    shares = {name: share for name, share in fractions.model_dump().items() if share > 0}
    for name, share in shares.items():
        place -= share
        if place < 0:
            return name
    return name  # shares that make 1 but for rounding


def stratify(
    units: Sequence[Unit],
    classes: Mapping[str, set[str]],
    fractions: Fractions,
    seed: int,
    placed: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, str]:
    """key -> split, of the units that are not placed yet: exact shares of the images (but for units of several), and of
    each class as near as can be.

    As in iterative stratification, the class with the fewest units left goes first, so that rare classes are dealt
    out while every split still has room. A unit goes to the split, of those with room, that is emptiest in its classes,
    rare ones weighing more (the paper looks at the rarest alone: that left a class of 200 images off by 26, this by 1).

    Args:
        classes: image_id -> its classes, for images that have any.
        placed: image_id -> split, of all images of some units: the others fill up what these leave.
    """
    new = [unit for unit in units if unit.images[0].image_id not in placed]
    counts = {unit.key: _count_classes(unit.images, classes) for unit in new}
    standing: dict[str, list[Image]] = {name: [] for name in SPLITS}
    for image in (image for unit in units for image in unit.images):
        if image.image_id in placed:
            standing[placed[image.image_id]].append(image)
    there = {name: _count_classes(images, classes) for name, images in standing.items() if images}
    # larger units first, as there is room for them; the seed decides between equals
    order = sorted(counts, key=lambda key: (-counts[key][_IMAGE], _hash(seed, key)))
    units_of: dict[str, list[str]] = defaultdict(list)
    total: Counter[str] = Counter()
    for key in order:
        for name, count in counts[key].items():
            units_of[name].append(key)
            total[name] += count
    for of_split in there.values():
        total.update(of_split)
    room = whole_shares(total[_IMAGE], fractions)
    shares = fractions.model_dump()
    holds = {place: dict.fromkeys(total, 0) | there.get(place, {}) for place in room}
    room = {place: count - holds[place][_IMAGE] for place, count in room.items()}

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


def shares_differ(
    sizes: Sequence[int], counts: Mapping[str, int], fractions: Fractions, strategy: str
) -> list[Finding]:
    """A finding for each split whose share is not as wanted, by more than its strategy leaves open: `stratified` the
    largest unit, `stable` four standard deviations of what chance gives.

    It asks nothing of the record: a first build meets its shares.

    Args:
        sizes: how many images each unit has.
        counts: split -> how many images it has.
    """
    total = sum(counts.values())
    findings = []
    for name, share in fractions.model_dump().items():
        deviation = math.sqrt(share * (1 - share) * sum(size * size for size in sizes))
        open_ = max(sizes, default=0) + (4 * deviation if strategy == "stable" else 0)
        if abs(counts[name] - share * total) > open_:
            value = f"{counts[name] / total:.1%}, and {share:.1%} is wanted"
            findings.append(found("split-shares-differ", "", f"split {name}", value))
    return findings


def _hash(seed: int, key: str) -> int:
    """64 bits of chance that depend on nothing else."""
    return int.from_bytes(hashlib.sha256(f"{seed} {key}".encode()).digest()[:8], "big")


def _count_classes(images: Sequence[Image], classes: Mapping[str, set[str]]) -> dict[str, int]:
    """In how many of the images each class is; in an order that no run of Python changes."""
    counts: Counter[str] = Counter({_IMAGE: len(images)})
    for image in images:
        counts.update(classes.get(image.image_id) or {_NEGATIVE if image.annotated else _UNLABELLED})
    return dict(sorted(counts.items()))
