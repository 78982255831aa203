"""WebDataset: tar files, in which the files of one sample stand together: KEY.jpg and KEY.json.

A key ends at the first dot of a name, so it has none. Source: the file format page of WebDataset's documentation.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from shardsmith.dataset.manifest import Image
from shardsmith.dataset.workers import map_items
from shardsmith.formats.format import Format
from shardsmith.formats.shared.job import ExportJob, leaving_image, leaving_names
from shardsmith.formats.shared.shards import plan_shards
from shardsmith.formats.tfrecord.format import contents
from shardsmith.formats.training.record import CARRIES, KEYS, as_line, record_of

_LOADING = f"""
```python
from glob import glob
import webdataset

train = webdataset.WebDataset(sorted(glob("FOLDER/DATASET-train-*.tar")), shardshuffle=False).decode("pil")
sample = next(iter(train))  # sample["jpg"] or sample["png"] is the image, sample["json"] its annotations
```

The images of a shard are those of the TFRecord shard of its number. Where each image has one class, `sample["cls"]` is
its id. `sample["json"]` has these keys:
{KEYS}"""
_EXTENSIONS = {"jpeg": "jpg"}


@dataclass(frozen=True)
class _Sample:
    """key: of the files. text: of the JSON. label_id: of an image with one class."""

    key: str
    image: Image
    text: str
    label_id: int | None


def write(job: ExportJob, out: Path) -> None:
    """DATASET-SPLIT-000000.tar and so on; the same bytes each time."""
    out.mkdir(parents=True, exist_ok=True)
    images, annotations = job.manifest.image_rows(), job.manifest.annotations_by_image()
    names, one_label = leaving_names(images), contents(job.manifest)[0] == "one"
    shards = []
    for split, plans in plan_shards(job, out).items():
        for number, plan in enumerate(plans):
            samples = []
            for image in (images[row] for row in plan.rows):
                rows = annotations.get(image.image_id, [])
                text = as_line(record_of(image, rows, job.label_map))
                labels = [job.label_map.ids[row.label] for row in rows if row.xmin is None]
                label_id = labels[0] if one_label else None
                samples.append(_Sample(_key(names[image.image_id], image), image, text, label_id))
            shards.append((out / f"{job.label_map.dataset}-{split}-{number:06d}.tar", samples))
    for _ in map_items(_write_shard, shards, "export: webdataset", "shard", chunk=1):
        pass


def _key(name: str, image: Image) -> str:
    """The name without its extension; where it has another dot, with a hash, so that it stays a name of its own."""
    stem = PurePosixPath(name).stem
    plain = stem.replace(".", "_")
    return plain if plain == stem else f"{plain}-{hashlib.sha256(image.image_id.encode()).hexdigest()[:8]}"


def _write_shard(shard: tuple[Path, list[_Sample]]) -> None:
    path, samples = shard
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for sample in samples:
            data, format = leaving_image(sample.image)
            _add(tar, f"{sample.key}.{_EXTENSIONS.get(format, format)}", data)
            if sample.label_id is not None:
                _add(tar, f"{sample.key}.cls", str(sample.label_id).encode())
            _add(tar, f"{sample.key}.json", sample.text.encode())


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)  # of no time and no owner
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


FORMAT = Format(
    name="webdataset",
    title="WebDataset",
    carries=CARRIES,
    write=write,
    loading=_LOADING,
)
