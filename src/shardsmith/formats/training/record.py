"""An image and its annotations as one JSON object: a line of JSON lines, the .json of a WebDataset sample."""

from __future__ import annotations

import json
from typing import Any

from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import Annotation, Image, kind_of
from shardsmith.dataset.shapes import parse_skeleton

KEYS = """
| key | what it holds |
| --- | --- |
| `image_id` | the path of the image in the raw data; of a copy, with `#` and its number |
| `width`, `height` | in pixels |
| `split` | `train`, `valid`, `test`, or null |
| `annotated` | false for an image that nobody looked at: without annotations, it is no negative |
| `annotations` | a list of objects, in the order of the source |
| `captions` | a list of texts about the whole image, where it has any |
| `tags`, `metadata` | what else the source says of the image, where it does |

Each annotation has all of these:

| key | what it holds |
| --- | --- |
| `label`, `label_id` | the class, and its id in the label map, from 1 |
| `kind` | `label` (of the whole image), `box`, `oriented` (a turned box), `polygon`, `mask` or `keypoints` |
| `box` | xmin, ymin, xmax, ymax in pixels; null for a label of the whole image |
| `outline` | as in COCO: polygons `[[x, y, x, y, ...], ...]` or run lengths `{"size": ..., "counts": ...}`; else null |
| `keypoints` | a list of `{"name": ..., "x": ..., "y": ..., "v": ...}`, v as in COCO (2 is visible); else null |
| `is_crowd` | true for a box around a crowd |
| `area` | in square pixels, where the source says it, else null |
| `attributes` | what else the source says of it: an object, empty for nothing |
"""
# what a JSON object can hold of a dataset: words of CARRYABLE
CARRIES = frozenset(
    {
        *("boxes", "outlines", "masks", "oriented", "keypoints", "labels", "several_labels", "captions"),
        *("negatives", "splits"),
        *("crowd", "area", "difficult", "truncated", "occluded", "pose", "attributes"),
    }
)


def record_of(image: Image, rows: list[Annotation], label_map: LabelMap) -> dict[str, Any]:
    """What KEYS says."""
    known = {"captions": image.captions, "tags": image.tags, "metadata": image.metadata_dict()}
    return {
        "image_id": image.image_id,
        "width": image.width,
        "height": image.height,
        "split": image.split,
        "annotated": image.annotated,
        "annotations": [_annotation(row, label_map) for row in rows],
        **{key: value for key, value in known.items() if value},
    }


def _annotation(row: Annotation, label_map: LabelMap) -> dict[str, Any]:
    return {
        "label": row.label,
        "label_id": label_map.ids[row.label],
        "kind": kind_of(row),
        "box": None if row.xmin is None else [row.xmin, row.ymin, row.xmax, row.ymax],
        "outline": json.loads(row.segmentation) if row.segmentation else None,
        "keypoints": [dict(zip(("name", "x", "y", "v"), point, strict=True)) for point in named_points(row)] or None,
        "is_crowd": row.is_crowd,
        "area": row.area,
        "attributes": row.attributes_dict(),
    }


def named_points(row: Annotation) -> list[tuple[str, float, float, float]]:
    """(name, x, y, v) of each of its keypoints."""
    if not (row.keypoints and row.skeleton):
        return []
    names, points = parse_skeleton(row.skeleton).names, json.loads(row.keypoints)
    return [(name, *points[3 * at : 3 * at + 3]) for at, name in enumerate(names) if points[3 * at :]]


def as_line(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False) + "\n"
