"""VOC's masks beside its XML: SegmentationClass/, SegmentationObject/ and ImageSets/Segmentation/.

A pixel of SegmentationClass has the id of its class in the label map, one of SegmentationObject the number of its
object in the XML; 255 is void: an object whose outline nobody has drawn. VOC's own masks have a border of void around
each object, and these have none. Source: the VOC2012 development kit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import Annotation, Image, Manifest
from shardsmith.dataset.workers import map_items
from shardsmith.formats.masks.classes import VOID, voc_colour
from shardsmith.formats.masks.drawing import as_values, draw, name_hidden, palette_png

Rows = Sequence[tuple[Image, list[Annotation]]]


def is_segmented(image: Image, rows: Sequence[Annotation]) -> bool:
    """Whether an image has masks: a negative has empty ones, and one of boxes alone has none."""
    return image.annotated and (not rows or any(row.segmentation for row in rows))


def write_masks(rows: Rows, stems: Mapping[str, str], ids: Mapping[str, int], out: Path) -> list[str]:
    """Both masks of each image that has any; returns their stems."""
    for folder in ("SegmentationClass", "SegmentationObject"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    segmented = [(image, of_image) for image, of_image in rows if is_segmented(image, of_image)]
    tasks = [(image, of_image, stems[image.image_id], ids, out) for image, of_image in segmented]
    return list(map_items(_write_one, tasks, "export: VOC masks", "mask"))


def _write_one(task: tuple[Image, list[Annotation], str, Mapping[str, int], Path]) -> str:
    image, rows, stem, ids, out = task
    objects = [row for row in rows if row.xmin is not None]
    numbers = draw(objects, (image.width or 1, image.height or 1))
    of_class = as_values(numbers, [ids[row.label] for row in objects], objects)
    of_object = as_values(numbers, [min(number, VOID) for number in range(1, len(objects) + 1)], objects)
    (out / "SegmentationClass" / f"{stem}.png").write_bytes(palette_png(of_class))
    (out / "SegmentationObject" / f"{stem}.png").write_bytes(palette_png(of_object))
    return stem


def format_labelmap(label_map: LabelMap) -> str:
    """`labelmap.txt` as CVAT and Datumaro read it: the colour of each class in the masks. It can hold no colon."""
    named = {"background": 0, **{" ".join(name.replace(":", "_").split()): id_ for name, id_ in label_map.ids.items()}}
    lines = [f"{name}:{','.join(map(str, voc_colour(value).to_bytes(3, 'big')))}::" for name, value in named.items()]
    return "\n".join(["# label:color_rgb:parts:actions", *lines, ""])


def measure_losses(manifest: Manifest) -> list[tuple[str, str]]:
    """What of outlines is lost, each with its reason."""
    beyond = sum(
        sum(row.segmentation is not None for row in [each for each in rows if each.xmin is not None][VOID - 1 :])
        for _, rows in manifest.pairs()
    )
    losses = [(f"{beyond:,} objects beyond {VOID - 1} of an image", "they are void in SegmentationObject")]
    return [*losses[: bool(beyond)], *name_hidden(manifest, by_class=False)]
