"""What a TFRecord file holds, read without TensorFlow: checksums, judged records, counts, differences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

from shardsmith.formats.tfrecord.features import image_id, parse_features
from shardsmith.formats.tfrecord.frames import read_frames
from shardsmith.proof.records.judge import judge_record


@dataclass
class ShardContents:
    """What one file holds.

    records: how many, damaged ones too. boxes: class -> how many, labels of whole images too, as metrics.json counts.
    problems: a line for each record that is wrong, which names the record and its image.
    images: (image_id, digest as `judge.digest` has it) of each record that can be read.
    """

    records: int = 0
    boxes: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    images: list[tuple[str, bytes]] = field(default_factory=list)


def read_contents(path: Path, names: Mapping[int, str], decode: bool = True) -> ShardContents:
    """Every record of a file: both checksums, the message, its keys, image, labels and boxes.

    Args:
        names: id -> class name, as the label map has them.
        decode: the images, too.
    """
    contents = ShardContents()
    for number, (data, problem) in enumerate(read_frames(path), start=1):
        contents.records = number
        features = None if problem else parse_features(data)
        if features is None:
            contents.problems.append(f"record {number}: {problem or 'it is no tf.train.Example'}")
            continue
        judged = judge_record(features, names, decode)
        if judged.problem:
            contents.problems.append(f"record {number} ({judged.image_id}): {judged.problem}")
        contents.boxes.update(judged.texts)
        contents.images.append((judged.image_id, judged.digest))
    return contents


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
