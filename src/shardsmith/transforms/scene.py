"""An image to come: from which source, by which operations, with which objects."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from shardsmith.dataset.findings import Finding, about, found
from shardsmith.dataset.manifest import Annotation, Image, Manifest
from shardsmith.dataset.shapes import parse_skeleton
from shardsmith.transforms.base import Operation, Step
from shardsmith.transforms.geometry.objects import Objects


@dataclass(frozen=True)
class Scene:
    """How an image and its objects will lie after the operations so far, known without a pixel.

    objects: rows count those annotations that have a box.
    """

    width: int
    height: int
    objects: Objects


@dataclass(frozen=True)
class Planned:
    """One image to come.

    image: its row to be; path, sha256, size, format and orientation are still those of its source.
    annotations: those of the source that it is to keep, where they still lie on it.
    operations: what it is made by.
    partners: the other images that an operation joins to it, with their annotations.
    scene: as SetStep.plan is given it, else None.
    made_from: the row of the image that a part or a copy is made from; None for the image itself.
    listed: all annotations of that image, where a step has left some out; findings count these.
    """

    image: Image
    annotations: Sequence[Annotation]
    operations: tuple[Operation, ...] = ()
    partners: tuple[tuple[Image, Sequence[Annotation]], ...] = ()
    scene: Scene | None = None
    made_from: Image | None = None
    listed: Sequence[Annotation] | None = None

    def then(self, operations: Sequence[Operation]) -> Planned:
        return replace(self, operations=(*self.operations, *operations), scene=None)

    def keeping(self, annotations: Sequence[Annotation]) -> Planned:
        """With those of its annotations alone."""
        return replace(self, annotations=annotations, listed=self.listed or self.annotations)

    def boxed(self) -> list[Annotation]:
        """The annotations that have a box, of the image and then of its partners: what objects' rows count."""
        sources = [self.annotations, *(annotations for _, annotations in self.partners)]
        return [annotation for annotations in sources for annotation in annotations if has_box(annotation)]

    def whole(self) -> list[Annotation]:
        """The labels of the whole image."""
        return [annotation for annotation in self.annotations if not has_box(annotation)]

    def labels(self) -> set[str]:
        """The classes on the source."""
        return {annotation.label for annotation in self.annotations}

    def seen(self) -> tuple[Scene, list[Annotation]]:
        """The scene, and the annotation of each of its objects."""
        assert self.scene is not None
        boxed = self.boxed()
        return self.scene, [boxed[row] for row in self.scene.objects.rows.tolist()]

    def part(self, name: str, copy: int = 0) -> Planned:
        """A tile, an isolated object or a copy of this one."""
        parent = self.image.image_id
        row = replace(self.image, image_id=f"{parent}#{name}", parent_id=parent, copy=copy, source_id=None)
        row.captions = row.captions if copy else None  # a text about the whole is not true of a part
        return replace(self, image=row, made_from=self.made_from or self.image)

    def part_name(self) -> str:
        """ "r1c2" of a tile, "r1c2, copy 1" of its copy; "" of a whole image."""
        parts = self.image.image_id.removeprefix(self.source_id).lstrip("#")
        copy = f"copy {self.image.copy}" if self.image.copy else ""
        tile = parts.removesuffix(str(self.image.copy) if copy else "").strip("#")
        return ", ".join(part for part in (tile, copy) if part)

    @property
    def source_id(self) -> str:
        """The image below data/raw that it comes from, for findings."""
        return self.origin()["image_id"]

    def origin(self) -> dict[str, Any]:
        """Where it comes from before this stage."""
        return origin_so_far(self.made_from or self.image)

    def numbers(self) -> list[int]:
        """Of each annotation with a box, its number, from 1, among all of the image that entered the stage."""
        numbers = {id(annotation): number for number, annotation in enumerate(self.listed or self.annotations, start=1)}
        return [numbers[id(annotation)] for annotation in self.annotations if has_box(annotation)]

    def finding(self, code: str, reason: str, annotation: Annotation | None = None) -> Finding:
        """About this image to come, or about an annotation that was to be on it: its own, or a partner's."""
        if annotation is None:
            return about(code, self.source_id, place=self.part_name(), reason=reason, made=self.image.image_id)
        listed = {id(one): number for number, one in enumerate(self.listed or self.annotations, start=1)}
        number = listed.get(id(annotation))
        said = f"object {number}" if number else "an object of another image in its mosaic"
        return found(
            code,
            self.source_id,
            ", ".join(part for part in (self.part_name(), said) if part),
            annotation.label,
            reason,
            image_id=annotation.source_image or self.source_id,
            source_key=annotation.source_key or "",
            made=self.image.image_id,
        )


class SetStep(Step):
    """A preprocessing step that looks at what lies on the images, or at all of them: it cuts, chooses or leaves out."""

    def plan(self, images: list[Planned]) -> tuple[list[Planned], list[Finding]]:
        """The images to come, each `image` given with its scene; and a finding for each image or box left out."""
        raise NotImplementedError


def origin_so_far(image: Image) -> dict[str, Any]:
    """Where an image of the manifest comes from: one of data/raw, from itself; see origin.py."""
    return (
        json.loads(image.origin) if image.origin else {"image_id": image.image_id, "sha256": image.sha256, "stages": []}
    )


def has_box(annotation: Annotation) -> bool:
    """False for a label of the whole image."""
    return annotation.xmin is not None


def objects_of(annotations: Sequence[Annotation]) -> Objects:
    """Of annotations that have boxes."""
    boxes = [(a.xmin, a.ymin, a.xmax, a.ymax) for a in annotations]
    return Objects.of(boxes, [a.segmentation for a in annotations], **further(annotations))


def further(annotations: Sequence[Annotation]) -> dict[str, Any]:
    """What Objects.of takes beside boxes and outlines; {} where no annotation has any of it."""
    if not any(a.keypoints or a.kind == "oriented" for a in annotations):
        return {}
    return {
        "keypoints": [a.keypoints for a in annotations],
        "mirrors": [parse_skeleton(a.skeleton).mirror if a.skeleton else () for a in annotations],
        "oriented": [a.kind == "oriented" for a in annotations],
    }


def planned_of(manifest: Manifest) -> Iterator[Planned]:
    """Every image as it is, with its annotations."""
    return (Planned(image, annotations) for image, annotations in manifest.pairs())
