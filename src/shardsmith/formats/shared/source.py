"""What a reader returns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from shardsmith.dataset.findings import Finding
from shardsmith.dataset.manifest import Annotation
from shardsmith.dataset.tables.packed import PackedRows


@dataclass(slots=True)
class ImageEntry:
    """What the source says of one image: it is annotated, even where it has no box.

    implied: a negative only because nothing is said of it, as Ultralytics has it; another format may know better.
    captions: texts about the whole image. captions_alone: nobody looked for boxes or classes on it.
    """

    split: str | None = None
    tags: list[str] = field(default_factory=list)
    metadata: dict[str, object] = field(default_factory=dict)
    group: str | None = None
    source_id: str | None = None
    implied: bool = False
    captions: list[str] = field(default_factory=list)
    captions_alone: bool = False

    def add(self, tags: Iterable[str], metadata: Mapping[str, object]) -> None:
        """What another file says of the image; what was said first counts."""
        self.tags += [tag for tag in tags if tag not in self.tags]
        self.metadata = {**metadata, **self.metadata}


@dataclass
class Source:
    """What a reader found: entries by image_id, annotations in the source's order, class names in its order.

    `classes` is empty where the source declares none; the label map then takes them sorted. `ids` are those of the
    source's own label map; each is kept where it is free.

    An image that somebody looked at has an entry, also where nothing could be read of it. Each annotation in the source
    comes out as a row of `annotations` (with `source_key`, where the source gives it an id), or as a finding that drops
    it and has `image_id`: so an image that lost all of them is not taken for a negative. A caption stands in an entry,
    or is such a finding. `shapes` counts both as they stand in the source; None where the reader does not count.
    `facts` are about the whole dataset: its licence, its description. `omitted`: what ingest.classes leaves out, later.
    Where a reader has put `annotations` down (`packed` says so), who takes a row of it gets a copy.
    """

    entries: dict[str, ImageEntry] = field(default_factory=dict)
    annotations: list[Annotation] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    ids: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    shapes: int | None = None
    omitted: list[Annotation] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def packed(self) -> PackedRows | None:
        rows: object = self.annotations
        return rows if isinstance(rows, PackedRows) else None

    def captions(self) -> dict[str, list[str]]:
        return {image_id: list(entry.captions) for image_id, entry in self.entries.items() if entry.captions}
