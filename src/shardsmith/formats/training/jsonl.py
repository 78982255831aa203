"""JSON lines: a file a split with a JSON object a line for each image, and the images beside it."""

from __future__ import annotations

from pathlib import Path

from shardsmith.formats.format import Format
from shardsmith.formats.shared.job import ExportJob, leaving_names, write_images
from shardsmith.formats.training.record import CARRIES, KEYS, as_line, record_of

_LOADING = f"""
```python
import json

with open("FOLDER/train.jsonl", encoding="utf-8") as file:
    train = [json.loads(line) for line in file]
```

`image` is the path of the image beside the file: `train/NAME.jpg`. The other keys of a line:
{KEYS}"""


def write(job: ExportJob, out: Path) -> None:
    """SPLIT.jsonl and SPLIT/NAME.jpg; images.jsonl and images/ for images without a split."""
    names = leaving_names(job.manifest.image_rows())
    for split, rows in job.by_split():
        folder = split or "images"
        write_images([image for image, _ in rows], names, out / folder)
        records = (
            {"image": f"{folder}/{names[image.image_id]}", **record_of(image, of_image, job.label_map)}
            for image, of_image in rows
        )
        (out / f"{folder}.jsonl").write_text("".join(map(as_line, records)), encoding="utf-8")


FORMAT = Format(
    name="jsonl",
    title="JSON lines",
    carries=CARRIES,
    write=write,
    loading=_LOADING,
)
