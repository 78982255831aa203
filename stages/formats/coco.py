"""COCO JSON: images, categories and annotations with bbox [x, y, width, height] in pixels.

Source: the data format page of the COCO dataset.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from stages.dataset.errors import RawDataError
from stages.dataset.findings import found
from stages.dataset.manifest import Annotation
from stages.formats.export_job import ExportJob, leaving_names, write_images
from stages.formats.placement import corners, on_displayed, to_json
from stages.formats.raw_folder import ImageEntry, RawFolder, Source, split_in_name, split_in_path

_KEYS = re.compile(r'"(images|annotations|categories)"\s*:\s*\[')
_HEAD = 1 << 16

TITLE = "COCO JSON"
CARRIES = frozenset(
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
)
LOADING = """
The images of a split stand in the folder of its name:

```python
from pycocotools.coco import COCO

train = COCO("annotations/instances_train.json")  # category ids are those of the label map
```
"""


def detect(folder: RawFolder) -> list[str]:
    """JSON objects with at least two of the three lists, or that begin with `images`: COCO cut short is still COCO."""
    return [file for file in folder.with_suffix(".json") if _is_coco(folder, file)]


def _is_coco(folder: RawFolder, file: str) -> bool:
    head = folder.head(file, _HEAD)
    if not head.lstrip().startswith("{"):
        return False
    path = folder.root / file
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - _HEAD))
        tail = stream.read().decode("utf-8", errors="replace")
    keys = {match.group(1) for text in (head, tail) for match in _KEYS.finditer(text)}
    return len(keys) >= 2 or "images" in keys


def read(folder: RawFolder, files: list[str]) -> Source:
    """
    Raises:
        RawDataError: a file is no JSON, or has not the three lists.
    """
    source = Source()
    for file in files:
        _read_file(folder, file, source)
    return source


def _load(folder: RawFolder, file: str) -> dict[str, list[Any]]:
    try:
        content = json.loads(folder.text(file))
    except json.JSONDecodeError as error:
        raise RawDataError(
            f"{file}:{error.lineno}: not JSON ({error.msg}); the file may be cut short: get it again"
        ) from None
    except (UnicodeDecodeError, RecursionError) as error:
        raise RawDataError(f"{file}: not JSON ({error}); get it again") from None
    for key in ("images", "annotations", "categories"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise RawDataError(f"{file}: has no list {key!r}, so it is not COCO detection data; set ingest.format")
    return content


def _read_file(folder: RawFolder, file: str, source: Source) -> None:
    content = _load(folder, file)
    categories = _by_id(content["categories"], "categories", file, source)
    names = {id_: str(entry.get("name", "")).strip() for id_, entry in categories.items()}
    source.classes += [name for name in dict.fromkeys(names.values()) if name and name not in source.classes]
    images = _by_id(content["images"], "images", file, source)
    image_ids = {id_: _locate(folder, entry, f"images, id {id_}", file, source) for id_, entry in images.items()}
    rows: dict[Any, list[Annotation]] = {id_: [] for id_ in images}
    for position, entry in enumerate(content["annotations"]):
        try:
            rows[entry["image_id"]].append(_annotation(entry, names))
        except _EntryError as error:
            source.findings.append(found("annotation-unreadable", file, f"annotations[{position}]", reason=str(error)))
        except (KeyError, TypeError, ValueError, OverflowError):
            known = isinstance(entry, dict) and entry.get("image_id")
            reason = f"its image_id {known!r} is not in images" if known else "it is no annotation"
            source.findings.append(found("annotation-unreadable", file, f"annotations[{position}]", reason=reason))
    for id_, image_id in image_ids.items():
        if image_id:
            _place(folder, image_id, images[id_], rows[id_], file, source)


def _place(
    folder: RawFolder, image_id: str, entry: dict[str, Any], rows: list[Annotation], file: str, source: Source
) -> None:
    """Add one image and its annotations to the source."""
    split = split_in_name(file) or split_in_path(image_id, file)
    source.entries.setdefault(image_id, ImageEntry(split))
    try:
        declared = (int(entry["width"]), int(entry["height"]))
    except (KeyError, TypeError, ValueError, OverflowError):
        declared = None
    boxes, findings = on_displayed(
        [corners(row) for row in rows], folder.images[image_id], declared, f"{file}, {image_id}"
    )
    source.findings += findings
    for row, box in zip(rows, boxes, strict=True):
        row.image_id = image_id
        row.xmin, row.ymin, row.xmax, row.ymax = box
    source.annotations += rows


def _by_id(entries: list[Any], key: str, file: str, source: Source) -> dict[Any, dict[str, Any]]:
    """id -> entry, in the order of the ids; an entry without one, or with one already used, is a finding."""
    by_id: dict[Any, dict[str, Any]] = {}
    for position, entry in enumerate(entries):
        id_ = entry.get("id") if isinstance(entry, dict) else None
        if not isinstance(id_, int | str) or id_ in by_id:
            reason = "it has no id" if not isinstance(id_, int | str) else "its id is used twice; the first one counts"
            source.findings.append(found("annotation-unreadable", file, f"{key}[{position}]", id_, reason))
        else:
            by_id[id_] = entry
    return dict(sorted(by_id.items(), key=lambda item: (isinstance(item[0], str), item[0])))


def _locate(folder: RawFolder, entry: dict[str, Any], place: str, file: str, source: Source) -> str | None:
    image_id = folder.locate(str(entry.get("file_name", "")), file, place)
    if isinstance(image_id, str):
        return image_id
    source.findings.append(image_id)
    return None


class _EntryError(ValueError):
    """Why one annotation cannot be read."""


def _annotation(entry: dict[str, Any], names: dict[Any, str]) -> Annotation:
    category = entry.get("category_id")
    if not isinstance(category, int | str) or category not in names:
        raise _EntryError(f"its category_id {category!r} is not in categories")
    try:
        x, y, width, height = (float(value) for value in entry["bbox"])
    except (KeyError, TypeError, ValueError) as error:
        raise _EntryError(f"its bbox is not four numbers: {entry.get('bbox')!r}") from error
    area, segmentation = entry.get("area"), entry.get("segmentation")
    attributes = entry.get("attributes")
    return Annotation(
        image_id="",
        label=names[category],
        xmin=x,
        ymin=y,
        xmax=x + width,
        ymax=y + height,
        is_crowd=bool(entry.get("iscrowd", 0)),
        area=float(area) if isinstance(area, int | float) else None,
        segmentation=json.dumps(segmentation, separators=(",", ":")) if segmentation else None,
        attributes=to_json(attributes) if isinstance(attributes, dict) else None,
    )


def write(job: ExportJob, out: Path) -> None:
    """annotations/instances_SPLIT.json, and each split's images in a folder of its name."""
    (out / "annotations").mkdir(parents=True, exist_ok=True)
    names = leaving_names(job.manifest.image_rows())
    for split, rows in job.by_split():
        write_images([image for image, _ in rows], names, out / (split or "images"))
        text = json.dumps(_content(rows, names, job), ensure_ascii=False, indent=1)
        (out / "annotations" / f"instances{f'_{split}' if split else ''}.json").write_text(text, encoding="utf-8")


def _content(rows: list, names: dict[str, str], job: ExportJob) -> dict[str, Any]:
    images, annotations = [], []
    for number, (image, boxes) in enumerate(rows, start=1):
        size = {"width": image.width, "height": image.height}
        images.append({"id": number, "file_name": names[image.image_id], **size})
        annotations += [_entry(row, number, job.label_map.ids[row.label]) for row in boxes if row.xmin is not None]
    categories = [{"id": job.label_map.ids[name], "name": name} for name in job.label_map.names]
    return {
        "info": {"description": job.label_map.dataset},
        "licenses": [],
        "images": images,
        "annotations": [{"id": number, **entry} for number, entry in enumerate(annotations, start=1)],
        "categories": categories,
    }


def _entry(row: Annotation, image_number: int, category: int) -> dict[str, Any]:
    x, y, xmax, ymax = corners(row)
    width, height = xmax - x, ymax - y
    attributes = row.attributes_dict()
    return {
        "image_id": image_number,
        "category_id": category,
        "bbox": [x, y, width, height],
        "area": width * height if row.area is None else row.area,
        "iscrowd": int(row.is_crowd),
        "segmentation": json.loads(row.segmentation) if row.segmentation else [],
        **({"attributes": attributes} if attributes else {}),
    }
