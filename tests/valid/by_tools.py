"""Valid files of labelling tools' own JSON, and of masks, with every kind of shape that each knows."""

from __future__ import annotations

import base64
import io
import json
from random import Random
from typing import Any

import numpy as np
from mask_files import mask
from PIL import Image as PilImage

from valid.made import CLASSES, HEIGHT, WIDTH, Made, box, flat, picture, ring, rle, some, xy


def datumaro(rng: Random) -> Made:
    def one(rng: Random) -> dict[str, Any]:
        kinds: dict[str, dict[str, Any]] = {
            "bbox": {"bbox": box(rng)}, "polygon": {"points": flat(ring(rng))},
            "mask": {"rle": rle(rng)}, "label": {}, "caption": {"caption": "x"}, "points": {"points": [1, 2]},
            "polyline": {"points": [1, 2, 3, 4]}, "ellipse": {"points": [2, 3, 12, 13]}, "skeleton": {"elements": []},
            "cuboid_3d": {"position": [1, 2, 3]}, "cuboid_2d": {"points": [[1, 2]] * 8},
            "rotated_bbox": {"points": [12, 12, 6, 4, 30]},
        }  # fmt: skip
        kind = rng.choice(list(kinds))
        return {"id": rng.randrange(99), "type": kind, "label_id": rng.randrange(3), "attributes": {}, **kinds[kind]}

    made, items = Made(), []
    for n in range(5):
        annotations = some(rng, one)
        items.append({"id": f"{n}", "annotations": annotations, "image": {"path": f"{n}.jpg", "size": [HEIGHT, WIDTH]}})
        made.files[f"images/train/{n}.jpg"] = picture(n)
        made.shapes[f"images/train/{n}.jpg"] = len(annotations)
    labels = {"label": {"labels": [{"name": name} for name in CLASSES]}}
    content = {"dm_format_version": "1.0", "categories": labels, "items": items}
    return Made({**made.files, "annotations/train.json": json.dumps(content).encode()}, made.shapes)


def darwin(rng: Random) -> Made:
    def one(rng: Random) -> dict[str, Any]:
        x, y, width, height = box(rng)
        frame = {"x": x, "y": y, "w": width, "h": height}
        return {"name": rng.choice(CLASSES), "id": str(rng.randrange(10**6)), **rng.choice((
            {"bounding_box": frame}, {"polygon": {"paths": [xy(ring(rng)), xy(ring(rng))]}, "bounding_box": frame},
            {"ellipse": {"center": {"x": 12, "y": 9}, "radius": {"x": 4, "y": 5}, "angle": rng.random()}}, {"tag": {}},
            {"line": {"path": xy(ring(rng))}}, {"keypoint": {"x": 1, "y": 2}}, {"skeleton": {"nodes": []}},
            {"cuboid": {"front": frame, "back": frame}}, {"mask": {}}, {"graph": {"nodes": []}}, {"eye": {"nodes": []}},
        ))}  # fmt: skip

    made = Made()
    for n in range(5):
        annotations = some(rng, one)
        masks = [each["id"] for each in annotations if "mask" in each]
        runs = [at for value in range(1, len(masks) + 1) for at in (value, 7)]
        layer = {"dense_rle": [*runs, 0, WIDTH * HEIGHT - 7 * len(masks)],
                 "mask_annotation_ids_mapping": {key: n for n, key in enumerate(masks, start=1)}}  # fmt: skip
        extra = [{"id": "l", "name": "__raster_layer__", "raster_layer": layer}] if masks else []
        slot = {"slot_name": "0", "width": WIDTH, "height": HEIGHT, "source_files": [{"file_name": f"{n}.jpg"}]}
        item = {"name": f"{n}.jpg", "path": "/", "slots": [slot]}
        content = {"version": "2.0", "item": item, "annotations": [*annotations, *extra]}
        made.files |= {f"{n}.jpg": picture(n), f"{n}.json": json.dumps(content).encode()}
        made.shapes[f"{n}.jpg"] = len(annotations)
    return made


def supervisely(rng: Random) -> Made:
    stream = io.BytesIO()
    PilImage.fromarray(np.full((4, 5), 255, np.uint8)).convert("1").save(stream, "PNG")
    png = base64.b64encode(stream.getvalue()).decode()

    def one(rng: Random) -> dict[str, Any]:
        x, y, width, height = box(rng)
        two = [[x, y], [x + width, y + height]]
        kinds: dict[str, dict[str, Any]] = {
            "rectangle": {"points": {"exterior": two, "interior": []}}, "bitmap": {"bitmap": {"data": png,
            "origin": [x, y]}},
            "polygon": {"points": {"exterior": ring(rng), "interior": [ring(rng)] * rng.randrange(2)}},
            "line": {"points": {"exterior": two, "interior": []}}, "graph": {"nodes": {}}, "cuboid_2d": {},
            "point": {"points": {"exterior": two[:1], "interior": []}}, "oriented_bbox": {"points": two, "angle": 0.4},
            "alpha_mask": {"alpha_mask": {}}, "multichannelBitmap": {},
        }  # fmt: skip
        kind = rng.choice(list(kinds))
        return {"id": rng.randrange(10**6), "geometryType": kind, "classTitle": rng.choice(CLASSES), **kinds[kind]}

    made = Made({"meta.json": json.dumps({"classes": [{"title": name, "shape": "any"} for name in CLASSES]}).encode()})
    for n in range(5):
        objects, tags = some(rng, one), [{"name": "night", "value": None}] * rng.randrange(2)
        content = {"size": {"height": HEIGHT, "width": WIDTH}, "tags": tags, "objects": objects}
        made.files |= {f"d/img/{n}.jpg": picture(n),
                       f"d/ann/{n}.jpg.json": json.dumps(content).encode()}  # fmt: skip
        made.shapes[f"d/img/{n}.jpg"] = len(objects) + len(tags)
    return made


def labelbox(rng: Random) -> Made:
    def one(rng: Random) -> dict[str, Any]:
        x, y, width, height = box(rng)
        return {"name": rng.choice(CLASSES), "feature_id": str(rng.randrange(10**6)), "annotation_kind": "x",
                **rng.choice((
            {"bounding_box": {"top": y, "left": x, "height": height, "width": width}}, {"polygon": xy(ring(rng))},
            {"line": xy(ring(rng))}, {"point": {"x": 1, "y": 2}}, {"mask": {"url": "https://x"}}, {"mask": rle(rng)},
            {"annotation_kind": "TextEntity", "location": {"start": 1}},
        ))}  # fmt: skip

    def asked(rng: Random) -> dict[str, Any]:
        return {"name": "q", **rng.choice(({"radio_answer": {"name": "x"}}, {"text_answer": {"content": "y"}}))}

    made, rows = Made(), []
    for n in range(5):
        known = {"objects": some(rng, one), "classifications": some(rng, asked)}
        rows.append({"data_row": {"id": f"{n}", "external_id": f"{n}.jpg"}, "media_attributes": {},
                     "projects": {"p": {"labels": [{"annotations": known}]}}})  # fmt: skip
        made.files[f"{n}.jpg"] = picture(n)
        made.shapes[f"{n}.jpg"] = sum(map(len, known.values()))
    return Made({**made.files, "l.ndjson": "\n".join(map(json.dumps, rows)).encode()}, made.shapes)


def masks(rng: Random) -> Made:
    made = Made({"classes.txt": b"0 background\n1 cat\n2 dog\n"})
    for n in range(5):
        values = rng.sample((1, 2, 3, 9), rng.randrange(4))
        png = mask(*((value, (8 * at, at, 8 * at + 7, 20)) for at, value in enumerate(values)), mode=rng.choice("LP"))
        made.files |= {f"images/{n}.jpg": picture(n), f"masks/{n}.png": png}
        made.shapes[f"images/{n}.jpg"] = len(values)
    return made


def coco_panoptic(rng: Random) -> Made:
    made, entries = Made(), []
    for n in range(5):
        ids = rng.sample(range(1, 2**24), rng.randrange(4))
        colours = [(key & 255) << 16 | (key >> 8 & 255) << 8 | key >> 16 for key in ids]
        png = mask(*((each, (8 * at, at, 8 * at + 7, 20)) for at, each in enumerate(colours)), mode="RGB")
        segments = [{"id": key, "category_id": rng.choice((1, 2, 5)), "iscrowd": 0, "area": 9} for key in ids]
        entries.append({"image_id": n, "file_name": f"{n}.png", "segments_info": segments})
        made.files |= {f"{n}.jpg": picture(n), f"panoptic_train/{n}.png": png}
        made.shapes[f"{n}.jpg"] = len(ids)
    categories = [{"id": n, "name": name} for n, name in enumerate(CLASSES, start=1)]
    images = [{"id": n, "file_name": f"{n}.jpg"} for n in range(5)]
    content = {"images": images, "annotations": entries, "categories": categories}
    return Made({**made.files, "panoptic_train.json": json.dumps(content).encode()}, made.shapes)
