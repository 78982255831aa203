"""V7 Darwin JSON 2.0, a file an image (and 1.0, with `image` in place of `item`); coordinates in pixels.

A polygon's paths follow the even-odd rule. A mask's pixels stand in the raster layer of its slot, as pairs of value and
run length along the rows. An ellipse's angle is in radians. A tag is a label of the whole image. Source: V7's Darwin
JSON documentation and darwin-py 3.6.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.manifest import Annotation
from shardsmith.dataset.shapes import OutlineError
from shardsmith.formats.format import Format
from shardsmith.formats.shapes.objects import (
    Objects,
    has_list,
    key_of,
    place_objects,
    row_of,
    told,
)
from shardsmith.formats.shapes.outlines import (
    NotCarriedError,
    Shape,
    ellipse,
    mask,
    number_of,
    points_of,
    rings,
    sized_box,
)
from shardsmith.formats.shapes.placement import Size, declared, drawn_size, to_json
from shardsmith.formats.shared.json import loads
from shardsmith.formats.shared.raw_folder import SHOWN, ImageEntry, RawFolder, Source
from shardsmith.formats.shared.splits import split_in_path

_ITEM = re.compile(r'"(item|image)"\s*:\s*\{')
_SIGNS = re.compile(r'"(slots|schema_ref|source_info|workview_url|seg_mask)"\s*:')
_HEAD = 1 << 16
_LAYER = "raster_layer"
_LOST_KINDS = (
    "line", "keypoint", "skeleton", "cuboid", "eye", "graph", "string", "table", "simple_table", "link",
    "directional_vector", "text",
)  # fmt: skip


def detect(folder: RawFolder) -> list[str]:
    return [file for file in folder.with_suffix(".json") if _is_darwin(folder, file)]


def _is_darwin(folder: RawFolder, file: str) -> bool:
    head = folder.head(file, _HEAD)
    return head.lstrip().startswith("{") and bool(_ITEM.search(head)) and bool(_SIGNS.search(head))


def read(folder: RawFolder, files: list[str]) -> Source:
    """A file that is no Darwin JSON is a finding: each holds one image."""
    source = Source(shapes=0)
    for file in files:
        try:
            content = loads(folder.text(file), file)
        except RawDataError as error:
            image_id = folder.locate_stem(file) or ""
            if image_id:
                source.entries.setdefault(image_id, ImageEntry(split_in_path(image_id, file)))
            source.findings.append(found("annotation-unreadable", file, reason=str(error), image_id=image_id))
            continue
        _add_file(folder, content, file, source)
    return source


def _add_file(folder: RawFolder, content: Any, file: str, source: Source) -> None:
    item = _dict(content, "item") or _dict(content, "image")
    slots = _slots(item)
    for number, slot in enumerate(slots):
        at = f"slot {slot.get('slot_name')}"[:SHOWN] if len(slots) > 1 else ""
        image_id = _locate(folder, item, slot if "slots" in item else {}, file, at)
        if isinstance(image_id, Finding):
            source.findings.append(image_id)
            continue
        source.entries.setdefault(image_id, ImageEntry(split_in_path(image_id, file)))
        info = folder.images[image_id]
        declared_px = declared(slot.get("width"), slot.get("height"))
        try:
            annotations = has_list(content, "annotations", "the file")
        except OutlineError as error:
            source.findings.append(found("annotation-unreadable", file, reason=told(error), image_id=image_id))
            continue
        of_slot = [(n, each) for n, each in enumerate(annotations, start=1) if _slot_of(each, slots) == number]
        objects = parse_objects(of_slot, drawn_size(info, declared_px), declared_px)
        place_objects(objects, image_id, info, declared_px, (file, at), source)


def _slots(item: dict[str, Any]) -> list[dict[str, Any]]:
    slots = item.get("slots")
    return [slot for slot in slots if isinstance(slot, dict)] or [item] if isinstance(slots, list) else [item]


def _slot_of(annotation: Any, slots: list[dict[str, Any]]) -> int:
    """The number of the slot that an annotation is drawn on; the first where it names none of them."""
    names = annotation.get("slot_names") if isinstance(annotation, dict) else None
    known = [slot.get("slot_name") for slot in slots]
    return known.index(names[0]) if isinstance(names, list) and names and names[0] in known else 0


def _locate(folder: RawFolder, item: dict[str, Any], slot: dict[str, Any], file: str, at: str) -> str | Finding:
    """The image of a slot: by its folder and name in V7, by its source file's name, else by the annotation file's."""
    sources = slot.get("source_files")
    own = [_dict({"": each}, "").get("file_name") for each in sources] if isinstance(sources, list) else []
    title = item.get("name") or item.get("filename") or item.get("original_filename")
    path = str(item.get("path") or "").strip("/")
    first = [f"{path}/{title}"] if path and title else []
    names = [*own, *first, title] if at else [*first, title, *own]
    texts = dict.fromkeys(name for name in names if isinstance(name, str) and name.strip("/"))
    answers = [folder.locate(name, file, at) for name in texts] or [found("image-missing", file, at)]
    for answer in answers:
        if isinstance(answer, str) or answer.code == "image-ambiguous":
            return answer
    return (folder.locate_stem(file) if not at else None) or answers[0]


def parse_objects(annotations: list[tuple[int, Any]], size_px: Size | None, declared_px: Size | None) -> Objects:
    """The annotations of one image, each with its number in the file.

    Args:
        size_px: (width, height) of the pixels that they are drawn on.
        declared_px: the size of a raster layer.
    """
    objects = Objects()
    layers: dict[str, tuple[Any, Any]] = {}  # the id of a mask -> its value in a layer, the layer
    names: dict[str, str] = {}
    for number, each in annotations:
        layer = each.get(_LAYER) if isinstance(each, dict) else None
        mapping = _dict(layer, "mask_annotation_ids_mapping")
        layers |= {key: (value, layer) for key, value in mapping.items()}
        names |= dict.fromkeys(mapping, f"annotation {number}")
    decoded: dict[int, np.ndarray] = {}

    def shape_of_mask(key: str) -> Shape:
        if key not in layers:
            raise OutlineError("no raster layer holds the pixels of its mask")
        value, layer = layers.pop(key)
        if id(layer) not in decoded:
            decoded[id(layer)] = parse_layer(layer, declared_px or size_px)
        if isinstance(value, bool) or not isinstance(value, int):
            raise OutlineError("its value in the raster layer is no whole number")
        return mask(decoded[id(layer)] == value)

    for number, each in annotations:
        at = f"annotation {number}"
        if isinstance(each, dict) and _LAYER in each and not _is_object(each):
            if not _dict(each[_LAYER], "mask_annotation_ids_mapping"):
                objects.lose("annotation-unreadable", at, key_of(each), reason="a raster layer that names no mask")
            continue
        objects.add(each, at, lambda item: _row(item, size_px, shape_of_mask, objects))
    for key in layers.keys() - {key_of(each) for _, each in annotations}:
        objects.lose("annotation-unreadable", names[key], key[:SHOWN], reason="a mask of a raster layer has no class")
    objects.lost.sort(key=lambda one: (int(one.place.split()[-1]), one.key))
    return objects


def _is_object(item: dict[str, Any]) -> bool:
    return "mask" in item or "polygon" in item


def parse_layer(layer: Any, size_px: Size | None) -> np.ndarray:
    """(height, width) int64, the value of each pixel.

    Raises:
        OutlineError: its run lengths do not cover the image.
    """
    runs = layer.get("dense_rle")
    if not isinstance(runs, list) or len(runs) % 2 or not set(map(type, runs)) <= {int}:
        raise OutlineError("its raster layer has no dense_rle of whole numbers, in pairs")
    if size_px is None:
        raise OutlineError("the size of its raster layer is not known")
    width, height = size_px
    values, counts = runs[::2], runs[1::2]
    if min(counts, default=0) < 0 or sum(counts) != width * height or max(map(abs, values), default=0) >= 1 << 62:
        raise OutlineError(f"its raster layer covers {str(sum(counts))[:20]} pixels, not {width} x {height}")
    return np.repeat(np.array(values, np.int64), counts).reshape(height, width)


def _row(item: dict[str, Any], size_px: Size | None, shape_of_mask: Any, objects: Objects) -> Annotation:
    name = item["name"]
    if not isinstance(name, str):
        raise OutlineError("its name is no text")
    shape = _shape(item, size_px, shape_of_mask)
    extra = [kind for kind in _LOST_KINDS if kind in item]
    objects.kept_less.update(f"objects' {kind}" for kind in extra)
    return row_of(name.strip(), shape, to_json(_attributes(item)))


def _shape(item: dict[str, Any], size_px: Size | None, shape_of_mask: Any) -> Shape | None:
    if "frames" in item:
        raise NotCarriedError("frames of a video")
    if "mask" in item:
        return shape_of_mask(key_of(item))
    if "polygon" in item:
        polygon = item["polygon"]
        paths = polygon["paths"] if "paths" in polygon else [polygon["path"], *(polygon.get("additional_paths") or [])]
        return rings([points_of(path) for path in paths], size_px)
    if "ellipse" in item:
        about = item["ellipse"]
        (x, y), (across, down) = points_of([about["center"], about["radius"]])
        return ellipse(x, y, across, down, number_of(about.get("angle") or 0, "its angle"))
    if "bounding_box" in item:
        box = item["bounding_box"]
        return sized_box(box["x"], box["y"], box["w"], box["h"])
    if "tag" in item:
        return None
    kind = next((kind for kind in _LOST_KINDS if kind in item), None)
    if kind:
        raise NotCarriedError(kind)
    raise OutlineError(f"it has no shape; it has {', '.join(str(key)[:20] for key in list(item)[:8])}")


def _attributes(item: dict[str, Any]) -> dict[str, object]:
    """Properties by their name, attributes, the instance's number, and how sure a model was that drew it."""
    known: dict[str, object] = {}
    properties = item.get("properties")
    for each in properties if isinstance(properties, list) else []:
        if isinstance(each, dict) and each.get("name"):
            name, value = str(each["name"]), each.get("value")
            known[name] = [known[name], value] if name in known else value
    for key, name in (("attributes", "attributes"), ("instance_id", "value"), ("inference", "confidence")):
        value = item.get(key)
        value = value.get(name, value) if isinstance(value, dict) else value
        if value not in (None, [], {}):
            known["confidence" if key == "inference" else key] = value
    if isinstance(item.get("text"), dict) and item["text"].get("text"):
        known["text"] = item["text"]["text"]
    return known


def _dict(holder: Any, key: str) -> dict[str, Any]:
    value = holder.get(key) if isinstance(holder, dict) else None
    return value if isinstance(value, dict) else {}


FORMAT = Format(
    name="darwin",
    title="V7 Darwin JSON",
    carries=frozenset({"boxes", "outlines", "masks", "labels", "several_labels", "negatives", "splits", "attributes"}),
    detect=detect,
    read=read,
)
