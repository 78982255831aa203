"""What a source says of one image, taken in an annotation at a time: each becomes a row or a finding that drops it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.images import ImageInfo
from shardsmith.dataset.manifest import Annotation
from shardsmith.dataset.shapes import OutlineError
from shardsmith.formats.shapes.named_points import Named, Place
from shardsmith.formats.shapes.outlines import NotCarriedError
from shardsmith.formats.shapes.placement import Size, corners, on_displayed, outline_on_displayed
from shardsmith.formats.shared.raw_folder import SHOWN, ImageEntry, RawFolder, Source


@dataclass
class Sheet:
    """One image's annotations; their image_id is filled in when they are placed.

    declared_px: (width, height) as the source declares them; None or zeros where it does not.
    shapes: how many annotations the source has for the image.
    points: (row, its keypoints by name).
    """

    file: str
    place: str = ""
    declared_px: Size | None = None
    rows: list[Annotation] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    shapes: int = 0
    points: list[tuple[Annotation, dict[str, Place]]] = field(default_factory=list)

    def take(self, place: str, make: Callable[[], Annotation], key: str = "") -> None:
        """One annotation, as `make` makes it; what cannot be read or carried becomes a finding.

        Args:
            place: where it stands in the file.
            key: the source's own id of it.
        """
        self.shapes += 1
        try:
            row = make()
        except NotCarriedError as error:
            self.findings.append(found("shape-not-carried", self.file, place, str(error)[:SHOWN], source_key=key))
        except (ValueError, OverflowError) as error:
            reason = f"it cannot be read: {str(error)[:SHOWN]}"
            self.findings.append(found("annotation-unreadable", self.file, place, reason=reason, source_key=key))
        else:
            row.source_key = key or None
            self.rows.append(row)

    def note(self, code: str, place: str = "", value: object = "", reason: str = "") -> None:
        """A finding about the image or one of its annotations, with its code's default action."""
        self.findings.append(found(code, self.file, place, value, reason))

    def lose_all(self, reason: str, place: str = "") -> None:
        """The annotations cannot be found or read, however many they are: they count as one."""
        self.shapes += 1
        self.note("annotation-unreadable", place or self.place, reason=reason)


def put(sheet: Sheet, image_id: str, folder: RawFolder, source: Source, entry: ImageEntry) -> None:
    """A sheet's annotations on its image, as rows of the source."""
    known = source.entries.setdefault(image_id, entry)
    known.add(entry.tags, entry.metadata)
    info = folder.images[image_id]
    boxed = [row for row in sheet.rows if row.xmin is not None]
    where = sheet.file if not sheet.place else f"{sheet.file}, {sheet.place}"
    boxes, findings = on_displayed([corners(row) for row in boxed], info, sheet.declared_px, where)
    for row, box in zip(boxed, boxes, strict=True):
        row.xmin, row.ymin, row.xmax, row.ymax = box
        try:
            if row.segmentation:
                row.segmentation = outline_on_displayed(row.segmentation, info, sheet.declared_px)
        except OutlineError as error:
            row.segmentation = None
            findings.append(found("not-carried", where, "box {:g} {:g} {:g} {:g}".format(*box), reason=str(error)))
    for row in sheet.rows:
        row.image_id = image_id
    source.shapes = (source.shapes or 0) + sheet.shapes
    source.annotations += sheet.rows
    source.findings += [replace(one, image_id=image_id) for one in (*sheet.findings, *findings)]


def named_in(sheet: Sheet, info: ImageInfo) -> list[Named]:
    """Its keypoints, for give_points once all sheets are put."""
    return [Named(row, points, info, sheet.declared_px) for row, points in sheet.points]


def put_nowhere(sheet: Sheet, missing: Finding, source: Source) -> None:
    """The annotations of an image that is not there, or not only once: one finding that counts them."""
    count = len(sheet.rows) + len(sheet.findings)
    reason = missing.reason or missing.rule.meaning
    noun = "annotation" if count == 1 else "annotations"
    source.findings.append(replace(missing, reason=f"{reason}; {count:,} {noun} with it") if count else missing)
