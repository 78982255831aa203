"""What the records of a TFRecord file hold, checked without TensorFlow: checksums, classes, counts, differences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

from shardsmith.formats.tfrecord.features import image_id, parse_features
from shardsmith.formats.tfrecord.frames import read_frames

_SIDES = ("xmin", "ymin", "xmax", "ymax")
_LABELLED = ("image/object", "image")  # each box, and the whole image


@dataclass
class ShardContents:
    """What one file holds.

    records: how many, damaged ones too. boxes: class -> how many, labels of whole images too, as metrics.json counts.
    problems: a line for each record that is wrong, which names the record and its image.
    """

    records: int = 0
    boxes: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def read_contents(path: Path, names: Mapping[int, str]) -> ShardContents:
    """Every record of a file: both checksums, the message, its labels.

    Args:
        names: id -> class name, as the label map has them.
    """
    contents = ShardContents()
    for number, (data, problem) in enumerate(read_frames(path), start=1):
        contents.records = number
        features = None if problem else parse_features(data)
        if features is None:
            contents.problems.append(f"record {number}: {problem or 'it is no tf.train.Example'}")
            continue
        problem = find_problem(features, names)
        if problem:
            contents.problems.append(f"record {number} ({image_id(features)}): {problem}")
        for text in _texts(features):
            contents.boxes[text] += 1
    return contents


def find_problem(features: Any, names: Mapping[int, str]) -> str:
    """Where a record contradicts itself or the label map; "" for nowhere."""
    for of in _LABELLED:
        labels = list(features[f"{of}/class/label"].int64_list.value)
        texts = [text.decode(errors="replace") for text in features[f"{of}/class/text"].bytes_list.value]
        if len(labels) != len(texts):
            return f"{len(labels)} class ids, but {len(texts)} class names"
        for label, text in zip(labels, texts, strict=True):
            if label not in names:
                return f"class id {label} ({text!r}) is not in the label map"
            if names[label] != text:
                return f"class id {label} is {text!r} here, and {names[label]!r} in the label map"
    boxes = len(features["image/object/class/label"].int64_list.value)
    for side in _SIDES:
        if len(features[f"image/object/bbox/{side}"].float_list.value) != boxes:
            return f"{boxes} class ids of boxes, but another number of {side}"
    return ""


def _texts(features: Any) -> list[str]:
    return [text.decode(errors="replace") for of in _LABELLED for text in features[f"{of}/class/text"].bytes_list.value]


def first_difference(stored: Path, rebuilt: Path) -> str:
    """Where two files of records part: `record 3 (a.jpg): image/encoded differs`; "" for the same records."""
    for number, pair in enumerate(zip_longest(read_frames(stored), read_frames(rebuilt)), start=1):
        if pair[0] != pair[1]:
            return f"record {number} {_compare(*pair)}"
    return ""


def _compare(stored: tuple[bytes, str] | None, rebuilt: tuple[bytes, str] | None) -> str:
    """How two records differ, of which one may be missing."""
    if stored is None or rebuilt is None:
        data, _ = stored or rebuilt or (b"", "")
        return f"({_name(data)}) is only in the {'stored' if stored else 'rebuilt'} file"
    if stored[1]:
        return f"({_name(rebuilt[0])}): in the stored file {stored[1]}"
    one, other = parse_features(stored[0]), parse_features(rebuilt[0])
    if one is None or other is None:
        return f"({_name(rebuilt[0])}): the stored one is no tf.train.Example"
    if image_id(one) != image_id(other):
        return f"is {image_id(one)} in the stored file, and {image_id(other)} in the rebuilt one"
    keys = [key for key in sorted({*one, *other}) if one[key] != other[key]]
    return f"({image_id(other)}): {', '.join(keys) or 'the order of its keys'} differs"


def _name(data: bytes) -> str:
    features = parse_features(data)
    return "unreadable" if features is None else image_id(features)
