"""How operations are carried out, and the digest that changes with anything their result depends on."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from shardsmith.transforms.base import Operation, Sample
from shardsmith.transforms.catalogue import perform
from shardsmith.transforms.geometry.objects import Objects

TOO_SMALL = "size"


@dataclass(frozen=True)
class Transformed:
    """
    moved: whether the geometry differs from the source's.
    done: operation -> 1 for each that changed something.
    cut: operation -> of how many objects it left less to be seen.
    lost: row -> the operation that left too little of the object, or TOO_SMALL.
    """

    sample: Sample
    moved: bool
    done: Counter[str]
    cut: Counter[str]
    lost: dict[int, str]


@dataclass(frozen=True)
class Recipe:
    """
    min_visibility: an object of which a smaller share of its area is left is lost.
    min_size_px: an object with a shorter side than this, after geometry changed, is lost.
    code: a digest of the code that carries it out, and of the libraries it runs through.
    """

    min_visibility: float
    min_size_px: float
    code: str = ""

    def carry_out(self, sample: Sample, operations: Sequence[Operation]) -> Transformed:
        done: Counter[str] = Counter()
        cut: Counter[str] = Counter()
        lost: dict[int, str] = {}
        moved = False
        for operation in operations:
            name, before = operation[0], sample
            sample = perform(sample, [operation])
            done[name] |= sample.pixels is not before.pixels
            if sample.objects is before.objects:
                continue
            moved = True
            enough = self.visible_enough(sample.objects)
            brought = range(before.objects.total, sample.objects.total)
            gone = {*before.objects.rows.tolist(), *brought} - set(enough.rows.tolist())
            lost |= dict.fromkeys(gone, name)
            seen_before = dict(zip(before.objects.rows.tolist(), before.objects.visible.tolist(), strict=True))
            after = zip(enough.rows.tolist(), enough.visible.tolist(), strict=True)
            cut[name] += sum(visible < seen_before.get(row, 1) for row, visible in after)
            sample = replace(sample, objects=enough)
        if moved:
            large = self.large_enough(sample.objects)
            lost |= dict.fromkeys(set(sample.objects.rows.tolist()) - set(large.rows.tolist()), TOO_SMALL)
            sample = replace(sample, objects=large)
        return Transformed(sample, moved, done, cut, lost)

    def visible_enough(self, objects: Objects) -> Objects:
        return objects.only(objects.visible >= self.min_visibility)

    def large_enough(self, objects: Objects) -> Objects:
        boxes = objects.boxes()
        return objects.only((boxes[:, 2:] - boxes[:, :2]).min(axis=1, initial=np.inf) >= self.min_size_px)

    def digest(self, *parts: object) -> str:
        """32 hex digits: of `parts` (JSON values), the rules, and the code that runs."""
        return hashlib.sha256(_json([self._digest, parts])).hexdigest()[:32]

    @cached_property
    def _digest(self) -> str:
        return hashlib.sha256(_json([self.min_visibility, self.min_size_px, self.code])).hexdigest()


def prepare_process() -> None:
    """Make OpenCV's results independent of the CPU; call it once in each process before any operation.

    Its optimised and IPP code rounds differently with and without AVX2. Its own threads only take CPU from the other
    processes.
    """
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    import cv2

    cv2.setNumThreads(0)
    cv2.setUseOptimized(False)
    cv2.ipp.setUseIPP(False)


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False).encode()
