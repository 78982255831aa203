"""`shardsmith inspect`: what is in a TFRecord, a label map, or a folder with annotations."""

from __future__ import annotations

import contextlib
import io
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from shardsmith.conversion.options import make_params
from shardsmith.dataset.archive import opened
from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.findings import count_codes
from shardsmith.dataset.label_map import LabelMap, read_label_map
from shardsmith.dataset.manifest import Annotation, Image
from shardsmith.dataset.messages import Example
from shardsmith.formats.losses import count_held
from shardsmith.formats.tfrecord.frames import begins_with_frame, read_frames
from shardsmith.inspect.sheet import draw_sheet
from shardsmith.pipeline.ingest import ingest

_SHOWN = 70
_VALUES = {"bytes_list": "bytes", "float_list": "float32", "int64_list": "int64"}


def inspect(path: Path, sheet: Path | None = None, images: int = 12, read_as: str = "auto") -> dict[str, Any]:
    """What `path` holds, as a mapping that can be printed as JSON.

    Args:
        read_as: the format of a folder; "auto" finds it.
        sheet: where to draw a contact sheet of the first `images` images with their annotations.

    Raises:
        RawDataError: there is nothing at `path` that can be inspected.
    """
    if path.is_dir() or (path.is_file() and path.suffix.lower() in (".zip", ".gz", ".tgz", ".tar")):
        with opened(path) as folder:
            return _inspect_dataset(folder, sheet, images, read_as)
    if not path.is_file():
        raise RawDataError(f"{path}: no such file or folder")
    if path.suffix.lower() in (".pbtxt", ".pbtext"):
        label_map = read_label_map(path)
        return {"kind": "label map", "dataset": label_map.dataset, "classes": dict(label_map.ids)}
    if not begins_with_frame(path):
        raise RawDataError(f"{path}: no TFRecord, label map, archive or folder with annotations")
    found = inspect_records(path)
    if sheet:
        with tempfile.TemporaryDirectory(prefix="shardsmith-") as folder:
            name = path.name if "record" in path.name else f"{path.name}.tfrecord"
            for file, as_name in [(path, name), *((beside, beside.name) for beside in path.parent.glob("*.pbtxt"))]:
                shutil.copyfile(file, Path(folder) / as_name)
            _inspect_dataset(Path(folder), sheet, images)
    return found


def inspect_records(path: Path) -> dict[str, Any]:
    """Every record of one file: its keys with types and lengths, class names, and the first record's values."""
    keys: dict[str, dict[str, Any]] = {}
    classes: Counter[str] = Counter()
    damaged: list[str] = []
    first: dict[str, Any] = {}
    count = 0
    for number, (record, problem) in enumerate(read_frames(path), start=1):
        if problem:
            damaged.append(f"record {number}: {problem}")
            continue
        count += 1
        features = _features(record)
        if features is None:
            damaged.append(f"record {number}: no tf.train.Example")
            continue
        for key, (kind, values) in features.items():
            seen = keys.setdefault(key, {"type": kind, "records": 0, "shortest": len(values), "longest": 0})
            seen["records"] += 1
            seen["shortest"] = min(seen["shortest"], len(values))
            seen["longest"] = max(seen["longest"], len(values))
        for key in ("image/object/class/text", "image/class/text"):
            classes.update(value.decode(errors="replace") for value in features.get(key, ("", []))[1])
        first = first or {key: _shown(values) for key, (_, values) in sorted(features.items())}
    return {
        "kind": "TFRecord",
        "records": count,
        "damaged": damaged,
        "keys": dict(sorted(keys.items())),
        "classes": dict(classes.most_common()),
        "first": first,
    }


def _features(record: bytes) -> dict[str, tuple[str, list[Any]]] | None:
    """key -> (type, values) of a serialised tf.train.Example; None when it is none."""
    try:
        features = Example.FromString(record).features.feature
    except DecodeError:
        return None
    found = {}
    for key, feature in features.items():
        kind = feature.WhichOneof("kind")
        found[key] = (_VALUES.get(kind, "nothing"), list(getattr(feature, kind).value) if kind else [])
    return found


def _shown(values: list[Any]) -> list[str]:
    """The first values of a key, short enough to be read."""
    texts = []
    for value in values[:8]:
        if isinstance(value, bytes):
            whole = len(value) <= _SHOWN and value.isascii()
            texts.append(value.decode() if whole else f"{value[:12]!r}... {len(value):,} bytes")
        else:
            texts.append(f"{value:.6g}")
    return texts + ([f"and {len(values) - 8} more"] if len(values) > 8 else [])


def _inspect_dataset(folder: Path, sheet: Path | None, images: int, read_as: str = "auto") -> dict[str, Any]:
    params = make_params(read_as, None).ingest
    with tempfile.TemporaryDirectory(prefix="shardsmith-") as work, contextlib.redirect_stderr(io.StringIO()):
        manifest, label_map, findings, format_name = ingest(folder, params, LabelMap("dataset"), Path(work))
        rows, annotations = manifest.image_rows(), manifest.annotations_by_image()
        if sheet:
            shown = [(row, annotations.get(row.image_id, [])) for row in _spread(rows, images)]
            draw_sheet(shown).save(sheet)
    per_class = Counter(row.label for boxes in annotations.values() for row in boxes)
    return {
        "kind": "dataset",
        "format": format_name,
        "images": len(rows),
        "splits": dict(Counter(row.split or "none" for row in rows)),
        "holds": {word: count for word, count in count_held(manifest).items() if count},
        "classes": {name: {"id": label_map.ids[name], "annotations": per_class[name]} for name in label_map.names},
        "sizes": dict(Counter(f"{row.width} x {row.height}" for row in rows).most_common(5)),
        "formats": dict(Counter(row.format or "unreadable" for row in rows).most_common()),
        "findings": count_codes(findings),
        "first": [f"{row.image_id}: {_boxes(annotations.get(row.image_id, []))}" for row in rows[:5]],
    }


def _spread(rows: list[Image], count: int) -> list[Image]:
    """`count` readable images, evenly over the whole."""
    readable = [row for row in rows if row.format]
    step = max(1, len(readable) // max(count, 1))
    return readable[::step][:count]


def _boxes(rows: list[Annotation]) -> str:
    texts = [
        row.label if row.xmin is None else f"{row.label} {row.xmin:g} {row.ymin:g} {row.xmax:g} {row.ymax:g}"
        for row in rows[:4]
    ]
    return "; ".join(texts) + (f"; and {len(rows) - 4} more" if len(rows) > 4 else "") or "nothing"


def as_text(found: dict[str, Any], indent: str = "") -> list[str]:
    """What `inspect` returns, as lines for a person."""
    lines = []
    for key, value in found.items():
        if isinstance(value, dict) and all(not isinstance(item, dict | list) for item in value.values()):
            lines.append(f"{indent}{key}: " + (", ".join(f"{k} {v}" for k, v in value.items()) or "none"))
        elif isinstance(value, dict):
            lines += [f"{indent}{key}:", *as_text(value, f"{indent}  ")]
        elif isinstance(value, list) and indent:
            lines.append(f"{indent}{key}: " + (", ".join(map(str, value)) or "none"))
        elif isinstance(value, list):
            lines += [f"{indent}{key}:" + ("" if value else " none"), *(f"{indent}  {item}" for item in value)]
        else:
            lines.append(f"{indent}{key}: {value}")
    return lines
