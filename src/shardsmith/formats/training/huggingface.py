"""Hugging Face `datasets`: an image folder a split, its metadata beside the images, and a dataset card.

The metadata is Parquet, not JSON lines: it carries the names of the classes, and the type of a list that is empty
throughout, without which `datasets` refuses a version with a split of negatives. Sources: the pages "Create an image
dataset" and "Structure your repository" of its documentation, "Dataset Cards" of the Hub's.
"""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from shardsmith.dataset.manifest import Annotation, Image, Manifest
from shardsmith.formats.coco.writer import object_entry
from shardsmith.formats.format import Format
from shardsmith.formats.shared.ids import annotation_ids
from shardsmith.formats.shared.job import ExportJob, leaving_names, write_images
from shardsmith.formats.tfrecord.format import contents
from shardsmith.formats.training.record import named_points

_LOADING = """
```python
from datasets import load_dataset

dataset = load_dataset("imagefolder", data_dir="FOLDER")  # splits: train, validation, test
example = dataset["train"][0]  # example["image"] is a PIL image
```

`objects` has a list a key: `bbox` (x, y, width, height in pixels), `category` (ids of the label map, whose names the
feature has; 0 is background), `area` in square pixels, `iscrowd`, an `id`; where the dataset has any, `segmentation`
(polygons), `keypoints` (x, y and v as in COCO) with `keypoint_names`, and `attributes` (JSON). The class of a whole
image is `label`, or where images have several, `labels`; its caption is `text`, or `captions`. `image_id`
and the ids of objects are those of COCO's export. `annotated` is false for an image that nobody looked at.
"""
_CREATIVE_COMMONS = re.compile(r"creativecommons\.org/licenses/([a-z-]+)/(\d\.\d)", re.IGNORECASE)
# of the Hub's list: what data is published under
_LICENSES = re.compile(
    r"cc0-1\.0|cc-by(-nc)?(-sa|-nd)?-\d\.\d|mit|apache-2\.0|bsd-[23]-clause|gpl-[23]\.0|odbl|pddl|unlicense|wtfpl"
)
_SIZES = ((1e3, "n<1K"), (1e4, "1K<n<10K"), (1e5, "10K<n<100K"), (1e6, "100K<n<1M"), (1e7, "1M<n<10M"))
Features = dict[str, Any]


def write(job: ExportJob, out: Path) -> None:
    """SPLIT/NAME.jpg and SPLIT/metadata.parquet, and the head of README.md; images without a split are for training.

    Raises:
        StageError: two images or annotations come to one id.
    """
    features = features_of(job)
    schema = _schema(features, job.label_map.names_by_id())
    splits: dict[str, list[tuple[Image, list[Annotation]]]] = {}
    for split, rows in job.by_split():
        splits.setdefault(split or "train", []).extend(rows)
    images = job.manifest.image_rows()
    names, ids = leaving_names(images), job.image_numbers()
    boxed = [row for rows in splits.values() for _, of_image in rows for row in of_image if row.xmin is not None]
    numbers = iter(annotation_ids(boxed))
    for split, rows in splits.items():
        write_images([image for image, _ in rows], names, out / split)
        lines = []
        for image, of_image in rows:
            objects = [
                {"id": next(numbers), "category": job.label_map.ids[row.label], "points": named_points(row)}
                | object_entry(row, image, None)
                for row in of_image
                if row.xmin is not None
            ]
            classes = [job.label_map.ids[row.label] for row in of_image if row.xmin is None]
            known = {"file_name": names[image.image_id], "image_id": ids[image.image_id], **_facts(image)}
            texts = image.captions or []
            known |= {"text": texts[0] if texts else None, "captions": texts}
            known |= {"objects": _columns(objects), "label": classes[0] if classes else None, "labels": classes}
            lines.append({name: known[name] for name in features})
        pq.write_table(pa.Table.from_pylist(lines, schema), out / split / "metadata.parquet")
    (out / "README.md").write_text(card(job, features, [*splits]), encoding="utf-8")


def _facts(image: Image) -> dict[str, Any]:
    return {"width": image.width, "height": image.height, "annotated": image.annotated}


def _columns(objects: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """One list a key; a mask is no polygon."""
    every = ("id", "bbox", "category", "area", "iscrowd")
    columns = {key: [item[key] for item in objects] for key in every}
    columns["segmentation"] = [
        item["segmentation"] if isinstance(item["segmentation"], list) else [] for item in objects
    ]
    columns["keypoints"] = [[[x, y, v] for _, x, y, v in item["points"]] for item in objects]
    columns["keypoint_names"] = [[name for name, *_ in item["points"]] for item in objects]
    columns["attributes"] = [json.dumps(item.get("attributes", {}), ensure_ascii=False) for item in objects]
    return columns


def features_of(job: ExportJob) -> Features:
    """Column -> a type of Arrow's by its name, "label" for a class, [...] for a list, {...} for named ones."""
    labels, boxed = contents(job.manifest)
    objects: Features = {"id": ["int64"], "bbox": [["float64"]], "category": ["label"], "area": ["float64"]}
    objects["iscrowd"] = ["int64"]
    table = job.manifest.annotations
    if _any(pc.starts_with(table["segmentation"], "[")):
        objects["segmentation"] = [[["float64"]]]
    if _any(pc.is_valid(table["keypoints"])):
        objects |= {"keypoints": [[["float64"]]], "keypoint_names": [["string"]]}
    if _any(pc.is_valid(table["attributes"])) or _any(pc.equal(table["kind"], "oriented")):
        objects["attributes"] = ["string"]
    return {
        "file_name": "string",
        "image_id": "int64",
        "width": "int64",
        "height": "int64",
        **({"objects": objects} if boxed else {}),
        **_texts(job.manifest),
        **({} if labels == "none" else {"label": "label"} if labels == "one" else {"labels": ["label"]}),
        **({} if _all_annotated(job.manifest) else {"annotated": "bool"}),
    }


def _texts(manifest: Manifest) -> Features:
    most = pc.max(pc.list_value_length(manifest.images["captions"])).as_py() or 0
    return {} if not most else {"text": "string"} if most == 1 else {"captions": ["string"]}


def _any(flags: Any) -> bool:
    return bool(pc.any(flags).as_py())


def _all_annotated(manifest: Manifest) -> bool:
    return bool(pc.all(manifest.images["annotated"]).as_py())


def _schema(features: Features, names: list[str]) -> pa.Schema:
    """With the features as `datasets` looks for them in a Parquet file."""
    said = json.dumps({"info": {"features": _feature(features, names)}}, ensure_ascii=False)
    return pa.schema([pa.field(name, _arrow(kind)) for name, kind in features.items()], {"huggingface": said})


def _arrow(kind: Any) -> pa.DataType:
    if isinstance(kind, dict):
        return pa.struct([pa.field(name, _arrow(inner)) for name, inner in kind.items()])
    if isinstance(kind, list):
        return pa.list_(_arrow(kind[0]))
    return pa.int64() if kind == "label" else pa.type_for_alias(kind)


def _feature(kind: Any, names: list[str]) -> dict[str, Any]:
    """A feature as `datasets` writes it in JSON."""
    if isinstance(kind, dict):
        return {name: _feature(inner, names) for name, inner in kind.items()}
    if isinstance(kind, list):
        return {"feature": _feature(kind[0], names), "_type": "Sequence"}
    return {"names": names, "_type": "ClassLabel"} if kind == "label" else {"dtype": kind, "_type": "Value"}


def _in_card(kind: Any, names: list[str]) -> Any:
    """A feature as a card has it."""
    if isinstance(kind, dict):
        inner = [(name, _in_card(one, names)) for name, one in kind.items()]
        return {"struct": [{"name": name, **one} for name, one in inner]}
    if isinstance(kind, list):
        one = _in_card(kind[0], names)
        return {"list": one["dtype"] if [*one] == ["dtype"] else one}
    classes = {"class_label": {"names": {str(number): _quoted(name) for number, name in enumerate(names)}}}
    return {"dtype": classes if kind == "label" else kind}


def card(job: ExportJob, features: Features, splits: list[str]) -> str:
    """The front matter of README.md; a clock, and counts that the text beside it has, are not in it."""
    shown = {"image": "image", **{name: kind for name, kind in features.items() if name != "file_name"}}
    count = job.manifest.images.num_rows
    names = {"valid": "validation"}
    content = {
        "pretty_name": _quoted(job.label_map.dataset),
        **license_of(job.facts.get("license", "")),
        "task_categories": _tasks(features),
        "size_categories": [next((size for most, size in _SIZES if count < most), "n>10M")],
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": names.get(split, split), "path": f"{split}/**"} for split in splits],
            }
        ],
        "dataset_info": {"features": _in_card(shown, job.label_map.names_by_id())["struct"]},
    }
    yaml, stream = YAML(), io.StringIO()
    yaml.width = 1 << 30
    yaml.dump(content, stream)
    return f"---\n{stream.getvalue()}---\n"


def _tasks(features: Features) -> list[str]:
    texts = ["image-to-text"] if features.keys() & {"text", "captions"} else []
    if "objects" in features:
        return ["object-detection", *texts]
    return texts if texts and not features.keys() & {"label", "labels"} else ["image-classification", *texts]


def license_of(text: str) -> dict[str, Any]:
    """The licence by the Hub's word for it, else as `other` with its own name."""
    found = _CREATIVE_COMMONS.search(text)
    slug = f"cc-{found[1]}-{found[2]}" if found else re.sub(r"[\s_]+", "-", text.strip())
    if _LICENSES.fullmatch(slug.lower()):
        return {"license": slug.lower()}
    return {"license": "other", "license_name": _quoted(" ".join(text.split()))} if text.strip() else {}


def _quoted(text: str) -> DoubleQuotedScalarString:
    return DoubleQuotedScalarString(text)  # the Hub reads YAML 1.1, where `no` is false


FORMAT = Format(
    name="huggingface",
    title="Hugging Face datasets",
    carries=frozenset(
        {
            *("boxes", "outlines", "oriented", "keypoints", "labels", "several_labels", "captions"),
            *("negatives", "splits"),
            *("crowd", "area", "difficult", "truncated", "occluded", "pose", "attributes"),
        }
    ),
    write=write,
    loading=_LOADING,
)
