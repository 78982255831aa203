"""Files of each format by its grammar, with nonsense here and there: the made-up half of test_fuzz.py's cases."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

from drawn_inputs import TOOLS
from fuzz import Files, json_value, number, text

ALIASES = "{" + ", ".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}' if n else 'x'] * 9)}]" for n in range(12)) + "}"
NAMES = ("a.jpg", "sub/b.png", "c.jpg", "d.webp")
QUOTES = ("'", "'", "'", '"')


def odd(rng: Random, value: Any, share: float = 0.12) -> Any:
    return json_value(rng) if rng.random() < share else value


def _name(rng: Random) -> str:
    return rng.choice(NAMES) if rng.random() < 0.8 else text(rng)


def _label(rng: Random) -> str:
    return rng.choice(("cat", "dog", "cat ", "\u732b")) if rng.random() < 0.8 else text(rng)


def _side(rng: Random) -> str:
    return str(rng.randint(0, 32)) if rng.random() < 0.8 else number(rng)


def _coco(rng: Random) -> Files:
    segmentations = (
        [[2, 3, 12, 3, 12, 13]], [2, 3, 12, 3, 12, 13], {"size": [24, 32], "counts": [700, 60, 8]}, [], None,
        {"size": [24, 32], "counts": "".join(chr(48 + rng.randrange(64)) for _ in range(rng.randrange(9)))},
        {"size": [rng.choice((0, 24, 40_000)), rng.choice((1, 32, 50_000))], "counts": [rng.randrange(2**31)]},
        {"size": [24, 32], "counts": [0] * 3 + [768]}, [[rng.uniform(-1e7, 1e7) for _ in range(8)]], [[0.1] * 7],
    )  # fmt: skip
    images = [
        {"id": odd(rng, n), "file_name": odd(rng, _name(rng)), "width": odd(rng, 32), "height": odd(rng, 24)}
        for n in range(rng.randrange(4))
    ]
    annotations = [
        {
            "id": odd(rng, n), "image_id": odd(rng, rng.randrange(4)), "category_id": odd(rng, rng.randrange(1, 3)),
            "bbox": odd(rng, [odd(rng, rng.randrange(30), 0.1) for _ in range(rng.choice((4, 4, 4, 3, 5)))]),
            "segmentation": odd(rng, rng.choice(segmentations)), "iscrowd": odd(rng, 0), "area": odd(rng, 100),
            "attributes": odd(rng, {"a": odd(rng, 1)}), text(rng)[:20]: odd(rng, 1),
        }
        for n in range(rng.randrange(6))
    ]  # fmt: skip
    categories = [{"id": odd(rng, n), "name": odd(rng, _label(rng)), "supercategory": odd(rng, "")} for n in (1, 2)]
    lists = {"images": odd(rng, images, 0.03), "annotations": odd(rng, annotations, 0.03)}
    return {"_annotations.coco.json": _json({**lists, "categories": odd(rng, categories, 0.03)}, rng)}


def _json(content: Any, rng: Random) -> bytes:
    return json.dumps(content, ensure_ascii=rng.random() < 0.6).encode("utf-8", "surrogatepass")


def _voc(rng: Random) -> Files:
    def element(name: str, content: str) -> str:
        name = name if rng.random() < 0.97 else rng.choice(("x", "a:b", "annotation", "1", "name"))
        return f"<{name}>{content}</{name}>" if rng.random() < 0.97 else rng.choice((f"<{name}/>", f"<{name}>", ""))

    def thing() -> str:
        sides = "".join(element(side, _side(rng)) for side in ("xmin", "ymin", "xmax", "ymax"))
        flags = "".join(
            element(flag, rng.choice(("0", "1", number(rng)))) for flag in ("difficult", "truncated", "pose")
        )
        return element(
            "object", element("name", _label(rng)) + flags + element("bndbox", sides) + element(_label(rng), "1")
        )

    size = element("size", element("width", number(rng)) + element("height", number(rng)))
    body = element("filename", _name(rng)) + size + "".join(thing() for _ in range(rng.randrange(4)))
    head = rng.choice((
        "", "", "", '<?xml version="1.0" encoding="GBK"?>', '<?xml version="1.0" encoding="utf-7"?>',
        '<?xml version="1.0" encoding="zlib"?>', '<?xml version="1.0" encoding="rot13"?>', '<?xml version="9"?>',
        '<?xml version="1.0" encoding="idna"?>', '<?xml version="1.0" encoding="punycode"?>',
        '<!DOCTYPE a [<!ENTITY lol "lol"><!ENTITY l2 "&lol;&lol;">]>', '<!DOCTYPE a SYSTEM "file:///etc/passwd">',
    ))  # fmt: skip
    said = (head + element("annotation", body)).encode("utf-8", "surrogatepass")
    sets = "".join(f"{rng.choice(('a', 'c', text(rng)))} {rng.choice(('', '1', '-1', '7'))}\n" for _ in range(4))
    return {"a.xml": said, "ImageSets/Main/train.txt": sets.encode("utf-8", "surrogatepass")}


def _yolo_lines(rng: Random) -> bytes:
    def value() -> str:
        return f"{rng.random():.5f}" if rng.random() < 0.9 else number(rng)

    lines = [
        " ".join(
            [rng.choice(("0", "1", "1", "7", number(rng))), *(value() for _ in range(rng.choice((4, 4, 4, 6, 8, 5))))]
        )
        for _ in range(rng.randrange(5))
    ]
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def _yolo_darknet(rng: Random) -> Files:
    paths = "\n".join(_name(rng) for _ in range(3)).encode("utf-8", "surrogatepass")
    names = "\n".join(_label(rng) for _ in range(rng.randint(1, 4))).encode("utf-8", "surrogatepass")
    data = f"classes = {number(rng)}\ntrain = {rng.choice(('train.txt', text(rng)))}\nnames = obj.names\n"
    return {
        "a.txt": _yolo_lines(rng), "sub/b.txt": _yolo_lines(rng), "c.txt": b"0 0.5 0.5 0.1 0.1", "obj.names": names,
        "obj.data": data.encode("utf-8", "surrogatepass"), "train.txt": paths,
    }  # fmt: skip


def _ultralytics(rng: Random) -> Files:
    names = rng.choice((
        "[cat, dog]", "{0: cat, 1: dog}", "\n  0: cat\n  7: dog", f"[{number(rng)}, dog]", "{99999999: a}",
        "{-1: a}", "&a [*a]",
        "!!python/object/apply:os.system ['true']", f"{{0: {number(rng)}}}", "[[a], {b: c}]", "cat", "2001-12-14",
        "{0: !!binary x}",
        "{\u0663: cat}", "{0: [&x [a,a,a]]}", "? [a]\n: b",
        '["\\ud800", b]', ALIASES,
    ))  # fmt: skip
    paths = "".join(
        f"{key}: {rng.choice(('images/train', text(rng), number(rng)))}\n" for key in ("train", "val", "path")
    )
    shape = f"kpt_shape: [{number(rng)}, {number(rng)}]\n" if rng.random() < 0.3 else ""
    yaml = f"{paths}nc: {number(rng)}\n{shape}names: {names}\n"
    return {
        "data.yaml": yaml.encode("utf-8", "surrogatepass"),
        "a.txt": _yolo_lines(rng),
        "c.txt": b"0 0.5 0.5 0.1 0.1",
    }


def _yolo_keras(rng: Random) -> Files:
    def boxes() -> str:
        return " ".join(
            ",".join([*(_side(rng) for _ in range(rng.choice((4, 4, 4, 3, 5)))), rng.choice(("0", "1", number(rng)))])
            for _ in range(rng.randrange(3))
        )

    lines = "\n".join(f"{_name(rng)} {boxes()}" for _ in range(rng.randint(1, 5)))
    names = "\n".join(_label(rng) for _ in range(rng.randint(1, 3)))
    return {
        "_annotations.txt": lines.encode("utf-8", "surrogatepass"), "_classes.txt": names.encode("utf-8",
        "surrogatepass")
    }  # fmt: skip


def _csv(rng: Random, file: str, header: list[str], cells: Callable[[], list[str]]) -> Files:
    mark = rng.choice((",", ",", ",", ";", "\t"))
    rows = [header] * (rng.random() < 0.95) + [cells() for _ in range(rng.randrange(6))]
    rows = [row if rng.random() < 0.95 else [*row, number(rng)][rng.randrange(3) :] for row in rows]
    return {file: "\n".join(mark.join(row) for row in rows).encode("utf-8", "surrogatepass")}


def _tfod_csv(rng: Random) -> Files:
    header = ["filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax"]
    return _csv(rng, "train_labels.csv", header, lambda: [
        _name(rng), number(rng), number(rng), _label(rng), _side(rng), _side(rng), _side(rng), _side(rng),
    ])  # fmt: skip


def _retinanet_csv(rng: Random) -> Files:
    first = ["a.jpg", "1", "2", "9", "9", "cat"]
    rows = _csv(rng, "r.csv", first, lambda: [_name(rng), *(_side(rng) for _ in range(4)), _label(rng)])
    return rows | _csv(rng, "classes.csv", ["cat", "0"], lambda: [_label(rng), number(rng)])


def _multiclass_csv(rng: Random) -> Files:
    return _csv(rng, "_classes.csv", ["filename", "cat", "dog"], lambda: [
        _name(rng), *(rng.choice(("0", "1", "1", number(rng))) for _ in range(2)),
    ])  # fmt: skip


def _class_folders(rng: Random) -> Files:
    def part() -> str:
        part = rng.choice(("cat", "dog", "train", "valid", "sub", text(rng)[:60])).replace("/", "_").replace("\0", "_")
        return part.replace("{TOP}", "x") if part not in ("", ".", "..") else "x"

    return {
        "/".join(
            [*(part() for _ in range(rng.randint(1, 4))), rng.choice(("a.jpg", "b.JPG", "c.png", "notes.md"))]
        ): b""
        for _ in range(rng.randint(1, 6))
    }


def _labelbox(rng: Random) -> Files:
    points = [{"x": odd(rng, x, 0.05), "y": odd(rng, y, 0.05)} for x, y in ((2, 3), (12, 3), (12, 13), (2, 13))]
    frame = {"top": odd(rng, 3), "left": odd(rng, 2), "height": odd(rng, 10), "width": odd(rng, 10)}

    def thing() -> Any:
        shape = rng.choice(({"bounding_box": odd(rng, frame)}, {"polygon": odd(rng, points)}, {"point": points[0]}, {}))
        asked = [{"name": odd(rng, "q"), "radio_answer": odd(rng, {"name": odd(rng, "x")})}]
        return odd(rng, {"name": odd(rng, _label(rng)), **shape, "classifications": odd(rng, asked)}, 0.05)

    def row() -> Any:
        things = [thing() for _ in range(rng.randrange(4))]
        if rng.random() < 0.3:
            label = odd(rng, {"objects": things}) if rng.random() < 0.5 else {"cat": [{"geometry": odd(rng, points)}]}
            return {"External ID": odd(rng, _name(rng)), "Labeled Data": odd(rng, "https://x/y.jpg"), "Label": label}
        known = {"objects": odd(rng, things), "classifications": odd(rng, []), "relationships": odd(rng, [])}
        labels = odd(rng, [{"annotations": odd(rng, known)}])
        return {
            "data_row": odd(
                rng, {"id": "1", "external_id": odd(rng, _name(rng)), "row_data": odd(rng, text(rng))}, 0.05
            ),
            "media_attributes": odd(rng, {"width": odd(rng, 32), "height": odd(rng, 24)}),
            "projects": odd(rng, {"p": odd(rng, {"labels": labels})}, 0.05),
            "metadata_fields": odd(rng, []),
        }

    entries = [row() for _ in range(rng.randint(1, 4))]
    if rng.random() < 0.5:
        return {"export.ndjson": b"\n".join(_json(each, rng) for each in entries)}
    return {"export.json": _json(entries, rng)}


def _ultralytics_ndjson(rng: Random) -> Files:
    def item(kind: str) -> Any:
        count = {"boxes": 5, "segments": 9, "obb": 9, "pose": 8, "classification": 1}[kind]
        numbers = [odd(rng, rng.randrange(3), 0.05), *(odd(rng, rng.random(), 0.03) for _ in range(count - 1))]
        return odd(rng, numbers if count > 1 else numbers[0], 0.05)

    def image() -> Any:
        kinds = [rng.choice(("boxes", "segments", "obb", "pose", "classification")) for _ in range(rng.randrange(3))]
        said = odd(rng, {odd(rng, kind, 0.0): odd(rng, [item(kind) for _ in range(2)], 0.05) for kind in kinds}, 0.05)
        size = {"width": odd(rng, 32), "height": odd(rng, 24), "split": odd(rng, "val")}
        return {"type": "image", "file": odd(rng, _name(rng)), **size, "annotations": said}

    head = {"type": "dataset", "task": odd(rng, "detect"), "class_names": odd(rng, {"0": odd(rng, "cat"), "1": "dog"})}
    lines = [head, *(odd(rng, image(), 0.03) for _ in range(rng.randrange(5)))]
    return {"d.ndjson": b"\n".join(_json(each, rng) for each in lines)}


def _label_studio(rng: Random) -> Files:
    at = {key: odd(rng, value, 0.05) for key, value in (("x", 20), ("y", 30), ("width", 10), ("height", -10))}

    def result() -> Any:
        kind = rng.choice(("rectangle", "polygon", "ellipse", "brush", "bitmask", "keypoint", "", text(rng)[:20]))
        shape = {
            **at, "rotation": odd(rng, rng.choice((0, 30))), "points": odd(rng, [[2, 3], [12, odd(rng, 13)], [12, 3]]),
            "radiusX": odd(rng, 5), "radiusY": odd(rng, 3), "imageDataURL": odd(rng, "data:image/png;base64,AAAA"),
            "rle": odd(rng, [0, 0, 12, 0, 57, 27, *(rng.randrange(256) for _ in range(rng.randrange(90)))]),
        }  # fmt: skip
        shape = {key: value for key, value in shape.items() if rng.random() < 0.8}
        return odd(rng, {
            "type": f"{kind}labels", "value": odd(rng, {**shape, f"{kind}labels": odd(rng, [_label(rng)])}, 0.05),
            "original_width": odd(rng, 32), "original_height": odd(rng, 24), "id": odd(rng, rng.choice("ab")),
            "from_name": odd(rng, "label"), "to_name": odd(rng, "image"), "item_index": odd(rng, 0),
        }, 0.05)  # fmt: skip

    answer = {"type": "choices", "from_name": "c", "value": odd(rng, {"choices": odd(rng, ["day"])})}
    names = ("/data/upload/1/12345678-a.jpg", "/data/local-files/?d=sub/b.png", "s3://x/c.jpg", _name(rng))

    def entry() -> Any:
        results = [result() for _ in range(rng.randrange(4))] + [answer] * rng.randrange(2)
        if rng.random() < 0.3:
            values = [each["value"] for each in results if isinstance(each, dict) and "value" in each]
            about = {"annotator": odd(rng, 1), "annotation_id": odd(rng, 1), "lead_time": odd(rng, 1.5)}
            return {"image": odd(rng, rng.choice(names)), "id": odd(rng, 1), "label": odd(rng, values), **about}
        made = {"result": odd(rng, results), "was_cancelled": odd(rng, False), "created_at": odd(rng, "2024-01-01")}
        return {
            "id": odd(rng, 1), "annotations": odd(rng, [made] * rng.randrange(3)), "predictions": odd(rng, []),
            "data": odd(rng, {"image": odd(rng, rng.choice(names))}, 0.05),
        }  # fmt: skip

    return {"export.json": _json([entry() for _ in range(rng.randint(1, 4))], rng)}


def _cvat(rng: Random) -> Files:
    def shape(more: str = "") -> str:
        tag = rng.choice(("box", "polygon", "mask", "ellipse", "tag", "points", "skeleton"))
        runs = ",".join(rng.choice(("1", "2", "0", number(rng))) for _ in range(3))
        sides = " ".join(
            f'{side}="{_side(rng)}"' for side in ("xtl", "ytl", "xbr", "ybr", "left", "top", "width", "cx")
        )
        points = ";".join(f"{_side(rng)},{_side(rng)}" for _ in range(3))
        turned = (
            f'rotation="{rng.choice(("0", "30", number(rng)))}" height="{_side(rng)}" cy="3" rx="2" ry="{_side(rng)}"'
        )
        hue = f'<attribute name="{_label(rng)}">{number(rng)}</attribute>'
        return f'<{tag} label="{_label(rng)}" {more} {sides} {turned} rle="{runs}" points="{points}">{hue}</{tag}>'

    image = f'<image id="0" name="{_name(rng)}" width="{_side(rng)}" height="24">{shape()}{shape()}</image>'
    frames = "".join(shape(f'frame="{rng.choice(("0", "1", number(rng)))}" outside="0"') for _ in range(3))
    track = f'<track id="{number(rng)}" label="{_label(rng)}">{frames}</track>'
    meta = "".join(f"<{key}>{number(rng)}</{key}>" for key in ("size", "start_frame", "stop_frame", "frame_filter"))
    inside = rng.choice((image, image, track)) + (f"<meta><task>{meta}</task></meta>" if rng.random() < 0.5 else "")
    said = f"<annotations><version>1.1</version>{inside}</annotations>"
    return {"annotations.xml": said.replace("&", "&amp;").encode("utf-8", "surrogatepass")}


def _panlabel(rng: Random) -> Files:
    at = {key: odd(rng, value) for key, value in (("x", 7), ("y", 8), ("width", 10), ("height", 10))}
    points = odd(rng, [[2, 3], [12, odd(rng, 13)], [12, 3]])
    kind = rng.choice(("rectangle", "polygon", "circle", text(rng)[:20]))
    region = {
        "shape_attributes": odd(rng, {"name": rng.choice(("rect", "polygon")), **at, "all_points_x": odd(rng, [2, 12,
        12]),
                                      "all_points_y": odd(rng, [3, 3, 13])}), "region_attributes": odd(rng, {"l":
                                      "cat"}),
    }  # fmt: skip
    name = _name(rng)
    return rng.choice((
        {"x.json": _json({f"{name}1": {"filename": odd(rng, name), "size": odd(rng, 1), "regions": odd(rng,
        [region])}}, rng)},
        {"x.json": _json({"version": "5", "shapes": odd(rng, [{"label": odd(rng, "cat"), "points": points,
        "shape_type": kind}]),
                          "imagePath": odd(rng, name), "imageHeight": odd(rng, 24), "imageWidth": odd(rng, 32)}, rng)},
        {"x.json": _json([{"image": odd(rng, name), "annotations": odd(rng, [{"label": "cat", "coordinates": at}])}],
        rng)},
    ))  # fmt: skip


def _drawn(*tools: str) -> Callable[[Random], Files]:
    """Files of tests/drawn_inputs.py with nonsense in them."""

    def make(rng: Random) -> Files:
        share = rng.choice((0.01, 0.06))
        return TOOLS[rng.choice(tools)](rng, lambda value: odd(rng, value, share))[0]

    return make


def _create_ml(rng: Random) -> Files:
    def box() -> Any:
        at = {side: odd(rng, rng.choice((7, 8.5, "9,5"))) for side in ("x", "y", "width", "height")}
        return odd(rng, {"label": odd(rng, _label(rng)), "coordinates": odd(rng, at)}, 0.05)

    def entry() -> Any:
        boxes = [box() for _ in range(rng.randrange(4))]
        return {"image": odd(rng, _name(rng)), rng.choice(("annotations",) * 5 + ("annotation", "x")): odd(rng, boxes)}

    return {"l.json": _json([odd(rng, entry(), 0.05) for _ in range(rng.randint(1, 4))], rng)}


def label_map_text(rng: Random) -> Files:
    def item() -> str:
        opening, closing = rng.choice(("{}", "<>", ("{", ">"), (": {", "}")))
        fields = [
            f"name: {rng.choice(QUOTES)}{_label(rng)}'",
            f"id: {number(rng)}",
            'display_name: "x"',
            f"{_label(rng)}: 1",
        ]
        return f"item {opening} {' '.join(rng.sample(fields, rng.randint(1, 3)))} {closing}\n"

    said = "# dataset: x\n" + "".join(item() for _ in range(rng.randrange(1, 4)))
    return {"label_map.pbtxt": said.encode("utf-8", "surrogatepass")}


def _captions(rng: Random) -> Files:
    rows = [
        {
            rng.choice(("image", "image", "file_name", "x")): odd(rng, _name(rng)),
            "caption": odd(rng, rng.choice(("a cat", ["x", "y"], None))),
            text(rng)[:20]: odd(rng, 1), "split": odd(rng, "train"),
        }
        for _ in range(rng.randrange(6))
    ]  # fmt: skip
    lines = "".join(f"{_name(rng)},{text(rng)}\n" for _ in range(rng.randrange(4)))
    return {
        "a.jsonl": b"\n".join(_json(row, rng) for row in rows),
        "list.json": _json([{"image": "a.jpg", "caption": "x"}, *rows], rng),
        "captions.txt": f"image,caption\n{lines}".encode("utf-8", "surrogatepass"),
    }


GRAMMARS: dict[str, Callable[[Random], Files]] = {
    "captions": _captions,
    "class_folders": _class_folders, "coco": _coco, "create_ml": _create_ml, "cvat": _cvat,
    "label_studio": _label_studio, "labelbox": _labelbox, "multiclass_csv": _multiclass_csv,
    "panlabel": _panlabel, "retinanet_csv": _retinanet_csv, "tfod_csv": _tfod_csv, "ultralytics": _ultralytics,
    "ultralytics_ndjson": _ultralytics_ndjson,
    "voc": _voc,
    "yolo_darknet": _yolo_darknet, "yolo_keras": _yolo_keras, "kitti": _drawn("kitti"), "labelme": _drawn("labelme"),
    "open_images": _drawn("open_images"), "via": _drawn("via_json", "via_csv", "via_3"),
}  # fmt: skip
