"""The files by which `tfds.builder_from_directory(FOLDER)` loads our shards with none of our code.

Written without importing TFDS, in the JSON form of its dataset_info.proto and feature.proto; a test loads them back.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.dataset.label_map import LabelMap

_CLASSES = "tensorflow_datasets.core.features."
_LABEL = "image/object/class/label"

# every key of a record: what TFDS calls it, and whether a record has one or one for each box
FEATURES: dict[str, tuple[str, bool]] = {
    "image/encoded": ("image", False),
    "image/filename": ("text", False),
    "image/format": ("text", False),
    "image/height": ("int64", False),
    "image/key/sha256": ("text", False),
    "image/object/area": ("float32", True),
    "image/object/bbox/xmax": ("float32", True),
    "image/object/bbox/xmin": ("float32", True),
    "image/object/bbox/ymax": ("float32", True),
    "image/object/bbox/ymin": ("float32", True),
    "image/object/class/label": ("label", True),
    "image/object/class/text": ("text", True),
    "image/object/difficult": ("int64", True),
    "image/object/is_crowd": ("int64", True),
    "image/object/truncated": ("int64", True),
    "image/object/view": ("text", True),
    "image/source_id": ("text", False),
    "image/width": ("int64", False),
}


@dataclass(frozen=True)
class SplitFiles:
    """A split's shards: images in each, and bytes in all."""

    name: str
    shard_lengths: list[int]
    bytes: int


def write_metadata(out: Path, label_map: LabelMap, splits: list[SplitFiles]) -> None:
    """dataset_info.json, features.json and the names of the classes."""
    names = label_map.names_by_id()
    _write_json(out / "features.json", _tree(len(names)))
    _write_json(out / "dataset_info.json", _dataset_info(label_map.dataset, splits))
    lines = "".join(f"{name}\n" for name in names)
    (out / f"{_LABEL.replace('/', '-')}.labels.txt").write_text(lines, encoding="utf-8")


def _dataset_info(name: str, splits: list[SplitFiles]) -> dict[str, Any]:
    return {
        "name": name,
        "version": "1.0.0",
        "description": f"Made by Shardsmith; README.md beside this file says what {name} is.",
        "fileFormat": "tfrecord",
        "splits": [
            {
                "name": split.name,
                "shardLengths": [str(length) for length in split.shard_lengths],
                "numBytes": str(split.bytes),
                "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
            }
            for split in splits
        ],
    }


def _tree(class_count: int) -> dict[str, Any]:
    """FEATURES as nested FeaturesDicts: TFDS flattens them with `/` into our keys."""
    root = _features_dict()
    for key, (kind, repeated) in FEATURES.items():
        *folders, leaf = key.split("/")
        node = root
        for folder in folders:
            node = node["featuresDict"]["features"].setdefault(folder, _features_dict())
        feature = _feature(kind, class_count)
        node["featuresDict"]["features"][leaf] = _sequence(feature) if repeated else feature
    return root


def _features_dict() -> dict[str, Any]:
    return {"pythonClassName": f"{_CLASSES}features_dict.FeaturesDict", "featuresDict": {"features": {}}}


def _sequence(feature: dict[str, Any]) -> dict[str, Any]:
    return {
        "pythonClassName": f"{_CLASSES}sequence_feature.Sequence",
        "sequence": {"feature": feature, "length": "-1"},
    }


def _feature(kind: str, class_count: int) -> dict[str, Any]:
    if kind == "image":
        shape = {"dimensions": ["-1", "-1", "3"]}
        return {"pythonClassName": f"{_CLASSES}image_feature.Image", "image": {"dtype": "uint8", "shape": shape}}
    if kind == "text":
        return {"pythonClassName": f"{_CLASSES}text_feature.Text", "text": {}}
    if kind == "label":
        name = f"{_CLASSES}class_label_feature.ClassLabel"
        return {"pythonClassName": name, "classLabel": {"numClasses": str(class_count)}}
    tensor = {"dtype": kind, "encoding": "none", "shape": {}}
    return {"pythonClassName": f"{_CLASSES}scalar.Scalar", "tensor": tensor}


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
