"""Search among the images of a dataset: by name, class, split, tag, finding, size and what a person has decided."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from shardsmith.dataset.findings import Finding, count_codes
from shardsmith.dataset.manifest import SPLITS, Annotation, Image, Manifest
from shardsmith.pipeline.splits.decisions import Decisions

Item = TypeVar("Item")
NO_SPLIT = "none"
STATES = ("annotated", "empty", "unlabelled", "excluded", "decided")


@dataclass(frozen=True)
class Query:
    """What an image must be, all of it; an empty value asks for nothing.

    text: part of its image_id, in any case. split: one of SPLITS, or NO_SPLIT. finding: a code. state: one of STATES.
    least, most: of its longer side, in pixels; 0 for no bound.
    """

    text: str = ""
    label: str = ""
    split: str = ""
    tag: str = ""
    finding: str = ""
    state: str = ""
    least: int = 0
    most: int = 0


@dataclass(frozen=True)
class Choices:
    """What can be asked for, each with how many images it would find."""

    labels: dict[str, int]
    splits: dict[str, int]
    tags: dict[str, int]
    findings: dict[str, int]


class Searchable:
    """The tables of a dataset, ready to be searched again and again."""

    def __init__(self, manifest: Manifest, findings: Iterable[Finding]) -> None:
        self.images, self.annotations = manifest.images.combine_chunks(), manifest.annotations.combine_chunks()
        self.findings: dict[str, list[Finding]] = defaultdict(list)
        for finding in findings:
            for image_id in dict.fromkeys((finding.image_id, finding.other, finding.made)):
                self.findings[image_id].append(finding)
        self.findings.pop("", None)
        self._ids = self.images["image_id"]
        self._lower = pc.utf8_lower(self._ids)
        self._side = pc.max_element_wise(self.images["width"], self.images["height"])
        self._tagged: dict[str, set[str]] = defaultdict(set)
        for image_id, tags in zip(self._ids.to_pylist(), self.images["tags"].to_pylist(), strict=True):
            for tag in tags or ():
                self._tagged[tag].add(image_id)

    def find(self, query: Query, decisions: Decisions) -> list[int]:
        """The rows of the images, in their order."""
        wanted = [pc.is_valid(self._ids)]
        if query.text:
            wanted.append(pc.match_substring(self._lower, query.text.lower()))
        if query.label:
            of_label = pc.equal(self.annotations["label"], query.label)
            wanted.append(self._among(self.annotations["image_id"].filter(of_label)))
        if query.split:
            split = pc.fill_null(self.images["split"], NO_SPLIT)
            wanted.append(pc.equal(split, query.split))
        if query.tag:
            decided = {image_id for image_id, tags in decisions.tags.items() if query.tag in tags}
            wanted.append(self._among(self._tagged.get(query.tag, set()) | decided))
        if query.finding:
            of_code = (name for name, found in self.findings.items() if any(one.code == query.finding for one in found))
            wanted.append(self._among(of_code))
        if query.state:
            wanted.append(self._in_state(query.state, decisions))
        if query.least:
            wanted.append(pc.fill_null(pc.greater_equal(self._side, query.least), False))
        if query.most:
            wanted.append(pc.fill_null(pc.less_equal(self._side, query.most), False))
        mask = wanted[0]
        for other in wanted[1:]:
            mask = pc.and_(mask, other)
        return pc.indices_nonzero(mask).to_pylist()

    def rows(self, numbers: Sequence[int]) -> list[tuple[Image, list[Annotation]]]:
        """Images by their rows, in ascending order, each with its annotations."""
        images = self.images.take(pa.array(numbers, pa.int64()))
        own = self.annotations.filter(pc.is_in(self.annotations["image_id"], images["image_id"].combine_chunks()))
        return list(Manifest(images, own).pairs())

    def ids(self, numbers: Sequence[int]) -> list[str]:
        """The image_id of each row."""
        return self._ids.take(pa.array(numbers, pa.int64())).to_pylist()

    def row_of(self, image_id: str) -> int | None:
        """The image's row; None where there is no such image."""
        number = pc.index(self._ids, image_id).as_py()
        return number if number >= 0 else None

    def choices(self, decisions: Decisions) -> Choices:
        """Each in its usual order; classes and tags by their names."""
        pairs = pa.table([self.annotations[name] for name in ("image_id", "label")], ["image_id", "label"])
        labels = Counter(pairs.group_by(["image_id", "label"]).aggregate([])["label"].to_pylist())
        splits = Counter(pc.fill_null(self.images["split"], NO_SPLIT).to_pylist())
        tagged = {tag: set(images) for tag, images in self._tagged.items()}
        for image_id, tags in decisions.tags.items():
            for tag in tags:
                tagged.setdefault(tag, set()).add(image_id)
        codes = Counter(code for found in self.findings.values() for code in {one.code for one in found})
        order = count_codes(one for found in self.findings.values() for one in found)
        return Choices(
            dict(sorted(labels.items())),
            {split: splits[split] for split in (*SPLITS, NO_SPLIT) if splits[split]},
            {tag: len(images) for tag, images in sorted(tagged.items())},
            {code: codes[code] for code in order},
        )

    def _in_state(self, state: str, decisions: Decisions) -> pa.Array:
        if state == "excluded":
            return self._among(decisions.excluded)
        if state == "decided":
            return self._among(decisions.places)
        if state == "unlabelled":
            return pc.invert(pc.or_(self.images["annotated"], pc.is_valid(self.images["captions"])))
        has_some = self._among(self.annotations["image_id"])
        return has_some if state == "annotated" else pc.and_(pc.invert(has_some), self.images["annotated"])

    def _among(self, image_ids: Iterable[str] | pa.ChunkedArray) -> pa.Array:
        if not isinstance(image_ids, pa.ChunkedArray):
            image_ids = pa.array(list(image_ids), pa.string())
        return pc.is_in(self._ids, image_ids)


def evenly(items: Sequence[Item], wanted: int, turn: int = 0) -> list[Item]:
    """At most so many, spread over all; another turn chooses others."""
    wanted = min(wanted, len(items))
    return [items[(number * len(items) // wanted + turn) % len(items)] for number in range(wanted)]
