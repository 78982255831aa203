"""`shardsmith.open`: a version as tables and files, from a workspace, a store or a pulled folder."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shardsmith.dataset.errors import UsageError, VersionError, suggest
from shardsmith.dataset.label_map import parse_label_map
from shardsmith.dataset.manifest import SPLITS
from shardsmith.download.pull import pull
from shardsmith.download.source import open_source
from shardsmith.store.pulled import RECORD, read_record
from shardsmith.workspace.paths import EXPORT, TABLES
from shardsmith.workspace.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd
    import tensorflow as tf

_SHARDS = "tfrecord"
_SIDES = ("xmin", "ymin", "xmax", "ymax")


class OpenVersion:
    """A version to read: nothing is downloaded until it is asked for, and each file is checked against its hash.

    name: DATASET@NAME. folder: where its files are, or go.
    """

    def __init__(self, name: str, folder: Path, repo: str | None = None, remote: str | None = None) -> None:
        self.name, self.folder = name, folder
        self._repo, self._remote = repo, remote

    def __repr__(self) -> str:
        return f"<shardsmith version {self.name}>"

    @cached_property
    def images(self) -> pd.DataFrame:
        """A row an image: image_id, sha256, width and height in pixels, split, parent_id, copy, tags, and so on."""
        return self._table(TABLES[0])

    @cached_property
    def annotations(self) -> pd.DataFrame:
        """A row an annotation: image_id, label, xmin, ymin, xmax, ymax in pixels (none for a label of the whole image),
        is_crowd, area, segmentation, attributes.
        """
        return self._table(TABLES[1])

    @cached_property
    def label_map(self) -> dict[str, int]:
        """Class name -> id, from 1."""
        text = self._label_map_text()
        return dict(parse_label_map(text, f"{self.name}: label_map.pbtxt").ids)

    @property
    def splits(self) -> dict[str, int]:
        """Split -> how many images it has."""
        counts = self.images["split"].value_counts()
        return {split: int(counts.get(split, 0)) for split in SPLITS}

    def files(self, split: str) -> list[Path]:
        """The TFRecord shards of a split, on this disk; the version is downloaded where it is not here yet.

        Raises:
            VersionError: the version has no TFRecords, or its files cannot be read as they were recorded.
        """
        if split not in SPLITS:
            raise UsageError(f"{split!r}: no such split; {suggest(split, SPLITS)}")
        self._download()
        if not (self.folder / _SHARDS).is_dir():
            raise VersionError(
                f"{self.name}: holds no TFRecord; add tfrecord to export.formats in params.yaml and build again"
            )
        return sorted((self.folder / _SHARDS).glob(f"*-{split}.tfrecord-*"))

    def tf_dataset(self, split: str, shuffle: int = 0, seed: int | None = None) -> tf.data.Dataset:
        """The split as a `tf.data.Dataset` of dicts.

        `image` is (height, width, 3) uint8; `boxes` (n, 4) float32, xmin ymin xmax ymax as shares of the sides;
        `labels` (n,) int64, ids of `label_map`; `image_labels` (k,) int64, those of the whole image.

        Args:
            shuffle: how many records to shuffle among, files first; 0 keeps the order.
        """
        import tensorflow as tf

        keys = {
            "image/encoded": tf.io.FixedLenFeature([], tf.string),
            "image/object/class/label": tf.io.RaggedFeature(tf.int64),
            "image/class/label": tf.io.RaggedFeature(tf.int64),
            **{f"image/object/bbox/{side}": tf.io.RaggedFeature(tf.float32) for side in _SIDES},
        }

        def parse(record: Any) -> dict[str, Any]:
            row = tf.io.parse_single_example(record, keys)
            return {
                "image": tf.io.decode_image(row["image/encoded"], channels=3, expand_animations=False),
                "boxes": tf.stack([row[f"image/object/bbox/{side}"] for side in _SIDES], axis=-1),
                "labels": row["image/object/class/label"],
                "image_labels": row["image/class/label"],
            }

        files = tf.data.Dataset.from_tensor_slices([str(path) for path in self.files(split)])
        files = files.shuffle(len(files), seed=seed) if shuffle and len(files) else files
        records = files.interleave(tf.data.TFRecordDataset, cycle_length=16 if shuffle else 1)
        records = records.shuffle(shuffle, seed=seed) if shuffle else records
        return records.map(parse, num_parallel_calls=tf.data.AUTOTUNE)

    def _table(self, name: str) -> pd.DataFrame:
        import pyarrow.parquet as pq

        return pq.read_table(io.BytesIO(self._read(name))).to_pandas()

    def _label_map_text(self) -> str:
        if self._is_here():
            places = [self.folder / "label_map.pbtxt", self.folder / _SHARDS / "label_map.pbtxt"]
            found = next((place for place in places if place.is_file()), None)
            if found is None:
                raise VersionError(f"{self.folder}: has no label map; pull again, or open it by name")
            return found.read_text(encoding="utf-8")
        with open_source(self.name, self._repo, self._remote) as source:
            if source.label_map is None:
                raise VersionError(f"{self.name}: what was published of it has no label map; open it with repo=...")
            return source.label_map

    def _read(self, file: str) -> bytes:
        """A small file of the export."""
        if (self.folder / file).is_file():
            return (self.folder / file).read_bytes()
        if self._is_here():
            raise VersionError(f"{self.folder}: has no {file}: it is a part of a version, or older than the tables")
        with open_source(self.name, self._repo, self._remote) as source:
            if file not in source.files:
                raise VersionError(f"{self.name}: has no {file}: it was recorded before versions carried their tables")
            with tempfile.TemporaryDirectory(prefix="shardsmith-") as folder:
                seen = source.fetch(source.files[file], Path(folder) / file)
                if seen.md5 != source.files[file]:
                    raise VersionError(f"{self.name}: {file}: cannot be read as it was recorded {seen.problem}")
                return (Path(folder) / file).read_bytes()

    def _is_here(self) -> bool:
        return (self.folder / RECORD).is_file()

    def _download(self) -> None:
        if not self._is_here():
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            pull(self.name, self.folder, lambda _: None, self._repo, self._remote)


def open_version(
    name: str | Path, *, workspace: str | Path | None = None, repo: str | None = None, remote: str | None = None
) -> OpenVersion:
    """A version, to be read.

    Args:
        name: DATASET@NAME or NAME; or a folder that `shardsmith pull` made.
        workspace: the workspace that has it; the one here by default.
        repo: the path or URL of a workspace's repository.
        remote: the address of a DVC remote to read alone, for example s3://bucket/path.

    Raises:
        VersionError: there is no such version.
    """
    if (record := read_record(Path(name))) and isinstance(record.get("tag"), str):
        return OpenVersion(record["tag"], Path(name))
    if not (repo or remote):
        start = Path(workspace) if workspace else None
        repo = str(Workspace.find(start).root)
    with open_source(str(name), repo, remote) as source:
        return OpenVersion(source.tag, _kept(source.tag, source.record["hashes"][EXPORT]), repo, remote)


def _kept(tag: str, content: str) -> Path:
    """Where its files go: a folder for this very content, in the user's cache."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    digest = hashlib.sha256(f"{tag} {content}".encode()).hexdigest()[:8]
    return Path(home) / "shardsmith" / "versions" / f"{tag}-{digest}"
