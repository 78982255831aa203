"""Read a COCO JSON of COCO 2017's size: 118,000 images, 860,000 annotations, as much text as its instances_train2017.

    python benchmarks/coco_size.py [--images N] [--annotations N]

Prints seconds (wall, CPU) and peak memory (MB) of each part: read, and put on its images; as the manifest's tables.
The images need not exist: what their headers would say is made up. The file is written to benchmarks/work/.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from shardsmith.dataset.images import ImageInfo  # noqa: E402
from shardsmith.dataset.label_map import LabelMap  # noqa: E402
from shardsmith.formats.coco import format as coco  # noqa: E402
from shardsmith.formats.shared.raw_folder import RawFolder  # noqa: E402
from shardsmith.pipeline.ingest import take_in  # noqa: E402
from shardsmith.pipeline.params import IngestParams  # noqa: E402

POINTS = 21  # of an outline: with these the file is as large as the 448 MB of instances_train2017.json
CROWDS = 100  # one annotation in so many is a crowd, as RLE


def write_file(path: Path, images: int, annotations: int) -> None:
    rng = random.Random(0)
    with path.open("w", encoding="utf-8") as file:
        file.write('{"info": {"description": "COCO size"}, "licenses": [], "images": [')
        for number in range(images):
            entry = {"license": 3, "file_name": f"{number:012}.jpg", "height": 480, "width": 640}
            entry |= {"date_captured": "2013-11-14 17:02:52", "flickr_url": f"http://example.org/{number:030}.jpg"}
            file.write(("," if number else "") + json.dumps({**entry, "id": number * 3}))
        file.write('], "annotations": [')
        for number in range(annotations):
            file.write((", " if number else "") + json.dumps(_annotation(number, images, rng)))
        categories = [{"id": id_, "name": f"class {id_}"} for id_ in range(1, 81)]
        file.write(f'], "categories": {json.dumps(categories)}}}')


def _annotation(number: int, images: int, rng: random.Random) -> dict[str, Any]:
    x, y, width, height = (round(rng.random() * side, 2) for side in (320, 240, 300, 200))
    crowd = number % CROWDS == 0
    polygon = [round(rng.random() * 400, 2) for _ in range(2 * POINTS)]
    run = rng.randrange(1, 480)
    counts = [run, 480 - run] * 160 + [480 * 480]
    segmentation: Any = {"counts": counts, "size": [480, 640]} if crowd else [polygon]
    return {
        "segmentation": segmentation, "area": width * height, "iscrowd": int(crowd), "bbox": [x, y, width, height],
        "image_id": rng.randrange(images) * 3, "category_id": rng.randrange(1, 81), "id": 900_000_000 + number,
    }  # fmt: skip


def timed(label: str, work: Callable[..., Any], *arguments: Any) -> Any:
    start, cpu = time.perf_counter(), time.process_time()
    result = work(*arguments)
    cpu_s = time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(f"{label:<24}{time.perf_counter() - start:>8.1f} s{cpu_s:>8.1f} s CPU{peak:>10,.0f} MB peak")
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", type=int, default=118_000)
    parser.add_argument("--annotations", type=int, default=860_000)
    options = parser.parse_args()
    path = ROOT / "benchmarks" / "work" / "coco_size" / "instances_train.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, options.images, options.annotations)
    names = [f"{number:012}.jpg" for number in range(options.images)]
    folder = RawFolder(path.parent, [*names, path.name])
    folder.images = {name: ImageInfo(f"{number:064}", 1, 640, 480, "jpeg") for number, name in enumerate(names)}
    print(f"{path.stat().st_size / 1e6:,.0f} MB of JSON")
    source = timed("read", coco.read, folder, [path.name])
    print(f"{len(source.annotations):,} annotations, {source.findings[:2]}")
    timed("tables", take_in, folder, source, IngestParams(), LabelMap("coco"))


if __name__ == "__main__":
    main()
