"""One XML file of PASCAL VOC's kind -> what it says of its image; no disk.

Beside VOC's own <bndbox>, an object may have a <polygon> (Roboflow numbers its corners x1, y1, x2, ...; the LabelMe of
MIT has <pt>), or a <robndbox> (roLabelImg: centre, size and the clockwise angle in radians, or its four corners).
Source: the VOC2012 development kit; roLabelImg's README; LabelMe's annotation tool.
"""

from __future__ import annotations

import codecs
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from shardsmith.dataset.manifest import Annotation
from shardsmith.dataset.shapes import OutlineError
from shardsmith.formats.shapes.curves import Point
from shardsmith.formats.shapes.outlines import NotCarriedError, Shape, flat_points, number_of, rings, turned_box
from shardsmith.formats.shapes.placement import to_json
from shardsmith.formats.shapes.sheet import Sheet
from shardsmith.formats.shared.raw_folder import SHOWN

FLAGS = ("difficult", "truncated", "occluded")
_FLAG_VALUES = {"0": 0, "1": 1, "false": 0, "true": 1}
_SIDES = ("xmin", "ymin", "xmax", "ymax")
_BOXES = ("bndbox", "segm/box")  # VOC's, and a mask's of LabelMe
_SHAPES = ("bndbox", "polygon", "robndbox")
_TURNED = ("cx", "cy", "w", "h", "angle")
_NAMED = ("owner", "source")  # of the image
_NO_BOX = ("point", "points", "line", "polyline", "keypoints", "landmarks", "cuboid")
_LABELME = ("deleted", "verified", "date", "id", "type")
_READ = frozenset({"name", *_SHAPES, "pose", *FLAGS, "attributes", *_LABELME})
_CORNER = re.compile(r"[xy](\d*|_\w+)")
_ENCODING = re.compile(rb"""<\?xml[^>]*?encoding\s*=\s*["']([\w.:-]+)["'][^>]*\?>""")
_FOUR_CORNERS = 8  # numbers
_MAX_DECLARATION = 1000  # bytes
_NO_FILES = ("idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7")  # slow, or no text
_KNOWN_TO_EXPAT = ("utf-8", "utf-16", "iso8859-1", "ascii")


@dataclass
class VocFile:
    """One XML file: the objects as written, and elements that have no place in a dataset, by their names.

    problem: why the whole file cannot be read.
    """

    sheet: Sheet
    filename: str = ""
    problem: str = ""
    not_carried: Counter[str] = field(default_factory=Counter)


def parse_file(root: Path, file: str) -> VocFile:
    return parse((root / file).read_bytes(), file)


def parse(data: bytes, file: str) -> VocFile:
    """One XML file's content; what cannot be read in it becomes a finding. `file` is its name, for findings."""
    voc = VocFile(Sheet(file))
    try:
        root = fromstring(_decoded(data))
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        voc.problem = f"it is not XML: {error}"
        return voc
    if root.tag != "annotation":
        voc.problem = f"it is not VOC: its root is <{root.tag[:SHOWN]}>"
        return voc
    voc.filename, voc.sheet.declared_px = _text(root, "filename"), _declared_size(root)
    if _text(root, "segmented") not in ("", "0", "Unspecified"):
        voc.not_carried["segmented"] += 1  # its masks are PNG files in SegmentationObject/
    for position, element in enumerate(root.findall("object"), start=1):
        if _text(element, "deleted") == "1":  # by LabelMe, which keeps it in the file
            voc.not_carried["deleted"] += 1
            continue
        place, kept = f"object {position}", len(voc.sheet.rows)
        voc.sheet.take(place, partial(_annotation, element, voc.sheet, place), _text(element, "id"))
        if len(voc.sheet.rows) > kept:
            voc.not_carried.update(child.tag for child in element if len(child) and child.tag not in _READ)
    _name_strays(root, voc.sheet)
    return voc


def _name_strays(root: Element, sheet: Sheet) -> None:
    """Objects in elements that are no <object>: one that is misspelt must not make its image a negative."""
    for child in root:
        if child.tag not in ("object", *_NAMED):
            shapes = sum(1 for tag in _SHAPES for _ in child.iter(tag))
            for number in range(1, max(shapes, child.find("name") is not None) + 1):
                sheet.lose_all(f"it stands in <{child.tag[:SHOWN]}>, not in <object>", f"{child.tag[:SHOWN]} {number}")


def _annotation(element: Element, sheet: Sheet, place: str) -> Annotation:
    """
    Raises:
        OutlineError: it has no box that can be read.
        NotCarriedError: it is a point or a line.
    """
    box, outline = _shape(element, sheet, place)
    row = Annotation("", _text(element, "name"), *box, segmentation=outline, attributes=to_json(_attributes(element)))
    if outline and element.find("robndbox") is not None and len(json.loads(outline)[0]) == _FOUR_CORNERS:
        row.kind = "oriented"
    return row


def _shape(element: Element, sheet: Sheet, place: str) -> Shape:
    outlines = [child for child in element if child.tag in ("polygon", "robndbox")]
    box = next((element.find(path) for path in _BOXES if element.find(path) is not None), None)
    if box is None and not outlines:
        kind = next((child.tag for child in element if child.tag in _NO_BOX), None)
        if kind:
            raise NotCarriedError(f"<{kind}>")
        raise OutlineError("its bndbox has no numbers: there is none")
    around: Shape | None = None
    try:
        around = _outlined(outlines[0]) if outlines else None
    except OutlineError as error:
        if box is None:
            raise
        sheet.note("not-carried", place, reason=f"its outline cannot be read, the box stays: {error}")
    if around and (box is None or outlines[0].tag == "robndbox"):
        return around
    assert box is not None
    xmin, ymin, xmax, ymax = (_number(box, side) for side in _SIDES)
    return (xmin, ymin, xmax, ymax), around[1] if around else None


def _number(element: Element, path: str) -> float:
    try:
        return number_of(_text(element, path), path)
    except OutlineError as error:
        raise OutlineError(f"its {element.tag} has no numbers: {error}") from None


def _outlined(element: Element) -> Shape:
    if element.tag == "polygon" or element.find("cx") is None:
        return rings([_corners(element)])
    x, y, width, height, angle_rad = (_number(element, name) for name in _TURNED)
    return turned_box(x, y, width, height, angle_rad)


def _corners(element: Element) -> list[Point]:
    """Of <pt><x/><y/></pt>, of <x1/><y1/><x2/><y2/>, or of <x_left_top/><y_left_top/>, in their order."""
    inner = [child for child in element if child.find("x") is not None]
    if inner:
        return [(_number(child, "x"), _number(child, "y")) for child in inner]
    sides = [child for child in element if _CORNER.fullmatch(child.tag)]
    if len({child.tag for child in sides}) == len(sides):  # in whatever order the numbered ones stand
        order = {child.tag[1:]: number for number, child in reversed([*enumerate(sides)])}
        sides.sort(key=lambda child: (order[child.tag[1:]], child.tag[0]))
    if [child.tag[0] for child in sides] != ["x", "y"] * (len(sides) // 2):
        raise OutlineError("its corners are no pairs of x and y")
    return flat_points([(child.text or "").strip() for child in sides])


def _decoded(data: bytes) -> bytes | str:
    """As the XML declaration says, where that is an encoding that the parser does not know (GBK, Shift JIS, ...).

    Raises:
        LookupError: nor does Python.
        ValueError: the bytes are not in it.
    """
    declared = _ENCODING.match(data.lstrip()[:_MAX_DECLARATION])
    name = codecs.lookup(declared.group(1).decode("ascii", "replace")).name if declared else "utf-8"
    if not declared or name in _KNOWN_TO_EXPAT:
        return data
    if name.replace("_", "-") in _NO_FILES:
        raise LookupError(f"its encoding {name} is not one of text files")
    return data.lstrip()[declared.end() :].decode(declared.group(1).decode())


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


def _declared_size(root: Element) -> tuple[int, int] | None:
    try:
        return int(float(_text(root, "size/width"))), int(float(_text(root, "size/height")))
    except (ValueError, OverflowError):
        return None


def _attributes(element: Element) -> dict[str, object]:
    """Flags as 0 or 1, pose, CVAT's <attributes>, and any other element that holds one word."""
    others: dict[str, object] = {
        child.tag: _text(element, child.tag) for child in element if child.tag not in _READ and _is_word(child)
    }
    cvat: dict[str, object] = {
        _text(each, "name"): _text(each, "value") for each in element.findall("attributes/attribute")
    }
    flags: dict[str, object] = {
        flag: _FLAG_VALUES[text] for flag in FLAGS if (text := _text(element, flag).lower()) in _FLAG_VALUES
    }
    pose = _text(element, "pose")
    return others | cvat | flags | ({"pose": pose} if pose else {})


def _is_word(element: Element) -> bool:
    return not len(element) and bool((element.text or "").strip())
