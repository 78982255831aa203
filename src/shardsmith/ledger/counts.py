"""How many images and boxes there are: for metrics.json, the plots and the version's README."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shardsmith.dataset.findings import Finding, count_codes
from shardsmith.dataset.manifest import SPLITS, Manifest

_COUNTED = ("images", "boxes", "negatives", "copies")


def count_manifest(manifest: Manifest) -> dict[str, Any]:
    """Counts as metrics.json has them: images, boxes, negatives and copies in all and per split, boxes per class;
    captions, where there are any.

    Labels of whole images count as boxes; `annotation_kind` says which they are.
    Splits without images are there with zeros, so that versions can be compared.
    """
    totals: dict[str, dict[str, int]] = {name: dict.fromkeys(_COUNTED, 0) for name in SPLITS}
    classes: dict[str, dict[str, int]] = {}
    for part in manifest.parts(["image_id", "split", "annotated", "copy"], ["image_id", "label"]):
        in_splits, in_classes = _count(part)
        for whole, some in ((totals, in_splits), (classes, in_classes)):
            for name, counts in some.items():
                known = whole.setdefault(name, dict.fromkeys(counts, 0))
                whole[name] = {key: known[key] + count for key, count in counts.items()}
    return {
        **{key: sum(total[key] for total in totals.values()) for key in _COUNTED},
        "annotation_kind": manifest.word,
        **({"captions": captions} if (captions := count_captions(manifest)) else {}),
        "splits": totals,
        "classes": dict(sorted(classes.items())),
    }


def _count(manifest: Manifest) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, int]]]:
    """(split -> what -> how many, class -> split -> how many boxes)"""
    images, annotations = manifest.images, manifest.annotations
    image_of_box = pc.index_in(annotations["image_id"], images["image_id"].combine_chunks()).to_numpy()
    split = pc.index_in(images["split"], pa.array(SPLITS)).to_numpy()
    boxes = np.bincount(image_of_box, minlength=images.num_rows)
    annotated = images["annotated"].to_numpy()
    columns = {
        "images": np.ones(images.num_rows, np.int64),
        "boxes": boxes,
        "negatives": annotated & (boxes == 0),
        "copies": images["copy"].to_numpy() > 0,
    }
    totals = {
        name: {key: int(values[split == number].sum()) for key, values in columns.items()}
        for number, name in enumerate(SPLITS)
    }
    labels = annotations["label"].combine_chunks().dictionary_encode()
    names = labels.dictionary.to_pylist()
    cells = labels.indices.to_numpy() * len(SPLITS) + split[image_of_box]
    per_class = np.bincount(cells, minlength=len(names) * len(SPLITS)).reshape(-1, len(SPLITS)).tolist()
    classes = {name: dict(zip(SPLITS, counts, strict=True)) for name, counts in zip(names, per_class, strict=True)}
    return totals, classes


def count_captions(manifest: Manifest) -> int:
    return int(pc.sum(pc.list_value_length(manifest.image_columns("captions")["captions"])).as_py() or 0)


def own_ids(images: pa.Table) -> pa.DictionaryArray:
    """The image_id of each image that is no copy, and of a copy that of the image it was made from."""
    is_copy = pc.greater(images["copy"], 0)
    return pc.if_else(is_copy, images["parent_id"], images["image_id"]).combine_chunks().dictionary_encode()


def images_per_class(manifest: Manifest) -> dict[str, dict[str, int]]:
    """Class -> split -> how many images show it; an image and its copies count once."""
    images, annotations = manifest.images, manifest.annotations
    own = own_ids(images)
    image_of_box = pc.index_in(annotations["image_id"], images["image_id"].combine_chunks()).to_numpy()
    split = pc.index_in(images["split"], pa.array(SPLITS)).to_numpy()
    labels = annotations["label"].combine_chunks().dictionary_encode()
    columns = (labels.indices.to_numpy(), split[image_of_box], own.indices.to_numpy()[image_of_box])
    shown = np.unique(np.stack(columns), axis=1)
    names = labels.dictionary.to_pylist()
    counts = {name: dict.fromkeys(SPLITS, 0) for name in sorted(names)}
    for label, place in zip(shown[0].tolist(), shown[1].tolist(), strict=True):
        counts[names[label]][SPLITS[place]] += 1
    return counts


def count_findings(findings: list[Finding]) -> dict[str, dict[str, int]]:
    """How often each code was found, and how often it cost an image or a box."""
    dropped = [finding for finding in findings if finding.action == "drop"]
    return {"findings": count_codes(findings), "dropped": count_codes(dropped)}
