"""Isolate objects: each box becomes an image of its own, labelled as a whole, for classification."""

from __future__ import annotations

import math
from dataclasses import replace

from pydantic import Field

from stages.dataset.findings import Finding, found
from stages.dataset.manifest import Annotation
from stages.transforms.base import percent
from stages.transforms.crop import cut
from stages.transforms.planned import Planned, Scene, SetStep, has_box


class IsolateObjects(SetStep):
    """Make each box an image with its class as label; images without boxes or labels are left out."""

    padding: float = Field(0, ge=0, le=2, description="what is added on each side, as a share of the box's side")

    def describe(self) -> str:
        more = f", with {percent(self.padding)} of its side around it" if self.padding else ""
        return f"Each object an image of its own{more}, labelled with its class"

    def plan(self, images: list[Planned]) -> tuple[list[Planned], list[Finding]]:
        isolated, findings = [], []
        for one in images:
            scene, annotations = one.seen()
            findings += _lost(one, scene)
            boxes, numbers = scene.objects.boxes().tolist(), one.numbers()
            own = []
            for row, annotation, box in zip(scene.objects.rows.tolist(), annotations, boxes, strict=True):
                place = one.place(numbers[row])
                if annotation.is_crowd:
                    reason = "isolate_objects takes single objects, no crowd"
                    findings.append(found("box-left-out", one.source_id, place, annotation.label, reason))
                else:
                    own.append(self._isolate(one, scene, numbers[row], annotation, box))
            isolated += own or ([one] if one.whole() else [])
            if own:
                findings += _whole_left_out(one)
            elif not one.whole():
                findings.append(_left_out(one, "isolate_objects finds no box on it"))
        return isolated, findings

    def _isolate(self, one: Planned, scene: Scene, number: int, annotation: Annotation, box: list[float]) -> Planned:
        across, down = self.padding * (box[2] - box[0]), self.padding * (box[3] - box[1])
        left, top = max(0, math.floor(box[0] - across)), max(0, math.floor(box[1] - down))
        right, bottom = min(scene.width, math.ceil(box[2] + across)), min(scene.height, math.ceil(box[3] + down))
        label = replace(annotation, xmin=None, ymin=None, xmax=None, ymax=None, area=None, segmentation=None)
        planned = one.then([cut(left, top, right - left, bottom - top)]).part(f"object{number}")
        return replace(planned, annotations=[label])


def _left_out(one: Planned, reason: str) -> Finding:
    return found("image-left-out", one.source_id, one.part_name(), reason=reason)


def _whole_left_out(one: Planned) -> list[Finding]:
    reason = "isolate_objects labels each image with its object, not with what its source was labelled"
    return [
        found("box-left-out", one.source_id, one.place(number), annotation.label, reason)
        for number, annotation in enumerate(one.listed or one.annotations, start=1)
        if not has_box(annotation)
    ]


def _lost(one: Planned, scene: Scene) -> list[Finding]:
    """Of boxes of which steps before have left too little; no image of theirs comes to name them."""
    boxed, numbers, left = one.boxed(), one.numbers(), set(scene.objects.rows.tolist())
    reason = "steps before isolate_objects leave too little of it"
    gone = [row for row in range(len(boxed)) if row not in left]
    return [found("box-lost", one.source_id, one.place(numbers[row]), boxed[row].label, reason) for row in gone]
