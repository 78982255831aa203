"""PASCAL VOC XML: one file an image, pixel coordinates as the community writes them (xmin / width, from 0).

Source: the VOC2012 development kit; coordinates as create_pascal_tf_record.py of the Object Detection API takes them.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element, ParseError
from xml.sax.saxutils import escape

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.manifest import Annotation, Image
from shardsmith.dataset.workers import map_items
from shardsmith.formats.format import Format
from shardsmith.formats.shared.job import ExportJob, leaving_names, write_images
from shardsmith.formats.shared.placement import Box, corners, number, on_displayed, to_json
from shardsmith.formats.shared.raw_folder import SHOWN, ImageEntry, RawFolder, Source, split_in_path

_SETS = {"train": "train", "val": "valid", "valid": "valid", "test": "test"}
_ROOT = re.compile(r"<annotation[\s>/]")
_NO_CHARACTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_FLAGS = ("difficult", "truncated", "occluded")
_FLAG_VALUES = {"0": 0, "1": 1, "false": 0, "true": 1}
_READ = frozenset({"name", "bndbox", "pose", *_FLAGS, "deleted", "verified", "date", "id", "type"})  # LabelMe's too
_ENCODING = re.compile(rb"""<\?xml[^>]*?encoding\s*=\s*["']([\w.:-]+)["'][^>]*\?>""")
_MAX_DECLARATION = 1000  # bytes
_NO_FILES = ("idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7")  # slow, or no text
_KNOWN_TO_EXPAT = ("utf-8", "utf-16", "iso8859-1", "ascii")

_LOADING = """
`Annotations/NAME.xml` belongs to `JPEGImages/NAME.jpg`; `ImageSets/Main/train.txt`, `val.txt` and `test.txt` list the
splits. Every tool that reads PASCAL VOC reads this folder.
"""


@dataclass
class VocFile:
    """One XML file: boxes (n, 4) float pixels as written, with the label and attributes of each."""

    filename: str = ""
    declared_px: tuple[int, int] | None = None
    boxes: list[Box] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    attributes: list[dict[str, object]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    not_carried: Counter[str] = field(default_factory=Counter)


def detect(folder: RawFolder) -> list[str]:
    return [file for file in folder.with_suffix(".xml") if _ROOT.search(folder.head(file).replace("\0", ""))]


def read(folder: RawFolder, files: list[str]) -> Source:
    """`files` may hold any XML: one that cannot be parsed is a finding."""
    source = Source()
    splits = _image_sets(folder)
    not_carried: list[tuple[str, Counter[str]]] = []
    every_xml = sorted({*files, *folder.with_suffix(".xml")})
    parsed = map_items(partial(parse_file, folder.root), every_xml, "ingest: reading VOC", "file", chunk=64)
    for file, voc in zip(every_xml, parsed, strict=True):
        source.findings += voc.findings
        not_carried.append((file, voc.not_carried))
        if voc.declared_px is None and not voc.filename and voc.findings and not voc.labels:
            continue  # not VOC at all: the finding says so
        image_id = _locate(folder, file, voc.filename)
        if isinstance(image_id, Finding):
            source.findings.append(image_id)
            continue
        split = splits.get(PurePosixPath(file).stem) or split_in_path(image_id, file)
        source.entries[image_id] = ImageEntry(split)
        boxes, findings = on_displayed(voc.boxes, folder.images[image_id], voc.declared_px, file)
        source.findings += findings
        source.annotations += [
            Annotation(image_id, label, *box, False, None, None, to_json(attributes))
            for label, box, attributes in zip(voc.labels, boxes, voc.attributes, strict=True)
        ]
    source.findings += _name_not_carried(not_carried)
    return source


def _name_not_carried(counts: Sequence[tuple[str, Counter[str]]]) -> list[Finding]:
    """One finding a kind for all the files: the first that has it, how often, and in how many files."""
    findings = []
    for kind in sorted({kind for _, of_file in counts for kind in of_file}):
        files = [(file, of_file[kind]) for file, of_file in counts if of_file[kind]]
        reason = f"<{kind}> has no place in a dataset: {sum(n for _, n in files)} in {len(files)} files, here first"
        findings.append(found("not-carried", files[0][0], value=sum(n for _, n in files), reason=reason))
    return findings


def parse_file(root: Path, file: str) -> VocFile:
    return parse((root / file).read_bytes(), file)


def parse(data: bytes, file: str) -> VocFile:
    """One XML file's content; what cannot be read in it becomes a finding. `file` is its name, for findings."""
    try:
        root = fromstring(_decoded(data))
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        return VocFile(findings=[found("annotation-unreadable", file, reason=f"it is not XML: {error}")])
    if root.tag != "annotation":
        return VocFile(findings=[found("annotation-unreadable", file, value=root.tag[:SHOWN], reason="it is not VOC")])
    voc = VocFile(_text(root, "filename"), _declared_size(root))
    if _text(root, "segmented") not in ("", "0", "Unspecified"):
        voc.not_carried["segmented"] += 1  # its masks are PNG files in SegmentationObject/
    for position, element in enumerate(root.findall("object"), start=1):
        place = f"object {position}"
        label = _text(element, "name")
        try:
            xmin, ymin, xmax, ymax = (float(_text(element, f"bndbox/{at}")) for at in ("xmin", "ymin", "xmax", "ymax"))
        except ValueError as error:
            voc.findings.append(
                found("annotation-unreadable", file, place, reason=f"its bndbox has no numbers: {error}")
            )
            continue
        voc.boxes.append((xmin, ymin, xmax, ymax))
        voc.labels.append(label)
        voc.attributes.append(_attributes(element))
        voc.not_carried.update(child.tag for child in element if len(child) and child.tag not in _READ | {"attributes"})
    return voc


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
        raise LookupError(f"its encoding {name} is none of a file")
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
        flag: _FLAG_VALUES[text] for flag in _FLAGS if (text := _text(element, flag).lower()) in _FLAG_VALUES
    }
    pose = _text(element, "pose")
    return others | cvat | flags | ({"pose": pose} if pose else {})


def _is_word(element: Element) -> bool:
    return not len(element) and bool((element.text or "").strip())


def _locate(folder: RawFolder, file: str, filename: str) -> str | Finding:
    """The image of an XML file: the one with its stem, as VOC has it, else the one that <filename> names."""
    by_stem = folder.locate_stem(file)
    if by_stem and PurePosixPath(by_stem).stem == PurePosixPath(filename.replace("\\", "/")).stem:
        return by_stem
    by_name = folder.locate(filename, file, near=not by_stem) if filename else found("image-missing", file)
    return by_stem if by_stem and isinstance(by_name, Finding) else by_name


def _image_sets(folder: RawFolder) -> dict[str, str]:
    """Image stem -> split, from ImageSets/Main/{train,val,test}.txt."""
    splits = {}
    for file in folder.with_suffix(".txt"):
        path = PurePosixPath(file)
        if path.parent.name == "Main" and path.stem.lower() in _SETS:
            for line in folder.text(file).splitlines():
                name, *shows = line.strip().rsplit(maxsplit=1) or [""]
                if name:  # perhaps with whether it shows the class
                    stem = name if shows in (["0"], ["1"], ["-1"]) else line.strip()
                    splits[stem] = _SETS[path.stem.lower()]
    return splits


def write(job: ExportJob, out: Path) -> None:
    """JPEGImages/, Annotations/ and ImageSets/Main/{train,val,test}.txt."""
    names = leaving_names(job.manifest.image_rows())
    for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    for split, rows in job.by_split():
        write_images([image for image, _ in rows], names, out / "JPEGImages")
        stems = []
        for image, boxes in rows:
            stem = PurePosixPath(names[image.image_id]).stem
            stems.append(stem)
            xml = format_xml(image, boxes, names[image.image_id])
            (out / "Annotations" / f"{stem}.xml").write_text(xml, encoding="utf-8")
        if split:
            listing = "".join(f"{stem}\n" for stem in stems)
            name = "val" if split == "valid" else split
            (out / "ImageSets" / "Main" / f"{name}.txt").write_text(listing, encoding="utf-8")


def _escaped(text: str) -> str:
    """XML 1.0 has no way to say a control character."""
    return escape(_NO_CHARACTERS.sub("\ufffd", text))


def format_xml(image: Image, annotations: list[Annotation], filename: str) -> str:
    lines = [
        "<annotation>",
        "  <folder>JPEGImages</folder>",
        f"  <filename>{_escaped(filename)}</filename>",
        f"  <size><width>{image.width}</width><height>{image.height}</height><depth>3</depth></size>",
    ]
    for row in annotations:
        if row.xmin is None:
            continue
        attributes = row.attributes_dict()
        at = dict(zip(("xmin", "ymin", "xmax", "ymax"), map(number, corners(row)), strict=True))
        lines += [
            "  <object>",
            f"    <name>{_escaped(row.label)}</name>",
            f"    <pose>{_escaped(str(attributes.get('pose', 'Unspecified')))}</pose>",
            *(f"    <{flag}>{attributes[flag]}</{flag}>" for flag in _FLAGS if flag in attributes),
            "    <bndbox>" + "".join(f"<{name}>{value}</{name}>" for name, value in at.items()) + "</bndbox>",
            "  </object>",
        ]
    return "\n".join([*lines, "</annotation>", ""])


FORMAT = Format(
    name="voc",
    title="PASCAL VOC XML",
    carries=frozenset({"boxes", "negatives", "splits", "difficult", "truncated", "occluded", "pose"}),
    detect=detect,
    read=read,
    write=write,
    loading=_LOADING,
)
