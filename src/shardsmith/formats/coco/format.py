"""COCO JSON: images, categories and annotations with bbox [x, y, width, height] in pixels, polygons or run lengths.

Source: the data format page of the COCO dataset.
"""

from __future__ import annotations

from shardsmith.formats.coco.detect import detect as detect
from shardsmith.formats.coco.reader import add as add
from shardsmith.formats.coco.reader import read as read
from shardsmith.formats.coco.writer import write as write
from shardsmith.formats.format import Format

_LOADING = """
The images of a split stand in the folder of its name:

```python
from pycocotools.coco import COCO

train = COCO("annotations/instances_train.json")  # category ids are those of the label map
```

Ids of images and annotations are the source's where these are whole numbers and used once, else hashes that stay as the
dataset grows.
"""

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
