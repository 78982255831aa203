"""The manifest -> COCO JSON, a file a split, and the images beside it.

Source: the data format page of the COCO dataset.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shardsmith.dataset.manifest import Annotation, Image
from shardsmith.dataset.shapes import Skeleton, area_px, run_lengths
from shardsmith.formats.coco.facts import image_facts, info_of, license_entry, licenses_of
from shardsmith.formats.shapes.placement import corners
from shardsmith.formats.shapes.skeletons import points_of, rotation_of, skeletons_of
from shardsmith.formats.shared.ids import annotation_ids, caption_id
from shardsmith.formats.shared.job import ExportJob, leaving_names, write_images

Numbered = tuple[Image, int, list[tuple[Annotation, int]]]


@dataclass(frozen=True)
class Layout:
    """Where a split's images and its files stand; `{}` is the split. captions: "" for none. grouped: whether category
    0 names the annotation group, which is no class, and is the parent of the classes.
    """

    images: str = "{}"
    file: str = "annotations/instances_{}.json"
    captions: str = "annotations/captions_{}.json"
    no_split: str = ""
    grouped: bool = False


def write(job: ExportJob, out: Path, layout: Layout = Layout()) -> None:
    """annotations/instances_SPLIT.json, captions_SPLIT.json where there are some, and each split's images in a folder
    of its name. An image that has captions alone stands among those: among the others it would be a negative.

    Raises:
        StageError: two images or annotations come to one id.
    """
    images = job.manifest.image_rows()
    names, ids = leaving_names(images), job.image_numbers()
    splits = list(job.by_split())
    boxed = [row for _, rows in splits for _, of_image in rows for row in of_image if row.xmin is not None]
    numbers = iter(zip(boxed, annotation_ids(boxed), strict=True))
    licenses = licenses_of(job.facts, images)
    skeletons = skeletons_of(job.manifest.annotations)
    for split, rows in splits:
        name = split or layout.no_split
        write_images([image for image, _ in rows], names, out / (layout.images.format(name) or "images"))
        numbered = [
            (image, ids[image.image_id], [next(numbers) for row in of_image if row.xmin is not None])
            for image, of_image in rows
        ]
        looked_at = [one for one in numbered if one[0].annotated or one[2] or not one[0].captions]
        if looked_at:
            text = format_json(looked_at, names, job, licenses, skeletons, layout.grouped)
            _write(out / layout.file.format(name), text)
        told = [(image, number) for image, number, _ in numbered if image.captions]
        if told and layout.captions:
            _write(out / layout.captions.format(name), format_captions(told, names, job, licenses))


def _write(path: Path, text: str) -> None:
    path = path.with_name(path.name.replace("_.json", ".json"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def format_captions(
    images: Iterable[tuple[Image, int]], names: dict[str, str], job: ExportJob, licenses: dict[str, int]
) -> str:
    """One split's captions, as COCO's own files have them: without categories.

    Args:
        images: those that have some, each with its id.
    """
    entries: list[str] = []
    texts: list[str] = []
    for image, image_id in images:
        entries.append(as_line(image_entry(image, image_id, names[image.image_id], licenses, job)))
        for number, text in enumerate(image.captions or (), start=1):
            own = {"id": caption_id(image.image_id, number), "image_id": image_id, "caption": text}
            texts.append(as_line(own))
    return as_text(job, licenses, images=entries, annotations=texts)


def format_json(
    rows: Iterable[Numbered],
    names: dict[str, str],
    job: ExportJob,
    licenses: dict[str, int],
    skeletons: Mapping[str, Skeleton],
    grouped: bool,
) -> str:
    """One split's file, an entry a line; categories' ids are those of the label map.

    Args:
        licenses: licence -> its id.
        skeletons: class -> what its keypoints are.
        grouped: as for Layout.
    """
    images: list[str] = []
    annotations: list[str] = []
    for image, image_id, boxes in rows:
        images.append(as_line(image_entry(image, image_id, names[image.image_id], licenses, job)))
        for row, id_ in boxes:
            own = {"id": id_, "image_id": image_id, "category_id": job.label_map.ids[row.label]}
            entry = {**own, **object_entry(row, image, skeletons.get(row.label))}
            if skeletons:  # COCOeval asks it of every object
                entry.setdefault("num_keypoints", 0)
            annotations.append(as_line(entry))
    categories = [
        {"id": job.label_map.ids[name], "name": name, **_of_skeleton(skeletons.get(name))}
        for name in job.label_map.names
    ]
    categories = _in_group(categories, job.facts.get("annotation_group", "objects")) if grouped else categories
    return as_text(job, licenses, images=images, annotations=annotations, categories=map(as_line, categories))


def as_text(job: ExportJob, licenses: dict[str, int], **lists: Iterable[str]) -> str:
    """What is said of the dataset, and COCO's lists, an entry a line."""
    every = {"licenses": [as_line(license_entry(id_, text)) for text, id_ in licenses.items()], **lists}
    info = as_line(info_of(job.facts, job.label_map.dataset))
    return f'{{"info": {info}' + "".join(f',\n"{key}": {_list(of)}' for key, of in every.items()) + "}\n"


def image_entry(image: Image, number: int, name: str, licenses: dict[str, int], job: ExportJob) -> dict[str, Any]:
    """One of `images`."""
    entry = {"id": number, "file_name": name, "width": image.width, "height": image.height}
    return entry | image_facts(image, licenses, job.facts.get("license", ""))


def _in_group(categories: list[dict[str, Any]], group: str) -> list[dict[str, Any]]:
    """Category 0 first; ids have no gaps, since trainers count the categories for the number of classes."""
    by_id = {category["id"]: category for category in categories}
    while group in {category["name"] for category in categories}:
        group += "_"
    gapless = [by_id.get(id_, {"id": id_, "name": f"unused-{id_}"}) for id_ in range(1, max(by_id, default=0) + 1)]
    return [{"id": 0, "name": group, "supercategory": "none"}, *({**one, "supercategory": group} for one in gapless)]


def as_line(entry: dict[str, Any]) -> str:
    """An entry as JSON."""
    return json.dumps(entry, ensure_ascii=False)


def _list(lines: Iterable[str]) -> str:
    return "[" + ",\n".join(lines) + "]"


def _of_skeleton(skeleton: Skeleton | None) -> dict[str, Any]:
    """Points are counted from 1."""
    if skeleton is None:
        return {}
    return {"keypoints": list(skeleton.names), "skeleton": [[a + 1, b + 1] for a, b in skeleton.edges]}


def object_entry(row: Annotation, image: Image, skeleton: Skeleton | None) -> dict[str, Any]:
    """What COCO says of an annotation with a box, without its ids."""
    x, y, xmax, ymax = corners(row)
    width, height = xmax - x, ymax - y
    attributes = row.attributes_dict()
    if row.kind == "oriented":
        attributes["rotation"] = rotation_of(row)
    points = points_of(row, len(skeleton.names)) if skeleton else []
    area = row.area
    if area is None and row.segmentation and image.width and image.height:
        area = area_px(row.segmentation, image.width, image.height)
    return {
        "bbox": [x, y, width, height],
        "area": width * height if area is None else area,
        "iscrowd": int(row.is_crowd),
        "segmentation": _segmentation(row.segmentation),
        **({"keypoints": points, "num_keypoints": sum(v > 0 for v in points[2::3])} if skeleton else {}),
        **({"attributes": attributes} if attributes else {}),
    }


def _segmentation(outline: str | None) -> Any:
    """Run lengths as numbers, as COCO's own files have them: DETR's and torchvision's code reads no others."""
    content = json.loads(outline) if outline else []
    if isinstance(content, dict):
        content["counts"] = run_lengths(content["counts"]).tolist()
    return content
