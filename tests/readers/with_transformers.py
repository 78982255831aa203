"""transformers' DETR, as its image processor prepares each image: boxes, masks, and the segments of COCO panoptic."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torchvision_ops  # noqa: F401 (before transformers imports torchvision)
import transformers
from PIL import Image

root = Path(sys.argv[1])
# the one of torchvision's backend mixes up the masks of an image with a crowd
process = transformers.DetrImageProcessorPil(do_resize=False, do_pad=False)
MASKED = ("outlined/coco_polygons", "outlined/roboflow_coco")  # in coco a box without an outline has no mask


def prepared(image: Path, truth: dict[str, Any], names: dict[int, str], masked: bool, **more: Any) -> list[list[Any]]:
    """[class, xmin, ymin, xmax, ymax, mask] of what a network would be trained on."""
    with Image.open(image) as picture:
        width, height = picture.size
        made = process(picture, truth, return_segmentation_masks=masked, return_tensors="np", **more)
    assert made["pixel_values"].shape == (1, 3, height, width)
    (labels,) = made["labels"]
    found = []
    for number, (label, (x, y, w, h)) in enumerate(zip(labels["class_labels"], labels["boxes"].tolist(), strict=True)):
        row = [names[int(label)], (x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height]
        mask = [*map(int, labels["masks"][number].ravel())] if masked else []
        found.append([*row, *(["".join(map(str, mask))] if masked else [])])
    return found


read: dict[str, dict[str, list[Any]]] = {}
for form in ("coco", "roboflow_coco", *MASKED, "outlined/coco_panoptic"):
    panoptic = form.endswith("panoptic")
    images = read[form if panoptic else f"{form} without crowds"] = {}
    for split in ("train", "valid", "test"):
        file = root / form / f"annotations/{'panoptic' if panoptic else 'instances'}_{split}.json"
        said = json.loads(
            (file if file.exists() else root / form / split / "_annotations.coco.json").read_text(encoding="utf-8")
        )
        names = {one["id"]: one["name"] for one in said["categories"]}
        for image in said["images"]:
            own = [one for one in said["annotations"] if one["image_id"] == image["id"]]
            truth = own[0] if panoptic else {"image_id": image["id"], "annotations": own}
            more = {"format": "coco_panoptic", "masks_path": file.with_suffix("")} if panoptic else {}
            path = root / form / split / image["file_name"]
            images[f"{image['width']}x{image['height']}"] = prepared(
                path, truth, names, panoptic or form in MASKED, **more
            )
print(json.dumps({"version": transformers.__version__, "read": read}))
