"""Where an image that a stage made comes from, as the manifest's `origin` has it, and making it again from that.

    {"image_id": below data/raw, "sha256": of its bytes there,
     "stages": [{"operations": [[name, {values}], ...], "format": "jpeg", "quality": 95}, ...]}

Each stage decodes what the one before encoded. An operation that joins images names each of its "partners" the same
way.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from shardsmith.dataset.errors import StageError
from shardsmith.transforms.run.make import Refused, SourceImage, WantedImage, make
from shardsmith.transforms.run.recipe import Recipe
from shardsmith.transforms.scene import Planned

_ANYTHING = Recipe(0, 0)  # no object is looked at


def origin_of(planned: Planned, wanted: WantedImage) -> str:
    """The origin of an image to be, after that of its source."""
    origin = planned.origin()
    stage = {"operations": planned.operations, "format": wanted.format, "quality": wanted.quality}
    return json.dumps({**origin, "stages": [*origin["stages"], stage]}, ensure_ascii=False, separators=(",", ":"))


def remake(origin: dict[str, Any], read: Callable[[str, str], tuple[bytes, str, int]]) -> bytes:
    """The image's bytes once more.

    Args:
        read: (image_id, sha256) -> the bytes of an image below data/raw, its format and its EXIF orientation.

    Raises:
        StageError: an image does not decode, or an operation cannot transform it.
    """
    data, format, orientation = read(origin["image_id"], origin["sha256"])
    for stage in origin["stages"]:
        operations = [(name, values) for name, values in stage["operations"]]
        partners = [partner for _, values in operations for partner in values.get("partners", [])]
        files = {"0": (data, format, orientation)}
        files |= {str(n): (remake(partner, read), "", 1) for n, partner in enumerate(partners, start=1)}
        sources = [SourceImage(name, "", file[1], file[2]) for name, file in files.items()]
        wanted = WantedImage(sources, operations, stage["format"], stage["quality"])
        (made,) = make([wanted], _ANYTHING, lambda source, files=files: files[source.path][0])  # type: ignore[misc]
        if isinstance(made, Refused):
            raise StageError(f"{origin['image_id']}: {made.reason}")
        data = made[0]
        format, orientation = stage["format"], 1
    return data
