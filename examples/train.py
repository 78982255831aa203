"""Train a small detector or classifier on a version, and write into the model's file what it was trained on.

    python examples/train.py raccoon@v1 --epochs 10
    python examples/train.py raccoon@v1 --remote s3://bucket/path --out raccoon.keras
    python examples/train.py --about raccoon.keras

A script to copy. The data comes by the command `shardsmith pull`, which checks every file, goes on where it was
interrupted, and leaves alone what is there already; training itself needs TensorFlow and nothing of Shardsmith.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

SIDE_PX = 128  # every image is stretched to a square of this side
CELLS = 8  # a detector sees a grid of this many cells a side, and at most one object in each: that of its centre
BATCH = 16
STAMP = "dataset.json"  # a .keras file is a ZIP archive: this is one more file in it


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a small model on a version of a dataset.")
    parser.add_argument("name", nargs="?", help="DATASET@NAME, or NAME of the workspace here")
    parser.add_argument("--repo", help="the workspace's repository; the one here by default")
    parser.add_argument("--remote", help="the DVC remote to pull from alone, for example s3://bucket/path")
    parser.add_argument("--data", type=Path, metavar="DIR", help="where the version goes; data/NAME by default")
    parser.add_argument("--out", type=Path, default=Path("model.keras"), help="model.keras by default")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--about", type=Path, metavar="MODEL", help="print what a model was trained on, and no more")
    options = parser.parse_args()
    if options.about:
        print(json.dumps(read_stamp(options.about), indent=2, ensure_ascii=False))
    elif not options.name or options.out.suffix != ".keras":
        parser.error("name a version, and a model that ends with .keras; or --about MODEL")
    else:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        folder = options.data or Path("data") / options.name
        pull(options.name, folder, options.repo, options.remote)
        train(folder, options.out, options.epochs)


def pull(name: str, folder: Path, repo: str | None, remote: str | None) -> None:
    """Exits as the command does: it has said what is wrong."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # beside this Python, or anywhere else
    command = [shutil.which("shardsmith", path=path) or "shardsmith", "pull", name, "--out", str(folder)]
    command += ["--repo", repo] if repo else []
    command += ["--remote", remote] if remote else []
    if code := subprocess.run(command, check=False).returncode:
        sys.exit(code)


def train(folder: Path, out: Path, epochs: int) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    warnings.filterwarnings("ignore", message="Your input ran out of data")  # the first epoch counts the batches
    keras.utils.set_random_seed(0)
    detects, names = class_names(folder)
    train, valid = (load(folder, split, detects, len(names)) for split in ("train", "valid"))
    if not train:
        sys.exit(f"{folder}: no image is in the train split; see split in params.yaml")
    model = make_model(detects, len(names))
    loss = detector_loss if detects else keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss)
    tell = keras.callbacks.LambdaCallback(on_epoch_end=print_losses)
    model.fit(train, validation_data=valid, epochs=epochs, verbose=0, shuffle=False, callbacks=[tell])
    version = json.loads((folder / "VERSION.json").read_text(encoding="utf-8"))
    stamp = {
        "version": version["tag"],
        "data": version["hashes"]["data/export"],
        "commit": version["commit"],
        "labels": {name: number for number, name in enumerate(names) if number and name != f"unused-{number}"},
    }
    save(keras.Model(model.inputs, model.outputs), out, stamp)  # as it predicts: without the loss
    print(f"{out}: trained on {stamp['version']}, {stamp['data']}")


def class_names(folder: Path) -> tuple[bool, list[str]]:
    """Whether the labels are of boxes, and names[id], background first: from the file that TFDS reads them from."""
    files = sorted(folder.glob("tfrecord/*.labels.txt"), key=lambda path: "object" not in path.name)
    if not files:
        sys.exit(f"{folder}: holds no TFRecord; add tfrecord to export.formats in params.yaml and build again")
    return "object" in files[0].name, files[0].read_text(encoding="utf-8").splitlines()


def print_losses(epoch: int, logs: dict[str, float]) -> None:
    valid = f", valid {logs['val_loss']:.4f}" if "val_loss" in logs else ""
    print(f"epoch {epoch + 1}: loss {logs['loss']:.4f}{valid}", flush=True)


def load(folder: Path, split: str, detects: bool, classes: int):
    """Batches of (images, truth): see `grid`, or (batch, classes) of 0 and 1; None for a split without images."""
    import tensorflow as tf

    sides = [f"image/object/bbox/{side}" for side in ("xmin", "ymin", "xmax", "ymax")]
    label = "image/object/class/label" if detects else "image/class/label"
    keys = {"image/encoded": tf.io.FixedLenFeature([], tf.string), label: tf.io.RaggedFeature(tf.int64)}
    keys |= {side: tf.io.RaggedFeature(tf.float32) for side in sides if detects}

    def parse(record):
        row = tf.io.parse_single_example(record, keys)
        image = tf.io.decode_image(row["image/encoded"], channels=3, expand_animations=False)
        if detects:
            truth = grid(tf.stack([row[side] for side in sides], axis=-1), row[label])
        else:
            truth = tf.reduce_max(tf.one_hot(tf.concat([row[label], [-1]], 0), classes), axis=0)  # -1: nothing at all
        return tf.image.resize(image, (SIDE_PX, SIDE_PX)), truth

    shards = sorted(str(path) for path in folder.glob(f"tfrecord/*-{split}.tfrecord-*"))
    if not shards:
        return None
    records = tf.data.TFRecordDataset(shards)
    records = records.shuffle(1024, seed=0) if split == "train" else records
    return records.map(parse, num_parallel_calls=tf.data.AUTOTUNE).batch(BATCH).prefetch(tf.data.AUTOTUNE)


def grid(boxes, labels):
    """(CELLS, CELLS, 6): is there an object; its centre within the cell, width and height as shares; its label."""
    import tensorflow as tf

    centre, size = (boxes[:, :2] + boxes[:, 2:]) / 2 * CELLS, boxes[:, 2:] - boxes[:, :2]
    cell = tf.minimum(tf.cast(centre, tf.int64), CELLS - 1)
    values = [tf.ones_like(size[:, :1]), centre - tf.cast(cell, tf.float32), size, tf.cast(labels[:, None], tf.float32)]
    return tf.tensor_scatter_nd_update(tf.zeros((CELLS, CELLS, 6)), cell[:, ::-1], tf.concat(values, axis=1))


def detector_loss(truth, guess):
    """Per object: is one there (every cell), where it is and what it is (cells with one)."""
    import tensorflow as tf

    there = truth[..., 0]
    seen = tf.nn.sigmoid_cross_entropy_with_logits(there, guess[..., 0])
    off = tf.reduce_sum(tf.abs(truth[..., 1:5] - tf.sigmoid(guess[..., 1:5])), axis=-1)
    wrong = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(truth[..., 5], tf.int32), guess[..., 5:])
    return tf.reduce_sum(seen + there * (off + wrong)) / tf.maximum(tf.reduce_sum(there), 1)


def make_model(detects: bool, classes: int):
    """Pixels from 0 to 255 -> logits: (CELLS, CELLS, 5 + classes) as `grid` has them, or (classes,)."""
    from keras import Input, Sequential, layers

    model = Sequential([Input((SIDE_PX, SIDE_PX, 3)), layers.Rescaling(1 / 255)])
    for filters in (16, 32, 64, 128):  # each halves the side: 128 px to 8 cells
        model.add(layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False))
        model.add(layers.BatchNormalization(momentum=0.9))
        model.add(layers.ReLU())
    model.add(layers.Conv2D(5 + classes, 3, padding="same") if detects else layers.GlobalAveragePooling2D())
    if not detects:
        model.add(layers.Dense(classes))
    return model


def save(model, out: Path, stamp: dict) -> None:
    """The model appears with its stamp in it, or not at all; Keras loads it as any other."""
    part = out.with_name(f".{out.name}.part.keras")
    model.save(part)
    with zipfile.ZipFile(part, "a") as archive:
        archive.writestr(STAMP, json.dumps(stamp, indent=2, ensure_ascii=False))
    part.replace(out)


def read_stamp(path: Path) -> dict:
    """Needs neither Keras nor the data."""
    try:
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read(STAMP))
    except (OSError, zipfile.BadZipFile, KeyError) as error:
        sys.exit(f"{path}: does not say what it was trained on ({error}); Keras leaves it out where it saves again")


if __name__ == "__main__":
    main()
