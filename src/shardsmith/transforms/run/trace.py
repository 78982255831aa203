"""The rows that each image and box of a transforming stage is made from, noted as they pass; for the ledger."""

from __future__ import annotations

from array import array
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from operator import attrgetter

import numpy as np
import pyarrow as pa

from shardsmith.dataset.manifest import ANNOTATIONS, Annotation, Image, Manifest
from shardsmith.ledger.balance import Input, Traced
from shardsmith.ledger.fates import unbalanced
from shardsmith.transforms.scene import Planned

Rows = tuple[Image, list[Annotation]]
_BATCH = 1024
_columns = attrgetter(*ANNOTATIONS.names)


@dataclass(slots=True)
class _Numbered(Annotation):
    """An annotation that knows its row, through every `replace`."""

    row: int = -1


class Trace:
    """Sees every image three times: as it enters, as it is planned, and as it is made."""

    def __init__(self, stage: str, before: Manifest) -> None:
        self.stage, self._before = stage, before
        self._pending: deque[Planned] = deque()
        self._ids: list[str] = []
        self._parts: list[pa.Array] = []
        self._parents, self._counts, self._rows = array("q"), array("q"), array("q")
        self._lost: Counter[tuple[str, str, str]] = Counter()
        self._passed_over: set[tuple[str, str]] = set()

    @cached_property
    def _entered(self) -> Input:
        return Input(self.stage, self._before)

    @cached_property
    def _image_rows(self) -> dict[str, int]:
        return {image_id: row for row, image_id in enumerate(self._entered.ids.to_pylist())}

    @cached_property
    def _planned(self) -> np.ndarray:
        return np.zeros(self._before.annotation_count, bool)

    def entering(self, images: Iterable[Planned]) -> Iterator[Planned]:
        """With annotations that know their rows."""
        for one in images:
            first = int(self._entered.first[self._image_rows[one.image.image_id]])
            numbered: list[Annotation] = [
                _Numbered(*_columns(row), first + place)  # type: ignore[call-arg]  # columns are all but the last
                for place, row in enumerate(one.annotations)
            ]
            yield replace(one, annotations=numbered)

    def planned(self, images: Iterable[Planned]) -> Iterator[Planned]:
        for one in images:
            self._pending.append(one)
            yield one

    def made(self, rows: Iterable[Rows]) -> Iterator[Rows]:
        """
        Raises:
            StageError: an image is made that was not planned, or not in this order, or a box that was not to be on it.
        """
        for image, boxes in rows:
            while self._pending and self._pending[0].image.image_id != image.image_id:
                self._pass_over(self._pending.popleft())
            if not self._pending:
                raise unbalanced(self.stage, f"image {image.image_id}", "was made, and not planned next")
            self._note(self._pending.popleft(), image, boxes)
            yield image, boxes
        while self._pending:
            self._pass_over(self._pending.popleft())

    def _pass_over(self, one: Planned) -> None:
        self._passed_over.add((one.source_id, one.image.image_id))

    def _note(self, one: Planned, image: Image, made: list[Annotation]) -> None:
        # an image of one pixel in width or height has no quarters: no mosaic is made of it
        joins = min(side or 0 for side in (one.image.width, one.image.height, image.width, image.height)) > 1
        partners = [annotation for _, others in one.partners for annotation in others] if joins else []
        wanted = [*one.annotations, *partners]
        keys = {_row(one_): (one_.source_image or one.source_id, one_.source_key or "") for one_ in wanted}
        rows = [_row(annotation) for annotation in made]
        lost = Counter(map(_row, wanted))
        lost.subtract(rows)
        for row, count in lost.items():
            if count < 0:
                raise unbalanced(self.stage, f"a box of image {one.image.image_id}", "was made, and not planned")
            if count:
                self._lost[(*keys[row], one.image.image_id)] += count
        self._planned[list(keys)] = True
        self._ids.append(one.image.image_id)
        self._parents.append(self._image_rows[(one.made_from or one.image).image_id])
        self._counts.append(len(rows))
        self._rows.extend(rows)
        if len(self._ids) == _BATCH:
            self._pack()

    def _pack(self) -> None:
        self._parts.append(pa.array(self._ids, pa.string()))
        self._ids = []

    def result(self) -> Traced:
        """Once every image is made."""
        self._pack()
        parents, counts, rows = (np.array(column, np.int64) for column in (self._parents, self._counts, self._rows))
        ids = pa.concat_arrays(self._parts)
        return Traced(ids, parents, counts, rows, self._planned, self._lost, self._passed_over)


def _row(annotation: Annotation) -> int:
    assert isinstance(annotation, _Numbered)
    return annotation.row
