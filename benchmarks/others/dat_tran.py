"""The way people do it today, after Dat Tran's generate_tfrecord.py: pandas, Pillow opens, TensorFlow writes.

python dat_tran.py IMAGES_FOLDER TABLE.csv OUT.tfrecord
"""

import io
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pandas as pd
import tensorflow as tf
from PIL import Image


def bytes_feature(values: list[bytes]) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


def int64_feature(values: list[int]) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def float_feature(values: list[float]) -> tf.train.Feature:
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))


def create_example(name: str, group: pd.DataFrame, folder: str, ids: dict[str, int]) -> tf.train.Example:
    with tf.io.gfile.GFile(str(Path(folder) / name), "rb") as file:
        encoded = file.read()
    width, height = Image.open(io.BytesIO(encoded)).size
    xmins, xmaxs, ymins, ymaxs, texts, classes = [], [], [], [], [], []
    for _, row in group.iterrows():
        xmins.append(row["xmin"] / width)
        xmaxs.append(row["xmax"] / width)
        ymins.append(row["ymin"] / height)
        ymaxs.append(row["ymax"] / height)
        texts.append(row["class"].encode("utf8"))
        classes.append(ids[row["class"]])
    feature = {
        "image/height": int64_feature([height]),
        "image/width": int64_feature([width]),
        "image/filename": bytes_feature([name.encode("utf8")]),
        "image/source_id": bytes_feature([name.encode("utf8")]),
        "image/encoded": bytes_feature([encoded]),
        "image/format": bytes_feature([b"jpg"]),
        "image/object/bbox/xmin": float_feature(xmins),
        "image/object/bbox/xmax": float_feature(xmaxs),
        "image/object/bbox/ymin": float_feature(ymins),
        "image/object/bbox/ymax": float_feature(ymaxs),
        "image/object/class/text": bytes_feature(texts),
        "image/object/class/label": int64_feature(classes),
    }
    return tf.train.Example(features=tf.train.Features(feature=feature))


def main(folder: str, table: str, out: str) -> None:
    rows = pd.read_csv(table)
    ids = {name: number for number, name in enumerate(sorted(rows["class"].unique()), start=1)}
    with tf.io.TFRecordWriter(out) as writer:
        for name, group in rows.groupby("filename"):
            writer.write(create_example(str(name), group, folder, ids).SerializeToString())


if __name__ == "__main__":
    main(*sys.argv[1:])
