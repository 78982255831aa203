"""TensorFlow as a judge beside ours: read back every record of an export before it becomes a version.

    python -m shardsmith.proof.readback data/export/tfrecord data/metrics.json

A file of the very bytes that TensorFlow has judged before, in this version and by this module, is not decoded again.
In a process of its own: TensorFlow costs seconds and half a gigabyte in whichever process imports it.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from shardsmith.dataset.errors import StageError, run
from shardsmith.dataset.workers import progress
from shardsmith.formats.tfrecord.features import id_of
from shardsmith.proof.records.check import verify_records
from shardsmith.versions.summary import kind_of

_SIDES = ("xmin", "ymin", "xmax", "ymax")
_LABELLED = ("image/object", "image")  # each box, and the whole image


Counts = tuple[int, int]
"""Images and boxes."""


def read_back(folder: Path, metrics: Mapping[str, Any], known: Path | None = None) -> dict[str, Counts]:
    """Read every record: what it says is judged as `shardsmith verify` does, and TensorFlow reads and decodes it.

    Args:
        folder: shards and label map; the tables are beside it.
        metrics: the version's counts, as metrics.json has them.
        known: a file that remembers what TensorFlow has judged; it is written anew.

    Returns:
        split -> (images, boxes).

    Raises:
        StageError: a record does not read back as it was counted.
    """
    again = "run `dvc repro --force export`"
    files = [path for place in (folder, folder.parent) for path in place.iterdir() if path.is_file()]
    places: dict[str, Path | None] = {path.relative_to(folder.parent).as_posix(): path for path in sorted(files)}
    label_map = (folder / "label_map.pbtxt").read_text(encoding="utf-8")
    judged = verify_records(places, label_map, metrics, again, f"{folder.parent}/", decode=False)
    if judged.damage:
        more = f" ({len(judged.damage):,} such problems)" if len(judged.damage) > 1 else ""
        raise StageError(f"{judged.damage[0]}{more}")
    before, now = _read_known(known), dict[str, Counts]()
    seen: dict[str, Counts] = {}
    counts = metrics["splits"]
    total = sum(split["images"] for split in counts.values())
    with progress(total, "reading back with TensorFlow", "image") as bar:
        for split, expected in counts.items():
            images = boxes = 0
            for path in sorted(folder.glob(f"*-{split}.tfrecord-*")):
                with path.open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                now[digest] = before[digest] if digest in before else _count(path)
                images, boxes = images + now[digest][0], boxes + now[digest][1]
                bar.update(now[digest][0])
            if (images, boxes) != (expected["images"], expected["boxes"]):
                raise StageError(
                    f"{folder}: {split}: TensorFlow reads {images} images and {boxes} boxes, "
                    f"{expected['images']} and {expected['boxes']} were written; {again}"
                )
            seen[split] = images, boxes
    if known:
        known.parent.mkdir(parents=True, exist_ok=True)
        known.write_text(json.dumps({"judge": _judge(), "files": now}), encoding="utf-8")
    return seen


def _read_known(known: Path | None) -> dict[str, Counts]:
    """sha256 of a file -> what TensorFlow read in it; nothing by another judge, or where that cannot be read."""
    try:
        said = json.loads(known.read_bytes()) if known else {}
        files = said["files"] if said.get("judge") == _judge() else {}
        return {digest: (int(images), int(boxes)) for digest, (images, boxes) in files.items()}
    except (OSError, ValueError, TypeError, AttributeError, KeyError):
        return {}


def _judge() -> str:
    return f"tensorflow {version('tensorflow')} {hashlib.sha256(Path(__file__).read_bytes()).hexdigest()}"


def _count(path: Path) -> Counts:
    images = boxes = 0
    for record in _records([str(path)]):
        boxes += _check(record)
        images += 1
    return images, boxes


def _records(files: list[str]) -> Any:
    """The records of the files, parsed and decoded by TensorFlow."""
    tf = _tensorflow()
    keys = {
        **{f"image/{key}": tf.io.FixedLenFeature([], tf.string) for key in ("encoded", "filename", "source_id")},
        **{f"image/{side}": tf.io.FixedLenFeature([], tf.int64) for side in ("height", "width")},
        **{f"{of}/class/label": tf.io.RaggedFeature(tf.int64) for of in _LABELLED},
        **{f"{of}/class/text": tf.io.RaggedFeature(tf.string) for of in _LABELLED},
        **{f"image/object/bbox/{side}": tf.io.RaggedFeature(tf.float32) for side in _SIDES},
    }

    def parse(record: Any) -> dict[str, Any]:
        example = tf.io.parse_single_example(record, keys)
        example["shape"] = tf.shape(tf.io.decode_image(example.pop("image/encoded"), channels=3))
        return example

    try:
        dataset = tf.data.TFRecordDataset(files).map(parse, num_parallel_calls=tf.data.AUTOTUNE).prefetch(8)
        yield from dataset.as_numpy_iterator()
    except tf.errors.OpError as error:
        raise StageError(f"{', '.join(files)}: TensorFlow cannot read it: {error.message}") from None


def _tensorflow() -> Any:
    with _silent():
        import tensorflow as tf

        tf.constant(0)  # its libraries speak on start-up, whatever their log level
    return tf


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


def _check(record: dict[str, Any]) -> int:
    """The number of boxes of one record, counting labels of the whole image as metrics.json does.

    Raises:
        StageError: TensorFlow decodes another size.
    """
    if record["shape"].tolist() != [record["image/height"], record["image/width"], 3]:
        name = id_of(record["image/source_id"], record["image/filename"])
        raise StageError(f"{name}: TensorFlow decodes {record['shape'].tolist()}, not its image/height and image/width")
    return sum(len(record[f"{of}/class/label"]) for of in _LABELLED)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m shardsmith.proof.readback", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("metrics", type=Path)
    parser.add_argument("--known", type=Path, help="remembers the files that TensorFlow has judged")
    parser.add_argument("--when-told", action="store_true", help="load TensorFlow, then wait for a line of input")
    options = parser.parse_args()
    if options.when_told:
        _tensorflow()
        if not sys.stdin.readline():
            return  # whoever started this has ended
    metrics = json.loads(options.metrics.read_text(encoding="utf-8"))
    seen = read_back(options.folder, metrics, options.known)
    images, boxes = (sum(pair[position] for pair in seen.values()) for position in (0, 1))
    print(f"read back: TensorFlow reads and decodes all {images:,} images and {boxes:,} {kind_of(metrics)}")


if __name__ == "__main__":
    run(main)
