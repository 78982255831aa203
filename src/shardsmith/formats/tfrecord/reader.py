"""Reading TFRecords with the TF Object Detection API's keys, ours and everybody's, without importing TensorFlow.

Class names come from the records' text, else from a label map beside them (`*.pbtxt`, or TFDS's `*.labels.txt`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath

from shardsmith.dataset.errors import RawDataError, StageError
from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.images import ImageInfo
from shardsmith.dataset.label_map import MAX_ID, parse_label_map
from shardsmith.dataset.manifest import Annotation
from shardsmith.dataset.shapes import upright_outline
from shardsmith.dataset.workers import map_items
from shardsmith.formats.shared.placement import on_displayed
from shardsmith.formats.shared.raw_folder import SHOWN, ImageEntry, RawFolder, Source, split_in_name, split_in_path
from shardsmith.formats.tfrecord.example import IMAGE, Record, decode_masks, parse
from shardsmith.formats.tfrecord.frames import begins_with_frame, read_frames

_NAME = re.compile(r"\.(tfrecords?|tfrec|record)(-\d+-of-\d+)?$", re.IGNORECASE)
_SHARD = re.compile(r"^(.+)-(\d{5})-of-(\d{5})$")
_COPY = re.compile(r"(.+)#\d+")


@dataclass
class RecordFile:
    """What one file holds; `count` is the number of its records, damaged ones included."""

    records: list[Record] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    count: int = 0


def detect(folder: RawFolder) -> list[str]:
    """By the usual names; a file that is only called a shard must begin as a TFRecord does."""
    return [
        file
        for file in folder.files
        if _NAME.search(file) or (_SHARD.match(file) and begins_with_frame(folder.root / file))
    ]


def unpack(folder: RawFolder, files: list[str], out: Path) -> None:
    """Write each record's image to `out`, named by its content, and tell `folder` of it, named as its record says.

    Raises:
        RawDataError: there is no record with an image.
    """
    out.mkdir(parents=True, exist_ok=True)
    unpacked = list(
        map_items(partial(_unpack_file, folder.root, out), files, "ingest: unpacking TFRecord", "file", chunk=1)
    )
    names = unique_names([name for of_file in unpacked for name, _ in of_file], set(folder.files))
    paths = [out / path for of_file in unpacked for _, path in of_file]
    if not names:
        reasons = [found.reason for file in files for found in read_file(folder.root, file).findings]
        reason = f"the first: {reasons[0]}" if reasons else "the files are empty"
        raise RawDataError(f"{', '.join(files[:3])}: no record with an image in {IMAGE} can be read; {reason}")
    folder.add_unpacked(dict(zip(names, paths, strict=True)))


def _unpack_file(root: Path, out: Path, file: str) -> list[tuple[str, str]]:
    """(name, path below out) of each image."""
    unpacked = []
    for number, (data, _) in enumerate(read_frames(root / file), start=1):
        record = parse(data, file, number)
        if record.name:
            digest = hashlib.sha256(record.image).hexdigest()
            path = f"{digest[:2]}/{digest}{PurePosixPath(record.extension)}"
            (out / path).parent.mkdir(exist_ok=True)
            (out / path).write_bytes(record.image)
            unpacked.append((record.name, path))
    return unpacked


def unique_names(names: list[str], taken: set[str]) -> list[str]:
    """Each name that is used already gets the first free number: a.jpg, a-2.jpg, a-3.jpg."""
    used, seen, result = set(taken), Counter[str](), []
    for name in names:
        free = name
        while free in used:
            seen[name] += 1
            path = PurePosixPath(name)
            free = str(path.with_name(f"{path.stem}-{seen[name] + 1}{path.suffix}"))
        used.add(free)
        result.append(free)
    return result


def read(folder: RawFolder, files: list[str]) -> Source:
    """After `unpack`.

    Raises:
        RawDataError: a label map cannot be read.
    """
    source = Source(shapes=0)
    maps = {file: ids for file in folder.files for ids in [_label_map(folder, file)] if ids}
    contents = list(map_items(partial(read_file, folder.root), files, "ingest: reading TFRecord", "file", chunk=1))
    names = iter(unique_names([record.name for of_file in contents for record in of_file.records], set(folder.files)))
    _add_classes(source, maps, contents)
    expected = _expected_counts(folder)
    foreign: dict[str, Counter[str]] = defaultdict(Counter)
    for file, of_file in zip(files, contents, strict=True):
        source.findings += of_file.findings
        if of_file.count < expected.get(file, 0):
            value = f"{of_file.count} of {expected[file]} records"
            source.findings.append(found("annotation-unreadable", file, value=value, reason="it is cut off"))
        by_id = {id_: name for ids in _nearest_first(maps, file) for name, id_ in ids.items()}
        for record in of_file.records:
            _add_record(folder, file, record, next(names), by_id, source)
            for key in record.foreign:
                foreign[file][key] += 1
    for file, counts in foreign.items():
        source.findings += [
            found("not-carried", file, value=key[:SHOWN], reason=f"{count} records have it")
            for key, count in counts.items()
        ]
    source.findings += missing_shards(files)
    _group_copies(source)
    return source


def read_file(root: Path, file: str) -> RecordFile:
    """The records of one file without their images; one that cannot be read is a finding."""
    result = RecordFile()
    for number, (data, problem) in enumerate(read_frames(root / file), start=1):
        result.count = number
        record = parse(data, file, number)
        decode_masks(record)
        record.image = b""
        record.problem = problem or record.problem
        if record.name:
            result.records.append(record)
        else:
            result.findings.append(found("annotation-unreadable", file, f"record {number}", reason=record.problem))
    return result


def _add_record(
    folder: RawFolder, file: str, record: Record, image_id: str, names: dict[int, str], source: Source
) -> None:
    source.entries[image_id] = ImageEntry(split_of(file))
    place, rows = f"record {record.number}", len(source.annotations)
    source.shapes = (source.shapes or 0) + (1 if record.problem else len(record.labels) + len(record.classes))
    if record.problem:
        source.findings.append(
            found("annotation-unreadable", file, place, record.name[:SHOWN], record.problem, image_id)
        )
        return
    source.annotations += [Annotation(image_id, text, None, None, None, None) for text, _ in record.classes]
    info = folder.images[image_id]
    width, height = info.stored_size if record.declared_px == info.stored_size else (info.width, info.height)
    if width is None or height is None:
        width, height = 1, 1  # it does not open: validate drops it, with its annotations
    boxes = [(x1 * width, y1 * height, x2 * width, y2 * height) for x1, y1, x2, y2 in record.boxes]
    boxes, findings = on_displayed(boxes, info, record.declared_px, f"{file}, {place}")
    source.findings += [replace(one, image_id=image_id) for one in findings]
    outlines = record.outlines or [None] * len(boxes)
    if record.outlines and info.orientation != 1:
        outlines = [_upright(outline, info) for outline in outlines]
    columns = (record.labels, boxes, record.crowd, record.area, outlines, record.attributes)
    for (text, _), box, *known in zip(*columns, strict=True):
        source.annotations.append(Annotation(image_id, text, *box, *known))
    _name(source, rows, [id_ for _, id_ in [*record.classes, *record.labels]], names, file, place)


def _name(source: Source, start: int, ids: list[int], names: dict[int, str], file: str, place: str) -> None:
    """Give the annotations from `start` on that have no text the name of their id; one without either is a finding."""
    rows, source.annotations[start:] = source.annotations[start:], []
    for row, id_ in zip(rows, ids, strict=True):
        row.label = row.label or names.get(id_, "")
        if row.label:
            source.annotations.append(row)
            continue
        reason = f"class id {id_} has no name; put its label_map.pbtxt beside the file"
        source.findings.append(found("annotation-unreadable", file, place, row.image_id, reason, row.image_id))


def _upright(outline: str | None, info: ImageInfo) -> str | None:
    """A mask is one of the stored pixels: its readers know nothing of EXIF."""
    return upright_outline(outline, info.orientation, info.width or 0, info.height or 0) if outline else None


def _add_classes(source: Source, maps: dict[str, dict[str, int]], contents: list[RecordFile]) -> None:
    """The classes and ids of the label maps, else those that the records pair."""
    pairs = [
        (text, id_)
        for of_file in contents
        for record in of_file.records
        for text, id_ in record.labels + record.classes
    ]
    every = [pair for ids in maps.values() for pair in ids.items()] or pairs
    taken: set[int] = set()
    for text, id_ in dict.fromkeys(every):
        if text and 0 < id_ <= MAX_ID and text not in source.ids and id_ not in taken:
            source.ids[text] = id_
            taken.add(id_)
    source.classes = sorted(source.ids, key=source.ids.__getitem__)


def _label_map(folder: RawFolder, file: str) -> dict[str, int]:
    """The ids in a label map; none where the file is something else.

    Raises:
        RawDataError: it is a label map that cannot be read.
    """
    if not file.endswith((".labels.txt", ".pbtxt", ".pbtext")):
        return {}
    try:
        text = folder.text(file)
        if file.endswith(".txt"):
            return {name: id_ for id_, name in enumerate(text.splitlines()) if id_ and name != f"unused-{id_}"}
        return dict(parse_label_map(text, file).ids) if re.search(r"^[ \t]*item\s*\{", text, re.MULTILINE) else {}
    except StageError as error:
        raise RawDataError(str(error)) from None


def _nearest_first(maps: dict[str, dict[str, int]], file: str) -> list[dict[str, int]]:
    """The label maps in reverse order of precedence: those beside the file come last."""
    parent = PurePosixPath(file).parent
    order = sorted(maps, key=lambda name: (PurePosixPath(name).parent == parent, name.endswith(".pbtxt"), name))
    return [maps[name] for name in order]


def split_of(file: str) -> str | None:
    """The split that a file's name says (its last word first: a dataset's name may hold another), else its folder."""
    stem = _NAME.sub("", PurePosixPath(_SHARD.sub(r"\1", file)).name)
    return split_in_name(re.split(r"[-_.]", stem)[-1]) or split_in_name(stem) or split_in_path(file)


def _expected_counts(folder: RawFolder) -> dict[str, int]:
    """File -> how many records it must have, from TFDS's dataset_info.json beside it."""
    counts = {}
    for file in folder.files:
        path = PurePosixPath(file)
        if path.name == "dataset_info.json":
            try:
                info = json.loads(folder.text(file))
                for split in info["splits"]:
                    lengths = [int(length) for length in split["shardLengths"]]
                    for number, length in enumerate(lengths):
                        shard = f"{info['name']}-{split['name']}.tfrecord-{number:05d}-of-{len(lengths):05d}"
                        counts[str(path.parent / shard)] = length
            except (RawDataError, KeyError, TypeError, ValueError):
                continue  # not TFDS's
    return counts


def missing_shards(files: list[str]) -> list[Finding]:
    """A finding for each shard that the names of the others promise."""
    there: dict[tuple[str, str], set[int]] = defaultdict(set)
    for file in files:
        if match := _SHARD.match(file):
            there[match[1], match[3]].add(int(match[2]))
    return [
        found("annotation-unreadable", f"{name}-{number:05d}-of-{count}", reason="this shard is missing")
        for (name, count), numbers in sorted(there.items())
        for number in range(int(count))
        if number not in numbers
    ]


def _group_copies(source: Source) -> None:
    """Our own augmented copies stay in one split with the image that they were made from."""
    for image_id, entry in source.entries.items():
        match = _COPY.fullmatch(image_id)
        if match and match[1] in source.entries:
            entry.group = source.entries[match[1]].group = match[1]
