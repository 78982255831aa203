"""What a version differs in from another, or from what stands in the workspace; `tools.diff` compares."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from shardsmith.compare.changes import Diff, Side, compare
from shardsmith.dataset.boxes import with_columns
from shardsmith.dataset.errors import ParamsError, VersionError
from shardsmith.dataset.label_map import parse_label_map
from shardsmith.dataset.manifest import ANNOTATIONS
from shardsmith.pipeline.params import parse_params
from shardsmith.versions.files import read_files, read_words
from shardsmith.versions.version import find_version
from shardsmith.workspace.lock_file import built_with, read_leniently, value_at
from shardsmith.workspace.log import Log
from shardsmith.workspace.paths import DESCRIPTION, EXPORT, LABEL_MAP, METRICS, PARAMS, TABLES
from shardsmith.workspace.workspace import Workspace

WORKSPACE = "workspace"
_GROUP = "annotation_group"  # in description.json


def diff(workspace: Workspace, old: str, new: str, log: Log) -> Diff:
    """Compare two of NAME, DATASET@NAME and `workspace`.

    Raises:
        VersionError: there is no such version, or it has no tables.
    """
    (a, params_a), (b, params_b) = (
        _standing(workspace, log) if name == WORKSPACE else _recorded(workspace, name) for name in (old, new)
    )
    of_a, of_b = _params(params_a, params_b)
    try:
        return compare(replace(a, params=of_a), replace(b, params=of_b))
    except KeyError as error:
        raise VersionError(f"{a.name}, {b.name}: {error}: a table without this column cannot be compared") from None


def _recorded(workspace: Workspace, name: str) -> tuple[Side, str]:
    version = find_version(workspace, name)
    tables = read_files(workspace, version, TABLES)
    label_map, metrics, params = (workspace.file_at(version.tag, file) or "" for file in (LABEL_MAP, METRICS, PARAMS))
    side = _side(version.tag, tables, label_map, metrics)
    return replace(side, annotation_group=read_words(workspace, version, here=False)[0].get(_GROUP, "")), params


def _standing(workspace: Workspace, log: Log) -> tuple[Side, str]:
    try:
        tables = [(workspace.root / EXPORT / file).read_bytes() for file in TABLES]
        label_map, metrics, params = (workspace.read(file) for file in (LABEL_MAP, METRICS, PARAMS))
    except FileNotFoundError as error:
        raise VersionError(f"{error.filename}: no such file; `dvc repro` makes it, or `dvc checkout`") from None
    now = read_leniently(params)
    ran = built_with(workspace.lock_file())
    if blocks := [key for key, value in ran.items() if value_at(now, key) != value]:
        log(f"{PARAMS}: {', '.join(blocks)}: changed since {EXPORT} was made; `dvc repro` makes it anew")
    said = workspace.root / EXPORT / DESCRIPTION
    group = json.loads(said.read_text(encoding="utf-8")).get(_GROUP, "") if said.exists() else ""
    return replace(_side(WORKSPACE, tables, label_map, metrics), annotation_group=group), params


def _side(name: str, tables: list[bytes], label_map: str, metrics: str) -> Side:
    try:
        images, annotations = (pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False) for data in tables)
    except pa.ArrowInvalid as error:
        raise VersionError(f"{name}: {EXPORT}: not a table ({error}); `dvc checkout` brings it back") from None
    size = json.loads(metrics or "{}").get("bytes", 0)
    annotations = with_columns(annotations, ANNOTATIONS)
    return Side(name, images, annotations, {}, parse_label_map(label_map, f"{name}: {LABEL_MAP}").ids, size)


def _params(*texts: str) -> list[Mapping[str, Any]]:
    """Each with the defaults of keys that are left out; if one is no longer allowed, all as they are written."""
    try:
        return [parse_params(text).model_dump(by_alias=True) for text in texts]
    except ParamsError:
        return [read_leniently(text) for text in texts]
