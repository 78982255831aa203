"""Copies of one picture that are mirrored, turned by quarters, or cropped by some 10 %: similar.py does not see them.

Three sieves, each finer and for fewer pairs. Of each image at eleven crops, and of each as it is, the 27 lowest
frequencies of its thumbnail (a cosine transform) are compared, first by what mirroring and turning do not change of
them, then with their signs, which say how one is turned. What is left is laid over each other by moving the edges of
the crop in steps of 1/64 of the side; the two are one picture if they correlate there and slopes of brightness go the
same way nearly everywhere.

All is of whole numbers below 2**53 (2**24 for float32), so that a matrix product is exact, whatever its order: every
CPU finds the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Protocol

import numpy as np

SIDE = 32  # of the thumbnails
_CELLS, _STEPS = 16, 64  # cells a side when two are compared, and steps of an edge
_MOST_CUT = 8  # steps off one edge: 12.5 %
# steps off the left and right edge; _STARTS takes each for rows with each for columns, and 5 and 10 % off all four
_CUTS = ((0, 0), (5, 1), (1, 5))
_STARTS = (*product(_CUTS, _CUTS), ((3, 3), (3, 3)), ((6, 6), (6, 6)))
_FREQUENCIES = 6  # those (u, v) with u + v up to it
_UNIT = 127  # length of a vector of features
_LEAST_ALIKE, _LEAST_SIGNED = 0.94, 0.92  # cosines; of 1,400 copies of photographs, 3 had less
_LEAST_CORRELATION = 0.93
_CROPPED = 2.75  # times as many bits may differ as in two that lie as they are
_BITS_OF = 2 * _CELLS * (_CELLS - 1)
_BLOCK = 256
_PICTURES_AT_ONCE, _ROWS_AT_ONCE = 1024, 4096
_NEIGHBOURS = 15_000  # on either side, that an image is compared with: from there on the time grows with the number
_REFINED = 20  # pairs an image, on average, that are laid over each other; the likeliest first

_UV = [(u, v) for u in range(_FREQUENCIES + 1) for v in range(_FREQUENCIES + 1) if 0 < u + v <= _FREQUENCIES]
_TURNED = [_UV.index((v, u)) for u, v in _UV]
_FIRST = [k for k, (u, v) in enumerate(_UV) if u <= v]
# (frequencies, 4) what mirroring left to right (1), top to bottom (2) and both (3) makes of each
_SIGNS = np.array([[(-1) ** (v * (k & 1) + u * (k >> 1)) for k in range(4)] for u, v in _UV], np.float32)


class Pictures(Protocol):
    """(n, SIDE, SIDE) uint8, of which some are taken at a time."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: np.ndarray, /) -> np.ndarray: ...


def find_copies(thumbnails: Pictures, most_bits: int) -> list[tuple[int, int, int]]:
    """(one, other, bits) of pairs that are one picture, one before other: enough to join each cluster.

    Args:
        most_bits: of 256 bits, those that may differ in two that lie as they are. `bits` is of 256 too.
    """
    count = len(thumbnails)
    if count < 2 or most_bits < 1:
        return []
    roots = np.arange(count)
    found: list[tuple[int, int, int]] = []
    left = count * _REFINED
    for pairs in _batches(_candidates(thumbnails)):
        pairs = pairs[roots[pairs[:, 0]] != roots[pairs[:, 1]]][:left]
        left -= len(pairs)
        for (one, other), bits in zip(pairs[:, :2].tolist(), _differing(thumbnails, pairs, most_bits), strict=True):
            if bits >= 0 and roots[one] != roots[other]:
                found.append((min(one, other), max(one, other), int(bits)))
                roots[roots == roots[other]] = roots[one]
    return sorted(found)


def _batches(pairs: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(pairs), _BLOCK):
        yield pairs[start : start + _BLOCK]


def _candidates(thumbnails: Pictures) -> np.ndarray:
    """(m, 4) one, other, the start of one's crop, how other is turned; each pair once, the likeliest first."""
    whole = _features(thumbnails, ((0, 0), (0, 0)))
    order = np.argsort(_unsigned(whole)[:, 0], kind="stable")  # near ones together, where there are too many for all
    whole = whole[order]
    unsigned = _unsigned(whole)
    found = [np.empty((0, 5), np.int32)]
    for start, cut in enumerate(_STARTS):
        cropped = _features(thumbnails, cut)[order]
        of_cropped = _unsigned(cropped)
        for one, other in _alike(of_cropped, unsigned):
            sides = (whole[other], whole[other][:, _TURNED])
            signed = np.hstack([(_exact(cropped[one]) * _exact(side)) @ _SIGNS for side in sides])
            how = signed.argmax(axis=1)
            best = signed[np.arange(len(one)), how]
            keep = best >= _LEAST_SIGNED * _UNIT**2
            columns = (order[one[keep]], order[other[keep]], np.full(keep.sum(), start), how[keep], best[keep])
            found.append(np.stack(columns, axis=1).astype(np.int32))
    pairs = np.concatenate(found)
    ends = np.sort(pairs[:, :2], axis=1)
    pairs = pairs[np.lexsort([pairs[:, 3], pairs[:, 2], pairs[:, 0], ends[:, 1], ends[:, 0], -pairs[:, 4]])]
    ends = np.sort(pairs[:, :2], axis=1).astype(np.int64)
    _, once = np.unique(ends[:, 0] * len(whole) + ends[:, 1], return_index=True)
    return pairs[np.sort(once), :4]


def _alike(ones: np.ndarray, others: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(rows of ones, rows of others) whose features are alike, of neighbours."""
    for first in range(0, len(others), _BLOCK):
        some = _exact(others[first : first + _BLOCK]).T
        end = min(first + _BLOCK + _NEIGHBOURS, len(ones))
        for low in range(max(0, first - _NEIGHBOURS), end, _ROWS_AT_ONCE):
            alike = _exact(ones[low : min(low + _ROWS_AT_ONCE, end)]) @ some
            one, other = np.divmod(np.flatnonzero(alike.ravel() >= _LEAST_ALIKE * _UNIT**2), alike.shape[1])
            one, other = one + low, other + first
            yield one[one != other], other[one != other]


def _exact(features: np.ndarray) -> np.ndarray:
    """As float32, in which their products are whole numbers, too."""
    return features.astype(np.float32)


def _features(thumbnails: Pictures, cut: tuple[tuple[int, int], tuple[int, int]]) -> np.ndarray:
    """(n, 27) int8: the low frequencies of the crop, of length _UNIT."""
    down, across = (_COSINES @ _weights(*edges) for edges in cut)
    rows = []
    for some in np.array_split(np.arange(len(thumbnails)), max(1, len(thumbnails) // _PICTURES_AT_ONCE)):
        grey = thumbnails[some].astype(np.float64) - 128
        low = (down @ grey @ across.T)[:, [u for u, _ in _UV], [v for _, v in _UV]]
        low = np.rint(low / 2**26)
        length = np.sqrt(np.maximum((low * low).sum(axis=1, keepdims=True), 1))
        rows.append(np.rint(low * _UNIT / length).astype(np.int8))
    return np.concatenate(rows)


def _unsigned(features: np.ndarray) -> np.ndarray:
    """What mirroring and quarter turns leave: of each frequency and its transpose the larger and the smaller."""
    one, other = np.abs(features[:, _FIRST]), np.abs(features[:, [_TURNED[k] for k in _FIRST]])
    own = np.array([u == v for u, v in (_UV[k] for k in _FIRST)])
    return np.hstack([np.maximum(one, other), np.minimum(one, other)[:, ~own]])


def _weights(low: int, high: int) -> np.ndarray:
    """(cells, SIDE): how much of each pixel lies in each cell of a side that is cut by so many steps at either end."""
    cell = _STEPS - low - high  # in units of 1 / SIDE of a pixel
    starts = low * _CELLS + cell * np.arange(_CELLS)[:, None]
    pixels = SIDE * np.arange(SIDE)[None]
    overlap = np.minimum(starts + cell, pixels + SIDE) - np.maximum(starts, pixels)
    return np.maximum(overlap, 0).astype(np.float64)


_COSINES = np.array(
    [
        [round(1024 * math.cos(math.pi * (n + 0.5) * k / _CELLS)) for n in range(_CELLS)]
        for k in range(_FREQUENCIES + 1)
    ],
    np.float64,
)
_EDGES = list(product(range(_MOST_CUT + 1), repeat=2))
_ALL_WEIGHTS = np.array([_weights(*edges) for edges in _EDGES])


def _differing(thumbnails: Pictures, pairs: np.ndarray, most_bits: int) -> Sequence[int]:
    """Of each pair, the bits of 256 that differ where the two lie best over each other; -1 where they are not one."""
    one = thumbnails[pairs[:, 0]].astype(np.float64) - 128
    others = zip(thumbnails[pairs[:, 1]], pairs[:, 3].tolist(), strict=True)
    other = np.stack([_turn(picture, how) for picture, how in others] or [one[:0]])
    other = (other.astype(np.float64) - 128).reshape(-1, _CELLS, 2, _CELLS, 2).sum(axis=(2, 4))
    starts = [[_EDGES.index(edges) for edges in _STARTS[start]] for start in pairs[:, 2].tolist()]
    down = np.array(starts, int).reshape(-1, 2)[:, 0]
    for _ in range(2):
        across, _, _ = _best(_ALL_WEIGHTS[down] @ one, other)
        columns = (one @ _ALL_WEIGHTS[across].swapaxes(1, 2)).swapaxes(1, 2)
        down, correlation, laid = _best(columns, other.swapaxes(1, 2))
    other = other.swapaxes(1, 2)
    one, other = (np.hstack([_flat_rows(np.diff(each, axis=axis) > 0) for axis in (1, 2)]) for each in (laid, other))
    bits, set_bits = (one ^ other).sum(axis=1), (one | other).sum(axis=1)
    least = _LEAST_SET * _BITS_OF // 256
    near = bits * 256 * least <= _CROPPED * most_bits * _BITS_OF * np.minimum(set_bits, least)
    return np.where(near & (correlation >= _LEAST_CORRELATION), bits * 256 // _BITS_OF, -1).tolist()


_LEAST_SET = 96  # as for the hash of similar.py, of 256


def _best(rows: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(number of the crop of the rows' length that correlates most, its correlation, the crop itself) for each pair.

    Args:
        rows: (m, cells, SIDE).
        other: (m, cells, cells).
    """
    crops = rows.reshape(-1, SIDE) @ _ALL_WEIGHTS.reshape(-1, SIDE).T
    crops = np.floor(crops.reshape(len(rows), _CELLS, -1, _CELLS).swapaxes(1, 2) / 64)
    flat, own = crops.reshape(*crops.shape[:2], -1), _flat_rows(other)
    size = flat.shape[2]
    sums, total = flat.sum(axis=2), own.sum(axis=1, keepdims=True)
    shared = size * np.einsum("mwk,mk->mw", flat, own) - sums * total
    spread = size * np.einsum("mwk,mwk->mw", flat, flat) - sums * sums
    spread_of_other = size * (own * own).sum(axis=1, keepdims=True) - total * total
    correlation = shared / np.sqrt(np.maximum(spread, 1)) / np.sqrt(np.maximum(spread_of_other, 1))
    best = correlation.argmax(axis=1)
    each = np.arange(len(best))
    return best, correlation[each, best], crops[each, best]


def _flat_rows(values: np.ndarray) -> np.ndarray:
    return values.reshape(len(values), -1)


def _turn(pixels: np.ndarray, how: int) -> np.ndarray:
    """Turned over its diagonal (4), then mirrored top to bottom (2) and left to right (1)."""
    pixels = pixels.T if how & 4 else pixels
    return pixels[:: -1 if how & 2 else 1, :: -1 if how & 1 else 1]
