"""The annotation formats: ours, a line each, and those that other packages add."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import metadata

from shardsmith.formats import class_folders, create_ml, darwin, datumaro, open_images, supervisely
from shardsmith.formats.coco import format as coco
from shardsmith.formats.coco import panoptic
from shardsmith.formats.csv import multiclass, retinanet, tfod
from shardsmith.formats.cvat import format as cvat
from shardsmith.formats.format import CARRYABLE, Format
from shardsmith.formats.label_studio import format as label_studio
from shardsmith.formats.labelbox import format as labelbox
from shardsmith.formats.labelme import format as labelme
from shardsmith.formats.masks import format as masks
from shardsmith.formats.panlabel import format as panlabel
from shardsmith.formats.shared.raw_folder import RawFolder
from shardsmith.formats.text import captions, dota, kitti
from shardsmith.formats.tfrecord import format as tfrecord
from shardsmith.formats.training import array_record, huggingface, jsonl, webdataset
from shardsmith.formats.via import format as via
from shardsmith.formats.voc import format as voc
from shardsmith.formats.yolo import darknet, keras, ndjson, ultralytics

GROUP = "shardsmith.formats"
OURS = (
    array_record.FORMAT,
    captions.FORMAT,
    class_folders.FORMAT,
    coco.FORMAT,
    coco.POLYGONS,
    coco.ROBOFLOW,
    create_ml.FORMAT,
    cvat.FORMAT,
    darwin.FORMAT,
    dota.FORMAT,
    datumaro.FORMAT,
    huggingface.FORMAT,
    jsonl.FORMAT,
    kitti.FORMAT,
    label_studio.FORMAT,
    labelbox.FORMAT,
    labelme.FORMAT,
    masks.FORMAT,
    multiclass.FORMAT,
    open_images.FORMAT,
    panlabel.FORMAT,
    panoptic.FORMAT,
    retinanet.FORMAT,
    supervisely.FORMAT,
    tfod.FORMAT,
    tfrecord.FORMAT,
    ultralytics.FORMAT,
    ultralytics.OBB,
    ultralytics.POSE,
    ndjson.FORMAT,
    via.FORMAT,
    voc.FORMAT,
    darknet.FORMAT,
    keras.FORMAT,
    webdataset.FORMAT,
)


def added() -> Iterator[tuple[metadata.EntryPoint, Format]]:
    """The formats of other packages, by their entry points; one that cannot be used is named on stderr and left out."""
    names = {one.name for one in OURS}
    for entry in sorted(metadata.entry_points(group=GROUP), key=lambda entry: entry.name):
        try:
            found = entry.load()
            problem = "" if isinstance(found, Format) else f"it is a {type(found).__name__}, and no Format"
        except Exception as error:  # whatever another package does
            found, problem = None, f"{type(error).__name__}: {error}"
        if isinstance(found, Format):
            problem = problem or _problem(found, names)
        if problem or not isinstance(found, Format):
            print(f"warning: the format {entry.name} of {_owner(entry)} is left out: {problem}", file=sys.stderr)
            continue
        names.add(found.name)
        yield entry, found


def _problem(found: Format, names: set[str]) -> str:
    if found.name in names:
        return f"the name {found.name!r} is taken"
    unknown = found.carries - CARRYABLE.keys()
    return f"it carries {', '.join(sorted(unknown))}; allowed: {', '.join(CARRYABLE)}" if unknown else ""


def _owner(entry: metadata.EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown package"


class _Readers(dict[str, Format]):
    """Name -> format; the name `panlabel:udacity` gives panlabel's reader of that form."""

    def __missing__(self, name: str) -> Format:
        if name in PANLABEL:
            return panlabel.form(name.removeprefix("panlabel:"))
        raise KeyError(name)


def set_aside_annotations(folder: RawFolder) -> None:
    """Say of the image files that are annotations (masks) that they are no images, whatever format is read."""
    readers = [one.annotation_images for one in FORMATS.values() if one.annotation_images]
    folder.set_aside(file for files_of in readers for file in files_of(folder))


ADDED = dict(added())
FORMATS = {one.name: one for one in (*OURS, *ADDED.values())}
PANLABEL = [f"panlabel:{form}" for form in panlabel.FORMS]
READERS = _Readers((name, one) for name, one in FORMATS.items() if one.is_read)
WRITERS = {name: one for name, one in FORMATS.items() if one.is_written}
