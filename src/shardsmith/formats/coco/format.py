"""COCO JSON: images, categories and annotations with bbox [x, y, width, height] in pixels, polygons or run lengths.

Source: the data format page of the COCO dataset.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow as pa

from shardsmith.dataset.manifest import Manifest
from shardsmith.formats.coco.detect import detect as detect
from shardsmith.formats.coco.reader import add as add
from shardsmith.formats.coco.reader import read as read
from shardsmith.formats.coco.writer import Layout
from shardsmith.formats.coco.writer import write as write
from shardsmith.formats.format import Format, cannot_read, finds_nothing
from shardsmith.formats.shapes.boundary import as_polygons
from shardsmith.formats.shared.job import ExportJob

_LOADING = """
The images of a split stand in the folder of its name:

```python
from pycocotools.coco import COCO

train = COCO("annotations/instances_train.json")  # category ids are those of the label map
```

Captions of images, where there are some, are `annotations/captions_train.json`, for `COCO` as above or torchvision's
`CocoCaptions("train", "annotations/captions_train.json")`.

Ids of images and annotations are the source's where these are whole numbers and used once, else hashes that stay as the
dataset grows. Where some objects have an outline and others none, train on masks, and measure them, by `coco_polygons`:
there a box stands as its four corners too, where pycocotools and transformers fail at an object without a segmentation.
"""

_ROBOFLOW = """
`SPLIT/_annotations.coco.json` beside the images of the split, as Roboflow exports it; category 0 is the annotation
group, and no class. RF-DETR takes the folder as `dataset_dir`. Images without a split stand in `train/`.
"""


_BESIDE = Layout("{}", "{}/_annotations.coco.json", captions="", no_split="train", grouped=True)


def write_polygons(job: ExportJob, out: Path, layout: Layout = Layout()) -> None:  # noqa: B008
    """As `write`, with the masks of all but crowds as polygons, from which COCO's rule draws the same masks.

    Where some objects have an outline, a box without one stands as its four corners: trainers want a mask of each,
    and pycocotools fails at a file where one has no segmentation.
    """
    table = job.manifest.annotations
    if table["segmentation"].null_count == table.num_rows:
        return write(job, out, layout)
    columns = ("segmentation", "is_crowd", "xmin", "ymin", "xmax", "ymax")
    rows = zip(*(table[name].to_pylist() for name in columns), strict=True)
    outlines = [outline if crowd and outline else _as_polygons(outline, box) for outline, crowd, *box in rows]
    place = table.column_names.index("segmentation")
    traced = table.set_column(place, table.schema.field(place), pa.array(outlines, pa.string()))
    return write(replace(job, manifest=Manifest(job.manifest.images, traced)), out, layout)


def _as_polygons(outline: str | None, box: list[float | None]) -> str | None:
    if outline is None and None not in box:
        xmin, ymin, xmax, ymax = box
        return json.dumps([[xmin, ymin, xmax, ymin, xmax, ymax, xmin, ymax]])
    if outline is None or outline.startswith("["):
        return outline
    return json.dumps(as_polygons(outline))


FORMAT = Format(
    name="coco",
    title="COCO JSON",
    carries=frozenset(
        {
            "boxes",
            "outlines",
            "masks",
            "oriented",
            "keypoints",
            "captions",
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

POLYGONS = replace(
    FORMAT,
    name="coco_polygons",
    title="COCO JSON, masks as polygons",
    detect=finds_nothing,
    read=cannot_read,
    write=write_polygons,
)

ROBOFLOW = replace(
    POLYGONS,
    name="roboflow_coco",
    title="Roboflow COCO",
    carries=POLYGONS.carries - {"captions"},
    write=partial(write_polygons, layout=_BESIDE),
    loading=_ROBOFLOW,
)
