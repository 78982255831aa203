"""The images that a stage makes, in a folder that is kept between runs so that nothing is made twice.

    FOLDER/images/<2 hex>/<digest>.<jpg|png>   named by a digest of all that the file depends on: Recipe.digest
    FOLDER/outputs.parquet                     a row a file: its sha256, and where the boxes lie on it

The folder may hold anything: what another run left half-made, damaged or of other parameters. So a file is written
under a temporary name and renamed; reused only where its sha256 is the one in the table; deleted when it is not in the
new table. The table is written last, or as far as things got when a run is interrupted.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stages.dataset import images
from stages.dataset.errors import StageError
from stages.dataset.manifest import Image
from stages.dataset.workers import map_items
from stages.transforms.recipe import Recipe, prepare_process

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Wanted:
    """One file to have: an image with its boxes, and what its random choices depend on (as JSON values)."""

    image: Image
    boxes: Sequence[Box]
    chance: Sequence[str | int] = ()


@dataclass(frozen=True)
class Made:
    """One file that is there.

    file: below the folder.
    width, height: pixels.
    moved: whether the geometry differs from the source's.
    rows: which of the source's boxes are left; boxes: where they lie, xmin ymin xmax ymax.
    """

    file: str
    sha256: str
    width: int
    height: int
    format: str
    moved: bool
    rows: list[int]
    boxes: list[list[float]]


_OUTPUTS = pa.schema(
    [
        ("file", pa.string()),
        ("sha256", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("format", pa.string()),
        ("moved", pa.bool_()),
        ("rows", pa.list_(pa.int32())),
        ("boxes", pa.list_(pa.list_(pa.float64()))),
    ]
)


def make_all(wanted: Sequence[Wanted], recipe: Recipe, folder: Path, label: str) -> tuple[list[Made], int]:
    """One Made for each one wanted, in order, and how many of them were there already.

    Raises:
        StageError: a source is gone, is not the one in the manifest, or a step cannot transform it.
    """
    files = [_file_name(one, recipe) for one in wanted]
    there = {made.file: made for made in _reusable(_read(folder), set(files), folder, label)}
    missing = {file: one for file, one in zip(files, wanted, strict=True) if file not in there}
    by_source: dict[str, dict[str, Wanted]] = {}  # so that each source is decoded once
    for file, one in missing.items():
        by_source.setdefault(one.image.path, {})[file] = one
    outputs = dict(there)
    try:
        work = partial(_make, recipe=recipe, folder=folder)
        for made in map_items(work, list(by_source.values()), label, chunk=4, setup=prepare_process):
            outputs.update((one.file, one) for one in made)
    finally:
        _write(outputs, folder)
    _delete_others(outputs, folder)
    return [outputs[file] for file in files], sum(file in there for file in files)


def clear(folder: Path) -> None:
    """Leave no image in the folder: the stage is off."""
    shutil.rmtree(folder / "images", ignore_errors=True)
    for name in ("outputs.parquet", "outputs.part"):
        (folder / name).unlink(missing_ok=True)


def _file_name(wanted: Wanted, recipe: Recipe) -> str:
    # whatever a step may come to see belongs in here
    digest = recipe.digest(wanted.image.sha256, wanted.boxes, wanted.chance)
    return f"images/{digest[:2]}/{digest}.{'jpg' if wanted.image.format == 'jpeg' else 'png'}"


def _make(wanted: dict[str, Wanted], recipe: Recipe, folder: Path) -> list[Made]:
    """The files that come from one source."""
    import cv2

    source = next(iter(wanted.values())).image
    data = _read_source(source)
    try:
        pixels = images.decode(data)
    except ValueError as error:
        raise StageError(f"{source.path}: it does not decode ({error}); run dvc repro") from None
    made = []
    for file, one in wanted.items():
        try:
            sample = recipe.apply(pixels, one.boxes, one.chance)
        except (cv2.error, ValueError, MemoryError) as error:
            size = f"{pixels.shape[1]} x {pixels.shape[0]} pixels"
            steps = "; ".join(step.describe() for step in recipe.steps)
            reason = " ".join(str(error).split())[:300] or type(error).__name__
            raise StageError(
                f"{source.path}: its {size} cannot be transformed ({steps}): {reason}; leave the image or the step out"
            ) from None
        height, width = sample.pixels.shape[:2]
        format = "jpeg" if source.format == "jpeg" else "png"
        as_it_was = sample.pixels is pixels and source.format == format and source.orientation == 1
        encoded = data if as_it_was else images.encode(sample.pixels, format)
        _put(folder / file, encoded)
        sha256 = hashlib.sha256(encoded).hexdigest()
        rows, boxes = sample.rows.tolist(), sample.boxes.tolist()
        made.append(Made(file, sha256, width, height, format, sample.moved, rows, boxes))
    return made


def _read_source(image: Image) -> bytes:
    try:
        data = Path(image.path).read_bytes()
    except OSError as error:
        raise StageError(f"{image.path}: cannot be read ({error.strerror}); restore it and run dvc repro") from None
    if hashlib.sha256(data).hexdigest() != image.sha256:
        raise StageError(f"{image.path}: its bytes are not those that the manifest names; run dvc repro") from None
    return data


def _put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_bytes(data)
    part.replace(path)


def _reusable(old: list[Made], files: set[str], folder: Path, label: str) -> list[Made]:
    candidates = [made for made in old if made.file in files]
    check = partial(_is_intact, folder=folder)
    checks = map_items(check, candidates, f"{label}: checking kept images", chunk=64, alone_below=2000)
    return [made for made, intact in zip(candidates, checks, strict=True) if intact]


def _is_intact(made: Made, folder: Path) -> bool:
    try:
        with (folder / made.file).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == made.sha256
    except OSError:
        return False


def _read(folder: Path) -> list[Made]:
    """The table as the last run left it; none where it cannot be read: everything is made again."""
    try:
        table = pq.read_table(folder / "outputs.parquet", use_threads=False).cast(_OUTPUTS)
    except (OSError, ValueError, pa.ArrowException):
        return []
    return [Made(**row) for row in table.to_pylist()]


def _write(outputs: dict[str, Made], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist([vars(outputs[file]) for file in sorted(outputs)], _OUTPUTS)
    part = folder / "outputs.part"
    pq.write_table(table, part, compression="zstd")
    part.replace(folder / "outputs.parquet")


def _delete_others(outputs: dict[str, Made], folder: Path) -> None:
    # deepest first, so that a folder comes after what is in it
    for path in sorted((folder / "images").rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif path.relative_to(folder).as_posix() not in outputs:
            path.unlink()
