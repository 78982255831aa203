"""PASCAL VOC XML: one file an image, pixel coordinates as the community writes them (xmin / width, from 0).

Where there is no XML, the ImageSets of single classes say which images show them: labels of whole images.
Source: the VOC2012 development kit; coordinates as create_pascal_tf_record.py of the Object Detection API takes them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import PurePosixPath

from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.manifest import Annotation
from shardsmith.dataset.workers import map_items
from shardsmith.formats.format import Format
from shardsmith.formats.shapes.placement import to_json
from shardsmith.formats.shapes.sheet import put, put_nowhere
from shardsmith.formats.shared.raw_folder import SHOWN, ImageEntry, RawFolder, Source
from shardsmith.formats.shared.splits import split_in_path
from shardsmith.formats.voc.masks import measure_losses
from shardsmith.formats.voc.sets import ImageSets, class_files, read_sets
from shardsmith.formats.voc.writer import write
from shardsmith.formats.voc.xml import VocFile, parse_file

_ROOT = re.compile(r"<annotation[\s>/]")

_LOADING = """
`Annotations/NAME.xml` belongs to `JPEGImages/NAME.jpg`; `ImageSets/Main/train.txt`, `val.txt` and `test.txt` list the
splits. Every tool that reads PASCAL VOC reads this folder. Where masks were asked for (`export.masks`),
`SegmentationClass/NAME.png` has the class of each pixel, by its id, `SegmentationObject/NAME.png` the number of its
object in the XML, and `ImageSets/Segmentation/` lists the images that have them.
"""


def detect(folder: RawFolder) -> list[str]:
    """XML files, else the ImageSets of single classes."""
    files = [file for file in folder.with_suffix(".xml") if _ROOT.search(folder.head(file).replace("\0", ""))]
    return files or class_files(folder)


def read(folder: RawFolder, files: list[str]) -> Source:
    """`files` may hold any XML: one that cannot be parsed is a finding."""
    source = Source(shapes=0)
    sets = read_sets(folder)
    every_xml = sorted({file for file in files if file.lower().endswith(".xml")} | {*folder.with_suffix(".xml")})
    if not any(file.lower().endswith(".xml") for file in files):
        _add_classes(folder, sets, files, source)
        return source
    not_carried: list[tuple[str, Counter[str]]] = []
    parsed = map_items(partial(parse_file, folder.root), every_xml, "ingest: reading VOC", "file", chunk=64)
    for file, voc in zip(every_xml, parsed, strict=True):
        not_carried.append((file, voc.not_carried))
        _add(folder, file, voc, sets, source)
    source.findings += _name_not_carried(not_carried)
    return source


def _add(folder: RawFolder, file: str, voc: VocFile, sets: ImageSets, source: Source) -> None:
    if voc.problem:
        image_id: str | Finding = folder.locate_stem(file) or ""
        if not image_id:
            source.findings.append(found("annotation-unreadable", file, reason=voc.problem))
            return
        voc.sheet.lose_all(voc.problem)
    else:
        image_id = _locate(folder, file, voc.filename)
    if isinstance(image_id, Finding):
        put_nowhere(voc.sheet, image_id, source)
        return
    split = sets.split_of(file, image_id) or split_in_path(image_id, file)
    put(voc.sheet, image_id, folder, source, ImageEntry(split))


def _name_not_carried(counts: Sequence[tuple[str, Counter[str]]]) -> list[Finding]:
    """One finding a kind for all the files: the first that has it, how often, and in how many files."""
    findings = []
    for kind in sorted({kind for _, of_file in counts for kind in of_file}):
        files = [(file, of_file[kind]) for file, of_file in counts if of_file[kind]]
        reason = f"<{kind}> has no place in a dataset: {sum(n for _, n in files)} in {len(files)} files, here first"
        findings.append(found("not-carried", files[0][0], value=sum(n for _, n in files), reason=reason))
    return findings


def _locate(folder: RawFolder, file: str, filename: str) -> str | Finding:
    """The image of an XML file: the one with its stem, as VOC has it, else the one that <filename> names."""
    by_stem = folder.locate_stem(file)
    if by_stem and PurePosixPath(by_stem).stem == PurePosixPath(filename.replace("\\", "/")).stem:
        return by_stem
    by_name = folder.locate(filename, file, near=not by_stem) if filename else found("image-missing", file)
    return by_stem if by_stem and isinstance(by_name, Finding) else by_name


def _add_classes(folder: RawFolder, sets: ImageSets, files: list[str], source: Source) -> None:
    """Labels of whole images; one that shows a difficult object alone is difficult."""
    for name in dict.fromkeys(name for shows in sets.shows.values() for name in shows):
        image_id = folder.locate_stem(f"{name}.xml")
        if image_id is None:
            source.findings.append(found("image-missing", files[0], value=name[:SHOWN]))
            continue
        source.entries[image_id] = ImageEntry(sets.split_of(f"{name}.xml") or split_in_path(image_id))
        for label, shows in sets.shows.items():
            if shows.get(name, -1) >= 0:
                attributes = None if shows[name] else to_json({"difficult": 1})
                source.annotations.append(Annotation(image_id, label, None, None, None, None, attributes=attributes))
    source.shapes = len(source.annotations)


FORMAT = Format(
    name="voc",
    title="PASCAL VOC XML",
    carries=frozenset({"boxes", "negatives", "splits", "difficult", "truncated", "occluded", "pose"}),
    reads=frozenset({"boxes", "outlines", "oriented"}),
    detect=detect,
    masks=frozenset({"outlines", "masks"}),
    measure=measure_losses,
    read=read,
    write=write,
    loading=_LOADING,
)
