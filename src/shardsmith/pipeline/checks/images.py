"""The checks of images beside each other: odd colours, odd sizes, near-identical ones, classes that few show."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from shardsmith.dataset.codes import Action
from shardsmith.dataset.errors import StageError
from shardsmith.dataset.findings import Finding, about, action_for, found
from shardsmith.dataset.images import glance, probe
from shardsmith.dataset.manifest import Image, Manifest
from shardsmith.pipeline.checks.similar import HASH_BITS, find_all_pairs, find_clusters, fingerprint
from shardsmith.pipeline.splits.links import Links, cluster_group, roboflow_source

_FEWEST_SIZES = 10  # with fewer images there is no usual size
_SIDES_APART, _ASPECTS_APART = 4.0, 3.0  # times the median, or less than its inverse
_RARE_IMAGES, _RARE_SHARE = 20, 0.1


@dataclass(frozen=True, slots=True)
class Decoded:
    """What decoding an image told: why it does not decode, odd colours, its fingerprint (see similar.py), and a hash
    of its pixels (see hash_pixels).
    """

    error: str = ""
    colours: str = ""
    fingerprint: bytes = b""
    pixels: str = ""


def look(item: tuple[str, str | None, int, tuple[int, int]]) -> Decoded:
    """Decode the image at (path, format, orientation, displayed size), once for every check.

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


def with_pixels(manifest: Manifest, seen: Mapping[str, Decoded]) -> Manifest:
    """The column `pixels` filled. `seen` is by image_id."""
    images = manifest.images
    at = images.schema.get_field_index("pixels")
    column = pa.array([seen[image_id].pixels or None for image_id in images["image_id"].to_pylist()], pa.string())
    return Manifest(images.set_column(at, images.schema.field(at), column), manifest.annotations)


def check_sources(manifest: Manifest, actions: Mapping[str, Action]) -> list[Finding]:
    """That Roboflow's export holds several versions of a picture: one finding, however many pictures."""
    counts = Counter(map(roboflow_source, manifest.images["image_id"].to_pylist()))
    counts.pop(None, None)
    several = sorted(str(source) for source, count in counts.items() if count > 1)
    if not several:
        return []
    value = f"{len(several):,} of {len(counts):,} pictures, in {counts.total():,} images; the first is {several[0]}"
    return [replace(found("source-augmented", "", value=value), action=action_for("source-augmented", actions))]


def check_looks(manifest: Manifest, seen: Mapping[str, Decoded], actions: Mapping[str, Action]) -> Iterator[Finding]:
    """Odd colours, and images that show nothing. `seen` is by image_id."""
    for image_id in manifest.images["image_id"].to_pylist():
        if colours := seen[image_id].colours:
            yield about("image-colours", image_id, action_for("image-colours", actions), value=colours)
        elif not seen[image_id].fingerprint:
            yield about("image-plain", image_id, action_for("image-plain", actions))


def check_sizes(manifest: Manifest, actions: Mapping[str, Action]) -> Iterator[Finding]:
    """Images whose side (of a square of the same area) or aspect ratio is far from the median."""
    images = manifest.images
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
    manifest: Manifest, seen: Mapping[str, Decoded], most_bits: int, actions: Mapping[str, Action]
) -> tuple[list[Finding], list[list[Image]]]:
    """A finding for each image that is nearly identical to another before it, as it is or mirrored, turned or cropped,
    and the clusters, each sorted.

    Copies with the same bytes belong to the cluster too. A finding names the nearest twin.
    """
    by_content: dict[str, list[Image]] = defaultdict(list)
    for image in manifest.image_rows():
        by_content[image.sha256].append(image)
    contents = list(by_content.values())
    pairs = find_all_pairs([seen[same[0].image_id].fingerprint for same in contents], most_bits)
    twins: dict[int, tuple[int, int]] = {}
    for one, other, bits in pairs:
        twins[other] = min(twins.get(other, (bits, one)), (bits, one))
        twins.setdefault(one, (bits, other))
    findings, clusters = [], []
    action = action_for("image-near-duplicate", actions)
    for members in find_clusters(pairs):
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


def with_groups(manifest: Manifest, clusters: Sequence[Sequence[Image]]) -> Manifest:
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
    images = manifest.images
    groups = [
        group_of.get(image_id, declared.get(group, group) if group else None)
        for image_id, group in zip(images["image_id"].to_pylist(), images["group"].to_pylist(), strict=True)
    ]
    at = images.schema.get_field_index("group")
    return Manifest(images.set_column(at, images.schema.field(at), pa.array(groups, pa.string())), manifest.annotations)


def check_classes(manifest: Manifest, actions: Mapping[str, Action]) -> Iterator[Finding]:
    """Classes that few images show, while many show another."""
    table = manifest.annotations
    shown: dict[str, set[str]] = defaultdict(set)
    for label, image_id in zip(table["label"].to_pylist(), table["image_id"].to_pylist(), strict=True):
        shown[label].add(image_id)
    counts = {label: len(image_ids) for label, image_ids in sorted(shown.items())}
    most = max(counts.values(), default=0)
    for label, count in counts.items():
        if count < min(_RARE_IMAGES, _RARE_SHARE * most):
            value = f"on {count} image{'' if count == 1 else 's'}"
            yield Finding("class-rare", action_for("class-rare", actions), label, "", value, f"another is on {most:,}")
