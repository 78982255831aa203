"""What a COCO file says, parsed: images with their annotations, and categories."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shardsmith.dataset.findings import Finding
from shardsmith.dataset.manifest import Annotation
from shardsmith.formats.coco.values import Id
from shardsmith.formats.shapes.placement import Size

if TYPE_CHECKING:
    from shardsmith.formats.coco.rows import Stored


@dataclass(slots=True)
class CocoRow:
    """One annotation, its box as the file has it; position is its place in the list."""

    annotation: Annotation
    position: int
    category: Id

    @property
    def key(self) -> tuple:
        row = self.annotation
        return row.source_key, row.label, row.xmin, row.ymin, row.xmax, row.ymax


@dataclass(slots=True)
class CocoImage:
    """One entry of `images` with its annotations; declared_px is (width, height), None where it says none.

    metadata: what else it says in words and numbers. lost: findings about its annotations that are no rows. notes:
    those about rows, which they cost nothing.
    """

    name: str
    place: str
    declared_px: Size | None = None
    source_id: str | None = None
    tags: list[str] = field(default_factory=list)
    metadata: dict[str, object] = field(default_factory=dict)
    license: Id | None = None
    captions: list[str] = field(default_factory=list)
    lost: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)
    stored: Stored | None = None
    id_: Id | None = None

    @property
    def rows(self) -> list[CocoRow]:
        """Its annotations, as new objects."""
        return [] if self.stored is None or self.id_ is None else self.stored.of_image(self.id_)


@dataclass(slots=True)
class Category:
    """One entry of `categories`; points and edges are those of its keypoints, as the file has them."""

    id_: Id
    name: str
    parent: str
    points: tuple[str, ...] = ()
    edges: tuple[tuple[int, int], ...] = ()


@dataclass
class CocoFile:
    """One file: images and categories in the order of their ids.

    shapes: how many annotations there are. labels: the classes of those whose image is known. is_text: all of them are
    captions. is_joined: one of them at least is of one of the images; else nobody knows what is on these.
    """

    images: list[CocoImage] = field(default_factory=list)
    categories: list[Category] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    not_carried: Counter[str] = field(default_factory=Counter)
    shapes: int = 0
    labels: set[str] = field(default_factory=set)
    is_text: bool = False
    is_joined: bool = True
