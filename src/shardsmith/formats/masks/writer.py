"""The manifest -> semantic masks: SPLIT/NAME.jpg, SPLIT/NAME_mask.png and SPLIT/_classes.csv.

A pixel's value is the id of its class in the label map, 0 is background. Source: Roboflow's export "Semantic
Segmentation Masks".
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from shardsmith.dataset.manifest import Annotation, Image, Manifest
from shardsmith.dataset.workers import map_items
from shardsmith.formats.masks.drawing import as_values, check_ids, draw, name_hidden, palette_png
from shardsmith.formats.shared.job import ExportJob, leaving_names, write_images

_BESIDE = "_mask"


def write(job: ExportJob, out: Path) -> None:
    """A mask for each image but those that nobody labelled.

    Raises:
        StageError: an id of a class does not fit into 8 bits.
    """
    check_ids(job.label_map, "masks")
    names = mask_names(leaving_names(job.manifest.image_rows()))
    for split, rows in job.by_split():
        folder = out / (split or "images")
        write_images([image for image, _ in rows], names, folder)
        tasks = [
            (image, annotations, folder / names[image.image_id], job.label_map.ids)
            for image, annotations in rows
            if image.annotated
        ]
        for _ in map_items(_write_mask, tasks, f"export: {folder.name} masks", "mask"):
            pass
        (folder / "_classes.csv").write_text(format_classes(job.label_map.ids), encoding="utf-8")


def _write_mask(task: tuple[Image, list[Annotation], Path, Mapping[str, int]]) -> None:
    image, rows, path, ids = task
    numbers = draw(rows, (image.width or 1, image.height or 1))
    png = palette_png(as_values(numbers, [ids[row.label] for row in rows], rows))
    path.with_name(f"{path.stem}{_BESIDE}.png").write_bytes(png)


def mask_names(names: Mapping[str, str]) -> dict[str, str]:
    """Names of images; one that is called as the mask of another gets a part of a hash."""
    stems = {PurePosixPath(name).stem.lower() for name in names.values()}
    return {image_id: _apart(name, image_id, stems) for image_id, name in names.items()}


def _apart(name: str, image_id: str, stems: set[str]) -> str:
    path = PurePosixPath(name)
    if not path.stem.lower().endswith(_BESIDE) or path.stem.lower().removesuffix(_BESIDE) not in stems:
        return name
    return f"{path.stem}-{hashlib.sha256(image_id.encode()).hexdigest()[:8]}{path.suffix}"


def format_classes(ids: Mapping[str, int]) -> str:
    """`_classes.csv`, with Roboflow's header."""
    stream = io.StringIO()
    rows = sorted((number, " ".join(name.split())) for name, number in ids.items())
    csv.writer(stream, lineterminator="\n").writerows([(0, "background"), *rows])
    return f"Pixel Value, Class\n{stream.getvalue()}"


def measure_losses(manifest: Manifest) -> list[tuple[str, str]]:
    """What of outlines is lost, each with its reason: objects of one class and image are one area."""
    table = manifest.annotations
    pairs = zip(*(table[name].to_pylist() for name in ("image_id", "label", "segmentation")), strict=True)
    counts = Counter((image_id, label) for image_id, label, outline in pairs if outline)
    joined = counts.total() - len(counts)
    losses = [(f"{joined:,} objects apart from others of their class", "each class of an image is one mask")]
    return [*losses[: bool(joined)], *name_hidden(manifest, by_class=True)]
