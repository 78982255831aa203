"""Whether a folder holds the sample's pictures beside others: a build of both would spoil the user's label map."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.images import EXTENSIONS
from shardsmith.sample.pictures import TASKS, draw_picture, picture_name

_DRAWN_AGAIN = 3  # pictures that are compared byte for byte


def check_unmixed(raw: Path) -> None:
    """
    Raises:
        RawDataError: the folder holds pictures of the sample, and images that are not of it.
    """
    tasks = {picture_name(*task): task for task in TASKS}
    images = list(_images(raw))
    named = [path for path in images if path.name in tasks]
    others = next((path for path in images if path.name not in tasks), None)
    if not named or others is None:
        return
    drawn = next((path for path in named[:_DRAWN_AGAIN] if _is_drawn(path, tasks[path.name])), None)
    if drawn is not None:
        raise RawDataError(
            f"{raw.name}: {drawn.relative_to(raw)} and {len(named) - 1} more are pictures of the sample, beside images "
            f"of your own ({others.relative_to(raw)}); take the sample's images and annotations out, and where a "
            "version was built with them, start the label map anew: shardsmith labels --restart"
        )


def _images(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        yield from (Path(place, name) for name in sorted(names) if Path(name).suffix.lower() in EXTENSIONS)


def _is_drawn(path: Path, task: tuple[str, int]) -> bool:
    return path.read_bytes() == draw_picture(task).data
