"""Valid CVAT, YOLO, CSV, TFRecord and class folders with every kind of shape that each knows; and drawn_inputs.py's."""

from __future__ import annotations

from random import Random
from xml.sax.saxutils import quoteattr

from drawn_inputs import TOOLS

from shardsmith.dataset.messages import Example
from shardsmith.formats.tfrecord.frames import frame
from valid.made import CLASSES, HEIGHT, WIDTH, Made, Maker, box, corners, picture, ring, some


def drawn(tool: str) -> Maker:
    def make(rng: Random) -> Made:
        files, shapes = TOOLS[tool](rng)
        while tool == "kitti" and not any(shapes.values()):  # empty files alone are of no format
            files, shapes = TOOLS[tool](rng)
        pictures = {name: picture(n, "PNG" if ".png" in name else "JPEG") for n, name in enumerate(shapes)}
        if tool == "open_images":  # which lists no negatives
            shapes = {name: count for name, count in shapes.items() if count}
        return Made({**pictures, **files}, shapes)

    return make


def _cvat_shape(rng: Random) -> str:
    left, top, right, bottom = corners(rng)
    points = ";".join(f"{x},{y}" for x, y in ring(rng))
    frame = f'xtl="{left}" ytl="{top}" xbr="{right}" ybr="{bottom}"'
    corner = " ".join(f'x{at}="1" y{at}="2"' for at in ("tl1", "bl1", "tr1", "br1", "tl2", "bl2", "tr2", "br2"))
    tag, said, inside = rng.choice((
        ("box", frame, ""), ("box", f'{frame} rotation="30.0"', '<attribute name="hue">red</attribute>'),
        ("polygon", f'points="{points}"', ""), ("polyline", f'points="{points}"', ""), ("points", 'points="3,4"', ""),
        ("ellipse", 'cx="12" cy="10" rx="5" ry="3"', ""), ("mask", 'rle="2,7,3" left="4" top="5" width="4" height="3"',
        ""), ("cuboid", corner, ""), ("tag", "", ""),
        ("skeleton", "", '<points label="1" occluded="0" outside="0" points="3,4"/><points label="2" outside="1" '
         'points="5,6"/>'),
    ))  # fmt: skip
    about = f'label={quoteattr(rng.choice(CLASSES))} source="manual" occluded="0" z_order="0"'
    return f"<{tag} {about} {said}>{inside}</{tag}>"


def cvat(rng: Random) -> Made:
    made, images = Made(), []
    for n in range(5):
        shapes = some(rng, _cvat_shape)
        images.append(f'<image id="{n}" name="{n}.jpg" width="{WIDTH}" height="{HEIGHT}">{"".join(shapes)}</image>')
        made.files[f"{n}.jpg"] = picture(n)
        made.shapes[f"{n}.jpg"] = len(shapes)
    text = f"<annotations><version>1.1</version><meta><task><size>5</size></task></meta>{''.join(images)}</annotations>"
    return Made({**made.files, "annotations.xml": text.encode()}, made.shapes)


def cvat_video(rng: Random) -> Made:
    """Tracks over five frames; a shape that is outside says that its object is not there."""
    names = [f"frame_{n:06d}.jpg" for n in range(5)]
    made = Made({name: picture(n) for n, name in enumerate(names)}, dict.fromkeys(names, 0))
    tracks = []
    for track in range(rng.randrange(4)):
        shapes = []
        first = _cvat_shape(rng).replace("<tag ", "<box xtl='1' ytl='2' xbr='9' ybr='9' ").replace("</tag>", "</box>")
        for n in sorted(rng.sample(range(5), rng.randint(1, 5))):
            outside = n > 0 and rng.random() < 0.2
            made.shapes[names[n]] += not outside
            shapes.append(first.replace(" source=", f' frame="{n}" outside="{int(outside)}" keyframe="1" source=', 1))
        tracks.append(f'<track id="{track}" label="cat">{"".join(shapes)}</track>')
    about = f"<task><size>5</size><original_size><width>{WIDTH}</width><height>{HEIGHT}</height></original_size></task>"
    text = f"<annotations><version>1.1</version><meta>{about}</meta>{''.join(tracks)}</annotations>"
    return Made({**made.files, "annotations.xml": text.encode()}, made.shapes)


def _centred(rng: Random) -> str:
    x, y, width, height = box(rng)
    return f"{(x + width / 2) / WIDTH} {(y + height / 2) / HEIGHT} {width / WIDTH} {height / HEIGHT}"


def _share(points: list[tuple[int, int]]) -> str:
    return " ".join(f"{x / WIDTH} {y / HEIGHT}" for x, y in points)


def ultralytics(rng: Random) -> Made:
    """Of one task, as its trainer has it: boxes, outlines, turned boxes, or boxes with keypoints."""
    task = rng.choice(("detect", "segment", "obb", "pose", "track", "predictions"))

    def line(rng: Random) -> str:
        left, top, right, bottom = corners(rng)
        square = [(left, top), (right, top), (right, bottom), (left, bottom)]
        said = {
            "detect": _centred(rng), "segment": _share([*ring(rng), (1, 1)]), "obb": _share(square),
            "pose": f"{_centred(rng)} 0.5 0.5 2 0.25 0.3 0", "track": f"{_centred(rng)} 7",
            "predictions": f"{_centred(rng)} 0.91",
        }[task]  # fmt: skip
        return f"{rng.randrange(3)} {said}"

    made = Made()
    for n in range(5):
        lines = some(rng, line)
        made.files |= {f"images/train/{n}.jpg": picture(n), f"labels/train/{n}.txt": "\n".join(lines).encode()}
        made.shapes[f"images/train/{n}.jpg"] = len(lines)
    about = f"path: .\ntrain: images/train\nval: images/train\nnames: {list(CLASSES)}\n"
    about += "kpt_shape: [2, 3]\n" if task == "pose" else ""
    return Made({**made.files, "data.yaml": about.encode()}, made.shapes)


def yolo_darknet(rng: Random) -> Made:
    listed = "\n".join(f"obj_train_data/{n}.jpg" for n in range(5))
    about = b"classes = 3\ntrain = train.txt\nnames = obj.names\n"
    made = Made({"obj.names": "\n".join(CLASSES).encode(), "obj.data": about, "train.txt": listed.encode()})
    for n in range(5):
        lines = some(rng, lambda rng: f"{rng.randrange(3)} {_centred(rng)}")
        made.files |= {f"obj_train_data/{n}.jpg": picture(n), f"obj_train_data/{n}.txt": "\n".join(lines).encode()}
        made.shapes[f"obj_train_data/{n}.jpg"] = len(lines)
    return made


def dota(rng: Random) -> Made:
    made = Made()
    for n in range(5):

        def line(rng: Random) -> str:
            places = " ".join(f"{x} {y}" for x, y in (ring(rng) * 4)[:4])
            return f"{places} {rng.choice(CLASSES)} {rng.randrange(3)}"

        lines = [f"{'2 3 12 3 12 13 2 13'} cat 0", *some(rng, line)] if not n else some(rng, line)
        made.files |= {f"images/{n}.jpg": picture(n), f"labelTxt/{n}.txt": "\n".join(["gsd:0.5", *lines]).encode()}
        made.shapes[f"images/{n}.jpg"] = len(lines)
    return made


def yolo_keras(rng: Random) -> Made:
    made, lines = Made({"classes.txt": "\n".join(CLASSES).encode()}), []
    for n in range(5):
        boxes = some(rng, lambda rng: ",".join(map(str, (*corners(rng), rng.randrange(3)))))
        lines.append(" ".join([f"{n}.jpg", *boxes]))
        made.files[f"{n}.jpg"] = picture(n)
        made.shapes[f"{n}.jpg"] = len(boxes)
    lines.append(lines.pop(0))
    return Made({**made.files, "_annotations.txt": "\n".join(lines).encode()}, made.shapes)


def _table(rng: Random, blank: str, row: str) -> tuple[Made, list[str]]:
    """Five images, and the lines of a table with a row a box; of an image without one, `blank`."""
    made, lines = Made(), []
    for n in range(5):
        boxes = some(rng, corners)
        for at in boxes:
            lines.append(row.format(n, *at, label=rng.choice(CLASSES)))
        lines += [blank.format(n)] if not boxes and blank else []
        if boxes or blank:
            made.shapes[f"{n}.jpg"] = len(boxes)
        made.files[f"{n}.jpg"] = picture(n)
    return made, lines


def retinanet_csv(rng: Random) -> Made:
    made, lines = _table(rng, "{}.jpg,,,,,", "{0}.jpg,{1},{2},{3},{4},{label}")
    about = "\n".join(f"{name},{n}" for n, name in enumerate(CLASSES))
    return Made({**made.files, "train.csv": "\n".join(lines).encode(), "classes.csv": about.encode()}, made.shapes)


def tfod_csv(rng: Random) -> Made:
    made, lines = _table(rng, "", f"{{0}}.jpg,{WIDTH},{HEIGHT},{{label}},{{1}},{{2}},{{3}},{{4}}")
    text = "\n".join(["filename,width,height,class,xmin,ymin,xmax,ymax", *lines])
    return Made({**made.files, "_annotations.csv": text.encode()}, made.shapes)


def multiclass_csv(rng: Random) -> Made:
    made, lines = Made(), ["filename, cat, dog, a b"]
    for n in range(5):
        flags = [rng.randrange(2) for _ in CLASSES]
        lines.append(", ".join(map(str, (f"{n}.jpg", *flags))))
        made.files[f"{n}.jpg"] = picture(n)
        made.shapes[f"{n}.jpg"] = sum(flags)
    return Made({**made.files, "_classes.csv": "\n".join(lines).encode()}, made.shapes)


def class_folders(rng: Random) -> Made:
    names = [f"train/{rng.choice(CLASSES)}/{n}.jpg" for n in range(4)] + ["train/cat/9.jpg", "train/dog/8.jpg"]
    return Made({name: picture(n) for n, name in enumerate(names)}, dict.fromkeys(names, 1))


def tfrecord(rng: Random) -> Made:
    """As the TF Object Detection API writes them, with masks, keypoints and labels of the whole image."""
    made, records = Made(), []
    for n in range(5):
        boxes, whole = some(rng, corners), rng.random() < 0.2
        example = Example()
        feature = example.features.feature
        feature["image/encoded"].bytes_list.value.append(picture(n))
        feature["image/format"].bytes_list.value.append(b"jpeg")
        feature["image/filename"].bytes_list.value.append(f"{n}.jpg".encode())
        for key, at, side in (("xmin", 0, WIDTH), ("ymin", 1, HEIGHT), ("xmax", 2, WIDTH), ("ymax", 3, HEIGHT)):
            feature[f"image/object/bbox/{key}"].float_list.value.extend(one[at] / side for one in boxes)
        chosen = [rng.randrange(3) for _ in boxes]
        feature["image/object/class/label"].int64_list.value.extend(number + 1 for number in chosen)
        feature["image/object/class/text"].bytes_list.value.extend(CLASSES[number].encode() for number in chosen)
        if boxes and rng.random() < 0.5:
            feature["image/object/is_crowd"].int64_list.value.extend(0 for _ in boxes)
            feature["image/object/keypoint/x"].float_list.value.extend(0.5 for _ in boxes)
            feature["image/object/mask"].bytes_list.value.extend(b"\x89PNG" for _ in boxes)
        if whole:
            feature["image/class/label"].int64_list.value.append(1)
            feature["image/class/text"].bytes_list.value.append(b"cat")
        records += frame(example.SerializeToString())
        made.shapes[f"{n}.jpg"] = len(boxes) + whole
    return Made({"train-00000-of-00001.tfrecord": b"".join(records)}, made.shapes)
