"""The annotations of a COCO file, on disk until those of an image are asked for: the file has them in any order."""

from __future__ import annotations

import json
import os
from array import array
from collections.abc import Iterator, Mapping
from operator import attrgetter

import numpy as np

from shardsmith.dataset.manifest import ANNOTATIONS, Annotation
from shardsmith.dataset.shapes import numbered_names, skeleton_of
from shardsmith.dataset.tables.rows import scratch_file
from shardsmith.formats.coco.content import Category, CocoRow
from shardsmith.formats.coco.values import Id

_cells = attrgetter(*ANNOTATIONS.names)


class Stored:
    """Rows in the order of the file, each with the image and the category that it names."""

    def __init__(self) -> None:
        self._file = scratch_file()
        self._ends = array("Q", [0])
        self._images, self._categories = array("i"), array("i")
        self._image_numbers: dict[Id, int] = {}
        self._category_numbers: dict[Id, int] = {}
        self._with_points: list[int] = []
        self._known: Mapping[Id, Category] = {}

    def __len__(self) -> int:
        return len(self._images)

    def add(self, row: Annotation, position: int, image: Id, category: Id) -> None:
        data = json.dumps((*_cells(row), position)).encode()
        self._file.write(data)
        self._ends.append(self._ends[-1] + len(data))
        self._images.append(self._image_numbers.setdefault(image, len(self._image_numbers)))
        self._categories.append(self._category_numbers.setdefault(category, len(self._category_numbers)))
        if row.keypoints:
            self._with_points.append(len(self._images) - 1)

    def close(self, categories: Mapping[Id, Category]) -> None:
        """All are there; they get the names of their categories."""
        self._file.flush()
        self._known, self._category_ids = categories, list(self._category_numbers)
        images = np.asarray(self._images)
        self._order = np.argsort(images, kind="stable")
        self._starts = np.searchsorted(images[self._order], np.arange(len(self._image_numbers) + 1))

    def image_ids(self) -> Iterator[Id]:
        """Those that rows name, in the order in which they first do."""
        return iter(self._image_numbers)

    def of_image(self, image: Id) -> list[CocoRow]:
        """Its rows whose category is known, as new objects."""
        rows = []
        for number in self._numbers(image):
            category = self._category_ids[self._categories[number]]
            if category in self._known:
                row = self._read(number)
                row.annotation.label = self._known[category].name
                if row.annotation.keypoints:
                    give_skeleton(row.annotation, self._known[category])
                rows.append(row)
        return rows

    def count(self, image: Id) -> int:
        """How many rows `of_image` gives."""
        return sum(self._category_ids[self._categories[number]] in self._known for number in self._numbers(image))

    def all_of_image(self, image: Id) -> Iterator[CocoRow]:
        """Its rows, whatever category they name."""
        return map(self._read, self._numbers(image))

    def without_category(self) -> Iterator[tuple[Id, CocoRow]]:
        """(the image that it names, each row whose category is not known), by images."""
        unknown = [number for number, id_ in enumerate(self._category_ids) if id_ not in self._known]
        image_ids = list(self._image_numbers) if unknown else []
        for number in self._order[np.isin(np.asarray(self._categories)[self._order], unknown)].tolist():
            yield image_ids[self._images[number]], self._read(number)

    def wrong_points(self) -> Iterator[tuple[Id, CocoRow, str]]:
        """(the image that it names, each row whose keypoints are not those that its category names, why), by images."""
        image_ids = list(self._image_numbers) if self._with_points else []
        for number in sorted(self._with_points, key=self._images.__getitem__):
            category = self._known.get(self._category_ids[self._categories[number]])
            row = self._read(number)
            if category and (problem := give_skeleton(row.annotation, category)):
                yield image_ids[self._images[number]], row, problem

    def labels(self, images: Mapping[Id, object]) -> set[str]:
        """The names of the categories of rows whose image is among these."""
        known = np.array([id_ in images for id_ in self._image_numbers], bool)
        used = np.unique(np.asarray(self._categories)[known[np.asarray(self._images)]]) if len(self) else ()
        ids = (self._category_ids[number] for number in used)
        return {self._known[id_].name for id_ in ids if id_ in self._known}

    def _numbers(self, image: Id) -> list[int]:
        place = self._image_numbers.get(image)
        return [] if place is None else self._order[self._starts[place] : self._starts[place + 1]].tolist()

    def _read(self, number: int) -> CocoRow:
        start, end = self._ends[number], self._ends[number + 1]
        *cells, position = json.loads(os.pread(self._file.fileno(), end - start, start))
        return CocoRow(Annotation(*cells), position, self._category_ids[self._categories[number]])


def give_skeleton(row: Annotation, category: Category) -> str:
    """Say of keypoints what they are, by the names that their category gives; why they are left out, or ""."""
    count = len(json.loads(row.keypoints or "[]")) // 3
    if category.points and len(category.points) != count:
        row.keypoints = None
        return f"they are {count} points, its category names {len(category.points)}; they are left out, the box stays"
    names = category.points or numbered_names(count)
    row.skeleton = skeleton_of(names, category.edges).text()
    return ""
