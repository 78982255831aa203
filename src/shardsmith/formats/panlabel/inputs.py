"""What panlabel refuses a whole file for, taken out of it first and named: one odd item must not cost the good ones.

It reads boxes alone: a polygon becomes the box around it. Source: the export formats of Label Studio, CVAT for images
1.1, LabelMe 5 and VGG Image Annotator 2, and what panlabel 0.7.0 says of each.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any
from xml.etree.ElementTree import Element, ParseError, SubElement, tostring

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.findings import Finding, found
from shardsmith.formats.shared.json import paired
from shardsmith.formats.shared.raw_folder import RawFolder

_POLYGON = "polygons, of which the box around each is kept,"
_BAD = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)


class Prepared:
    """One annotation file: its text for panlabel, with what was taken out; None where it may read the file as it is.

    `refused` is XML with entities, which nobody should read.
    """

    def __init__(self, folder: RawFolder, file: str) -> None:
        self.folder, self.file = folder, file
        self.text: str | None = None
        self.refused = False
        self.findings: list[Finding] = []
        self.lost: Counter[str] = Counter()
        try:
            self._prepare(folder.text(file))
        except DefusedXmlException as error:
            self.refused = True
            self._bad("", f"it is not read: {error}")
        except (RawDataError, RecursionError, ParseError, *_BAD):
            self.text = None  # panlabel says what is wrong with it
        for kind, count in sorted(self.lost.items()):
            self.findings.append(found("not-carried", file, value=count, reason=f"{kind} have no place here"))

    def _prepare(self, text: str) -> None:
        if self.file.lower().endswith(".xml"):
            root = fromstring(text)  # as text: the encoding that it declares, if any such exists, is undone already
            if root.tag == "annotations" and root.find("image") is not None:
                self._cvat(root)
                self.text = tostring(root, encoding="unicode")
            return
        content = json.loads(paired(text))
        for fits, change in self._kinds():
            if fits(content):
                self.text = json.dumps(change(content), ensure_ascii=False)
                return

    def _kinds(self) -> list[tuple[Callable[[Any], bool], Callable[[Any], Any]]]:
        return [
            (lambda content: _has(content, "_via_img_metadata"), self._via_project),
            (lambda content: isinstance(content, dict) and _first_has(list(content.values()), "regions"), self._via),
            (lambda content: _has(content, "shapes") and _has(content, "imagePath"), self._labelme),
            (lambda content: _first_has(content, "data"), self._label_studio),
        ]  # fmt: skip

    def _bad(self, place: str, reason: str) -> None:
        self.findings.append(found("annotation-unreadable", self.file, place, reason=reason))

    def _image(self, name: str, place: str) -> str | None:
        """The image's name as it is linked beside the annotation file; None with a finding where it is not there."""
        image = self.folder.locate(name, self.file, place)
        if isinstance(image, Finding):
            self.findings.append(image)
            return None
        return PurePosixPath(image).name

    def _cvat(self, root: Element) -> None:
        for image in root.iter("image"):
            for shape in list(image):
                if shape.tag == "box":
                    continue
                image.remove(shape)
                points = [point.split(",") for point in shape.get("points", "").split(";") if point]
                if shape.tag == "polygon" and points:
                    at = dict(shape.attrib) | _cvat_box([(float(x), float(y)) for x, y in points])
                    del at["points"]
                    SubElement(image, "box", at).extend(list(shape))
                    self.lost[_POLYGON] += 1
                else:
                    self.lost[f"<{shape.tag}> of CVAT"] += 1

    def _label_studio(self, tasks: list[Any]) -> list[Any]:
        kept: list[Any] = []
        for number, task in enumerate(tasks, start=1):
            made = [each for each in task.get("annotations") or [] if not each.get("was_cancelled")]
            if not made:
                continue  # a task that nobody did: the image stays unlabelled
            if made[1:]:
                self.lost["further annotations of a task, by others,"] += len(made) - 1
            results = [result for item in made[0].get("result") or [] if (result := self._ls_result(item))]
            data = dict(task["data"])
            key = (
                "image" if "image" in data else next((key for key, value in data.items() if isinstance(value, str)), "")
            )
            name = PurePosixPath(str(data[key])).name
            upload = name.partition("-")[2]  # an upload's name begins with eight hexadecimal digits
            image = next((each for each in map(self._located, (name, upload)) if each), None)
            data["image"] = PurePosixPath(image).name if image else name
            if not results:  # it asks for a size
                info = self.folder.images.get(image or "")
                data |= {"width": info.width or 1, "height": info.height or 1} if info else {"width": 1, "height": 1}
            kept.append({"id": number, "data": data, "annotations": [{"result": results}]})
        return kept

    def _located(self, name: str) -> str | None:
        image = self.folder.locate(name, self.file) if name else None
        return image if isinstance(image, str) else None

    def _ls_result(self, item: dict[str, Any]) -> dict[str, Any] | None:
        if item.get("type") == "rectanglelabels":
            return item
        value = item.get("value") or {}
        if item.get("type") == "polygonlabels" and value.get("points"):
            xs, ys = zip(*value["points"], strict=True)
            box = {"x": min(xs), "y": min(ys), "width": max(xs) - min(xs), "height": max(ys) - min(ys)}
            self.lost[_POLYGON] += 1
            return {**item, "type": "rectanglelabels", "value": {**box, "rectanglelabels": value["polygonlabels"]}}
        self.lost[f"results of the type {item.get('type')}"] += 1
        return None

    def _labelme(self, content: dict[str, Any]) -> dict[str, Any]:
        shapes = []
        for shape in content["shapes"]:
            if shape.get("shape_type") in (None, "rectangle", "polygon"):
                shapes.append(shape)
            else:
                self.lost[f"shapes of the type {shape['shape_type']}"] += 1
        return {**content, "shapes": shapes, "imageData": None}

    def _via_project(self, content: dict[str, Any]) -> dict[str, Any]:
        return self._via(content["_via_img_metadata"])

    def _via(self, content: dict[str, Any]) -> dict[str, Any]:
        kept = {}
        for key, entry in content.items():
            name = self._image(str(entry["filename"]), f"entry {key}")
            if name is None:
                continue
            regions = entry.get("regions") or []
            regions = list(regions.values()) if isinstance(regions, dict) else regions
            kept[key] = {**entry, "filename": name, "regions": [self._via_region(region) for region in regions]}
        return kept

    def _via_region(self, region: dict[str, Any]) -> dict[str, Any]:
        shape = region["shape_attributes"]
        if shape.get("name") != "polygon":
            return region
        xs, ys = shape["all_points_x"], shape["all_points_y"]
        box = {"x": min(xs), "y": min(ys), "width": max(xs) - min(xs), "height": max(ys) - min(ys)}
        self.lost[_POLYGON] += 1
        return {**region, "shape_attributes": {"name": "rect", **box}}


def _cvat_box(points: list[tuple[float, float]]) -> dict[str, str]:
    xs, ys = zip(*points, strict=True)
    return {"xtl": str(min(xs)), "ytl": str(min(ys)), "xbr": str(max(xs)), "ybr": str(max(ys))}


def _has(content: Any, key: str) -> bool:
    return isinstance(content, dict) and key in content


def _first_has(content: Any, key: str) -> bool:
    return isinstance(content, list) and bool(content) and _has(content[0], key)
