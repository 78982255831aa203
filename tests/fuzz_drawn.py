"""Files of Datumaro, V7 Darwin, Supervisely, masks and COCO panoptic by their grammar, with nonsense here and there."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from fuzz import Files, text
from fuzz_grammars import NAMES, _json, _label, _name, odd
from mask_files import mask

_SQUARE = ((2, 3), (12, 3), (12, 13), (2, 13))


def _rle(rng: Random) -> Any:
    return odd(rng, {"size": odd(rng, [24, 32]), "counts": odd(rng, [48, 12, 12, 12, 684])})


def _datumaro(rng: Random) -> Files:
    def thing() -> Any:
        kind = rng.choice(("bbox", "polygon", "mask", "ellipse", "rotated_bbox", "label", "caption", "points", "x"))
        flat = [at for point in _SQUARE for at in point]
        return odd(rng, {
            "id": odd(rng, rng.randrange(3)), "type": odd(rng, kind), "label_id": odd(rng, rng.randrange(2)),
            "bbox": odd(rng, [2, 3, odd(rng, 10), 10]), "rle": _rle(rng), "group": odd(rng, 0), "z_order": odd(rng, 0),
            "points": odd(rng, [odd(rng, at, 0.03) for at in flat[: rng.choice((4, 5, 8, 8))]]),
            "attributes": odd(rng, {"rotation": odd(rng, 30), "occluded": odd(rng, True), "is_crowd": odd(rng, False)}),
        }, 0.05)  # fmt: skip

    items = [
        odd(rng, {
            "id": odd(rng, "a"), "annotations": odd(rng, [thing() for _ in range(rng.randrange(4))]),
            "image": odd(rng, {"path": odd(rng, _name(rng)), "size": odd(rng, [24, 32])}), "attr": odd(rng, {}),
        }, 0.05)
        for _ in range(rng.randrange(4))
    ]  # fmt: skip
    labels = odd(rng, [odd(rng, {"name": odd(rng, _label(rng)), "parent": ""}) for _ in range(2)], 0.05)
    categories = odd(rng, {"label": odd(rng, {"labels": labels}, 0.05)}, 0.05)
    content = {"dm_format_version": "1.0", "infos": {}, "categories": categories, "items": odd(rng, items, 0.05)}
    return {"annotations/train.json": _json(content, rng)}


def _darwin(rng: Random) -> Files:
    points = [{"x": odd(rng, x, 0.03), "y": odd(rng, y, 0.03)} for x, y in _SQUARE]

    def thing() -> Any:
        shape = rng.choice((
            {"bounding_box": odd(rng, {"x": odd(rng, 2), "y": 3, "w": 10, "h": odd(rng, 10)})},
            {"polygon": odd(rng, {"paths": odd(rng, [odd(rng, points), points[:3]])})},
            {"ellipse": odd(rng, {"center": odd(rng, points[0]), "radius": odd(rng, points[1]), "angle": odd(rng, 1)})},
            {"tag": {}}, {"mask": {}}, {"line": {}}, {"keypoint": {}}, {"frames": {}}, {},
            {"raster_layer": odd(rng, {"dense_rle": odd(rng, [0, 700, odd(rng, 1), 68]),
                                       "mask_annotation_ids_mapping": odd(rng, {"1": odd(rng, 1)})})},
        ))  # fmt: skip
        known = {"id": odd(rng, str(rng.randrange(3))), "name": odd(rng, _label(rng)), "slot_names": odd(rng, ["0"])}
        more = {"properties": odd(rng, [odd(rng, {"name": "a", "value": 1})]), "inference": odd(rng, {})}
        return odd(rng, {**known, **shape, **more}, 0.05)

    slot = {"slot_name": odd(rng, "0"), "width": odd(rng, 32), "height": odd(rng, 24), "source_files": odd(rng, [])}
    item = {"name": odd(rng, _name(rng)), "path": odd(rng, "/"), "slots": odd(rng, [odd(rng, slot)])}
    things = odd(rng, [thing() for _ in range(rng.randrange(5))])
    return {"a.json": _json({"version": "2.0", "item": odd(rng, item, 0.05), "annotations": things}, rng)}


def _supervisely(rng: Random) -> Files:
    ring = odd(rng, [[odd(rng, x, 0.03), odd(rng, y, 0.03)] for x, y in _SQUARE[: rng.choice((2, 4, 4))]])
    png = "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAAAAABX3VL4AAAADklEQVR4nGP4z8DwHwAFAAH/q842iQAAAABJRU5ErkJggg=="

    def thing() -> Any:
        kind = rng.choice(("rectangle", "polygon", "bitmap", "oriented_bbox", "line", "point", text(rng)[:20]))
        tags = [odd(rng, {"name": odd(rng, "hue"), "value": odd(rng, "red")})]
        return odd(rng, {
            "id": odd(rng, 1), "geometryType": odd(rng, kind, 0.03), "classTitle": odd(rng, _label(rng)),
            "points": odd(rng, {"exterior": ring, "interior": odd(rng, [odd(rng, ring)])}), "tags": odd(rng, tags),
            "bitmap": odd(rng, {"data": odd(rng, png), "origin": odd(rng, [odd(rng, 2), 3])}), "angle": odd(rng, 0.5),
        }, 0.05)  # fmt: skip

    things = odd(rng, [thing() for _ in range(rng.randrange(4))], 0.05)
    tags = odd(rng, [odd(rng, {"name": odd(rng, "val"), "value": odd(rng, None)})])
    size = odd(rng, {"height": odd(rng, 24), "width": odd(rng, 32)}, 0.05)
    meta = {"classes": odd(rng, [odd(rng, {"title": odd(rng, "cat"), "shape": "any"}, 0.05)], 0.05)}
    name = rng.choice((*NAMES, "a"))
    return {f"ann/{name}.json": _json({"size": size, "tags": tags, "objects": things}, rng),
            "meta.json": _json(meta, rng)}  # fmt: skip


def _png(rng: Random) -> bytes:
    mode = rng.choice(("L", "P", "RGB", "I;16"))
    data = mask(*((rng.randrange(256), (x, 3, x + 9, 13)) for x in (2, 20)), mode=mode,
                size=rng.choice(((32, 24), (32, 24), (24, 32), (3, 3))))  # fmt: skip
    return data if rng.random() < 0.9 else data[: rng.randrange(len(data))]


def _masks(rng: Random) -> Files:
    lists = (
        "Pixel Value, Class\n0, background\n1, cat\n", "cat\ndog\n", "background\ncat\n", "1 cat\n7 dog", "cat: 1",
        "cat:1,2,3::", "1 2 3 cat", "name,r,g,b\ncat,1,2,3", f"{text(rng)}, {text(rng)}\n1, x", "",
    )  # fmt: skip
    said = rng.choice(lists).encode("utf-8", "surrogatepass")
    masks = rng.choice(("a_mask.png", "masks/a.png", "SegmentationClass/a.png", "a_gtFine_labelIds.png"))
    names = rng.choice(("_classes.csv", "classes.txt", "labelmap.txt"))
    objects = {"SegmentationObject/a.png": _png(rng)} if rng.random() < 0.3 else {}
    return {masks: _png(rng), names: said, "images/a.jpg": b"", **objects}


def _panoptic(rng: Random) -> Files:
    def segment() -> Any:
        known = {"id": odd(rng, rng.randrange(9)), "category_id": odd(rng, rng.randrange(3)), "iscrowd": odd(rng, 0)}
        return odd(rng, {**known, "area": odd(rng, 100)}, 0.05)

    entries = [
        odd(
            rng, {"image_id": odd(rng, 1), "file_name": odd(rng, "a.png"), "segments_info": odd(rng, [segment()])}, 0.05
        )
        for _ in range(rng.randrange(1, 4))
    ]
    images = odd(rng, [odd(rng, {"id": odd(rng, 1), "file_name": odd(rng, _name(rng))}, 0.05)], 0.05)
    categories = odd(rng, [odd(rng, {"id": odd(rng, n), "name": odd(rng, _label(rng))}, 0.05) for n in (1, 2)], 0.05)
    content = {"images": images, "annotations": odd(rng, entries, 0.05), "categories": categories, "segments_info": 1}
    return {"panoptic_val.json": _json(content, rng), "panoptic_val/a.png": _png(rng)}


DRAWN: dict[str, Callable[[Random], Files]] = {
    "coco_panoptic": _panoptic, "darwin": _darwin, "datumaro": _datumaro, "masks": _masks, "supervisely": _supervisely,
}  # fmt: skip
