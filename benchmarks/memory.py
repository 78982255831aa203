"""The memory that each stage takes as a dataset grows: its largest process, and how much of it comes with the images.

    python benchmarks/memory.py [-n 2000 10000 40000 118000] [--workers 1 2] [--outlines] [--again] [--json FILE]

118,000 images with 7.3 boxes each are as many as COCO 2017 has. Images are JPEGs of 64 x 48 pixels: what grows is what
the stages know of them. Workspaces and images are kept under benchmarks/work/.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import workspace
from PIL import Image as PilImage
from table import HERE

from shardsmith.dataset.images import encode
from shardsmith.dataset.workers import map_items

WORK = HERE / "work"
STAGES = ("ingest", "validate", "split", "preprocess", "augment", "export", "report")
SIZES = (2_000, 10_000, 40_000, 118_000)
WIDTH_PX, HEIGHT_PX = 64, 48
BOXES = 7.3  # an image
CLASSES = 80
POINTS = 21  # of an outline: with these the JSON of 118,000 images is as large as COCO 2017's
MOST_MB, MOST_GROWTH_MB = 250, 50


def write_image(task: tuple[str, int]) -> None:
    """A cloud of colours: no two are like each other."""
    folder, number = task
    cloud = np.random.default_rng(number).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    pixels = PilImage.fromarray(cloud).resize((WIDTH_PX, HEIGHT_PX), PilImage.Resampling.BICUBIC)
    Path(folder, f"{number:012}.jpg").write_bytes(encode(np.asarray(pixels), "jpeg", 80))


def annotation(number: int, images: int, outlines: bool, rng: random.Random) -> dict[str, Any]:
    x, y = round(rng.uniform(0, WIDTH_PX - 10), 2), round(rng.uniform(0, HEIGHT_PX - 10), 2)
    width, height = round(rng.uniform(4, WIDTH_PX - x), 2), round(rng.uniform(4, HEIGHT_PX - y), 2)
    entry = {"id": 900_000_000 + number, "image_id": rng.randrange(images) * 3, "category_id": rng.randrange(CLASSES)}
    entry |= {"bbox": [x, y, width, height], "area": round(width * height, 2), "iscrowd": 0}
    if outlines:
        ends = ((x, x + width), (y, y + height))
        entry["segmentation"] = [[round(rng.uniform(*ends[at % 2]), 2) for at in range(2 * POINTS)]]
    return entry


def write_json(path: Path, images: int, outlines: bool) -> None:
    """Annotations in no order of their images, as COCO has them."""
    rng = random.Random(0)
    with path.open("w", encoding="utf-8") as file:
        file.write('{"info": {"description": "as many as COCO 2017"}, "images": [')
        for number in range(images):
            entry = {"id": number * 3, "file_name": f"{number:012}.jpg", "width": WIDTH_PX, "height": HEIGHT_PX}
            file.write((", " if number else "") + json.dumps(entry))
        file.write('], "annotations": [')
        for number in range(int(images * BOXES)):
            file.write((", " if number else "") + json.dumps(annotation(number, images, outlines, rng)))
        categories = [{"id": id_, "name": f"class {id_}"} for id_ in range(CLASSES)]
        file.write(f'], "categories": {json.dumps(categories)}}}')


def prepare(count: int, outlines: bool) -> Path:
    """A workspace with `count` images, made where it is not there yet; its code is always today's."""
    root = WORK / f"memory-{count}{'-outlines' if outlines else ''}"
    if not (root / "data" / "raw" / "instances.json").exists():
        shutil.rmtree(root, ignore_errors=True)
        raw = WORK / "memory-raw"
        shutil.rmtree(raw, ignore_errors=True)
        (raw / "images").mkdir(parents=True)
        for _ in map_items(write_image, [(str(raw / "images"), n) for n in range(count)], "making images", chunk=256):
            pass
        write_json(raw / "part.json", count, outlines)
        workspace.make(root, raw)
        shutil.rmtree(raw)
        (root / "data" / "raw" / "part.json").rename(root / "data" / "raw" / "instances.json")
    workspace.pin_code(workspace.Workspace(root))
    return root


def run_stages(root: Path, workers: int, stages: Iterable[str], again: bool) -> dict[str, dict[str, float]]:
    """Stage -> wall and processor seconds, peak of the largest process."""
    for name, stage in (("splits.csv", "split"), ("label_map.pbtxt", "ingest")):
        if not again and stage in stages:
            (root / "data" / name).unlink(missing_ok=True)
    return {stage: run_stage(root, stage, workers) for stage in stages}


def run_stage(root: Path, stage: str, workers: int) -> dict[str, float]:
    command = [sys.executable, str(HERE / "measure.py"), *workspace.stage_command(root, stage)]
    done = subprocess.run(
        command, cwd=root, env=workspace.environment(workers), capture_output=True, text=True, check=True
    )
    *said, line = done.stdout.splitlines()
    measured = json.loads(line)
    if measured["code"]:
        raise SystemExit(f"error: {root}: {stage}: " + "\n".join(said[-20:]))
    return measured


def table(results: dict[tuple[int, int], dict[str, dict[str, float]]], stages: Iterable[str]) -> str:
    counts = sorted({count for count, _ in results})
    lines = []
    for workers in sorted({workers for _, workers in results}):
        head = "".join(f"{count:>10,}" for count in counts)
        lines += [f"peak MB, {workers} worker{'s' * (workers > 1)}{head}{'growth':>10}", ""]
        for stage in stages:
            peaks = [results[count, workers][stage]["peak_mb"] for count in counts]
            since = peaks[counts.index(10_000)] if 10_000 in counts else peaks[0]
            missed = " missed" * (peaks[-1] > MOST_MB or peaks[-1] - since > MOST_GROWTH_MB)
            cells = "".join(f"{peak:>10,.0f}" for peak in peaks)
            cpu_s = ", ".join(f"{results[count, workers][stage]['cpu_s']:.1f}" for count in counts)
            lines.append(f"{stage:18}{cells}{peaks[-1] - since:>10,.0f}  {cpu_s} CPU s{missed}")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("-n", type=int, nargs="+", default=list(SIZES), help="how many images")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--stages", nargs="+", default=list(STAGES), choices=STAGES)
    parser.add_argument("--outlines", action="store_true", help="each box with a polygon: JSON as large as COCO's")
    parser.add_argument("--again", action="store_true", help="keep data/splits.csv: a second build")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    options = parser.parse_args()
    WORK.mkdir(exist_ok=True)
    results = {}
    for count in options.n:
        root = prepare(count, options.outlines)
        for workers in options.workers:
            results[count, workers] = run_stages(root, workers, options.stages, options.again)
    print(table(results, options.stages))
    print(f"goals: at most {MOST_MB} MB, and {MOST_GROWTH_MB} MB more at the most images than at 10,000")
    if options.json:
        rows = [{"images": n, "workers": w, "stages": stages} for (n, w), stages in results.items()]
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
