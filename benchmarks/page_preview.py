"""Time the page's live preview of a new version, as a ratio to the plain work on the images that it shows.

    python benchmarks/page_preview.py [-n 10000] [--runs 5]

A request stands for a slider that was let go: settings are checked, images planned and made, and small pictures drawn.
The plain work is to make the same files from the same three images, with nothing else known: `rows_of` alone.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paged import median, taken_in, workspace_of

from shardsmith.app.raw import raw_taken
from shardsmith.app.screens.new import Wanted, show
from shardsmith.app.stepping.session import IMAGES, session
from shardsmith.app.stepping.settings import choose_params
from shardsmith.inspect.made import Preprocessing, choose, rows_of

GOAL_S = 1.0
RESIZE = {"preprocess.enabled": True, "preprocess.steps": [{"resize": {"width": 640, "height": 640}}]}
CASES = {
    "rotate": {"augment.enabled": True, "augment.steps": [{"rotate": {}}]},
    "resize, flip and rotate": {**RESIZE, "augment.enabled": True, "augment.steps": [{"flip": {}}, {"rotate": {}}]},
    "resize and mosaic": {**RESIZE, "augment.enabled": True, "augment.steps": [{"mosaic": {}}]},
}


def main() -> None:
    with workspace_of(__doc__, 10_000, 5) as (given, root):
        dataset = taken_in(root)
        now = session(raw_taken(dataset).folder, root, dataset.workspace.params().split)
        print(f"{given.n:,} images; median of {given.runs} previews; ratio to the plain work on the {IMAGES} shown")
        for name, settings in CASES.items():
            params = choose_params(dataset, settings).params
            assert params
            chosen = choose(now.images, params, IMAGES)

            def plainly(params=params, chosen=chosen) -> None:
                with tempfile.TemporaryDirectory() as folder:
                    rows_of(Preprocessing(chosen, params.preprocess), params, chosen, Path(folder), most_copies=3)

            def as_a_request(settings=settings) -> None:
                assert show(dataset, Wanted(settings=settings), wait=False).effects

            first = median(as_a_request, 1)
            plain, page = median(plainly, given.runs), median(as_a_request, given.runs)
            verdict = "within" if page <= GOAL_S else "OVER"
            print(f"{name:26}{page:8.3f} s{page / plain:8.1f} x{first:10.3f} s the first   {verdict} {GOAL_S:g} s")


if __name__ == "__main__":
    main()
