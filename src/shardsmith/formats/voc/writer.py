"""PASCAL VOC as written: JPEGImages/, Annotations/ and ImageSets/Main/, and where masks are wanted those of masks.py.

Source: the VOC2012 development kit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from xml.sax.saxutils import escape

from shardsmith.dataset.manifest import Annotation, Image
from shardsmith.formats.masks.drawing import check_ids
from shardsmith.formats.shapes.placement import corners, number
from shardsmith.formats.shared.job import ExportJob, leaving_names, write_images
from shardsmith.formats.voc.masks import format_labelmap, is_segmented, write_masks
from shardsmith.formats.voc.xml import FLAGS

_NO_CHARACTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def write(job: ExportJob, out: Path) -> None:
    """JPEGImages/, Annotations/, ImageSets/Main/{train,val,test}.txt; and labelmap.txt, without which Datumaro knows
    VOC's own classes alone.

    Raises:
        StageError: masks are wanted, and an id of a class does not fit into them.
    """
    names = leaving_names(job.manifest.image_rows())
    for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    if job.masks:
        check_ids(job.label_map, "voc")
    (out / "labelmap.txt").write_text(format_labelmap(job.label_map), encoding="utf-8")
    for split, rows in job.by_split():
        write_images([image for image, _ in rows], names, out / "JPEGImages")
        stems = {image.image_id: PurePosixPath(names[image.image_id]).stem for image, _ in rows}
        for image, boxes in rows:
            segmented = job.masks and is_segmented(image, boxes)
            xml = format_xml(image, boxes, names[image.image_id], job.facts, segmented)
            (out / "Annotations" / f"{stems[image.image_id]}.xml").write_text(xml, encoding="utf-8")
        _write_set(out / "ImageSets" / "Main", split, stems.values())
        if job.masks:
            _write_set(out / "ImageSets" / "Segmentation", split, write_masks(rows, stems, job.label_map.ids, out))


def _write_set(folder: Path, split: str, stems: Iterable[str]) -> None:
    if split:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{'val' if split == 'valid' else split}.txt"
        path.write_text("".join(f"{stem}\n" for stem in stems), encoding="utf-8")


def _escaped(text: str) -> str:
    """XML 1.0 has no way to say a control character."""
    return escape(_NO_CHARACTERS.sub("\ufffd", text))


def format_xml(
    image: Image, annotations: list[Annotation], filename: str, facts: Mapping[str, str], segmented: bool = False
) -> str:
    said = {"database": facts.get("title") or facts.get("homepage"), "license": facts.get("license")}
    source = [f"<{name}>{_escaped(text)}</{name}>" for name, text in said.items() if text]
    lines = [
        "<annotation>",
        "  <folder>JPEGImages</folder>",
        f"  <filename>{_escaped(filename)}</filename>",
        *([f"  <source>{''.join(source)}</source>"] if source else []),
        f"  <size><width>{image.width}</width><height>{image.height}</height><depth>3</depth></size>",
        *(["  <segmented>1</segmented>"] if segmented else []),
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
