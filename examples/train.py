"""Train a small detector or classifier on a version, and write into the model's file what it was trained on.

    python examples/train.py raccoon@v1 --epochs 10
    python examples/train.py raccoon@v1 --remote s3://bucket/path --out raccoon.keras
    python examples/train.py --about raccoon.keras

A script to copy. The data comes by the command `shardsmith pull`, which checks every file, goes on where it was
interrupted, and leaves alone what is there already. Where Shardsmith is installed, `shardsmith.open` finds files and
labels; else they are read from the folder, and training needs TensorFlow alone. It ends with a figure that people know
(AP at IoU 0.5 of a detector, accuracy of a classifier) and a picture of what is found, train.png.
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
from dataclasses import dataclass
from pathlib import Path

SIDE_PX = 128  # every image is stretched to a square of this side
CELLS = 8  # a detector sees a grid of this many cells a side, and at most one object in each: that of its centre
BATCH = 16
SHOWN = 0.3  # the least score of an object in the picture, where any has it
SHEET_PX = 224  # the side of an image in the picture
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


@dataclass(frozen=True)
class Data:
    """A version on this disk.

    detects: whether its labels are of boxes. names: of the classes by id, `background` first.
    shards: split -> its TFRecord files.
    """

    detects: bool
    names: list[str]
    shards: dict[str, list[Path]]


def find_data(folder: Path) -> Data:
    """Through Shardsmith where it is installed here, else from the files themselves."""
    try:
        import shardsmith
    except ModuleNotFoundError:
        return _read_data(folder)
    try:
        version = shardsmith.open(folder)
        ids = {number: name for name, number in version.label_map.items()}
        names = ["background", *(ids.get(number, f"unused-{number}") for number in range(1, max(ids) + 1))]
        shards = {split: version.files(split) for split in ("train", "valid")}
        return Data(bool(version.annotations["xmin"].notna().any()), names, shards)
    except shardsmith.ShardsmithError as error:
        sys.exit(f"error: {error}")


def _read_data(folder: Path) -> Data:
    files = sorted(folder.glob("tfrecord/*.labels.txt"), key=lambda path: "object" not in path.name)
    if not files:
        sys.exit(f"{folder}: holds no TFRecord; add tfrecord to export.formats in params.yaml and build again")
    shards = {split: sorted(folder.glob(f"tfrecord/*-{split}.tfrecord-*")) for split in ("train", "valid")}
    return Data("object" in files[0].name, files[0].read_text(encoding="utf-8").splitlines(), shards)


def train(folder: Path, out: Path, epochs: int) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    data = find_data(folder)
    import keras

    warnings.filterwarnings("ignore", message="Your input ran out of data")  # the first epoch counts the batches
    keras.utils.set_random_seed(0)
    names, detects = data.names, data.detects
    batches, valid = (batched(data, split) for split in ("train", "valid"))
    if not batches:
        sys.exit(f"{folder}: no image is in the train split; see split in params.yaml")
    model = make_model(detects, len(names))
    loss = detector_loss if detects else keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss)
    tell = keras.callbacks.LambdaCallback(on_epoch_end=print_losses)
    model.fit(batches, validation_data=valid, epochs=epochs, verbose=0, shuffle=False, callbacks=[tell])
    version = json.loads((folder / "VERSION.json").read_text(encoding="utf-8"))
    stamp = {
        "version": version["tag"],
        "data": version["hashes"]["data/export"],
        "commit": version["commit"],
        "labels": {name: number for number, name in enumerate(names) if number and name != f"unused-{number}"},
    }
    save(keras.Model(model.inputs, model.outputs), out, stamp)  # as it predicts: without the loss
    print(judge(model, data, out.with_name("train.png")))
    print(f"{out}: trained on {stamp['version']}, {stamp['data']}")


def print_losses(epoch: int, logs: dict[str, float]) -> None:
    valid = f", valid {logs['val_loss']:.4f}" if "val_loss" in logs else ""
    print(f"epoch {epoch + 1}: loss {logs['loss']:.4f}{valid}", flush=True)


def load(data: Data, split: str):
    """(image, boxes, labels) of each record: pixels as they are; shares of the sides, left top right bottom; ids."""
    import tensorflow as tf

    sides = [f"image/object/bbox/{side}" for side in ("xmin", "ymin", "xmax", "ymax")]
    label = "image/object/class/label" if data.detects else "image/class/label"
    keys = {"image/encoded": tf.io.FixedLenFeature([], tf.string), label: tf.io.RaggedFeature(tf.int64)}
    keys |= {side: tf.io.RaggedFeature(tf.float32) for side in sides}

    def parse(record):
        row = tf.io.parse_single_example(record, keys)
        image = tf.io.decode_image(row["image/encoded"], channels=3, expand_animations=False)
        image = tf.image.resize(image, (SIDE_PX, SIDE_PX))
        return image, tf.stack([row[side] for side in sides], axis=-1), row[label]

    records = tf.data.TFRecordDataset([str(path) for path in data.shards[split]])
    records = records.shuffle(1024, seed=0) if split == "train" else records
    return records.map(parse, num_parallel_calls=tf.data.AUTOTUNE)


def batched(data: Data, split: str):
    """Batches of (images, truth): see `grid`, or (batch, classes) of 0 and 1; None for a split without images."""
    import tensorflow as tf

    def truth(image, boxes, labels):
        if data.detects:
            return image, grid(boxes, labels)
        there = tf.one_hot(tf.concat([labels, [-1]], 0), len(data.names))  # -1: nothing at all
        return image, tf.reduce_max(there, axis=0)

    if not data.shards[split]:
        return None
    return load(data, split).map(truth).batch(BATCH).prefetch(tf.data.AUTOTUNE)


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


def judge(model, data: Data, picture: Path) -> str:
    """The figure that people know, of the valid split, and a picture of what is found on some of its images."""
    import numpy as np

    split = "valid" if data.shards["valid"] else "train"
    rows = [tuple(part.numpy() for part in row) for row in load(data, split)]
    images = np.stack([image for image, _, _ in rows])
    guesses = model.predict(images, batch_size=BATCH, verbose=0)
    count = f"of {len(rows)} {split} images; {picture} shows some"
    if not data.detects:
        right = [_is_right(guess, labels) for guess, (_, _, labels) in zip(guesses, rows, strict=True)]
        draw(picture, images, [np.zeros((0, 4))] * len(rows), [np.array([[0, 0, 1, 1]])] * len(rows), right)
        return f"accuracy: {np.mean(right):.3f} {count}"
    found = [objects(guess) for guess in guesses]
    truth = [(boxes, labels) for _, boxes, labels in rows]
    seen = [boxes[scores >= min(SHOWN, scores.max())] for boxes, scores, _ in found]
    draw(picture, images, [boxes for boxes, _ in truth], seen, [True] * len(rows))
    return f"AP at IoU 0.5: {average_precision(found, truth):.3f} {count}"


def _is_right(guess, labels) -> bool:
    """The likeliest class is one of the image's; of an image without any: none is likely."""
    return bool(guess.argmax() in labels if len(labels) else (guess < 0).all())


def objects(guess):
    """(n, 4) boxes as shares of the sides, (n,) scores and (n,) class ids that a detector's output stands for."""
    import numpy as np
    import tensorflow as tf

    there, place = tf.sigmoid(guess[..., :1]).numpy(), tf.sigmoid(guess[..., 1:5]).numpy()
    classes = tf.nn.softmax(guess[..., 5:]).numpy()[..., 1:]  # without the background
    across, down = np.meshgrid(np.arange(CELLS), np.arange(CELLS))
    centre = (np.stack([across, down], axis=-1) + place[..., :2]) / CELLS
    boxes = np.concatenate([centre - place[..., 2:] / 2, centre + place[..., 2:] / 2], axis=-1).reshape(-1, 4)
    scores, labels = (there * classes).max(-1).ravel(), classes.argmax(-1).ravel() + 1
    kept = tf.image.non_max_suppression(boxes, scores, max_output_size=20, iou_threshold=0.5).numpy()
    return boxes[kept], scores[kept], labels[kept]


def average_precision(found, truth) -> float:
    """The mean over the classes of the area below precision and recall; a find is right where IoU is at least 0.5."""
    import numpy as np

    areas = []
    for of in sorted({int(label) for _, labels in truth for label in labels}):
        wanted = [boxes[labels == of] for boxes, labels in truth]
        taken = [np.zeros(len(boxes), bool) for boxes in wanted]
        finds = [
            (score, number, box)
            for number, (boxes, scores, labels) in enumerate(found)
            for box, score, label in zip(boxes, scores, labels, strict=True)
            if label == of
        ]
        hits = []
        for _, number, box in sorted(finds, key=lambda find: -find[0]):
            overlaps = np.where(taken[number], 0, iou(box, wanted[number]))
            hit = bool(len(overlaps)) and overlaps.max() >= 0.5
            if hit:
                taken[number][overlaps.argmax()] = True
            hits.append(hit)
        right = np.cumsum(hits)
        precision = right / np.arange(1, len(hits) + 1)
        best = np.maximum.accumulate(precision[::-1])[::-1]  # at this recall or above
        areas.append((best * np.array(hits, float)).sum() / sum(map(len, wanted)))
    return float(np.mean(areas)) if areas else 0.0


def iou(box, boxes):
    """Intersection over union of one box with each of (n, 4)."""
    import numpy as np

    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) + np.prod(box[2:] - box[:2])
    return shared / np.maximum(areas - shared, 1e-9)


def draw(path: Path, images, truth, found, right) -> None:
    """A sheet of twelve: what is labelled in green, what was found in orange (in red where it is wrong)."""
    import numpy as np
    import tensorflow as tf

    tiles = []
    for image, labelled, boxes, fine in list(zip(images, truth, found, right, strict=True))[:12]:
        tile = tf.image.resize(image[None] / 255, (SHEET_PX, SHEET_PX))
        for some, colour in ((labelled, (0.1, 0.8, 0.2)), (boxes, (1.0, 0.6, 0.0) if fine else (0.9, 0.1, 0.1))):
            corners = np.asarray(some, np.float32).reshape(-1, 4)[None][..., [1, 0, 3, 2]]
            tile = tf.image.draw_bounding_boxes(tile, corners, [colour]) if corners.size else tile
        tiles.append(tile[0])
    tiles += [tf.zeros_like(tiles[0])] * (-len(tiles) % 4)
    rows = [tf.concat(tiles[start : start + 4], axis=1) for start in range(0, len(tiles), 4)]
    sheet = tf.image.convert_image_dtype(tf.clip_by_value(tf.concat(rows, axis=0), 0, 1), tf.uint8)
    path.write_bytes(tf.io.encode_png(sheet).numpy())


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
