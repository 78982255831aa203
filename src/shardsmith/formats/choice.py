"""The formats as a person names them: what is said of a name that is none, and the table of those there are."""

from __future__ import annotations

import difflib
import re

from shardsmith.dataset.errors import UsageError
from shardsmith.formats.format import CARRYABLE
from shardsmith.formats.registry import FORMATS, PANLABEL, READERS, WRITERS

# what people call a format (letters and digits) -> ours that it may be, each with what tells it from the others
_MEANT = {
    "yolo": {
        "ultralytics": "labels/*.txt with data.yaml: YOLOv5, v8, 11",
        "yolo_darknet": "obj.data and train.txt: YOLOv3, v4",
    },
    "csv": {
        "tfod_csv": "a header with filename, class, xmin",
        "retinanet_csv": "no header, a line a box",
        "multiclass_csv": "a column a class",
    },
    "darknet": {"yolo_darknet": ""},
    "keras": {"yolo_keras": "a line an image"},
    "retinanet": {"retinanet_csv": ""},
    "tfrecords": {"tfrecord": ""},
    "record": {"tfrecord": ""},
    "tf": {"tfrecord": ""},
    "grain": {"array_record": ""},
    "hf": {"huggingface": ""},
    "datasets": {"huggingface": ""},
    "wds": {"webdataset": ""},
    "tar": {"webdataset": ""},
    "jsonlines": {"jsonl": ""},
    "xml": {"voc": ""},
    "pascal": {"voc": ""},
    "pascalvoc": {"voc": ""},
    "vocxml": {"voc": ""},
    "json": {"coco": ""},
    "mscoco": {"coco": ""},
    "cocojson": {"coco": ""},
    "imagefolder": {"class_folders": "a folder a class", "huggingface": "with metadata, for load_dataset"},
    "folder": {"class_folders": "a folder a class"},
    "classification": {"class_folders": "a folder a class"},
}


def check_reader(name: str, option: str = "--from") -> None:
    """
    Raises:
        UsageError: no format that is read has this name.
    """
    if name == "auto" or name in READERS or name in PANLABEL:
        return
    said = _no_format(name, [*READERS], "read") if ":" not in name else _no_format(name, PANLABEL, "read")
    raise UsageError(f"{option} {name}: {said}; leave out {option} to have it detected")


def check_writer(name: str, option: str = "--to") -> None:
    """
    Raises:
        UsageError: no format that is written has this name.
    """
    if name not in WRITERS:
        raise UsageError(f"{option} {name}: {_no_format(name, [*WRITERS], 'written')}")


def check_masks(name: str) -> None:
    """
    Raises:
        UsageError: the format carries no masks.
    """
    if not WRITERS[name].masks and "masks" not in WRITERS[name].carries:
        able = [name for name, one in WRITERS.items() if one.masks or "masks" in one.carries]
        raise UsageError(f"--masks: {name} carries no masks; those that do: {', '.join(able)}")


def hint(name: str, known: list[str]) -> str:
    """`did you mean ...? ` for a name that is not known; "" where none is near."""
    plain = re.sub(r"[^a-z]", "", name.lower())
    meant = _MEANT.get(plain) or _MEANT.get(re.sub(r"v?\d.*$", "", name.lower()).strip("_-")) or {}
    if some := {ours: told for ours, told in meant.items() if ours in known}:
        return f"did you mean {' or '.join(f'{ours} ({told})' if told else ours for ours, told in some.items())}? "
    folded = {re.sub(r"[^a-z]", "", one.rpartition(":")[2]): one for one in known}
    near = difflib.get_close_matches(plain, folded, 1)
    return f"did you mean {folded[near[0]]}? " if near else ""


def format_rows() -> list[list[str]]:
    """A header, then a row a format: its title, name, whether it is read and written, and what it carries."""
    rows = [["format", "name", "read", "written", "carries"]]
    for name, one in FORMATS.items():
        yes_no = ["yes" if can else "no" for can in (one.is_read, one.is_written)]
        rows.append([one.title, name, *yes_no, ", ".join(word for word in CARRYABLE if word in one.carries)])
    return rows


def _no_format(name: str, known: list[str], what: str) -> str:
    if name in FORMATS:
        return f"is {'written, not read' if what == 'read' else 'read, not written'}; allowed: {', '.join(known)}"
    guess = hint(name, known) or hint(name, PANLABEL if what == "read" else [])
    return f"no such format; {guess}allowed: {', '.join(known)}"
