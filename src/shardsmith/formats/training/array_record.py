"""ArrayRecord: the same serialised examples as TFRecord, each at a place of its own, for TFDS's data sources and Grain.

The package array_record writes them; groups of one record, as TFDS has them, so that each is read alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from shardsmith.dataset.workers import map_items
from shardsmith.formats.format import Format
from shardsmith.formats.shared.job import ExportJob
from shardsmith.formats.shared.shards import plan_shards
from shardsmith.formats.tfrecord import format as tfrecord
from shardsmith.formats.tfrecord.encode import Shard, encode_examples
from shardsmith.formats.tfrecord.metadata import SplitFiles, write_metadata
from shardsmith.installation import need

_NAME = "array_record"
_OPTIONS = "group_size:1"
_OPTIONAL = ("area", "difficult", "truncated", "view")  # of an object: of some records alone
_LOADING = """
```python
import tensorflow_datasets as tfds

train = tfds.builder_from_directory("FOLDER").as_data_source(split="train")
example = train[0]  # a dict of NumPy arrays
```

Area, difficult, truncated and view stand in the records that have them, and are no features of TFDS's here: its data
source reads what every record has.

With Grain, without TensorFlow; a record is a serialised `tf.train.Example` with the keys of the TFRecord export:

```python
from glob import glob
import grain

records = grain.sources.ArrayRecordDataSource(sorted(glob("FOLDER/DATASET-train.array_record-*")))
```
"""


def write(job: ExportJob, out: Path) -> None:
    """DATASET-SPLIT.array_record-00000-of-00004 and so on, label_map.pbtxt and TFDS's metadata.

    Raises:
        ModuleNotFoundError: the package array_record is not installed.
    """
    need(_NAME)
    out.mkdir(parents=True, exist_ok=True)
    plans = plan_shards(job, out)
    every = [plan for of_split in plans.values() for plan in of_split]
    write_one = partial(_write_shard, names=job.label_map.names_by_id())
    sizes = dict(map_items(write_one, tfrecord.Shards(job, every), f"export: {_NAME}", "shard", chunk=1))
    splits = [
        SplitFiles(split, [len(plan.rows) for plan in of_split], sum(sizes[plan.path] for plan in of_split))
        for split, of_split in plans.items()
    ]
    (out / "label_map.pbtxt").write_text(job.label_map.format(), encoding="utf-8")
    more = tfrecord.further_keys(job)
    write_metadata(out, job.label_map, splits, *tfrecord.contents(job.manifest), more=more, facts=job.facts)
    _edit(out / "dataset_info.json", lambda info: info.update(fileFormat=_NAME))
    _edit(out / "features.json", _without_optional)


def _edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads(path.read_bytes())
    change(content)
    path.write_text(json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def _without_optional(features: dict[str, Any]) -> None:
    """A data source fails at a record without a feature that is listed."""
    node = features
    for key in ("image", "object"):
        node = node["featuresDict"]["features"].get(key, {"featuresDict": {"features": {}}})
    for key in _OPTIONAL:
        node["featuresDict"]["features"].pop(key, None)


def _write_shard(shard: Shard, names: list[str]) -> tuple[Path, int]:
    """Returns the path that the plan has, and the file's size in bytes."""
    from array_record.python.array_record_module import ArrayRecordWriter

    path = shard.path.with_name(shard.path.name.replace(".tfrecord-", f".{_NAME}-"))
    writer = ArrayRecordWriter(str(path), _OPTIONS)
    for example in encode_examples(shard, names):
        writer.write(example)
    writer.close()
    return shard.path, path.stat().st_size


FORMAT = Format(
    name=_NAME,
    title="ArrayRecord, for TFDS and Grain",
    carries=tfrecord.FORMAT.carries,
    masks=tfrecord.FORMAT.masks,
    write=write,
    loading=_LOADING,
)
