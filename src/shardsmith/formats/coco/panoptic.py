"""COCO panoptic, whose reader is masks/panoptic.py. Written: annotations/panoptic_SPLIT.json, and a folder of its name
with a PNG an image.

Each annotation with an outline is a segment, with the pixels that no later one covers. Source: the panoptic
segmentation part of COCO's data format page, and the checks of panopticapi's pq_compute.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image as PilImage

from shardsmith.dataset.manifest import Annotation, Image, Manifest
from shardsmith.dataset.workers import map_items
from shardsmith.formats.coco.facts import licenses_of
from shardsmith.formats.coco.writer import as_line, as_text, image_entry
from shardsmith.formats.format import Format
from shardsmith.formats.masks.classes import voc_colour
from shardsmith.formats.masks.drawing import draw, name_hidden
from shardsmith.formats.masks.panoptic import annotation_images, detect, read
from shardsmith.formats.shared.job import ExportJob, leaving_names, write_images

Segment = dict[str, Any]

_LOADING = """
The images of a split stand in the folder of its name. `annotations/panoptic_train.json` has the segments of each image,
and the PNGs of `annotations/panoptic_train/` their pixels: the id of a segment is red + 256 green + 65536 blue, and
black is no segment. Every class is a thing (`isthing`): write 0 where yours is stuff (sky, road). panopticapi, and the
trainers built on it, read this; panopticapi's `pq_compute` wants one thing and one stuff at least.
"""


def write(job: ExportJob, out: Path) -> None:
    """Images that nobody labelled are in no list.

    Raises:
        StageError: two images come to one id.
    """
    images = job.manifest.image_rows()
    names, ids = leaving_names(images), job.image_numbers()
    licenses = licenses_of(job.facts, images)
    for split, rows in job.by_split():
        write_images([image for image, _ in rows], names, out / (split or "images"))
        name = f"panoptic{f'_{split}' if split else ''}"
        pngs = out / "annotations" / name
        pngs.mkdir(parents=True, exist_ok=True)
        annotated = [(image, of_image) for image, of_image in rows if image.annotated]
        tasks = [
            (image, of_image, job.label_map.ids, pngs / f"{PurePosixPath(names[image.image_id]).stem}.png")
            for image, of_image in annotated
        ]
        segments = map_items(_write_png, tasks, f"export: {name} masks", "mask")
        entries = [
            {"image_id": ids[image.image_id], "file_name": path.name, "segments_info": of_image}
            for (image, _, _, path), of_image in zip(tasks, segments, strict=True)
        ]
        text = as_text(
            job,
            licenses,
            images=[
                as_line(image_entry(one, ids[one.image_id], names[one.image_id], licenses, job)) for one, _ in annotated
            ],
            annotations=map(as_line, entries),
            categories=[as_line(_category(id_, name)) for name, id_ in job.label_map.ids.items()],
        )
        (out / "annotations" / f"{name}.json").write_text(text, encoding="utf-8")


def _category(id_: int, name: str) -> dict[str, Any]:
    """panopticapi's converters and its drawing want a colour of each, and a supercategory."""
    packed = voc_colour(id_)
    colour = [packed >> 16, packed >> 8 & 255, packed & 255]
    return {"id": id_, "name": name, "supercategory": name, "isthing": 1, "color": colour}


def _write_png(task: tuple[Image, list[Annotation], Mapping[str, int], Path]) -> list[Segment]:
    image, rows, ids, path = task
    numbers = draw(rows, (image.width or 1, image.height or 1))
    stream = io.BytesIO()
    colours = np.stack([numbers & 255, numbers >> 8 & 255, numbers >> 16], axis=-1).astype(np.uint8)
    PilImage.fromarray(colours).save(stream, "PNG")
    path.write_bytes(stream.getvalue())
    areas = np.bincount(numbers.ravel(), minlength=len(rows) + 1).tolist()
    return [
        {"id": number, "category_id": ids[row.label], "area": areas[number], "bbox": _box(numbers == number),
         "iscrowd": int(row.is_crowd)}
        for number, row in enumerate(rows, start=1) if areas[number]
    ]  # fmt: skip


def _box(inside: np.ndarray) -> list[int]:
    """x, y, width, height of a segment that has a pixel."""
    ys, xs = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    left, top = int(xs[0]), int(ys[0])
    return [left, top, int(xs[-1]) + 1 - left, int(ys[-1]) + 1 - top]


def measure_losses(manifest: Manifest) -> list[tuple[str, str]]:
    """What of outlines is lost, each with its reason."""
    return name_hidden(manifest, by_class=False)


FORMAT = Format(
    name="coco_panoptic",
    title="COCO panoptic",
    carries=frozenset({"outlines", "masks", "negatives", "splits", "crowd"}),
    reads=frozenset({"masks"}),
    measure=measure_losses,
    detect=detect,
    read=read,
    write=write,
    loading=_LOADING,
    annotation_images=annotation_images,
)
