"""Hugging Face `datasets`: the image folder, its metadata and the splits that it finds."""

from __future__ import annotations

import json
import sys

import datasets

images = {}
found = datasets.load_dataset("imagefolder", data_dir=f"{sys.argv[1]}/huggingface", cache_dir=f"{sys.argv[1]}/cache")
assert set(found) == {"train", "validation", "test"}
for rows in found.values():
    names = rows.features["objects"]["category"].feature.names
    for row in rows:
        objects = row["objects"]
        images["{}x{}".format(*row["image"].size)] = [
            [names[label], x, y, x + width, y + height]
            for label, (x, y, width, height) in zip(objects["category"], objects["bbox"], strict=True)
        ]
print(json.dumps({"version": datasets.__version__, "read": {"huggingface": images}}))
