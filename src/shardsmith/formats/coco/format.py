"""COCO JSON: images, categories and annotations with bbox [x, y, width, height] in pixels, polygons or run lengths.

Source: the data format page of the COCO dataset.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.images import ImageInfo
from shardsmith.dataset.manifest import Annotation, Image
from shardsmith.dataset.shapes import OutlineError, area_px
from shardsmith.formats.coco.entries import CocoFile, CocoImage, parse
from shardsmith.formats.format import Format
from shardsmith.formats.masks.panoptic import is_panoptic
from shardsmith.formats.shared.job import ExportJob, leaving_names, write_images
from shardsmith.formats.shared.placement import corners, on_displayed, outline_on_displayed
from shardsmith.formats.shared.raw_folder import ImageEntry, RawFolder, Source, split_in_name, split_in_path

_KEYS = re.compile(r'"(images|annotations|categories)"\s*:\s*\[')
_DARWIN = re.compile(r'"(slots|source_files)"\s*:\s*\[')  # V7's JSON has file_name, height and annotations, too
_HEAD = 1 << 16

_LOADING = """
The images of a split stand in the folder of its name:

```python
from pycocotools.coco import COCO

train = COCO("annotations/instances_train.json")  # category ids are those of the label map
```
"""


def detect(folder: RawFolder) -> list[str]:
    """JSON objects with at least two of the three lists, or that begin with `images` and are cut short."""
    return [file for file in folder.with_suffix(".json") if _is_coco(folder, file) and not is_panoptic(folder, file)]


def _is_coco(folder: RawFolder, file: str) -> bool:
    head = folder.head(file, _HEAD)
    if not head.lstrip().startswith("{"):
        return False
    path = folder.root / file
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - _HEAD))
        tail = stream.read().decode("utf-8", errors="replace")
    if _DARWIN.search(head):
        return False
    keys = {match.group(1) for text in (head, tail) for match in _KEYS.finditer(text)}
    for key, signs in (("annotations", ('"image_id"', '"category_id"')), ("images", ('"file_name"', '"height"'))):
        if any(all(sign in text for sign in signs) for text in (head, tail)):
            keys.add(key)
    return len(keys) >= 2 or ("images" in keys and not tail.rstrip().endswith("}"))


def read(folder: RawFolder, files: list[str]) -> Source:
    """
    Raises:
        RawDataError: a file is no JSON, or has not the three lists.
    """
    source = Source()
    known: set[tuple] | None = set() if len(files) > 1 else None
    for file in files:
        add(folder, parse(folder.text(file), file), file, source, known)
    return source


def add(folder: RawFolder, content: CocoFile, file: str, source: Source, known: set[tuple] | None = None) -> None:
    """One file's content, on the images of the folder.

    Args:
        known: annotations of the files before, for a source of several: COCO's own person_keypoints repeats the
            persons of instances, id for id.
    """
    source.findings += content.findings
    source.classes += [name for name in content.classes if name not in source.classes]
    repeated = 0
    for image in content.images:
        image_id = folder.locate(image.name, file, image.place)
        if isinstance(image_id, Finding):
            source.findings.append(image_id)
            continue
        rows = image.rows
        if known is not None:
            rows = [row for row in rows if _is_new((image_id, *row.key), known)]
            repeated += len(image.rows) - len(rows)
        split = split_in_name(file) or split_in_path(image_id, file)
        entry = source.entries.setdefault(image_id, ImageEntry(split))
        entry.tags += [tag for tag in image.tags if tag not in entry.tags]
        if split and entry.split and split != entry.split:
            reason = f"it is in {entry.split} by another file and in {split} by this one; {entry.split} counts"
            source.findings.append(found("split-leak", file, image_id, reason=reason))
        source.annotations += _on_image(image, [row.annotation for row in rows], image_id, folder, file, source)
    if repeated:
        reason = "annotations that repeat those of another file, id for id; each is taken once"
        source.findings.append(found("not-carried", file, value=repeated, reason=reason))


def _is_new(key: tuple, known: set[tuple]) -> bool:
    return not (key in known or known.add(key))  # type: ignore[func-returns-value]


def _on_image(
    image: CocoImage, rows: list[Annotation], image_id: str, folder: RawFolder, file: str, source: Source
) -> list[Annotation]:
    info: ImageInfo = folder.images[image_id]
    where = f"{file}, {image_id}"
    boxes, findings = on_displayed([corners(row) for row in rows], info, image.declared_px, where)
    source.findings += findings
    for row, box in zip(rows, boxes, strict=True):
        row.image_id = image_id
        row.xmin, row.ymin, row.xmax, row.ymax = box
        if row.segmentation:
            try:
                row.segmentation = outline_on_displayed(row.segmentation, info, image.declared_px)
            except OutlineError as error:
                place = "box {:g} {:g} {:g} {:g}".format(*box)
                reason = f"{error}; the outline is dropped, the box stays"
                source.findings.append(found("annotation-unreadable", where, place, reason=reason))
                row.segmentation = None
    return rows


def write(job: ExportJob, out: Path) -> None:
    """annotations/instances_SPLIT.json, and each split's images in a folder of its name."""
    (out / "annotations").mkdir(parents=True, exist_ok=True)
    names = leaving_names(job.manifest.image_rows())
    for split, rows in job.by_split():
        write_images([image for image, _ in rows], names, out / (split or "images"))
        text = format_json(rows, names, job)
        (out / "annotations" / f"instances{f'_{split}' if split else ''}.json").write_text(text, encoding="utf-8")


def format_json(rows: list[tuple[Image, list[Annotation]]], names: dict[str, str], job: ExportJob) -> str:
    """One split's file, an entry a line; ids from 1, categories' as in the label map."""
    images: list[str] = []
    annotations: list[str] = []
    for number, (image, boxes) in enumerate(rows, start=1):
        size = {"width": image.width, "height": image.height}
        images.append(_line({"id": number, "file_name": names[image.image_id], **size}))
        for row in boxes:
            if row.xmin is not None:
                entry = {"id": len(annotations) + 1, "image_id": number, "category_id": job.label_map.ids[row.label]}
                annotations.append(_line({**entry, **_entry(row, image)}))
    categories = [_line({"id": job.label_map.ids[name], "name": name}) for name in job.label_map.names]
    info = _line({"description": job.label_map.dataset})
    lists = {"licenses": [], "images": images, "annotations": annotations, "categories": categories}
    return f'{{"info": {info}' + "".join(f',\n"{key}": {_list(lines)}' for key, lines in lists.items()) + "}\n"


def _line(entry: dict[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=False)


def _list(lines: Iterable[str]) -> str:
    return "[" + ",\n".join(lines) + "]"


def _entry(row: Annotation, image: Image) -> dict[str, Any]:
    x, y, xmax, ymax = corners(row)
    width, height = xmax - x, ymax - y
    attributes = row.attributes_dict()
    area = row.area
    if area is None and row.segmentation and image.width and image.height:
        area = area_px(row.segmentation, image.width, image.height)
    return {
        "bbox": [x, y, width, height],
        "area": width * height if area is None else area,
        "iscrowd": int(row.is_crowd),
        "segmentation": json.loads(row.segmentation) if row.segmentation else [],
        **({"attributes": attributes} if attributes else {}),
    }


FORMAT = Format(
    name="coco",
    title="COCO JSON",
    carries=frozenset(
        {
            "boxes",
            "outlines",
            "masks",
            "negatives",
            "splits",
            "crowd",
            "area",
            "difficult",
            "truncated",
            "occluded",
            "pose",
            "attributes",
        }
    ),
    detect=detect,
    read=read,
    write=write,
    loading=_LOADING,
)
