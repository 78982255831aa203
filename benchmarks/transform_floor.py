"""The plainest loops over albumentations that do what preprocess and augment do, with the same codec and settings.

    python transform_floor.py preprocess|augment SOURCE OUT WORKERS

SOURCE and OUT hold JPEGs and boxes.csv: filename,class,xmin,ymin,xmax,ymax, a row a box, in pixels. Nothing is checked,
hashed, recorded or kept for the next run.
"""

import csv
import multiprocessing
import os
import sys
from functools import partial
from pathlib import Path

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # else the import asks the network for a newer version

import albumentations as A  # noqa: N812
import cv2
import simplejpeg

SIDE_PX = 640
COPIES = 3
COLUMNS = ("filename", "class", "xmin", "ymin", "xmax", "ymax")
STEPS = {
    "preprocess": [A.LongestMaxSize(SIDE_PX, area_for_downscale="image"), A.PadIfNeeded(SIDE_PX, SIDE_PX)],
    "augment": [A.HorizontalFlip(p=0.5), A.Rotate((-15, 15), p=1), A.RandomBrightnessContrast(0.2, 0.2, p=1)],
}
Rows = list[tuple]

pipeline: A.Compose  # of each process


def main(stage: str, source: str, out: str, workers: str) -> None:
    Path(out).mkdir()
    boxes = read_boxes(Path(source))
    tasks = [(path, boxes.get(path.name, [])) for path in sorted(Path(source).glob("*.jpg"))]
    work = partial(transform_file, stage, Path(out))
    if workers == "1":
        prepare_process(stage)
        rows = [row for task in tasks for row in work(task)]
    else:
        with multiprocessing.Pool(int(workers), prepare_process, (stage,)) as pool:
            rows = [row for made in pool.imap(work, tasks, chunksize=16) for row in made]
    with (Path(out) / "boxes.csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])


def read_boxes(source: Path) -> dict[str, Rows]:
    """File name -> (class, xmin, ymin, xmax, ymax) of each box."""
    boxes: dict[str, Rows] = {}
    with (source / "boxes.csv").open(newline="") as file:
        for name, label, *corners in list(csv.reader(file))[1:]:
            boxes.setdefault(name, []).append((label, *map(float, corners)))
    return boxes


def prepare_process(stage: str) -> None:
    """OpenCV as transforms/run/recipe.py sets it, which is what makes bytes stable; and the pipeline, once."""
    global pipeline
    cv2.setNumThreads(0)
    cv2.setUseOptimized(False)
    cv2.ipp.setUseIPP(False)
    boxes = A.BboxParams("pascal_voc", label_fields=["labels"], clip=True, min_visibility=0.1)
    pipeline = A.Compose(STEPS[stage], bbox_params=boxes)


def transform_file(stage: str, out: Path, task: tuple[Path, Rows]) -> Rows:
    """Write what is made from one image; returns its rows of boxes.csv."""
    path, boxes = task
    pixels = simplejpeg.decode_jpeg(path.read_bytes())
    names = [path.name] if stage == "preprocess" else [f"{path.stem}_{copy}.jpg" for copy in range(1, COPIES + 1)]
    rows = []
    for name in names:
        made = pipeline(image=pixels, bboxes=[box[1:] for box in boxes], labels=[box[0] for box in boxes])
        data = simplejpeg.encode_jpeg(made["image"], quality=95, colorsubsampling="420", fastdct=False)
        (out / name).write_bytes(data)
        rows += [(name, label, *box) for label, box in zip(made["labels"], made["bboxes"], strict=True)]
    return rows


if __name__ == "__main__":
    main(*sys.argv[1:])
