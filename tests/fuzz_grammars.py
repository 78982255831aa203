"""Files of each format by its grammar, with nonsense here and there: the made-up half of test_fuzz.py's cases."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

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


def _panlabel(rng: Random) -> Files:
    at = {key: odd(rng, value) for key, value in (("x", 7), ("y", 8), ("width", 10), ("height", 10))}
    points = odd(rng, [[2, 3], [12, odd(rng, 13)], [12, 3]])
    kind = rng.choice(("rectangle", "polygon", "circle", text(rng)[:20]))
    value = {"rectanglelabels": odd(rng, ["cat"]), "polygonlabels": odd(rng, ["cat"]), **at, "points": points}
    result = {"type": rng.choice(("rectanglelabels", "polygonlabels", "x")), "value": odd(rng, value),
              "original_width": odd(rng, 32), "original_height": odd(rng, 24)}  # fmt: skip
    region = {
        "shape_attributes": odd(rng, {"name": rng.choice(("rect", "polygon")), **at, "all_points_x": odd(rng, [2, 12,
        12]),
                                      "all_points_y": odd(rng, [3, 3, 13])}), "region_attributes": odd(rng, {"l":
                                      "cat"}),
    }  # fmt: skip
    shapes = "".join(
        f'<{tag} label="{_label(rng)}" xtl="{_side(rng)}" ytl="3" xbr="12" ybr="{_side(rng)}" '
        f'points="{_side(rng)},3;12,3;9,9"/>'
        for tag in rng.choices(("box", "polygon", "points", "mask"), k=2)
    )
    name = _name(rng)
    image = f'<image id="0" name="{name}" width="{_side(rng)}" height="24">{shapes}</image>'
    return rng.choice((
        {"x.xml": f"<annotations>{image}</annotations>".encode("utf-8", "surrogatepass")},
        {"x.json": _json([{"id": 1, "data": odd(rng, {"image": name}), "annotations": odd(rng, [{"result":
        [result]}])}], rng)},
        {"x.json": _json({f"{name}1": {"filename": odd(rng, name), "size": odd(rng, 1), "regions": odd(rng,
        [region])}}, rng)},
        {"x.json": _json({"version": "5", "shapes": odd(rng, [{"label": odd(rng, "cat"), "points": points,
        "shape_type": kind}]),
                          "imagePath": odd(rng, name), "imageHeight": odd(rng, 24), "imageWidth": odd(rng, 32)}, rng)},
        {"x.json": _json([{"image": odd(rng, name), "annotations": odd(rng, [{"label": "cat", "coordinates": at}])}],
        rng)},
    ))  # fmt: skip


def _create_ml(rng: Random) -> Files:
    def box() -> Any:
        at = {side: odd(rng, rng.choice((7, 8.5, "9,5"))) for side in ("x", "y", "width", "height")}
        return odd(rng, {"label": odd(rng, _label(rng)), "coordinates": odd(rng, at)}, 0.05)

    def entry() -> Any:
        boxes = [box() for _ in range(rng.randrange(4))]
        return {"image": odd(rng, _name(rng)), rng.choice(("annotations",) * 5 + ("annotation", "x")): odd(rng, boxes)}

    return {"l.json": _json([odd(rng, entry(), 0.05) for _ in range(rng.randint(1, 4))], rng)}


def _ultralytics_ndjson(rng: Random) -> Files:
    def row() -> Any:
        kind = rng.choice(("boxes", "segments", "obb", "pose", "classification", "captions"))
        items = [odd(rng, [odd(rng, rng.random()) for _ in range(rng.choice((4, 5, 7, 9)))]) for _ in range(3)]
        return {
            "file": odd(rng, _name(rng)),
            "split": odd(rng, "val"),
            "annotations": odd(rng, {kind: odd(rng, items)}),
        }

    head = {
        "type": "dataset",
        "class_names": odd(rng, {"0": odd(rng, "cat"), "1": "dog"}),
        "kpt_shape": odd(rng, [2, 3]),
    }
    return {"d.ndjson": b"\n".join(_json(odd(rng, one, 0.03), rng) for one in (head, *(row() for _ in range(3))))}


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


GRAMMARS: dict[str, Callable[[Random], Files]] = {
    "class_folders": _class_folders, "coco": _coco, "create_ml": _create_ml, "labelbox": _labelbox,
    "multiclass_csv": _multiclass_csv,
    "panlabel": _panlabel, "retinanet_csv": _retinanet_csv, "tfod_csv": _tfod_csv, "ultralytics": _ultralytics,
    "ultralytics_ndjson": _ultralytics_ndjson,
    "voc": _voc,
    "yolo_darknet": _yolo_darknet, "yolo_keras": _yolo_keras,
}  # fmt: skip
