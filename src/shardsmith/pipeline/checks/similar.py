"""Near-identical images: the same picture saved again, resized, brightened or written on.

Each image has a fingerprint: the difference hash of 16 x 16 bits (as ImageHash has it; 4 to 30 bits change when a
picture is saved again or resized, some 80 or more lie between different photographs) and a thumbnail of 32 x 32 grey
pixels, compared at 16 x 16; copies.py looks at it for mirrored, turned and cropped copies. Two are near-identical when
few enough bits differ and the thumbnails agree. The hash is of whole numbers only, so every machine finds the same.

A bit is set where brightness falls from left to right. Of things on white or black few are set, and those of two
different things differ in few too: there as many fewer may differ as are set (of 60 different products on white, 5
pairs were taken for one picture without that).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from shardsmith.pipeline.checks.copies import SIDE, find_copies
from shardsmith.pipeline.checks.prints import HASH_BYTES, Chosen, Fingerprints
from shardsmith.pipeline.splits.links import Links

_SIDE = 16
HASH_BITS = 8 * HASH_BYTES
_LEAST_CONTRAST = 4.0  # standard deviation of the thumbnail, in grey levels; below it the hash is of noise
_LEAST_SET = 96  # bits that a photograph and its twin set between them, at least; 110 to 160 are usual
_MOST_APART = 0.1  # 1 - the correlation of two thumbnails
_WINDOW = 128  # neighbours that an image is compared with where many share a band
_PAIRS_AT_ONCE = 4096

Pair = tuple[int, int, int]


def fingerprint(grey: np.ndarray, box: tuple[float, float, float, float] | None = None) -> bytes:
    """The hash, then the thumbnail; b"" for an image too plain to be told from others.

    Args:
        grey: (height, width) uint8.
        box: the part of it that the image takes up, xmin ymin xmax ymax; all by default.
    """
    image = Image.fromarray(grey)
    thumbnail = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX, box))
    small = _halved(thumbnail[None])
    if _covariance(small, small)[0] < (_LEAST_CONTRAST * small.size) ** 2:
        return b""
    wide = np.asarray(image.resize((_SIDE + 1, _SIDE), Image.Resampling.LANCZOS, box))
    return np.packbits(wide[:, 1:] > wide[:, :-1]).tobytes() + thumbnail.tobytes()


def find_all_pairs(prints: Fingerprints, most_bits: int, among: np.ndarray | None = None) -> list[Pair]:
    """As `find_pairs`, with mirrored, turned and cropped copies: of each cluster, its first image is looked at.

    Args:
        among: (n,) whose fingerprints are looked at; a pair names them by their places there. All by default.
    """
    among = np.arange(len(prints)) if among is None else among
    pairs = find_pairs(prints, most_bits, among)
    looked_at = prints.is_there[among]
    looked_at[[row for cluster in find_clusters(pairs) for row in cluster[1:]]] = False
    rows = np.flatnonzero(looked_at)
    copies = find_copies(Chosen(prints.thumbnails, among[rows]), most_bits)
    return sorted([*pairs, *((int(rows[one]), int(rows[other]), bits) for one, other, bits in copies)])


def find_pairs(prints: Fingerprints, most_bits: int, among: np.ndarray | None = None) -> list[Pair]:
    """(one, other, bits that differ) of near-identical images, one before other: enough pairs to join each cluster.

    Two hashes that differ in fewer than 16 bits agree in one of their 16 bands of 16 bits, and those of a few more
    nearly always; only images that agree in a band are compared. Where many do (flat skies), sorting brings the
    likeliest together, and each is compared with its next 128. What is joined is not compared again. So the time
    grows with the number of images, not with its square.

    Args:
        prints: as `fingerprint` gives them; one that is empty matches nothing.
        most_bits: how many may differ; fewer where a hash has few bits set.
        among: as for find_all_pairs.
    """
    among = np.arange(len(prints)) if among is None else among
    rows = np.flatnonzero(prints.is_there[among])
    if len(rows) < 2 or most_bits < 1:
        return []
    hashes = prints.hashes[among[rows]]
    bands, words = hashes.view(np.uint16), hashes.view(np.uint64)
    thumbnails = Chosen(prints.thumbnails, among[rows])
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
            agree = _agree(thumbnails, one, other)
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


def _halved(thumbnails: np.ndarray) -> np.ndarray:
    """(n, 256) uint8, from (n, SIDE, SIDE): the mean of each four pixels."""
    fours = thumbnails.reshape(-1, _SIDE, 2, _SIDE, 2).sum(axis=(2, 4), dtype=np.uint16)
    return ((fours + 2) // 4).astype(np.uint8).reshape(len(thumbnails), -1)


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


def _agree(thumbnails: Chosen, ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(n,) bool: the thumbnails of two rows are of one picture."""
    agree = np.zeros(len(ones), bool)
    for start in range(0, len(ones), _PAIRS_AT_ONCE):
        some = slice(start, start + _PAIRS_AT_ONCE)
        agree[some] = _apart(*(_halved(thumbnails[rows[some]]) for rows in (ones, others))) <= _MOST_APART
    return agree


def _apart(ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(n,) 1 - the correlation: 0 for one picture at any brightness and contrast, about 1 for unrelated ones."""
    return 1 - _covariance(ones, others) / np.sqrt(_covariance(ones, ones) * _covariance(others, others))


def _covariance(ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(n,) times the square of the number of pixels; summed in whole numbers, so that no CPU rounds otherwise."""
    one, other = ones.astype(np.int64), others.astype(np.int64)
    products = one.shape[1] * (one * other).sum(axis=1) - one.sum(axis=1) * other.sum(axis=1)
    return products.astype(np.float64)
