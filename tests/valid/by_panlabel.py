"""Valid files of the forms that panlabel reads, in each tool's own syntax, with every kind of shape that it knows.

Sources: the documentation of Google's AutoML Vision, BDD100K and Scalabel, Cityscapes' scripts, Edge Impulse, Hugging
Face's ImageFolder, IBM Cloud Annotations, Kaggle's Global Wheat Detection, the Marmot dataset, OIDv4 ToolKit, ASAM
OpenLABEL 1.0, SageMaker Ground Truth, Scale AI, SuperAnnotate, Unity Perception (SOLO), VoTT 2 and WIDER FACE.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from random import Random
from typing import Any

from valid.made import CLASSES, HEIGHT, WIDTH, Made, Maker, box, corners, flat, picture, ring, some, xy

IMAGES = 50  # of a source, as each is a run of a program
Entries = list[tuple[str, list[Any]]]


def _names(ending: str = ".jpg") -> list[str]:
    return [f"{n:02}{ending}" for n in range(IMAGES)]


def _source(own: Callable[[Random], Any], rng: Random, ending: str = ".jpg") -> tuple[Made, Entries]:
    """The images with their shapes, and what each of them has."""
    entries = [(name, some(rng, own)) for name in _names(ending)]
    pictures = {name: picture(n, "PNG" if ending == ".png" else "JPEG") for n, name in enumerate(_names(ending))}
    return Made(pictures, {name: len(items) for name, items in entries}), entries


def _with(made: Made, file: str, content: Any) -> Made:
    made.files[file] = content.encode() if isinstance(content, str) else json.dumps(content).encode()
    return made


def _shares(rng: Random) -> list[float]:
    return [side / whole for side, whole in zip(corners(rng), (WIDTH, HEIGHT) * 2, strict=True)]


def automl_vision(rng: Random) -> Made:
    """A row a box, by two corners or by four; a row with a class alone labels the whole image."""

    def one(rng: Random) -> str:
        x1, y1, x2, y2 = _shares(rng)
        return rng.choice(CLASSES) + rng.choice(
            (f",{x1},{y1},,,{x2},{y2},,", f",{x1},{y1},{x2},{y1},{x2},{y2},{x1},{y2}", ",,,,,,,,")
        )

    made, entries = _source(one, rng)
    rows = [f"TRAIN,gs://bucket/{name},{row}" for name, items in entries for row in items]
    rows += [f"UNASSIGNED,gs://bucket/{name},,,,,,,,," for name, items in entries if not items]
    return _with(made, "set.csv", "\n".join(rows))


def bdd100k(rng: Random) -> Made:
    def one(rng: Random) -> dict[str, Any]:
        x1, y1, x2, y2 = corners(rng)
        lines = [{"vertices": ring(rng), "types": "LLLL", "closed": rng.random() < 0.5}]
        shape = rng.choice((
            {"box2d": {"x1": x1, "y1": y1, "x2": x2, "y2": y2}}, {"poly2d": lines}, {"rle": {"counts": "x", "size":
            [24, 32]}}, {"box3d": {"alpha": 0, "location": [1, 2, 3]}}, {"graph": {"nodes": [], "edges": []}},
        ))  # fmt: skip
        return {"id": "7", "category": rng.choice(CLASSES), "attributes": {"occluded": False}, **shape}

    made, entries = _source(one, rng)
    frames = [{"name": name, "attributes": {"weather": "clear"}, "timestamp": 10, "labels": items}
              for name, items in entries]  # fmt: skip
    return _with(made, "det.json", frames if rng.random() < 0.5 else {"frames": frames, "groups": None, "config": {}})


def cityscapes(rng: Random) -> Made:
    made = Made()
    for n in range(IMAGES):
        objects = [{"label": rng.choice(("car", "cargroup", "a b")), "polygon": points} for points in some(rng, ring)]
        gone = [{"label": "car", "polygon": ring(rng), "deleted": 1}] if rng.random() < 0.2 else []
        place = f"x_{n:06}_000019"
        image = f"leftImg8bit/train/x/{place}_leftImg8bit.png"
        made.files[image] = picture(n, "PNG")
        content = {"imgHeight": HEIGHT, "imgWidth": WIDTH, "objects": objects + gone}
        made.files[f"gtFine/train/x/{place}_gtFine_polygons.json"] = json.dumps(content).encode()
        made.shapes[image] = len(objects)
    return made


def edge_impulse(rng: Random) -> Made:
    def one(rng: Random) -> dict[str, Any]:
        x, y, width, height = box(rng)
        return {"label": rng.choice(CLASSES), "x": x, "y": y, "width": width, "height": height}

    made, entries = _source(one, rng)
    if rng.random() < 0.5:
        content = {"version": 1, "type": "bounding-box-labels", "boundingBoxes": dict(entries)}
        return _with(made, "bounding_boxes.labels", content)
    files = []
    for name, items in entries:
        known: dict[str, Any] = {"path": name, "name": name[:-4], "category": "training"}
        whole = {"type": "label", "label": "cat"} if rng.random() < 0.2 else {"type": "unlabeled"}
        made.shapes[name] += whole["type"] == "label"
        files.append({**known, "label": whole, "boundingBoxes": items})
    return _with(made, "info.labels", {"version": 1, "files": files})


def hf(rng: Random) -> Made:
    made, entries = _source(box, rng)
    lines = []
    for name, boxes in entries:
        classes = [rng.choice(CLASSES) for _ in boxes]
        row: dict[str, Any] = {"file_name": name, "objects": {"bbox": boxes, "categories": classes}}
        if rng.random() < 0.2:
            row |= rng.choice(({"text": "a cat"}, {"label": "cat"}))
            made.shapes[name] += 1
        lines.append(json.dumps(row))
    return _with(made, "metadata.jsonl", "\n".join(lines))


def ibm(rng: Random) -> Made:
    def one(rng: Random) -> dict[str, Any]:
        x, y, x2, y2 = _shares(rng)
        return {"id": "6f3a", "label": rng.choice(CLASSES), "x": x, "y": y, "x2": x2, "y2": y2}

    made, entries = _source(one, rng)
    content = {"version": "1.0", "type": "localization", "labels": CLASSES, "annotations": dict(entries)}
    return _with(made, "_annotations.json", content)


def kaggle_wheat(rng: Random) -> Made:
    made, entries = _source(box, rng)
    rows = [f'{name[:-4]},{WIDTH},{HEIGHT},"{list(map(float, at))}",usask_1' for name, items in entries for at in items]
    made.shapes = {name: count for name, count in made.shapes.items() if count}  # it lists no negatives
    return _with(made, "train.csv", "\n".join(["image_id,width,height,bbox,source", *rows]))


def marmot(rng: Random) -> Made:
    def written(sides: tuple[float, ...]) -> str:
        return " ".join(struct.pack(">d", side).hex() for side in sides)

    def one(rng: Random) -> str:
        left, top, right, bottom = corners(rng)
        label = rng.choice(("Table", "Formula", "Figure"))
        known = f'BBox="{written((left, HEIGHT - top, right, HEIGHT - bottom))}" Label="{label}" PageID="1" LID="7"'
        return f'<Composites Label="{label}"><Composite {known} CLIDs="3"/></Composites>'

    made, entries = _source(one, rng, ".png")
    for name, items in entries:
        leafs = f'<Leafs Label="Char"><Leaf BBox="{written((1, 2, 3, 1))}" Label="Char" LID="3"/></Leafs>'
        size = f'BBox="{written((0, HEIGHT, WIDTH, 0))}" CropBox="{written((0, HEIGHT, WIDTH, 0))}"'
        text = f'<Page {size} PageNum="1"><Contents>{"".join(items)}{leafs}</Contents></Page>'
        _with(made, name.replace(".png", ".xml"), f'<?xml version="1.0" encoding="UTF-8"?>\n{text}')
    return made


def oidv4(rng: Random) -> Made:
    made = Made()
    for n in range(IMAGES):
        lines = [" ".join(map(str, (rng.choice(("cat", "Human face")), *map(float, at)))) for at in some(rng, corners)]
        made.files |= {f"{n}.jpg": picture(n), f"Label/{n}.txt": "\n".join(lines).encode()}
        made.shapes[f"{n}.jpg"] = len(lines)
    if not any(made.shapes.values()):
        return oidv4(rng)
    return made


def openlabel(rng: Random) -> Made:
    def one(rng: Random) -> tuple[str, dict[str, Any]]:
        x, y, width, height = box(rng)
        centre = [x + width / 2, y + height / 2, width, height]
        poly = {"val": flat(ring(rng)), "mode": "MODE_POLY2D_ABSOLUTE", "closed": True}
        about = {"attributes": {"boolean": [{"name": "occluded", "val": False}]}}
        kind, value = rng.choice((
            ("bbox", {"val": centre, **about}), ("rbbox", {"val": [*centre, 0.3]}), ("poly2d", poly),
            ("point2d", {"val": [3, 4]}), ("cuboid", {"val": [1, 2, 3, 0, 0, 0, 1, 4, 5, 6]}),
        ))  # fmt: skip
        return kind, {"name": "shape", **value}

    made, entries = _source(one, rng)
    frames, objects = {}, {}
    for number, (name, items) in enumerate(entries):
        own = {}
        for at, (kind, value) in enumerate(items):
            key = f"{number}{at:02}"
            objects[key] = {"name": f"x{key}", "type": rng.choice(CLASSES)}
            facts = {"num": [{"name": "age", "val": 3}], "text": [{"name": "hue", "val": "red"}]}
            own[key] = {"object_data": {kind: [value], **(facts if rng.random() < 0.3 else {})}}
        about = {"file_name": name, "width": WIDTH, "height": HEIGHT, "timestamp": "0.1"}
        frames[str(number)] = {"frame_properties": about, "objects": own}
    content = {"metadata": {"schema_version": "1.0.0"}, "frames": frames, "objects": objects}
    return _with(made, "set.json", {"openlabel": content})


def sagemaker(rng: Random) -> Made:
    made, entries = _source(box, rng)
    lines = []
    for name, boxes in entries:
        own = [dict(zip(("left", "top", "width", "height"), at, strict=True), class_id=0) for at in boxes]
        about: dict[str, Any] = {"class-map": {"0": "cat"}, "human-annotated": "yes", "job-name": "j"}
        row: dict[str, Any] = {
            "source-ref": f"s3://bucket/{name}",
            "j": {"image_size": [{"width": WIDTH, "height": HEIGHT, "depth": 3}], "annotations": own},
            "j-metadata": {**about, "objects": [{"confidence": 1}] * len(own), "type": "groundtruth/object-detection"},
        }  # fmt: skip
        if rng.random() < 0.2:
            known = {"class-name": "cat", "type": "groundtruth/image-classification", "confidence": 1}
            row |= {"scene": 0, "scene-metadata": known}
            made.shapes[name] += 1
        if rng.random() < 0.2:
            known = {"type": "groundtruth/semantic-segmentation", "internal-color-map": {}}
            row |= {"seg-ref": "s3://bucket/seg.png", "seg-ref-metadata": known}
            made.shapes[name] += 1
        lines.append(json.dumps(row))
    return _with(made, "output.manifest", "\n".join(lines))


def scale_ai(rng: Random) -> Made:
    def one(rng: Random) -> dict[str, Any]:
        left, top, width, height = box(rng)
        sides = {"left": left, "top": top, "width": width, "height": height}
        shape = rng.choice((
            {"type": "box", **sides}, {"type": "box", **sides, "rotation": 0.3, "vertices": xy(ring(rng))},
            {"type": "polygon", "vertices": xy(ring(rng))}, {"type": "line", "vertices": xy(ring(rng))},
            {"type": "point", "x": 3, "y": 4}, {"type": "ellipse", "vertices": xy(ring(rng))},
            {"type": "cuboid", "vertices": xy(ring(rng) * 2), "edges": []},
        ))  # fmt: skip
        return {"label": rng.choice(CLASSES), "uuid": "u", "attributes": {"hue": "red"}, **shape}

    made, entries = _source(one, rng)
    tasks = [
        {"task_id": name, "type": "imageannotation", "status": "completed", "response": {"annotations": items},
         "params": {"attachment": f"https://x.org/{name}", "attachment_type": "image", "geometries": {}}}
        for name, items in entries
    ]  # fmt: skip
    return _with(made, "tasks.json", tasks)


def superannotate(rng: Random) -> Made:
    def one(rng: Random) -> dict[str, Any]:
        x1, y1, x2, y2 = corners(rng)
        sides, points = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}, flat(ring(rng))
        corner = {f"{axis}{n}": value for n, (x, y) in enumerate(((x1, y1), (x2, y1), (x2, y2), (x1, y2)), start=1)
                  for axis, value in (("x", x), ("y", y))}  # fmt: skip
        shape = rng.choice((
            {"type": "bbox", "points": sides}, {"type": "polygon", "points": points, "exclude": []},
            {"type": "polyline", "points": points}, {"type": "point", "x": 3, "y": 4}, {"type": "tag"},
            {"type": "ellipse", "cx": 12, "cy": 9, "rx": 4, "ry": 3, "angle": 10}, {"type": "rbbox", "points": corner},
            {"type": "template", "points": [{"id": 1, "x": 3, "y": 4}], "connections": [], "templateId": 1},
            {"type": "cuboid", "points": {f"f{n}": {"x": 1, "y": 2} for n in range(1, 5)}},
        ))  # fmt: skip
        return {"className": rng.choice(CLASSES), "classId": 1, "probability": 100, "attributes": [], **shape}

    made, entries = _source(one, rng)
    for name, items in entries:
        known = {"name": name, "width": WIDTH, "height": HEIGHT, "status": "Completed", "isPredicted": False}
        content = {"metadata": known, "instances": items, "tags": [], "comments": []}
        _with(made, f"annotations/{name}___objects.json", content)
    classes = [{"id": n, "name": name, "color": "#ffffff", "attribute_groups": []} for n, name in enumerate(CLASSES)]
    return _with(made, "classes/classes.json", classes)


def unity_perception(rng: Random) -> Made:
    made, entries = _source(box, rng)
    kinds = "type.unity.com/unity.solo."
    for step, (name, boxes) in enumerate(entries):
        values = [{"instanceId": n, "labelId": 1, "labelName": "cat", "origin": at[:2], "dimension": at[2:]}
                  for n, at in enumerate(boxes)]  # fmt: skip
        annotations: list[dict[str, Any]] = [
            {"@type": f"{kinds}BoundingBox2DAnnotation", "id": "bounding box", "sensorId": "camera", "values": values}
        ]
        if rng.random() < 0.2:
            cuboid = {"instanceId": 1, "labelId": 1, "labelName": "cat", "translation": [1, 2, 3], "size": [1, 1, 1]}
            annotations.append({"@type": f"{kinds}BoundingBox3DAnnotation", "id": "3D", "values": [cuboid]})
            made.shapes[name] += 1
        if rng.random() < 0.2:
            joints = {"instanceId": 1, "labelId": 1, "templateId": "h", "keypoints": [{"index": 0, "location": [1, 2]}]}
            annotations.append({"@type": f"{kinds}KeypointAnnotation", "id": "keypoints", "values": [joints]})
            made.shapes[name] += 1
        if rng.random() < 0.2:
            instances = [{"labelId": 1, "labelName": "cat", "pixelValue": [255, 0, 0, 255]}]
            segments = {"@type": f"{kinds}SemanticSegmentationAnnotation", "id": "s", "filename": "s.png"}
            annotations.append({**segments, "imageFormat": "Png", "instances": instances})
            made.shapes[name] += 1
        capture = {"@type": f"{kinds}RGBCamera", "id": "camera", "filename": name, "imageFormat": "Jpg",
                   "dimension": [WIDTH, HEIGHT], "annotations": annotations}  # fmt: skip
        frame = {"frame": step, "sequence": 0, "step": step, "captures": [capture], "metrics": []}
        _with(made, f"sequence.0/step{step}.frame_data.json", frame)
    return made


def vott_csv(rng: Random) -> Made:
    made, entries = _source(corners, rng)
    rows = [f'"{name}",{",".join(map(str, at))},"{rng.choice(CLASSES)}"' for name, items in entries for at in items]
    made.shapes = {name: count for name, count in made.shapes.items() if count}  # it lists no negatives
    return _with(made, "x-export.csv", "\n".join(['"image","xmin","ymin","xmax","ymax","label"', *rows]))


def vott_json(rng: Random) -> Made:
    def one(rng: Random) -> dict[str, Any]:
        points = ring(rng)
        (left, top), (right, _), (_, bottom) = points[:3]
        frame = {"left": left, "top": top, "width": right - left, "height": bottom - top}
        tags = rng.choice((["cat"], ["cat", "dog"], []))
        return {"id": "r", "type": rng.choice(("RECTANGLE", "POLYGON")), "tags": tags, "boundingBox": frame,
                "points": xy(points)}  # fmt: skip

    made, entries = _source(one, rng)
    assets = {}
    made.shapes = {name: sum(max(1, len(one["tags"])) for one in items) for name, items in entries}
    for n, (name, items) in enumerate(entries):
        size = {"width": WIDTH, "height": HEIGHT}
        known = {
            "format": "jpg",
            "id": f"{n}",
            "name": name,
            "path": f"file:/x/{name}",
            "size": size,
            "state": 2,
            "type": 1,
        }
        assets[f"{n}"] = {"asset": known, "regions": items, "version": "2.2.0"}
    tags = [{"name": name, "color": "#ffffff"} for name in CLASSES]
    return _with(made, "x-export.json", {"name": "x", "version": "2.2.0", "tags": tags, "assets": assets})


def wider_face(rng: Random) -> Made:
    made, entries = _source(box, rng)
    lines = []
    for name, boxes in entries:
        faces = [" ".join(map(str, (*at, *(rng.randrange(2) for _ in range(6))))) for at in boxes]
        lines += [name, str(len(faces)), *(faces or ["0 0 0 0 0 0 0 0 0 0 "])]
    return _with(made, "wider_face_train_bbx_gt.txt", "\n".join(lines))


FORMS: dict[str, Maker] = {
    "automl-vision": automl_vision, "bdd100k": bdd100k, "cityscapes": cityscapes, "edge-impulse": edge_impulse,
    "hf": hf, "ibm-cloud-annotations": ibm, "kaggle-wheat": kaggle_wheat, "marmot": marmot,
    "oidv4": oidv4, "openlabel": openlabel, "sagemaker": sagemaker, "scale-ai": scale_ai,
    "superannotate": superannotate, "unity-perception": unity_perception, "vott-csv": vott_csv,
    "vott-json": vott_json, "wider-face": wider_face,
}  # fmt: skip
