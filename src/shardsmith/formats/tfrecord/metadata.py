"""The files by which `tfds.builder_from_directory(FOLDER)` loads our shards with none of our code.

Written without importing TFDS, in the JSON form of its dataset_info.proto and feature.proto; a test loads them back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shardsmith.dataset.label_map import LabelMap

_CLASSES = "tensorflow_datasets.core.features."
_SUPERVISED = ("image/encoded", "image/class/label")
_OBJECT = "image/object/"

# every key of a detection dataset's record: what TFDS calls it, and whether a record has one or one for each box
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
# those of captions, masks, oriented boxes (four corners an object) and keypoints (as many for each object)
FURTHER: dict[str, tuple[str, bool]] = {
    "image/caption": ("text", True),
    "image/object/mask": ("mask", True),
    "image/object/corner/x": ("float32", True),
    "image/object/corner/y": ("float32", True),
    "image/object/keypoint/num": ("int64", True),
    "image/object/keypoint/text": ("text", True),
    "image/object/keypoint/visibility": ("int64", True),
    "image/object/keypoint/x": ("float32", True),
    "image/object/keypoint/y": ("float32", True),
}


@dataclass(frozen=True)
class SplitFiles:
    """A split's shards: images in each, and bytes in all."""

    name: str
    shard_lengths: list[int]
    bytes: int


def write_metadata(
    out: Path,
    label_map: LabelMap,
    splits: list[SplitFiles],
    labels_per_image: str = "none",
    boxed: bool = True,
    more: Sequence[str] = (),
    facts: Mapping[str, str] | None = None,
) -> None:
    """dataset_info.json, features.json and the names of the classes.

    A dataset with boxes has nested features, example["image"]["object"]["bbox"]; one of labels alone has flat ones,
    example["image/class/label"], since TFDS's as_supervised finds only keys at the top.

    Args:
        labels_per_image: labels of whole images: "none", "one" for every image, or "many".
        more: keys of FURTHER that the records have.
    """
    names = label_map.names_by_id()
    features = {key: feature for key, feature in FEATURES.items() if boxed or not key.startswith(_OBJECT)}
    features |= {key: FURTHER[key] for key in more if boxed or not key.startswith(_OBJECT)}
    if labels_per_image != "none":
        many = labels_per_image == "many"
        features |= {"image/class/label": ("label", many), "image/class/text": ("text", many)}
    _write_json(out / "features.json", (_tree if boxed else _flat)(features, len(names)))
    supervised = (
        {}
        if boxed or labels_per_image == "none"
        else {"supervisedKeys": {"tuple": {"items": [{"featureKey": key} for key in _SUPERVISED]}}}
    )
    _write_json(out / "dataset_info.json", _dataset_info(label_map.dataset, splits, facts or {}) | supervised)
    lines = "".join(f"{name}\n" for name in names)
    for key in features:
        if features[key][0] == "label":
            file = f"{key.replace('/', '-' if boxed else '.')}.labels.txt"
            (out / file).write_text(lines, encoding="utf-8")


def _dataset_info(name: str, splits: list[SplitFiles], facts: Mapping[str, str]) -> dict[str, Any]:
    made = f"Made by Shardsmith; README.md beside this file says what {name} is."
    said = {
        "citation": facts.get("citation"),
        "location": {"urls": [facts.get("homepage") or "README.md"]},  # without one TFDS makes up an address of its own
        "redistributionInfo": {"license": facts["license"]} if "license" in facts else None,
    }
    return {
        "name": name,
        "version": "1.0.0",
        "description": f"{facts['description']}\n{made}" if "description" in facts else made,
        **{key: value for key, value in said.items() if value},
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


def _flat(features: Mapping[str, tuple[str, bool]], class_count: int) -> dict[str, Any]:
    root = _features_dict()
    for key, (kind, repeated) in features.items():
        feature = _feature(kind, class_count)
        root["featuresDict"]["features"][key] = _sequence(feature) if repeated else feature
    return root


def _tree(features: Mapping[str, tuple[str, bool]], class_count: int) -> dict[str, Any]:
    """The features as nested FeaturesDicts: TFDS flattens them with `/` into our keys."""
    root = _features_dict()
    for key, (kind, repeated) in features.items():
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
    if kind in ("image", "mask"):
        shape = {"dimensions": ["-1", "-1", "3" if kind == "image" else "1"]}
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
