"""Valid COCO, Create ML, Label Studio and Ultralytics NDJSON with every kind of shape that each knows."""

from __future__ import annotations

import csv
import io
import json
from random import Random
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from valid.made import CLASSES, HEIGHT, WIDTH, Made, box, flat, picture, ring, rle, some, xy


def coco(rng: Random) -> Made:
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8, order="F")
    pixels[3:9, 4:20] = 1
    packed = {"size": [HEIGHT, WIDTH], "counts": coco_mask.encode(pixels)["counts"].decode()}

    def one(rng: Random) -> dict[str, Any]:
        bbox = list(box(rng))
        return {"category_id": rng.randint(1, 3), "area": 9, "iscrowd": 0, **rng.choice((
            {"bbox": bbox}, {"bbox": bbox, "segmentation": [flat(ring(rng))]},
            {"bbox": bbox, "segmentation": [flat(ring(rng)), flat(ring(rng))]}, {"bbox": bbox, "segmentation": []},
            {"bbox": bbox, "segmentation": rle(rng), "iscrowd": 1}, {"bbox": bbox, "segmentation": packed},
            {"segmentation": [flat(ring(rng))]}, {"bbox": bbox, "attributes": {"rotation": 30.0, "occluded": True}},
            {"bbox": bbox, "keypoints": [1, 2, 2, 3, 4, 1], "num_keypoints": 2}, {"keypoints": [1, 2, 2]},
            {"bbox": [3, 4, 0, 0], "segmentation": [[3, 4]]}, {"bbox": [], "segmentation": [[3, 4, 9, 9]]},
            {"bbox": [0, 0, 0, 0], "segmentation": [], "keypoints": [5, 5, 2]}, {"bbox": bbox, "score": 0.5},
            {"caption": "a cat"}, {"id": "x"}, {"bbox": bbox, "segmentation": [[]]},
        ))}  # fmt: skip

    made, annotations = Made(), []
    as_text = str if rng.random() < 0.2 else int  # as VIA writes its ids
    for n in range(5):
        own = some(rng, one)
        annotations += [{"id": as_text(10 * n + at), **each, "image_id": as_text(n)} for at, each in enumerate(own)]
        made.files[f"{n}.jpg"] = picture(n)
        made.shapes[f"{n}.jpg"] = len(own)
    if annotations and all("caption" in each for each in annotations):  # a file of captions says nothing of objects
        return coco(rng)
    rng.shuffle(annotations)
    images = [{"id": as_text(n), "file_name": f"{n}.jpg", "width": WIDTH, "height": HEIGHT} for n in range(5)]
    categories = [{"id": n, "name": name, "keypoints": ["a"]} for n, name in enumerate(CLASSES, start=1)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    return Made({**made.files, "_annotations.coco.json": json.dumps(content).encode()}, made.shapes)


def captions(rng: Random) -> Made:
    made, rows = Made(), []
    for n in range(5):
        texts = [rng.choice(("a cat", "\u732b", 7, ["x"])) for _ in range(rng.randrange(3))]
        if not n or texts:
            made.files[f"{n}.jpg"], made.shapes[f"{n}.jpg"] = picture(n), len(texts) + (not n)
            rows.append({"image": f"{n}.jpg", "captions": ["one", *texts] if not n else texts, "n": 1, "more": [1]})
    return Made({**made.files, "a.jsonl": "\n".join(map(json.dumps, rows)).encode()}, made.shapes)


def captions_csv(rng: Random) -> Made:
    made = Made()
    lines = ["image,caption"]
    for n in range(5):
        made.files[f"{n}.jpg"], made.shapes[f"{n}.jpg"] = picture(n), 1 + rng.randrange(2)
        lines += [f'{n}.jpg,"a cat, {rng.random()}"'] * made.shapes[f"{n}.jpg"]
    return Made({**made.files, "captions.txt": "\n".join(lines).encode()}, made.shapes)


def create_ml(rng: Random) -> Made:
    def one(rng: Random) -> dict[str, Any]:
        x, y, width, height = box(rng)
        at = {"x": x, "y": y, "width": width, "height": height}
        return {"label": rng.choice(CLASSES), "coordinates": at}

    made, entries = Made(), []
    for n in range(5):
        own = some(rng, one)
        entries.append({"image": f"{n}.jpg", "annotations": own})
        made.files[f"{n}.jpg"] = picture(n)
        made.shapes[f"{n}.jpg"] = len(own)
    return Made({**made.files, "_annotations.createml.json": json.dumps(entries).encode()}, made.shapes)


_BRUSH = [0, 0, 24, 0, 16, 0, 128, 0]  # not decoded here: a brush that is no run lengths is named


def _region(rng: Random) -> tuple[str, dict[str, Any]]:
    """(type of a control, value)."""
    x, y = rng.randrange(50), rng.randrange(50)
    two = {"x": x, "y": y, "width": rng.randint(5, 40), "height": rng.randint(5, 40), "rotation": rng.choice((0, 30))}
    points = [[x, y], [x + 20, y], [x + 20, y + 20]]
    return rng.choice((
        ("rectangle", two), ("polygon", {"points": points, "closed": True}), ("keypoint", {"x": x, "y": y, "width": 1}),
        ("ellipse", {"x": x, "y": y, "radiusX": 9, "radiusY": 4, "rotation": 10}), ("vector", {"vertices": xy([(1, 2)]),
        "closed": False}), ("brush", {"format": "rle", "rle": _BRUSH}),
    ))  # fmt: skip


def _answer(rng: Random) -> tuple[str, dict[str, Any], int]:
    """(type, value, how many classes or answers) about a whole image."""
    chosen = rng.sample(CLASSES, rng.randint(1, 3))
    return rng.choice((
        ("choices", {"choices": chosen}, len(chosen)), ("taxonomy", {"taxonomy": [["a", "b"], ["c"]]}, 2),
        ("textarea", {"text": ["a cat on a mat"]}, 1), ("rating", {"rating": 4}, 1), ("number", {"number": 7}, 1),
    ))  # fmt: skip


def label_studio(rng: Random) -> Made:
    made, tasks = Made(), []
    for n in range(5):
        results: list[dict[str, Any]] = []
        count = 0
        for at in range(rng.choice((0, 1, 2, 4))):
            kind, value = _region(rng)
            known = {"id": f"r{at}", "to_name": "image", "original_width": WIDTH, "original_height": HEIGHT}
            count += 1
            if rng.random() < 0.3:  # two controls: a figure, and its labels
                results.append({**known, "type": kind, "from_name": "figure", "value": value})
                value = value | {"labels": [rng.choice(CLASSES)]}
                results.append({**known, "type": "labels", "from_name": "label", "value": value})
            else:
                value = value | {f"{kind}labels": [rng.choice(CLASSES)]} if rng.random() < 0.9 else value
                results.append({**known, "type": f"{kind}labels", "from_name": "label", "value": value})
            if rng.random() < 0.2:  # an answer about the region
                said = {"type": "textarea", "from_name": "text", "value": value | {"text": ["x"]}}
                results.append({**known, **said})
        for at in range(rng.choice((0, 0, 1, 2))):
            kind, value, answers = _answer(rng)
            known = {"id": f"a{at}", "to_name": "image", "from_name": f"q{at}"}
            results.append({**known, "type": kind, "value": value})
            count += answers
        if len(results) > 1 and rng.random() < 0.2:
            results.append({"type": "relation", "from_id": "r0", "to_id": "r1", "direction": "right"})
        annotation = {"id": n, "completed_by": 1, "was_cancelled": False, "result": results}
        known = {"image": f"/data/upload/1/0123abcd-{n}.jpg"}
        tasks.append({"id": n, "data": known, "annotations": [annotation], "predictions": []})
        made.files[f"{n}.jpg"] = picture(n)
        made.shapes[f"{n}.jpg"] = count
    return Made({**made.files, "project-1.json": json.dumps(tasks).encode()}, made.shapes)


def _flat_row(rng: Random, n: int) -> tuple[dict[str, Any], int]:
    """A row of JSON-MIN, and its shapes."""
    row: dict[str, Any] = {"image": f"/data/upload/1/0123abcd-{n}.jpg", "id": n + 1}
    regions: dict[str, list[Any]] = {}
    for kind, value in some(rng, _region):
        said = {f"{kind}labels": [rng.choice(CLASSES)], "original_width": WIDTH, "original_height": HEIGHT}
        regions.setdefault("label", []).append(value | said)
    row |= regions
    count = sum(map(len, regions.values()))
    kind, value, answers = _answer(rng)
    if kind == "choices":
        chosen = value["choices"]
        row["scene"] = chosen[0] if len(chosen) == 1 else value
        count += answers
    return row | {"annotator": 1, "annotation_id": n + 1, "lead_time": 2.5}, count


def label_studio_min(rng: Random) -> Made:
    made, rows = Made(), []
    for n in range(5):
        row, count = _flat_row(rng, n)
        rows.append(row)
        made.files[f"{n}.jpg"] = picture(n)
        made.shapes[f"{n}.jpg"] = count
    return Made({**made.files, "project-1-min.json": json.dumps(rows).encode()}, made.shapes)


def label_studio_csv(rng: Random) -> Made:
    made, rows = Made(), []
    for n in range(5):
        row, count = _flat_row(rng, n)
        rows.append({key: json.dumps(value) if isinstance(value, list | dict) else value for key, value in row.items()})
        made.files[f"{n}.jpg"] = picture(n)
        made.shapes[f"{n}.jpg"] = count
    stream = io.StringIO()
    names = ["image", "id", "label", "scene", "annotator", "annotation_id", "lead_time"]
    table = csv.DictWriter(stream, names)
    table.writeheader()
    table.writerows(rows)
    return Made({**made.files, "project-1.csv": stream.getvalue().encode()}, made.shapes)


def ultralytics_ndjson(rng: Random) -> Made:
    def one(rng: Random) -> tuple[str, Any]:
        number, points = rng.randrange(3), [round(rng.random(), 3) for _ in range(8)]
        return rng.choice((
            ("boxes", [number, 0.5, 0.5, 0.2, 0.3]), ("segments", [number, 0.1, 0.1, 0.9, 0.1, 0.5, 0.9]),
            ("obb", [number, *points]), ("pose", [number, 0.5, 0.5, 0.2, 0.3, 0.4, 0.4, 2]), ("classification", number),
        ))  # fmt: skip

    names = {str(n): name for n, name in enumerate(CLASSES)}
    lines: list[dict[str, Any]] = [{"type": "dataset", "task": "detect", "name": "x", "class_names": names}]
    made = Made()
    for n in range(5):
        own: dict[str, list[Any]] = {}
        for kind, value in some(rng, one):
            own.setdefault(kind, []).append(value)
        entry = {"type": "image", "file": f"{n}.jpg", "width": WIDTH, "height": HEIGHT, "split": "train"}
        lines.append(entry | ({"annotations": own} if own or rng.random() < 0.5 else {}))
        made.files[f"{n}.jpg"] = picture(n)
        made.shapes[f"{n}.jpg"] = sum(map(len, own.values()))
    return Made({**made.files, "set.ndjson": "\n".join(map(json.dumps, lines)).encode()}, made.shapes)
