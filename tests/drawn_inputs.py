"""Valid files of labelling tools with every shape that each knows, and how many annotations each image has in them.

`odd` puts nonsense into them instead, for test_fuzz.py: what it is given comes back, or something else.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
from fuzz import Files
from PIL import Image as PilImage

Odd = Callable[[Any], Any]
NAMES = ("a.jpg", "b.png")
LABELS = ("cat", "dog", "\u732b")


def as_it_is(value: Any) -> Any:
    return value


def _json(content: Any) -> bytes:
    return json.dumps(content).encode("utf-8", "surrogatepass")


def _points(rng: Random, count: int) -> list[list[float]]:
    return [[round(rng.uniform(1, 30), 2), round(rng.uniform(1, 22), 2)] for _ in range(count)]


def mask_text(rng: Random, width: int, height: int) -> str:
    """A PNG of noughts and ones in base64, as labelme writes a mask."""
    pixels = np.frombuffer(rng.randbytes(width * height), np.uint8).reshape(height, width) % 2
    pixels[0, 0] = 1
    stream = io.BytesIO()
    PilImage.fromarray(pixels).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


def labelme(rng: Random, odd: Odd = as_it_is) -> tuple[Files, dict[str, int]]:
    counts = {
        "polygon": 5, "rectangle": 2, "circle": 2, "line": 2, "point": 1, "points": 3, "linestrip": 4, "mask": 2,
        "oriented_rectangle": 4, "rotation": 4, "cuboid": 8, None: 3,
    }  # fmt: skip
    files: Files = {}
    counted = {}
    for name in NAMES:
        shapes = []
        for kind in rng.choices(list(counts), k=rng.randrange(6)):
            points = _points(rng, counts[kind])
            shape = {
                "label": odd(rng.choice(LABELS)), "points": odd(points),
                "group_id": odd(rng.choice((None, 1)) if kind != "point" else None),
                "shape_type": odd(kind), "flags": odd({"occluded": rng.random() < 0.5}), "description": odd(""),
            }  # fmt: skip
            if kind == "mask":
                shape |= {"points": odd([[3, 4], [9, 8]]), "mask": odd(mask_text(rng, 7, 5))}
            shapes.append(odd(shape))
        flags = {flag: rng.random() < 0.5 for flag in rng.sample(("night", "rain"), rng.randrange(3))}
        counted[name] = len(shapes) + sum(flags.values())
        content = {
            "version": "5.5.0", "flags": odd(flags), "shapes": odd(shapes), "imagePath": odd(name),
            "imageData": odd(None), "imageHeight": odd(24), "imageWidth": odd(32),
        }  # fmt: skip
        files[f"{name[0]}.json"] = _json(content)
    return files, counted


def _via_shape(rng: Random, odd: Odd) -> dict[str, Any]:
    (x, y), (width, height) = _points(rng, 2)
    xs, ys = zip(*_points(rng, 5), strict=True)
    shape = rng.choice((
        {"name": "rect", "x": odd(x), "y": odd(y), "width": odd(width), "height": odd(height)},
        {"name": "circle", "cx": odd(x), "cy": odd(y), "r": odd(5)},
        {"name": "ellipse", "cx": odd(x), "cy": odd(y), "rx": odd(6), "ry": odd(3)},
        {"name": "ellipse", "cx": odd(x), "cy": odd(y), "rx": 6.5, "ry": 3, "theta": odd(1.2)},
        {"name": "polygon", "all_points_x": odd(list(xs)), "all_points_y": odd(list(ys))},
        {"name": "polyline", "all_points_x": odd(list(xs)), "all_points_y": odd(list(ys))},
        {"name": "point", "cx": odd(x), "cy": odd(y)},
    ))  # fmt: skip
    return odd(shape)


def _via_regions(rng: Random, odd: Odd) -> list[dict[str, Any]]:
    return [
        {"shape_attributes": _via_shape(rng, odd),
         "region_attributes": odd({"class": odd(rng.choice(LABELS)), "hue": odd({"red": True, "blue": False})})}
        for _ in range(rng.randrange(6))
    ]  # fmt: skip


def via_json(rng: Random, odd: Odd = as_it_is) -> tuple[Files, dict[str, int]]:
    regions = {name: _via_regions(rng, odd) for name in NAMES}
    entries = {
        f"{name}1": odd({
            "filename": odd(name), "size": 1, "file_attributes": odd({"caption": "x"}),
            "regions": odd({str(n): each for n, each in enumerate(own)} if rng.random() < 0.3 else own),
        })
        for name, own in regions.items()
    }  # fmt: skip
    counted = {name: len(own) for name, own in regions.items()}
    if rng.random() < 0.5:
        return {"via.json": _json(entries)}, counted
    defined = {"region": {"class": odd({"type": "dropdown", "options": {"cat": odd(""), "dog": odd("Dog")}})}}
    project = {"_via_settings": {}, "_via_img_metadata": odd(entries), "_via_attributes": odd(defined)}
    return {"via.json": _json(project)}, counted


def via_csv(rng: Random, odd: Odd = as_it_is) -> tuple[Files, dict[str, int]]:
    lines = ["filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes"]

    def cell(value: Any) -> str:
        return '"' + json.dumps(value).replace('"', '""') + '"'

    counted = {}
    for name in NAMES:
        regions = _via_regions(rng, odd)
        counted[name] = len(regions)
        for number, region in enumerate(regions):
            said = [cell(region["shape_attributes"]), cell(region["region_attributes"])]
            lines.append(",".join(map(str, [odd(name), 1, '"{}"', odd(len(regions)), number, *said])))
        if not regions:
            lines.append(f'{name},1,"{{}}",0,0,"{{}}","{{}}"')
    return {"via.csv": "\n".join(lines).encode("utf-8", "surrogatepass")}, counted


def via_3(rng: Random, odd: Odd = as_it_is) -> tuple[Files, dict[str, int]]:
    counts = {1: 2, 2: 4, 3: 3, 4: 4, 5: 4, 6: 6, 7: 8, 8: 8, 9: 6}
    metadata, counted = {}, dict.fromkeys(NAMES, 0)
    for number in range(rng.randrange(10)):
        kind = rng.choice(list(counts))
        values = [at for point in _points(rng, 4) for at in point][: counts[kind]]
        view = rng.choice("12")
        counted[NAMES[int(view) - 1]] += 1
        said = {"vid": odd(view), "flg": 0, "z": odd([]), "xy": odd([kind, *map(odd, values)])}
        metadata[f"m{number}"] = odd({**said, "av": odd({"1": odd(rng.choice(("0", "1"))), "2": odd("0,1")})})
    if not metadata:
        counted["a.jpg"] = 1  # the attribute of the file labels the image where there is no region at all
    metadata["of_file"] = {"vid": "1", "flg": 0, "z": [], "xy": [], "av": odd({"1": "0"})}
    attributes = {"1": {"aname": "class", "type": 3, "options": odd({"0": "cat", "1": odd("dog")})},
                  "2": odd({"aname": "seen", "type": 2, "options": {"0": "x", "1": "y"}})}  # fmt: skip
    known = {str(n): odd({"fid": n, "fname": odd(name), "type": odd(2), "loc": 1, "src": odd("")})
             for n, name in enumerate(NAMES, start=1)}  # fmt: skip
    project = {
        "project": {"pid": "x", "vid_list": ["1", "2"]}, "config": {"file": {"loc_prefix": {}}},
        "attribute": odd(attributes), "file": odd(known), "view": odd({n: {"fid_list": odd([n])} for n in "12"}),
        "metadata": odd(metadata),
    }  # fmt: skip
    return {"via3.json": _json(project)}, counted


def kitti(rng: Random, odd: Odd = as_it_is) -> tuple[Files, dict[str, int]]:
    files: Files = {}
    counted = {}
    for name in NAMES:
        lines = []
        for _ in range(rng.randrange(4)):
            label = rng.choice(("Car", "Person_sitting", "Person sitting", "DontCare"))
            values = [rng.choice((0, 0.5, -1)), rng.randrange(4), -1.5, 2, 3, 12, 13, 1.5, 1.6, 3.8, 1, 2, 30, 1.1]
            lines.append(" ".join(str(odd(value)) for value in (label, *values)))
        counted[f"image_2/{name}"] = len(lines)
        text = "\n".join(lines)
        files[f"label_2/{name[0]}.txt"] = text.encode("utf-8", "surrogatepass")
    return files, counted


def open_images(rng: Random, odd: Odd = as_it_is) -> tuple[Files, dict[str, int]]:
    boxes = ["ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,"
             "IsInside"]  # fmt: skip
    labels = ["ImageID,Source,LabelName,Confidence"]
    counted = dict.fromkeys(NAMES, 0)
    for name in NAMES:
        for _ in range(rng.randrange(4)):
            x, y = round(rng.uniform(0, 0.5), 4), round(rng.uniform(0, 0.5), 4)
            flags = [rng.choice(("0", "1", "-1")) for _ in range(5)]
            cells = [name[0], "xclick", rng.choice(("/m/01", "/m/02", "/m/03")), 1, x, x + 0.3, y, y + 0.3, *flags]
            boxes.append(",".join(str(odd(cell)) for cell in cells))
            counted[name] += 1
        for source, confidence in rng.sample((("verification", 1), ("verification", 0), ("machine", 0.7)), 2):
            labels.append(",".join(str(odd(cell)) for cell in (name[0], source, "/m/01", confidence)))
            counted[name] += confidence == 1
    files = {"train-annotations-bbox.csv": boxes, "train-labels.csv": labels, "class-descriptions.csv": ["/m/01,Cat"]}
    return {name: "\n".join(lines).encode("utf-8", "surrogatepass") for name, lines in files.items()}, counted


def voc(rng: Random, odd: Odd = as_it_is) -> tuple[Files, dict[str, int]]:
    box = "<bndbox><xmax>12</xmax><xmin>2</xmin><ymax>13</ymax><ymin>3</ymin></bndbox>"
    numbered = "".join(f"<{side}{n}>{value}</{side}{n}>" for n in (1, 2, 3) for side, value in (("x", n), ("y", n * n)))
    shapes = (
        box, f"{box}<polygon>{numbered}</polygon>", f"<polygon>{numbered}</polygon>",
        "<polygon>" + "<pt><x>2</x><y>3</y></pt>" + "<pt><x>9</x><y>3</y></pt><pt><x>9</x><y>8</y></pt></polygon>",
        "<robndbox><cx>12</cx><cy>10</cy><w>8</w><h>4</h><angle>0.7</angle></robndbox>", "<point><x>1</x></point>", "",
    )  # fmt: skip
    files: Files = {}
    counted = {}
    for name in NAMES:
        chosen = rng.choices(shapes, k=rng.randrange(5))
        counted[name] = len(chosen)
        objects = "".join(f"<object><name>{rng.choice(LABELS)}</name>{odd(shape)}</object>" for shape in chosen)
        text = f"<annotation><filename>{name}</filename>{objects}</annotation>"
        files[f"{name[0]}.xml"] = text.encode("utf-8", "surrogatepass")
    return files, counted


TOOLS = {
    "labelme": labelme, "via_json": via_json, "via_csv": via_csv, "via_3": via_3, "kitti": kitti,
    "open_images": open_images, "voc": voc,
}  # fmt: skip
