"""Reading TFRecords with the TF Object Detection API's keys, ours and everybody's, without importing TensorFlow.

Class names come from the records' text, else from a label map beside them (`*.pbtxt`, or TFDS's `*.labels.txt`).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.images import ImageInfo
from shardsmith.dataset.manifest import Annotation
from shardsmith.dataset.shapes import OutlineError, parse_outline, parse_points, skeleton_of, upright_outline
from shardsmith.dataset.workers import map_items
from shardsmith.formats.shapes.placement import keypoints_on_displayed, on_displayed
from shardsmith.formats.shared.raw_folder import SHOWN, ImageEntry, RawFolder, Source
from shardsmith.formats.shared.splits import split_in_name, split_in_path
from shardsmith.formats.tfrecord.example import IMAGE, Record, decode_masks, parse
from shardsmith.formats.tfrecord.frames import begins_with_frame, read_frames
from shardsmith.formats.tfrecord.labels import add_classes, differing_ids, label_map_of, nearest_first

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


def unpack(folder: RawFolder, files: list[str], out: Path | None) -> None:
    """Write each record's image to `out`, named by its content, and tell `folder` of it, named as its record says.

    Raises:
        RawDataError: the files have no record with an image, or there is no `out`.
    """
    if out is None:
        raise RawDataError(f"{folder.root}: the images of TFRecord stand inside its files; say where to unpack them")
    out.mkdir(parents=True, exist_ok=True)
    unpacked = list(
        map_items(partial(_unpack_file, folder.root, out), files, "ingest: unpacking TFRecord", "file", chunk=1)
    )
    names = unique_names([name for of_file in unpacked for name, _ in of_file], set(folder.files))
    paths = [out / path for of_file in unpacked for _, path in of_file]
    if files and not names:
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
    maps = {file: ids for file in folder.files for ids in [label_map_of(folder, file)] if ids}
    contents = list(map_items(partial(read_file, folder.root), files, "ingest: reading TFRecord", "file", chunk=1))
    names = iter(unique_names([record.name for of_file in contents for record in of_file.records], set(folder.files)))
    records = [of_file.records for of_file in contents]
    add_classes(source, maps, records)
    expected = _expected_counts(folder)
    foreign: dict[str, Counter[str]] = defaultdict(Counter)
    for file, of_file in zip(files, contents, strict=True):
        source.findings += of_file.findings
        if of_file.count < expected.get(file, 0):
            value = f"{of_file.count} of {expected[file]} records"
            source.findings.append(found("annotation-unreadable", file, value=value, reason="it is cut off"))
        by_id = {id_: name for ids in nearest_first(maps, file) for name, id_ in ids.items()}
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
    source.findings += differing_ids(files, records)
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
        if problem or (record.problem and not record.name):
            place = f"record {number}"
            result.findings.append(
                found("annotation-unreadable", file, place, record.name[:SHOWN], problem or record.problem)
            )
        if record.name:
            result.records.append(record)
    return result


def _add_record(
    folder: RawFolder, file: str, record: Record, image_id: str, names: dict[int, str], source: Source
) -> None:
    """Every annotation of the record becomes a row, or a finding that drops it."""
    source.entries[image_id] = ImageEntry(split_of(file), source_id=record.source_id or None)
    place = f"record {record.number}"
    if record.problem:
        source.shapes = (source.shapes or 0) + 1  # nobody knows how many
        source.findings.append(
            found("annotation-unreadable", file, place, image_id[:SHOWN], record.problem, image_id=image_id)
        )
        return
    source.shapes = (source.shapes or 0) + len(record.classes) + len(record.labels) + len(record.captions)
    entry = source.entries[image_id]
    entry.captions, entry.captions_alone = record.captions, bool(record.captions) and record.has_no_objects
    for text, id_ in record.classes:
        if name := text or names.get(id_):
            source.annotations.append(Annotation(image_id, name, None, None, None, None))
        else:
            source.findings.append(_unnamed(file, place, image_id, id_))
    info = folder.images[image_id]
    width, height = info.stored_size if record.declared_px == info.stored_size else (info.width, info.height)
    if width is None or height is None:  # validate drops the image
        source.findings += [
            found(
                "annotation-unreadable",
                file,
                f"{place}, box {box}",
                reason="its image does not open",
                image_id=image_id,
            )
            for box in range(1, len(record.labels) + 1)
        ]
        return
    boxes = [(x1 * width, y1 * height, x2 * width, y2 * height) for x1, y1, x2, y2 in record.boxes]
    boxes, findings = on_displayed(boxes, info, record.declared_px, f"{file}, {place}")
    source.findings += [replace(finding, image_id=image_id) for finding in findings]
    source.findings += [
        found("not-carried", file, f"{place}, box {number}", reason=f"{why}; the box stays", image_id=image_id)
        for number, why in record.bad_masks
    ]
    source.findings += [
        found("not-carried", file, place, reason=f"{why}; the boxes stay", image_id=image_id)
        for why in record.bad_points
    ]
    outlines = record.outlines or [None] * len(boxes)
    if record.outlines and info.orientation != 1:
        outlines = [_upright(outline, info) for outline in outlines]
    columns = (record.labels, boxes, record.crowd, record.area, outlines, record.attributes)
    for number, ((text, id_), box, *known) in enumerate(zip(*columns, strict=True), start=1):
        if name := text or names.get(id_):
            row = Annotation(image_id, name, *box, *known)
            source.annotations.append(_with_points(row, record, number - 1, (width, height), info))
        else:
            source.findings.append(_unnamed(file, f"{place}, box {number}", image_id, id_))


def _with_points(row: Annotation, record: Record, box: int, size_px: tuple[int, int], info: ImageInfo) -> Annotation:
    """With the corners and the keypoints that the record has of a box; what is no place on an image is none."""
    with contextlib.suppress(OutlineError):
        if record.corners:
            flat = [share * side for corner in record.corners[box] for share, side in zip(corner, size_px, strict=True)]
            left, top, right, bottom = min(flat[::2]), min(flat[1::2]), max(flat[::2]), max(flat[1::2])
            if set(zip(flat[::2], flat[1::2], strict=True)) != {(x, y) for x in (left, right) for y in (top, bottom)}:
                row.segmentation, row.kind = parse_outline([flat]), "oriented"
    with contextlib.suppress(OutlineError):
        if record.points:
            scale = (*size_px, 1)
            flat = [value * by for point in record.points[box] for value, by in zip(point, scale, strict=True)]
            row.keypoints = parse_points(flat, len(record.point_names))
            row.skeleton = skeleton_of(record.point_names).text() if row.keypoints else None
    if row.keypoints:
        row.keypoints = keypoints_on_displayed(row.keypoints, info, record.declared_px)
    return row


def _unnamed(file: str, place: str, image_id: str, id_: int) -> Finding:
    reason = f"class id {id_} has no name; put its label_map.pbtxt beside the file"
    return found("annotation-unreadable", file, place, image_id[:SHOWN], reason, image_id=image_id)


def _upright(outline: str | None, info: ImageInfo) -> str | None:
    """A mask is one of the stored pixels: its readers know nothing of EXIF."""
    return upright_outline(outline, info.orientation, info.width or 0, info.height or 0) if outline else None


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
            except (RawDataError, KeyError, TypeError, ValueError, OverflowError, AttributeError, RecursionError):
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
