"""What the chosen steps make of a few images of the dataset: planned and made in this process, as a build does."""

from __future__ import annotations

import base64
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PilImage

from shardsmith.app.pictures import Picture, colours, picture_of, small
from shardsmith.app.stepping.placing import Places, placed
from shardsmith.app.taken import Taken
from shardsmith.dataset.images import decode, encode
from shardsmith.dataset.manifest import SPLITS
from shardsmith.inspect.made import Preprocessing, PreviewCell, PreviewRow, choose, is_on, left, rows_of
from shardsmith.inspect.preview import in_short
from shardsmith.pipeline.params import Params, PreprocessParams, SplitParams
from shardsmith.transforms.base import FixedStep
from shardsmith.transforms.scene import Planned, planned_of

IMAGES, COPIES = 3, 3
_OF_STEP = 4  # copies, of which the first that differs is shown
_SIDE_PX, _QUALITY = 320, 82


@dataclass(frozen=True)
class Made:
    """One picture; sha256: of the image's file as a build would write it. caption: by what it was made."""

    picture: Picture
    sha256: str
    bytes: int
    caption: str
    remark: str = ""


@dataclass(frozen=True)
class Effect:
    """One image, and what comes of it."""

    original: Made
    preprocessed: Sequence[Made]
    copies: Sequence[Made]


@dataclass(frozen=True)
class Result:
    """How many images a version would have, and about how many bytes each time they are written."""

    images: dict[str, int]
    bytes: int

    @property
    def total(self) -> int:
        return sum(self.images.values())


@dataclass(frozen=True, eq=False)
class Session:
    """The images of a dataset, with their splits.

    colours: class -> its place in the label map.
    """

    images: list[Planned]
    colours: Mapping[str, int]
    places: Places

    def effects(self, params: Params, turn: int, kept: Path) -> list[Effect]:
        """Of three images.

        Args:
            turn: another number chooses others. kept: the folder where small pictures of the originals are.

        Raises:
            ShardsmithError: as the stages do.
        """
        before = self._before(params)
        chosen = choose(left(before), params, IMAGES, turn)
        with tempfile.TemporaryDirectory(prefix="shardsmith-") as work:
            rows = rows_of(before, params, chosen, Path(work), most_copies=COPIES)
            return [self._effect(row, kept) for row in rows]

    def of_step(self, params: Params, block: str, number: int, turn: int) -> Made | None:
        """What one step alone makes of one image; None where it leaves the image out.

        Args:
            number: the step's, in the block's list.
        """
        chosen = choose(self.images, params, 1, turn)
        with tempfile.TemporaryDirectory(prefix="shardsmith-") as work:
            alone = _alone(params, block, number)
            (row,) = rows_of(self._before(alone), alone, chosen, Path(work), most_copies=_OF_STEP)
            before = row.original.planned.image.sha256
            cells = [*row.preprocessed, *row.copies]
            cell = next((one for one in cells if one.planned.image.sha256 != before), None) or next(iter(cells), None)
            return self._made(cell) if cell else None

    def result(self, params: Params, effects: Sequence[Effect]) -> Result:
        """
        Args:
            effects: whose sizes stand for all.
        """
        images = self.count(params)
        base = [made for one in effects for made in (one.preprocessed or [one.original])]
        of_base, of_copy = _mean(base), _mean([made for one in effects for made in one.copies])
        size = sum(images.values()) * of_base
        if is_on(params.augment):
            for split in params.augment.splits:
                size += images[split] * (params.augment.copies * of_copy - (not params.augment.keep_original) * of_base)
                images[split] *= params.augment.copies + params.augment.keep_original
        return Result(images, round(size))

    def is_counted(self, params: Params) -> bool:
        """Whether `count` answers at once."""
        before = self._before(params)
        return "planned" in vars(before) or all(isinstance(step, FixedStep) for step in before.steps)

    def count(self, params: Params) -> dict[str, int]:
        """Split -> how many images preprocessing makes; where it cuts or chooses, seconds at 10,000 images."""
        before = self._before(params)
        if all(isinstance(step, FixedStep) for step in before.steps):
            return self.places.total
        counts = Counter(one.image.split for one in before.planned)
        return {name: counts[name] for name in SPLITS}

    def _before(self, params: Params) -> Preprocessing:
        return _preprocessing(self, params.preprocess.model_dump_json())

    def _effect(self, row: PreviewRow, kept: Path) -> Effect:
        image = row.original.planned.image
        shown = small(Path(image.path), image.sha256, _SIDE_PX, kept).read_bytes()
        made = [[self._made(one) for one in several] for several in (row.preprocessed, row.copies)]
        return Effect(self._as_shown(row.original, "webp", shown), *made)

    def _made(self, cell: PreviewCell) -> Made:
        pixels = decode(Path(cell.planned.image.path).read_bytes(), (_SIDE_PX, _SIDE_PX))
        picture = PilImage.fromarray(pixels)
        picture.thumbnail((_SIDE_PX, _SIDE_PX), PilImage.Resampling.BILINEAR)
        return self._as_shown(cell, "jpeg", encode(np.asarray(picture), "jpeg", _QUALITY))

    def _as_shown(self, cell: PreviewCell, format: str, shown: bytes) -> Made:
        image = cell.planned.image
        picture = picture_of(image, cell.planned.annotations, self.colours, "")
        address = f"data:image/{format};base64,{base64.b64encode(shown).decode()}"
        size, words = Path(image.path).stat().st_size, in_short(cell.operations)
        return Made(replace(picture, url=address), image.sha256, size, words, cell.remark)


@lru_cache(maxsize=3)
def _preprocessing(now: Session, preprocess: str) -> Preprocessing:
    return Preprocessing(now.images, PreprocessParams.model_validate_json(preprocess))


@lru_cache(maxsize=2)
def session(folder: Path, root: Path, split: SplitParams) -> Session:
    """See `placing.placed`.

    Raises:
        ShardsmithError: as the split stage does.
    """
    manifest, places = placed(folder, root, split)
    return Session(list(planned_of(manifest)), colours(root, Taken(folder).classes), places)


def _alone(params: Params, block: str, number: int) -> Params:
    on: dict[str, Any] = {"enabled": True, "steps": [getattr(params, block).steps[number]]}
    on |= {"copies": _OF_STEP} if block == "augment" else {}
    wanted = {name: on if name == block else {"enabled": False} for name in ("preprocess", "augment")}
    update = {name: getattr(params, name).model_copy(update=values) for name, values in wanted.items()}
    return params.model_copy(update=update)


def _mean(made: Sequence[Made]) -> float:
    return sum(one.bytes for one in made) / len(made) if made else 0.0
