"""`shardsmith preview`: a contact sheet of originals beside what preprocessing and the copies make of them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image as PilImage
from PIL import ImageDraw
from pydantic import ValidationError

from shardsmith.dataset.errors import ParamsError, RawDataError
from shardsmith.inspect.catalogue import BLOCKS
from shardsmith.inspect.made import PreviewCell, PreviewRow, is_on
from shardsmith.inspect.rows import look
from shardsmith.inspect.sheet import draw_tile, in_grid, in_lines, read_pixels, write_line
from shardsmith.pipeline.params import Params
from shardsmith.pipeline.splits.decisions import Decisions
from shardsmith.pipeline.splits.record import Record
from shardsmith.transforms.catalogue import Operation
from shardsmith.transforms.problems import explain

TILE_PX = (320, 240)
_CAPTION_LINES, _LINE_PX, _HEADER_PX = 2, 14, 20
_ACROSS = 4  # where there are originals alone
_FORMATS = (".png", ".jpg", ".jpeg", ".webp")
_NOT_SHOWN = ("colour", "edges", "partners", "place", "seed")


@dataclass(frozen=True)
class Preview:
    """What was drawn: how many images, of them preprocessed ones and copies."""

    images: int
    preprocessed: int
    copies: int

    def __str__(self) -> str:
        parts = [f"{self.preprocessed:,} preprocessed"] * bool(self.preprocessed)
        parts += [f"{self.copies:,} copies"] * bool(self.copies)
        images = f"{self.images:,} images"
        return " and ".join([", ".join([images, *parts[:-1]]), *parts[-1:]])


def preview(
    raw: Path,
    params: Params,
    out: Path,
    count: int = 12,
    decisions: Decisions = Decisions(),  # noqa: B008
    record: Record = Record(),  # noqa: B008
) -> Preview:
    """Draw the sheet to `out`; nothing else is written that stays.

    Args:
        raw: the folder of raw data.
        count: how many images, a row each.
        decisions, record: which say in what splits images stand.

    Raises:
        ParamsError: `count` or the name of `out` is not allowed.
        ShardsmithError: as a build's stages do.
    """
    check_out(raw, out, count)
    with tempfile.TemporaryDirectory(prefix="shardsmith-") as work:
        rows = look(raw, params, count, Path(work), decisions, record)
        draw_rows(rows).save(out, compress_level=2)  # of a PNG: a third of the time for 8 % more bytes
    parts, copies = (
        sum(map(len, several)) for several in zip(*[(r.preprocessed, r.copies) for r in rows], strict=True)
    )
    return Preview(len(rows), parts, copies)


def check_out(raw: Path, out: Path, count: int) -> None:
    """
    Raises:
        ParamsError: `count` or the name of `out` is not allowed.
    """
    if count < 1:
        raise ParamsError(f"--n {count}: allowed: a whole number from 1")
    if out.suffix.lower() not in _FORMATS:
        raise ParamsError(f"--out {out}: allowed: a name that ends in {', '.join(_FORMATS)}")
    if out.resolve().is_relative_to(raw.resolve()):
        raise ParamsError(f"--out {out}: it would become raw data; name a place outside {raw}")
    if not out.resolve().parent.is_dir():
        raise RawDataError(f"--out {out}: no such folder; make it, or name another place")


def off_message(params: Params) -> str:
    """What to switch on, where neither stage is; else "" """
    if is_on(params.preprocess) or is_on(params.augment):
        return ""
    return (
        "preprocess and augment are off (or list no step): a build keeps images as they are; to look at what they "
        "would make, add --set preprocess.enabled=true, --set augment.enabled=true, or --step NAME "
        "(`shardsmith steps` lists the steps)"
    )


def only_step(params: Params, name: str) -> Params:
    """The params with that step alone switched on: as they list it, else with its defaults.

    Args:
        name: of a step, with `preprocess.` or `augment.` before it where both have one.

    Raises:
        ParamsError: there is no such step, or two, or it has no defaults for all parameters.
    """
    block, _, bare = name.rpartition(".")
    blocks = [key for key, catalogue in BLOCKS.items() if bare in catalogue and block in ("", key)]
    if not blocks:
        raise ParamsError(f"--step {name}: no such step; `shardsmith steps` lists them")
    if len(blocks) > 1:
        raise ParamsError(
            f"--step {name}: two steps have that name; allowed: {', '.join(f'{b}.{name}' for b in blocks)}"
        )
    (block,) = blocks
    listed = [step for step in getattr(params, block).steps if bare in step]
    steps = listed or [{bare: {}}]
    try:
        BLOCKS[block][bare].model_validate(steps[0][bare] or {})
    except ValidationError as error:
        said = "; ".join(explain(error, BLOCKS[block][bare], f"{bare}."))
        raise ParamsError(f"--step {name}: {said}; list the step with its parameters in params.yaml") from None
    alone = {key: {"enabled": key == block, **({"steps": steps} if key == block else {})} for key in BLOCKS}
    return params.model_copy(
        update={key: getattr(params, key).model_copy(update=values) for key, values in alone.items()}
    )


def draw_rows(rows: Sequence[PreviewRow]) -> PilImage.Image:
    """A row an image under a line that names the columns; originals alone are drawn several in a row."""
    parts, copies = max(len(row.preprocessed) for row in rows), max(len(row.copies) for row in rows)
    names = ["original"]
    names += [f"preprocessed {number}" for number in range(1, parts + 1)] if parts > 1 else ["preprocessed"] * parts
    names += [f"copy {number}" for number in range(1, copies + 1)]
    tiles: list[PilImage.Image] = []
    for row in rows:
        line = [_tile(row.original, _of_original(row.original))]
        line += [_tile(one, _of_part(one)) for one in row.preprocessed] + [_blank()] * (parts - len(row.preprocessed))
        line += [_tile(one, _of_copy(one)) for one in row.copies] + [_blank()] * (copies - len(row.copies))
        tiles += line
    grid = in_grid(tiles, len(names) if len(names) > 1 else min(_ACROSS, len(rows)))
    sheet = PilImage.new("RGB", (grid.width, grid.height + _HEADER_PX), "white")
    sheet.paste(grid, (0, _HEADER_PX))
    canvas, step = ImageDraw.Draw(sheet), (grid.width - TILE_PX[0]) // max(len(names) - 1, 1)
    for number, name in enumerate(names):
        write_line(canvas, number * step + 4, 3, name)
    return sheet


def in_short(operations: Sequence[Operation]) -> str:
    """ "flip horizontal; rotate -7.3": what a person wants to know of what was drawn."""
    return "; ".join(" ".join([name, *_values(name, values)]) for name, values in operations)


def _values(name: str, values: Mapping[str, Any]) -> list[str]:
    shown = {key: value for key, value in values.items() if key not in _NOT_SHOWN and value is not False}
    words = {key: _short(key, value) for key, value in shown.items()}
    said = [word if len(words) == 1 or key == name else f"{key} {word}" for key, word in words.items()]
    return [", ".join(said)] if said else []


def _short(key: str, value: object) -> str:
    if isinstance(value, float):
        return f"{value:.2g}" if abs(value) < 1 else f"{value:.1f}".removesuffix(".0")
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return ", ".join(name for one in value for name in one)
    return f"{len(value)} {key}" if isinstance(value, list) else str(value)


def _of_original(one: PreviewCell) -> str:
    image = one.planned.image
    return f"{image.image_id} ({image.width} x {image.height})"


def _of_part(one: PreviewCell) -> str:
    image = one.planned.image
    name = f"{part}: " if (part := one.planned.part_name()) else ""
    return f"{name}{in_short(one.operations) or 'unchanged'} ({image.width} x {image.height})"


def _of_copy(one: PreviewCell) -> str:
    words = in_short(one.operations) or "unchanged"
    return f"{words} ({one.remark})" if one.remark else words


def _tile(one: PreviewCell, caption: str) -> PilImage.Image:
    tile = _blank()
    tile.paste(draw_tile(read_pixels(one.planned.image), one.planned.annotations, TILE_PX), (0, 0))
    for number, line in enumerate(in_lines(caption, TILE_PX[0] - 8, _CAPTION_LINES)):
        write_line(ImageDraw.Draw(tile), 4, TILE_PX[1] + 1 + number * _LINE_PX, line)
    return tile


def _blank() -> PilImage.Image:
    return PilImage.new("RGB", (TILE_PX[0], TILE_PX[1] + _CAPTION_LINES * _LINE_PX + 4), "white")
