"""Time a search among the images of a dataset on the page, as a ratio to reading its tables and filtering them.

    python benchmarks/page_look.py [-n 10000] [--runs 5]

A request stands for a filter that was changed: the search, and the screen with the first 60 images and their boxes. The
plain work is pandas: read the two tables, filter them, and take the first 60 images.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pandas as pd
from paged import median, taken_in, workspace_of
from starlette.requests import Request

from shardsmith.app.raw import raw_taken
from shardsmith.app.screens.look import Asked, screen

GOAL_S = 0.3
CASES = {
    "everything": {},
    "a name": {"text": "99"},
    "a class of train": {"split": "train", "label": ""},
    "a finding": {"finding": "box-overlap"},
    "large ones with objects": {"state": "annotated", "least": 640},
}


def main() -> None:
    with workspace_of(__doc__, 10_000, 5) as (given, root):
        dataset = taken_in(root)
        taken = raw_taken(dataset)
        CASES["a class of train"]["label"] = taken.classes[0]
        request = Request({"type": "http", "path": f"{dataset.url}/look", "query_string": b"", "headers": []})

        def plainly(wanted: dict[str, object]) -> None:
            images, rows = (
                pd.read_parquet(taken.folder / f"valid/{name}.parquet") for name in ("images", "annotations")
            )
            for name in ("split",):
                images = images[images[name] == wanted[name]] if name in wanted else images
            if "text" in wanted:
                images = images[images["image_id"].str.contains(str(wanted["text"]), regex=False)]
            if "label" in wanted:
                images = images[images["image_id"].isin(rows[rows["label"] == wanted["label"]]["image_id"])]
            first = images.head(60)
            rows[rows["image_id"].isin(first["image_id"])].to_dict("records")

        first = median(lambda: screen(request, dataset, Asked()), 1)
        print(f"{given.n:,} images; median of {given.runs} searches; the first {first:.3f} s; ratio to the plain work")
        for name, wanted in CASES.items():
            page = median(lambda wanted=wanted: screen(request, dataset, Asked(**wanted)), given.runs)  # type: ignore[misc]
            plain = median(lambda wanted=wanted: plainly(wanted), given.runs)  # type: ignore[misc]
            print(
                f"{name:26}{page:8.3f} s{page / plain:8.1f} x   {'within' if page <= GOAL_S else 'OVER'} {GOAL_S:g} s"
            )


if __name__ == "__main__":
    main()
