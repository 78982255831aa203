"""PASCAL VOC as written: JPEGImages/, Annotations/ and ImageSets/Main/.

Source: the VOC2012 development kit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from xml.sax.saxutils import escape

from shardsmith.dataset.manifest import Annotation, Image
from shardsmith.formats.shapes.placement import corners, number
from shardsmith.formats.shared.job import ExportJob, leaving_names, write_images
from shardsmith.formats.voc.xml import FLAGS

_NO_CHARACTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


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
            xml = format_xml(image, boxes, names[image.image_id], job.facts)
            (out / "Annotations" / f"{stem}.xml").write_text(xml, encoding="utf-8")
        if split:
            listing = "".join(f"{stem}\n" for stem in stems)
            name = "val" if split == "valid" else split
            (out / "ImageSets" / "Main" / f"{name}.txt").write_text(listing, encoding="utf-8")


def _escaped(text: str) -> str:
    """XML 1.0 has no way to say a control character."""
    return escape(_NO_CHARACTERS.sub("\ufffd", text))


def format_xml(image: Image, annotations: list[Annotation], filename: str, facts: Mapping[str, str]) -> str:
    said = {"database": facts.get("title") or facts.get("homepage"), "license": facts.get("license")}
    source = [f"<{name}>{_escaped(text)}</{name}>" for name, text in said.items() if text]
    lines = [
        "<annotation>",
        "  <folder>JPEGImages</folder>",
        f"  <filename>{_escaped(filename)}</filename>",
        *([f"  <source>{''.join(source)}</source>"] if source else []),
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
            *(f"    <{flag}>{attributes[flag]}</{flag}>" for flag in FLAGS if flag in attributes),
            "    <bndbox>" + "".join(f"<{name}>{value}</{name}>" for name, value in at.items()) + "</bndbox>",
            "  </object>",
        ]
    return "\n".join([*lines, "</annotation>", ""])
