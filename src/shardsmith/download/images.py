"""A version's stored files as a manifest again: its tables, and the images' bytes as files of their own."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shardsmith.dataset.boxes import with_columns
from shardsmith.dataset.errors import VersionError
from shardsmith.dataset.images import EXTENSIONS, probe, probe_file
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import ANNOTATIONS, Image, Manifest
from shardsmith.dataset.workers import map_items
from shardsmith.download.selection import TABLES, TFRECORD
from shardsmith.formats.shared.job import leaving_names
from shardsmith.formats.tfrecord.features import image_id, parse_features
from shardsmith.formats.tfrecord.frames import read_frames
from shardsmith.formats.yolo.lines import trainer_names
from shardsmith.pipeline.ingest import ingest
from shardsmith.pipeline.params import IngestParams


@dataclass(frozen=True)
class Stored:
    """An image's bytes as a version holds them."""

    path: str
    sha256: str
    format: str


def read_tables(folder: Path) -> Manifest | None:
    """The manifest that an export's tables hold, its images without path and format; None where it has no tables.

    Raises:
        VersionError: they are there, and cannot be read.
    """
    paths = [folder / table for table in TABLES]
    if not all(path.is_file() for path in paths):
        return None
    try:
        images, annotations = (pq.ParquetFile(path).read(use_threads=False) for path in paths)
        known = [field.name for field in fields(Image) if field.name in images.column_names]
        rows = [Image(**{"path": "", "format": None, **row}) for row in images.select(known).to_pylist()]
        return Manifest(Manifest.of(rows, []).images, with_columns(annotations, ANNOTATIONS))
    except (OSError, pa.ArrowInvalid, ValueError, KeyError, TypeError) as error:
        raise VersionError(f"{folder}: the version's tables cannot be read ({error}); pull all of it") from None


def count_rows(folder: Path) -> dict[str, int]:
    """How many images and boxes an export's tables have; {} where it has no tables."""
    paths = {key: folder / table for key, table in zip(("images", "boxes"), TABLES, strict=True)}
    if not all(path.is_file() for path in paths.values()):
        return {}
    return {key: pq.ParquetFile(path).metadata.num_rows for key, path in paths.items()}


def read_by_format(folder: Path, origin: str, label_map: LabelMap, work: Path) -> Manifest:
    """The manifest of a version that was recorded before versions carried their tables, as its format's reader has it.

    Raises:
        RawDataError: it cannot be read.
    """
    manifest, _, _, _ = ingest(folder / origin, IngestParams(format=origin), label_map, work)
    return manifest


def find_images(manifest: Manifest, folder: Path, wanted: Collection[str], work: Path) -> dict[str, Stored]:
    """image_id -> its stored bytes, as a file; one that is nowhere is left out.

    Args:
        manifest: of the whole version.
        folder: a format of its export; shards go as they are unpacked.
        wanted: image_ids.
        work: where to write what stands in shards.
    """
    if folder.name in _PACKED:
        return _from_shards(folder, wanted, work)
    return {name: there for name, there in _from_files(folder, manifest.image_rows()).items() if name in wanted}


def with_bytes(manifest: Manifest, found: Mapping[str, Stored]) -> Manifest:
    """The manifest of the images that were found, with path, sha256 and format as they are stored, for a writer."""
    images = [
        replace(row, path=there.path, sha256=there.sha256, format=there.format, orientation=1)
        for row in manifest.image_rows()
        if (there := found.get(row.image_id))
    ]
    annotations = manifest.annotations
    if len(images) < manifest.images.num_rows:
        annotations = annotations.filter(pc.is_in(annotations["image_id"], pa.array(found)))
    return Manifest(Manifest.of(images, []).images, annotations.combine_chunks())


def _from_shards(folder: Path, wanted: Collection[str], work: Path) -> dict[str, Stored]:
    pattern, images_in = _PACKED[folder.name]
    unpack = partial(_unpack, images_in, frozenset(wanted), work)
    unpacked = map_items(unpack, sorted(folder.glob(pattern)), "taking images out of the shards", "shard", chunk=1)
    return {name: there for of_shard in unpacked for name, there in of_shard}


def _unpack(images_in: Packed, wanted: frozenset[str], work: Path, shard: Path) -> list[tuple[str, Stored]]:
    """Write the wanted images of a shard below `work`, named by their content; the shard is not needed any more."""
    unpacked = []
    for name, bytes_ in images_in(shard):
        if name not in wanted:
            continue
        digest = hashlib.sha256(bytes_).hexdigest()
        path = work / digest[:2] / digest
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes_)
        unpacked.append((name, Stored(str(path), digest, probe(bytes_).format or "")))
    shard.unlink()
    return unpacked


def _in_tfrecord(shard: Path) -> Iterator[tuple[str, bytes]]:
    return _in_examples(data for data, problem in read_frames(shard) if not problem)


def _in_array_record(shard: Path) -> Iterator[tuple[str, bytes]]:
    from array_record.python.array_record_module import ArrayRecordReader

    reader = ArrayRecordReader(str(shard))
    return _in_examples(reader.read([number])[0] for number in range(reader.num_records()))


def _in_examples(examples: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    for data in examples:
        features = parse_features(data)
        if features is not None:
            yield image_id(features), features["image/encoded"].bytes_list.value[0]


def _in_webdataset(shard: Path) -> Iterator[tuple[str, bytes]]:
    """The image of a sample stands before its JSON."""
    image = b""
    with tarfile.open(shard) as tar:
        for member in tar:
            file = tar.extractfile(member)
            data = file.read() if file else b""
            if member.name.endswith(".json"):
                yield json.loads(data)["image_id"], image
            elif not member.name.endswith(".cls"):
                image = data


Packed = Callable[[Path], Iterator[tuple[str, bytes]]]
# format -> its shards, and the (image_id, image) in one of them
_PACKED: dict[str, tuple[str, Packed]] = {
    TFRECORD: ("*.tfrecord-*", _in_tfrecord),
    "array_record": ("*.array_record-*", _in_array_record),
    "webdataset": ("*.tar", _in_webdataset),
}


def _from_files(folder: Path, rows: list[Image]) -> dict[str, Stored]:
    """By their bytes; an image that left otherwise than it came (turned, as PNG) by the name it left under."""
    paths = sorted(str(path) for path in folder.rglob("*") if path.suffix.lower() in EXTENSIONS)
    infos = map_items(probe_file, paths, "reading images")
    files = [Stored(path, info.sha256, info.format or "") for path, info in zip(paths, infos, strict=True)]
    by_digest = {file.sha256: file for file in files}
    by_stem = {PurePosixPath(file.path).stem: file for file in files}
    names = leaving_names(rows)
    ways = [names, *(trainer_names(names, rows, blanks) for blanks in (True, False))]
    found = {row.image_id: by_digest.get(row.sha256) or _by_name(row, ways, by_stem) for row in rows}
    return {name: file for name, file in found.items() if file}


def _by_name(row: Image, ways: Iterable[Mapping[str, str]], by_stem: Mapping[str, Stored]) -> Stored | None:
    stems = (PurePosixPath(names[row.image_id]).stem for names in ways)
    return next((by_stem[stem] for stem in stems if stem in by_stem), None)
