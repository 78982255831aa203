"""VGG Image Annotator, versions 1 to 3: projects, and annotations as JSON or CSV; coordinates in pixels.

VIA does not tell an image that nobody looked at from one that was left empty: all that it lists count as seen.
Attributes of a file are tags of the image; where no image of the source has a region, the one that names a class is a
label of it. The COCO export of VIA is read as COCO.
Source: VIA's own code (via.js of 2.0.12, _via_data.js of 3.0.12).
"""

from __future__ import annotations

import json
import re
from functools import partial

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.manifest import Annotation
from shardsmith.formats.csv.lines import head_lines
from shardsmith.formats.format import Format
from shardsmith.formats.shapes.placement import to_json
from shardsmith.formats.shapes.sheet import Sheet, put, put_nowhere
from shardsmith.formats.shared.json import clear_errors, paired
from shardsmith.formats.shared.raw_folder import SHOWN, ImageEntry, RawFolder, Source
from shardsmith.formats.shared.splits import split_in_name, split_in_path
from shardsmith.formats.via import version2, version3
from shardsmith.formats.via.content import Region, ViaFile, ViaImage, class_of_images, class_of_regions

_HEAD = 1 << 16
_PROJECT = re.compile(r'"_via_(img_metadata|settings|attributes)"\s*:')
_ENTRY = re.compile(r'"(filename|size|regions|file_attributes|region_attributes|shape_attributes)"\s*:')
_VERSION_3 = re.compile(r'"(vid_list|fid_list|loc_prefix)"\s*:')


def detect(folder: RawFolder) -> list[str]:
    json_files = [file for file in folder.with_suffix(".json") if _is_json(folder.head(file, _HEAD))]
    return json_files + [file for file in folder.with_suffix(".csv") if _is_table(folder, file)]


def _is_json(head: str) -> bool:
    if not head.lstrip().startswith("{"):
        return False
    signs = set(_ENTRY.findall(head))
    is_entry = "filename" in signs and bool(
        signs & {"region_attributes", "shape_attributes", "file_attributes"} or {"size", "regions"} <= signs
    )
    return is_entry or bool(_PROJECT.search(head)) or len(set(_VERSION_3.findall(head))) > 1


def _is_table(folder: RawFolder, file: str) -> bool:
    head = folder.head(file)
    if head.startswith("#") and version3.HEADER in head:
        return "spatial_coordinates" in head
    lines = head_lines(folder, file) if "region_shape_attributes" in head else []
    return bool(lines) and version2.is_header(lines[0])


def read(folder: RawFolder, files: list[str]) -> Source:
    """
    Raises:
        RawDataError: a file is no JSON, or no table.
    """
    source = Source(shapes=0)
    contents = {file: parse(folder.text(file), file) for file in files}
    has_regions = any(image.regions or image.problem for content in contents.values() for image in content.images)
    for file, content in contents.items():
        source.findings += content.findings
        source.shapes = (source.shapes or 0) + sum(one.action == "drop" for one in content.findings)
        class_name = class_of_regions(content)
        label_name = "" if has_regions else class_of_images(content)
        for image in content.images:
            sheet = make_sheet(image, file, class_name, label_name)
            image_id = _locate(folder, image, file)
            if isinstance(image_id, Finding):
                put_nowhere(sheet, image_id, source)
                continue
            entry = ImageEntry(split_in_name(file) or split_in_path(image_id, file), _tags(image, label_name))
            put(sheet, image_id, folder, source, entry)
    return source


def parse(text: str, file: str) -> ViaFile:
    """
    Raises:
        RawDataError: it is no JSON object, and no table.
    """
    if file.lower().endswith(".csv"):
        parse_table = version3.parse_table if text.startswith("#") and version3.HEADER in text else version2.parse_table
        return parse_table(text, file)
    with clear_errors(file):
        content = json.loads(paired(text))
    if not isinstance(content, dict):
        raise RawDataError(f"{file}: it is no JSON object, so it is no file of VIA; set ingest.format")
    is_third = "view" in content or "vid_list" in str(content.get("project"))[:_HEAD]
    return (version3 if is_third else version2).parse_project(content, file)


def make_sheet(image: ViaImage, file: str, class_name: str, label_name: str) -> Sheet:
    """An image's regions, and its labels.

    Args:
        class_name: the attribute of a region that names its class.
        label_name: the attribute of the image that names its classes; "" for none.
    """
    sheet = Sheet(file, image.place)
    if image.problem:
        sheet.lose_all(image.problem)
    for region in image.regions:
        sheet.take(region.place, partial(_annotation, region, class_name), region.key)
        if len(more := region.values.get(class_name, [])[1:]):
            reason = f"further classes of a region ({class_name[:SHOWN]}): the first counts"
            sheet.note("not-carried", region.place, ", ".join(more)[:SHOWN], reason)
    for label in image.values.get(label_name, []):
        sheet.take(image.place, partial(Annotation, "", label, None, None, None, None))
    return sheet


def _annotation(region: Region, class_name: str) -> Annotation:
    box, outline = region.shape()
    label = region.values.get(class_name, [""])[0]
    said = {name: words for name, words in region.values.items() if name != class_name}
    others = {name: words if len(words) > 1 else words[0] for name, words in said.items()}
    return Annotation("", label, *box, segmentation=outline, attributes=to_json(others))


def _tags(image: ViaImage, label_name: str) -> list[str]:
    return [f"{name}: {', '.join(words)}" for name, words in image.values.items() if name != label_name]


def _locate(folder: RawFolder, image: ViaImage, file: str) -> str | Finding:
    answers = [folder.locate(name, file, image.place) for name in image.names]
    first = answers[0] if answers else found("image-missing", file, image.place)
    return next((answer for answer in answers if isinstance(answer, str)), first)


FORMAT = Format(
    name="via",
    title="VGG Image Annotator (VIA)",
    carries=frozenset({"boxes", "outlines", "labels", "several_labels", "negatives", "splits", "attributes"}),
    detect=detect,
    read=read,
)
