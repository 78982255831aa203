"""Near-identical images: the same picture saved again, resized, brightened or written on.

Each image has a fingerprint: the difference hash of 16 x 16 bits (as ImageHash has it; 4 to 30 bits change when a
picture is saved again or resized, some 80 or more lie between different photographs) and a thumbnail of 16 x 16 grey
pixels. Two images are near-identical when few enough bits differ and the thumbnails agree. The hash is of whole numbers
only, so every machine finds the same.

A bit is set where brightness falls from left to right. Of things on white or black few are set, and those of two
different things differ in few too: there as many fewer may differ as are set (of 60 different products on white, 5
pairs were taken for one picture without that).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from shardsmith.pipeline.splits.links import Links

_SIDE = 16
HASH_BITS = _SIDE * _SIDE
_HASH_BYTES = HASH_BITS // 8
_LEAST_CONTRAST = 4.0  # standard deviation of the thumbnail, in grey levels; below it the hash is of noise
_LEAST_SET = 96  # bits that a photograph and its twin set between them, at least; 110 to 160 are usual
_MOST_APART = 0.1  # 1 - the correlation of two thumbnails
_WINDOW = 128  # neighbours that an image is compared with where many share a band

Pair = tuple[int, int, int]


def fingerprint(grey: np.ndarray) -> bytes:
    """Of (height, width) uint8: the hash, then the thumbnail; b"" for an image too plain to be told from others."""
    image = Image.fromarray(grey)
    small = np.asarray(image.resize((_SIDE, _SIDE), Image.Resampling.BOX)).reshape(1, -1)
    if _covariance(small, small)[0] < (_LEAST_CONTRAST * small.size) ** 2:
        return b""
    wide = np.asarray(image.resize((_SIDE + 1, _SIDE), Image.Resampling.LANCZOS))
    return np.packbits(wide[:, 1:] > wide[:, :-1]).tobytes() + small.tobytes()


def find_pairs(fingerprints: Sequence[bytes], most_bits: int) -> list[Pair]:
    """(one, other, bits that differ) of near-identical images, one before other: enough pairs to join each cluster.

    Two hashes that differ in fewer than 16 bits agree in one of their 16 bands of 16 bits, and those of a few more
    nearly always; only images that agree in a band are compared. Where many do (flat skies), sorting brings the
    likeliest together, and each is compared with its next 128. What is joined is not compared again. So the time
    grows with the number of images, not with its square.

    Args:
        fingerprints: as `fingerprint` gives them; one that is empty matches nothing.
        most_bits: how many may differ; fewer where a hash has few bits set.
    """
    rows = np.array([row for row, print_ in enumerate(fingerprints) if print_], int)
    if len(rows) < 2 or most_bits < 1:
        return []
    packed = np.frombuffer(b"".join(fingerprints[row] for row in rows), np.uint8).reshape(len(rows), -1)
    hashes = np.ascontiguousarray(packed[:, :_HASH_BYTES])
    bands, words = hashes.view(np.uint16), hashes.view(np.uint64)
    thumbnails = packed[:, _HASH_BYTES:]
    joined = np.arange(len(rows))
    found: list[Pair] = []
    for band in bands.T:
        order = np.lexsort([*words.T, band])
        for step in range(1, min(_WINDOW, len(order) - 1) + 1):
            same = band[order[step:]] == band[order[:-step]]
            if not same.any():
                break
            same &= joined[order[step:]] != joined[order[:-step]]
            one, other = order[:-step][same], order[step:][same]
            bits = np.bitwise_count(words[one] ^ words[other]).sum(axis=1)
            set_bits = np.bitwise_count(words[one] | words[other]).sum(axis=1)
            near = bits * _LEAST_SET <= most_bits * np.minimum(set_bits, _LEAST_SET)
            one, other, bits = one[near], other[near], bits[near]
            agree = _apart(thumbnails[one], thumbnails[other]) <= _MOST_APART
            one, other, bits = one[agree], other[agree], bits[agree]
            joined = _join(joined, one, other)
            ends = np.sort([rows[one], rows[other]], axis=0)
            found += zip(*ends.tolist(), bits.tolist(), strict=True)
    return sorted(found)


def find_clusters(pairs: Sequence[Pair]) -> list[list[int]]:
    """The images that pairs join, directly or through others, each cluster sorted."""
    links: Links[int] = Links()
    for one, other, _ in pairs:
        links.join(one, other)
    return sorted(sorted(together) for together in links.clusters())


def _join(roots: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(n,) the first member of each one's cluster, once the rows of `one` and `other` are joined."""
    roots = roots.copy()
    while (roots[one] != roots[other]).any():
        lower = np.minimum(roots[one], roots[other])
        for ends in (roots[one], roots[other]):
            np.minimum.at(roots, ends, lower)
        while (roots[roots] != roots).any():
            roots = roots[roots]
    return roots


def _apart(ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(n,) 1 - the correlation: 0 for one picture at any brightness and contrast, about 1 for unrelated ones."""
    return 1 - _covariance(ones, others) / np.sqrt(_covariance(ones, ones) * _covariance(others, others))


def _covariance(ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(n,) times the square of the number of pixels; summed in whole numbers, so that no CPU rounds otherwise."""
    one, other = ones.astype(np.int64), others.astype(np.int64)
    products = one.shape[1] * (one * other).sum(axis=1) - one.sum(axis=1) * other.sum(axis=1)
    return products.astype(np.float64)
