"""The plainest loop that can write these records: protobuf, google-crc32c, hashlib; sizes are in the table.

python plain_loop.py IMAGES_FOLDER TABLE.csv OUT.tfrecord
"""

import csv
import hashlib
import struct
import sys
from itertools import groupby
from pathlib import Path

import google_crc32c

sys.path.insert(0, str(Path(__file__).parents[2]))
from shardsmith.dataset.messages import Example

_MASK = 0xA282EAD8


def masked_crc(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF)


def main(folder: str, table: str, out: str) -> None:
    with Path(table).open(newline="") as file:
        rows = list(csv.DictReader(file))
    ids = {name: number for number, name in enumerate(sorted({row["class"] for row in rows}), start=1)}
    with Path(out).open("wb") as records:
        for name, group in groupby(rows, key=lambda row: row["filename"]):
            boxes = list(group)
            data = (Path(folder) / name).read_bytes()
            width, height = int(boxes[0]["width"]), int(boxes[0]["height"])
            example = Example()
            feature = example.features.feature
            feature["image/encoded"].bytes_list.value.append(data)
            feature["image/filename"].bytes_list.value.append(name.encode())
            feature["image/source_id"].bytes_list.value.append(name.encode())
            feature["image/key/sha256"].bytes_list.value.append(hashlib.sha256(data).hexdigest().encode())
            feature["image/format"].bytes_list.value.append(b"jpeg")
            feature["image/width"].int64_list.value.append(width)
            feature["image/height"].int64_list.value.append(height)
            for side, size in (("xmin", width), ("xmax", width), ("ymin", height), ("ymax", height)):
                values = [float(box[side]) / size for box in boxes]
                feature[f"image/object/bbox/{side}"].float_list.value.extend(values)
            feature["image/object/class/text"].bytes_list.value.extend(box["class"].encode() for box in boxes)
            feature["image/object/class/label"].int64_list.value.extend(ids[box["class"]] for box in boxes)
            record = example.SerializeToString(deterministic=True)
            length = struct.pack("<Q", len(record))
            records.writelines((length, masked_crc(length), record, masked_crc(record)))


if __name__ == "__main__":
    main(*sys.argv[1:])
