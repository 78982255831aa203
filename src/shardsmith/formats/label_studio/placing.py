"""One task of Label Studio onto the images of a folder: rows, entries and findings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.manifest import Annotation
from shardsmith.formats.label_studio.addresses import image_addresses, names
from shardsmith.formats.label_studio.figures import BAD, figure, named_points
from shardsmith.formats.label_studio.regions import Item
from shardsmith.formats.label_studio.tasks import Task
from shardsmith.formats.shapes.named_points import Named
from shardsmith.formats.shapes.placement import (
    Box,
    Size,
    drawn_on_stored,
    on_displayed,
    outline_on_displayed,
    to_json,
)
from shardsmith.formats.shared.raw_folder import SHOWN, ImageEntry, RawFolder, Source
from shardsmith.formats.shared.splits import split_in_path

Placed = tuple[Item, Box, str | None]


class Placing:
    """Puts one task's items onto its images, into a source."""

    def __init__(self, folder: RawFolder, file: str, task: Task, source: Source) -> None:
        self.folder, self.file, self.task, self.source = folder, file, task, source
        self.answers: list[tuple[Annotation, str]] = []
        self.named: list[Named] = []

    def all(self) -> list[tuple[Annotation, str]]:
        """Add the task to the source; (label of a whole image, question) of each answer. `named` has its keypoints."""
        task = self.task
        if task.problem and not task.data:
            self._find("annotation-unreadable", task.place, reason=task.problem)
        if not task.labelled:
            return []
        by_address: dict[str, list[Item]] = {}
        own = image_addresses(task.data, "")
        for address in own:
            by_address[address] = []
        about = {item.target[0] for item in task.items if item.target[0] in task.data}
        if about and len(own) == 1 and own[0] not in {self._address(*item.target) for item in task.items}:
            by_address = {}  # the results are about another of the task's images; nobody says that this was looked at
        for item in task.items:
            if about_image := self._address(*item.target):
                by_address.setdefault(about_image, []).append(item)
            else:
                self._lose_far(item)
        if not by_address and not task.items:
            reason = task.problem or "its data names no image"
            self._find("annotation-unreadable", task.place, ", ".join(map(str, task.data))[:SHOWN], reason)
        for address, items in by_address.items():
            self._place(address, items)
        return self.answers

    def _address(self, target: str, index: int) -> str | None:
        addresses = image_addresses(self.task.data, target)
        return addresses[index] if 0 <= index < len(addresses) else None

    def _lose_far(self, item: Item) -> None:
        """Name an item of a task that is about no image: of text, sound, a video."""
        self.source.shapes = (self.source.shapes or 0) + 1
        code, reason = (item.code, item.reason) if item.code else ("shape-not-carried", "its task names no image")
        self._find(code, f"{self.task.place}, {item.place}", item.kind, reason, key=item.key)

    def _find(
        self, code: str, place: str, value: object = "", reason: str = "", image: str = "", key: str = ""
    ) -> None:
        self.source.findings.append(found(code, self.file, place, value, reason, image, key))

    def _place(self, address: str, items: list[Item]) -> None:
        listed = names(address, self.task.file_upload)
        image_id = self.folder.locate_any(listed, self.file, self.task.place, claim=address)
        if isinstance(image_id, Finding):
            self.source.findings.append(image_id)
            return
        self.source.entries.setdefault(image_id, ImageEntry(split_in_path(image_id)))
        if self.task.problem:
            self._find("annotation-unreadable", self.task.place, reason=self.task.problem, image=image_id)
        placed: list[Placed] = []
        for item in items:
            place = f"{self.task.place}, {item.place}"
            self.source.shapes = (self.source.shapes or 0) + 1
            if item.code:
                self._find(item.code, place, item.kind, item.reason, image_id, item.key)
            elif item.kind == "answer":
                row = Annotation(image_id, item.labels[0], None, None, None, None, source_key=item.key or None)
                self.source.annotations.append(row)
                self.answers.append((row, item.question))
            else:
                try:
                    placed.append((item, *figure(item, self._size(item, image_id))))
                except BAD as error:
                    reason = f"its shape cannot be read: {str(error)[:80]}"
                    self._find("annotation-unreadable", place, item.kind, reason, image_id, item.key)
        self._add(image_id, placed)

    def _size(self, item: Item, image_id: str) -> Size:
        """The size that per cent are of: the image's as it was shown."""
        info = self.folder.images[image_id]
        if item.declared_px and (drawn_on_stored(info, item.declared_px) or not (info.width and info.height)):
            return item.declared_px
        return info.width or 1, info.height or 1

    def _add(self, image_id: str, placed: list[Placed]) -> None:
        info, where = self.folder.images[image_id], f"{self.file}, {image_id}"
        for declared_px in dict.fromkeys(item.declared_px for item, _, _ in placed):
            of_size = [each for each in placed if each[0].declared_px == declared_px]
            boxes, findings = on_displayed([box for _, box, _ in of_size], info, declared_px, where)
            self.source.findings += [replace(one, image_id=image_id) for one in findings]
            for (item, _, outline), box in zip(of_size, boxes, strict=True):
                if outline:
                    outline = outline_on_displayed(outline, info, declared_px)
                rows = list(self._rows(image_id, item, box, outline))
                self.source.annotations += rows
                self._name_points(rows, item, image_id)
        if any(item.turned for item, _, _ in placed):
            reason = "it was shown turned in Label Studio; its regions are taken as on the image that is not"
            self.source.findings.append(found("orientation-ambiguous", where, reason=reason))

    def _name_points(self, rows: list[Annotation], item: Item, image_id: str) -> None:
        try:
            points = named_points(item, self._size(item, image_id))
        except BAD as error:
            reason = f"its keypoints cannot be read: {str(error)[:80]}; the region stays"
            self._find("not-carried", f"{self.task.place}, {item.place}", item.kind, reason, image_id, item.key)
            return
        if points:
            info = self.folder.images[image_id]
            self.named += [Named(row, points, info, item.declared_px) for row in rows]

    def _rows(self, image_id: str, item: Item, box: Box, outline: str | None) -> Iterable[Annotation]:
        """One for each label of a region; each beyond the first counts as a shape more."""
        self.source.shapes = (self.source.shapes or 0) + max(0, len(item.labels) - 1)
        for label in item.labels or [""]:
            key = item.key if label in item.labels[:1] or not item.key else f"{item.key}:{label}"
            row = Annotation(image_id, label, *box, segmentation=outline, source_key=key or None)
            row.attributes, row.kind = to_json(item.attributes), "oriented" if item.kind == "rectangle" else None
            yield row
