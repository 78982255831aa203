"""TensorFlow as the judge: read back every record of an export before it becomes a version.

    python -m shardsmith.proof.readback data/export/tfrecord data/metrics.json

In a process of its own: TensorFlow costs seconds and half a gigabyte in whichever process imports it.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shardsmith.dataset.errors import StageError, run
from shardsmith.dataset.label_map import read_label_map
from shardsmith.dataset.workers import progress
from shardsmith.versions.summary import kind_of

_SIDES = ("xmin", "ymin", "xmax", "ymax")
_LABELLED = ("image/object", "image")  # each box, and the whole image


def read_back(folder: Path, counts: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """Read every record with TensorFlow: checksums, image bytes against their hash, decoding, boxes and labels.

    Args:
        folder: shards and label map.
        counts: the splits' counts as metrics.json has them.

    Returns:
        split -> (images, boxes).

    Raises:
        StageError: a record does not read back as it was counted.
    """
    names = {id_: name for name, id_ in read_label_map(folder / "label_map.pbtxt").ids.items()}
    seen: dict[str, tuple[int, int]] = {}
    total = sum(split["images"] for split in counts.values())
    with progress(total, "reading back with TensorFlow", "image") as bar:
        for split, expected in counts.items():
            files = sorted(str(path) for path in folder.glob(f"*-{split}.tfrecord-*"))
            images = boxes = 0
            for record in _records(files):
                boxes += _check(record, names)
                images += 1
                bar.update()
            if (images, boxes) != (expected["images"], expected["boxes"]):
                raise StageError(
                    f"{folder}: {split}: TensorFlow reads {images} images and {boxes} boxes, "
                    f"{expected['images']} and {expected['boxes']} were written; run `dvc repro --force export`"
                )
            seen[split] = images, boxes
    return seen


def _records(files: list[str]) -> Any:
    """The records of the files, parsed and decoded by TensorFlow."""
    with _silent():
        import tensorflow as tf

        tf.constant(0)  # its libraries speak on start-up, whatever their log level
    keys = {
        "image/encoded": tf.io.FixedLenFeature([], tf.string),
        "image/height": tf.io.FixedLenFeature([], tf.int64),
        "image/key/sha256": tf.io.FixedLenFeature([], tf.string),
        "image/source_id": tf.io.FixedLenFeature([], tf.string),
        "image/width": tf.io.FixedLenFeature([], tf.int64),
        **{f"{of}/class/label": tf.io.RaggedFeature(tf.int64) for of in _LABELLED},
        **{f"{of}/class/text": tf.io.RaggedFeature(tf.string) for of in _LABELLED},
        **{f"image/object/bbox/{side}": tf.io.RaggedFeature(tf.float32) for side in _SIDES},
    }

    def parse(record: Any) -> dict[str, Any]:
        example = tf.io.parse_single_example(record, keys)
        example["shape"] = tf.shape(tf.io.decode_image(example["image/encoded"], channels=3))
        return example

    try:
        dataset = tf.data.TFRecordDataset(files).map(parse, num_parallel_calls=tf.data.AUTOTUNE).prefetch(8)
        yield from dataset.as_numpy_iterator()
    except tf.errors.OpError as error:
        raise StageError(f"{', '.join(files)}: TensorFlow cannot read it: {error.message}") from None


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Whatever is written to the standard error stream is lost, also from C++."""
    kept = os.dup(2)
    with open(os.devnull, "w") as nothing:  # noqa: PTH123
        os.dup2(nothing.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _check(record: dict[str, Any], names: dict[int, str]) -> int:
    """The number of boxes of one record, counting labels of the whole image as metrics.json does.

    Raises:
        StageError: it contradicts itself or the label map.
    """
    name = record["image/source_id"].decode()
    if hashlib.sha256(record["image/encoded"]).hexdigest().encode() != record["image/key/sha256"]:
        raise StageError(f"{name}: image/key/sha256 is not that of its bytes")
    if record["shape"].tolist() != [record["image/height"], record["image/width"], 3]:
        raise StageError(f"{name}: TensorFlow decodes {record['shape'].tolist()}, not its image/height and image/width")
    xmin, ymin, xmax, ymax = (record[f"image/object/bbox/{side}"] for side in _SIDES)
    if not ((xmin >= 0) & (ymin >= 0) & (xmin < xmax) & (ymin < ymax) & (xmax <= 1) & (ymax <= 1)).all():
        raise StageError(f"{name}: a box is empty or outside 0..1")
    if len(xmin) != len(record["image/object/class/label"]):
        raise StageError(f"{name}: {len(xmin)} boxes have {len(record['image/object/class/label'])} labels")
    count = 0
    for of in _LABELLED:
        labels, texts = record[f"{of}/class/label"].tolist(), record[f"{of}/class/text"].tolist()
        if [names.get(label, "") for label in labels] != [text.decode() for text in texts]:
            raise StageError(f"{name}: its labels and texts do not agree with the label map")
        count += len(labels)
    return count


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m shardsmith.proof.readback", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("metrics", type=Path)
    options = parser.parse_args()
    metrics = json.loads(options.metrics.read_text(encoding="utf-8"))
    seen = read_back(options.folder, metrics["splits"])
    images, boxes = (sum(pair[position] for pair in seen.values()) for position in (0, 1))
    print(f"read back: TensorFlow reads and decodes all {images:,} images and {boxes:,} {kind_of(metrics)}")


if __name__ == "__main__":
    run(main)
