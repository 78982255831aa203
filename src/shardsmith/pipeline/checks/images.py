"""The checks of images beside each other: odd colours, odd sizes, near-identical ones, classes that few show."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from shardsmith.dataset.codes import Action
from shardsmith.dataset.errors import StageError
from shardsmith.dataset.findings import Finding, about, action_for, found
from shardsmith.dataset.images import glance, probe
from shardsmith.dataset.manifest import Image, Manifest
from shardsmith.dataset.tables.schema import rows_of
from shardsmith.pipeline.checks.prints import Fingerprints
from shardsmith.pipeline.checks.similar import HASH_BITS, find_all_pairs, find_clusters, fingerprint
from shardsmith.pipeline.splits.links import Links, cluster_group, roboflow_source

_FEWEST_SIZES = 10  # with fewer images there is no usual size
_SIDES_APART, _ASPECTS_APART = 4.0, 3.0  # times the median, or less than its inverse
_RARE_IMAGES, _RARE_SHARE = 20, 0.1
PIXELS_DIGITS = 16
_VALUES_AT_ONCE = 1024
NUMBER = "number"  # a column beside those of images


@dataclass(frozen=True, slots=True)
class Decoded:
    """What decoding an image told: why it does not decode, odd colours, its fingerprint (see similar.py), and a hash
    of its pixels (see hash_pixels).
    """

    error: str = ""
    colours: str = ""
    fingerprint: bytes = b""
    pixels: str = ""


Item = tuple[str, str | None, int, tuple[int, int]]
"""Path, format, orientation, displayed size."""


def look(item: Item) -> Decoded:
    """Decode an image, once for every check.

    Raises:
        StageError: the file is gone, or is not the one that was ingested.
    """
    path, format, orientation, size = item
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise StageError(f"{path}: the image is gone since it was ingested; put it back, or run dvc repro") from None
    if format is not None:
        seen = glance(data, format, orientation)
        if seen.grey is None:
            return Decoded(seen.error)
        box = covered(seen.grey.shape, size, orientation if format != "tiff" else 1, format == "jpeg")
        return Decoded("", seen.colours, fingerprint(seen.grey, box), hash_pixels(seen.grey))
    reason = probe(data).error
    if not reason:
        raise StageError(f"{path}: the image changed since it was ingested; run dvc repro")
    return Decoded(reason)


def covered(
    shape: tuple[int, ...], size: tuple[int, int], orientation: int, in_eighths: bool = True
) -> tuple[float, float, float, float]:
    """The part that an image takes up of the grey that `glance` makes of it, xmin ymin xmax ymax in pixels of that.

    Made smaller, the last row and column of the stored pixels may lie half outside of the image; a mirrored copy has
    them at its other end.

    Args:
        shape: height and width of the grey.
        size: displayed width and height of the image.
        in_eighths: it was made smaller to some eighths, as a JPEG is; else by a whole number.
    """
    ratio = shape[1] / size[0]
    scale = round(8 * ratio) / 8 if in_eighths else 1 / round(1 / ratio)
    width, height = (min(scale * side, there) for side, there in zip(size, shape[1::-1], strict=True))
    left = shape[1] - width if orientation in (2, 3, 6, 7) else 0.0
    top = shape[0] - height if orientation in (3, 4, 7, 8) else 0.0
    return left, top, left + width, top + height


def hash_pixels(grey: np.ndarray) -> str:
    """16 hex digits of (height, width) uint8, as `glance` decodes an image: the same whatever else the file holds."""
    return hashlib.sha256(f"{grey.shape} ".encode() + np.ascontiguousarray(grey).tobytes()).hexdigest()[:16]


class Seen:
    """What decoding told of each image, by its number."""

    def __init__(self, decoded: Iterable[tuple[int, Decoded]] = ()) -> None:
        """
        Args:
            decoded: in the order of the numbers.
        """
        self.errors: dict[int, str] = {}
        self.colours: dict[int, str] = {}
        self.prints = Fingerprints()
        self._pixels = bytearray()
        for number, one in decoded:
            for _ in range(len(self.prints), number):
                self._add(Decoded())
            self.errors |= {number: one.error} if one.error else {}
            self.colours |= {number: one.colours} if one.colours else {}
            self._add(one)

    def _add(self, one: Decoded) -> None:
        self.prints.add(one.fingerprint)
        self._pixels += one.pixels.encode().ljust(PIXELS_DIGITS)

    def pixels(self, number: int) -> str | None:
        start = number * PIXELS_DIGITS
        return self._pixels[start : start + PIXELS_DIGITS].decode().strip() or None


def numbers_of(images: pa.Table) -> list[int]:
    """The number that each image was looked at under."""
    return images[NUMBER].to_numpy().tolist()


def check_sources(images: pa.Table, actions: Mapping[str, Action]) -> list[Finding]:
    """That Roboflow's export holds several versions of a picture: one finding, however many pictures."""
    counts = Counter(map(roboflow_source, _ids(images)))
    counts.pop(None, None)
    several = sorted(str(source) for source, count in counts.items() if count > 1)
    if not several:
        return []
    value = f"{len(several):,} of {len(counts):,} pictures, in {counts.total():,} images; the first is {several[0]}"
    return [replace(found("source-augmented", "", value=value), action=action_for("source-augmented", actions))]


def check_looks(images: pa.Table, seen: Seen, actions: Mapping[str, Action]) -> Iterator[Finding]:
    """Odd colours, and images that show nothing."""
    is_there = seen.prints.is_there
    for image_id, number in zip(_ids(images), numbers_of(images), strict=True):
        if number in seen.colours:
            value = seen.colours[number]
            yield about("image-colours", image_id, action_for("image-colours", actions), value=value)
        elif not is_there[number]:
            yield about("image-plain", image_id, action_for("image-plain", actions))


def _ids(images: pa.Table) -> Iterator[str]:
    return _values(images, "image_id")


def _values(images: pa.Table, name: str) -> Iterator[Any]:
    """A column's values, few of them as objects at a time."""
    return (value for batch in images.select([name]).to_batches(_VALUES_AT_ONCE) for value in batch[name].to_pylist())


def check_sizes(images: pa.Table, actions: Mapping[str, Action]) -> Iterator[Finding]:
    """Images whose side (of a square of the same area) or aspect ratio is far from the median."""
    if len(images) < _FEWEST_SIZES:
        return
    width, height = (images[name].to_numpy().astype(float) for name in ("width", "height"))
    for what, values, apart in (
        ("size", np.sqrt(width * height), _SIDES_APART),
        ("aspect ratio", width / height, _ASPECTS_APART),
    ):
        middle = float(np.median(values))
        for row in np.flatnonzero((values > apart * middle) | (values * apart < middle)).tolist():
            value = f"{width[row]:.0f} x {height[row]:.0f} px"
            reason = f"its {what} is {values[row] / middle:.2g} times the median"
            image_id = str(images["image_id"][row])
            yield about("image-size-far", image_id, action_for("image-size-far", actions), value=value, reason=reason)


def check_similar(
    images: pa.Table, seen: Seen, most_bits: int, actions: Mapping[str, Action]
) -> tuple[list[Finding], list[list[Image]]]:
    """A finding for each image that is nearly identical to another before it, as it is or mirrored, turned or cropped,
    and the clusters, each sorted.

    Copies with the same bytes belong to the cluster too. A finding names the nearest twin.
    """
    codes = images["sha256"].combine_chunks().dictionary_encode().indices.to_numpy()
    order, first = np.argsort(codes, kind="stable"), np.unique(codes, return_index=True)[1]
    starts = np.searchsorted(codes[order], np.arange(len(first) + 1))
    numbers = images[NUMBER].to_numpy()[first]
    pairs = find_all_pairs(seen.prints, most_bits, numbers)
    names = images.schema.names
    own = images.select([name for name in names if name != NUMBER])

    def of_content(content: int) -> list[Image]:
        return list(rows_of(own.take(pa.array(order[starts[content] : starts[content + 1]])), Image))

    twins: dict[int, tuple[int, int]] = {}
    for one, other, bits in pairs:
        twins[other] = min(twins.get(other, (bits, one)), (bits, one))
        twins.setdefault(one, (bits, other))
    findings, clusters = [], []
    action = action_for("image-near-duplicate", actions)
    for members in find_clusters(pairs):
        contents = {row: of_content(row) for row in members}
        clusters.append(sorted((image for row in members for image in contents[row]), key=lambda image: image.image_id))
        for row in members:
            bits, twin = twins[row]
            if row != members[0]:
                like = contents[twin][0].image_id
                said = {"value": f"{bits} of {HASH_BITS} bits differ", "reason": f"nearly identical to {like}"}
                findings += [
                    about("image-near-duplicate", image.image_id, action, other=like, **said) for image in contents[row]
                ]
    return sorted(findings, key=lambda finding: finding.file), clusters


def with_groups(images: pa.Table, clusters: Sequence[Sequence[Image]]) -> pa.Table:
    """Each cluster as a group. Where its images have groups of their source, those become one, the first of them."""
    links: Links[str] = Links()
    digests: dict[str, list[str]] = {}
    for cluster in clusters:
        name = cluster_group(image.sha256 for image in cluster)
        digests[name] = [image.image_id for image in cluster]
        for image in cluster:
            links.join(image.group or name, name)
    declared: dict[str, str] = {}
    for together in links.clusters():
        first = min(name for name in together if name not in digests)
        declared |= dict.fromkeys(together, first)
    group_of = {image_id: declared.get(name, name) for name, image_ids in digests.items() for image_id in image_ids}
    groups = [
        group_of.get(image_id, declared.get(group, group) if group else None)
        for image_id, group in zip(_ids(images), _values(images, "group"), strict=True)
    ]
    at = images.schema.get_field_index("group")
    return images.set_column(at, images.schema.field(at), pa.array(groups, pa.string()))


def count_images(manifest: Manifest) -> Counter[str]:
    """Class -> how many images show it."""
    annotations = manifest.annotations
    images = annotations["image_id"].combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    labels = annotations["label"].combine_chunks().dictionary_encode()
    count = len(labels.dictionary)
    shown = np.bincount(np.unique(images * count + labels.indices.to_numpy()) % max(count, 1), minlength=count)
    return Counter(dict(zip(labels.dictionary.to_pylist(), shown.tolist(), strict=True)))


def check_classes(shown: Mapping[str, int], actions: Mapping[str, Action]) -> Iterator[Finding]:
    """Classes that few images show, while many show another; `shown` is as count_images has it."""
    counts = dict(sorted(shown.items()))
    most = max(counts.values(), default=0)
    for label, count in counts.items():
        if count < min(_RARE_IMAGES, _RARE_SHARE * most):
            value = f"on {count} image{'' if count == 1 else 's'}"
            yield Finding("class-rare", action_for("class-rare", actions), label, "", value, f"another is on {most:,}")
