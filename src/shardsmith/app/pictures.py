"""Pictures of images: made small once, kept by content, with their annotations as an SVG that lies over them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as PilImage
from starlette.responses import Response

from shardsmith.dataset.errors import StageError
from shardsmith.dataset.images import decode, encode
from shardsmith.dataset.label_map import parse_label_map
from shardsmith.dataset.manifest import Annotation, Image
from shardsmith.report.areas import Viewport
from shardsmith.report.marks import Mark, marks_of
from shardsmith.workspace.paths import LABEL_MAP

SIZES = (160, 320, 1280)  # pixels of the longer side
_QUALITY = 78
_FOREVER = {"cache-control": "private, max-age=31536000, immutable"}


@dataclass(frozen=True)
class Picture:
    """An image as a template shows it (templates/_picture.html.jinja).

    url: of its small picture. width, height: of the image, in pixels. marks: in per cent and thousandths of them.
    """

    image_id: str
    url: str
    width: int
    height: int
    marks: list[Mark]


def picture_of(
    image: Image, annotations: Sequence[Annotation], colours: Mapping[str, int], base: str, size_px: int = 320
) -> Picture:
    """
    Args:
        colours: class -> its place in the label map.
        base: the address that answers `base/SIZE/SHA256` with the small picture.
    """
    marks = marks_of(Viewport.of(image), annotations, colours)
    return Picture(image.image_id, f"{base}/{size_px}/{image.sha256}", image.width or 1, image.height or 1, marks)


def colours(root: Path, classes: Iterable[str]) -> dict[str, int]:
    """Class -> the number of its colour, the same on every screen and in every version: classes keep their ids.

    Args:
        root: the workspace's. classes: those that its label map may not have yet.
    """
    path = root / LABEL_MAP
    ids = parse_label_map(path.read_text(encoding="utf-8"), LABEL_MAP).ids if path.is_file() else {}
    known = sorted(ids, key=lambda name: ids[name])
    return {name: number for number, name in enumerate(dict.fromkeys([*known, *classes]))}


def small(path: Path, sha256: str, size_px: int, kept: Path) -> Path:
    """A WebP of the image, no longer than `size_px` a side; made once.

    Args:
        kept: the folder where pictures are kept, by content.

    Raises:
        StageError: the image is gone, changed, or does not decode.
    """
    target = _target(sha256, size_px, kept)
    if target.is_file():
        return target
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StageError(f"{path.name}: the image cannot be read ({error.strerror})") from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise StageError(f"{path.name}: the image changed since it was looked at")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(f".{id(data)}.part")
    part.write_bytes(_shrunk(data, path.name, size_px))
    part.replace(target)
    return target


def made(sha256: str, size_px: int, kept: Path) -> Path | None:
    """The small picture, where it was made before."""
    target = _target(sha256, size_px, kept)
    return target if target.is_file() else None


def _target(sha256: str, size_px: int, kept: Path) -> Path:
    return kept / str(size_px) / sha256[:2] / f"{sha256}.webp"


def answer(path: Path) -> Response:
    """A picture that was made, which a browser may keep: its address says its content."""
    return Response(path.read_bytes(), media_type="image/webp", headers=_FOREVER)


def _shrunk(data: bytes, name: str, size_px: int) -> bytes:
    try:
        pixels = decode(data, (size_px, size_px))
    except ValueError as error:
        raise StageError(f"{name}: the image does not decode ({error})") from None
    picture = PilImage.fromarray(pixels)
    picture.thumbnail((size_px, size_px), PilImage.Resampling.LANCZOS, reducing_gap=2.0)
    return encode(np.asarray(picture), "webp", _QUALITY)
