"""Ids as whole numbers, for formats that have such: the source's own where they can be, else made of what they are for.

A source's id is kept where it is a whole number and no other image (annotation) of the version has it, over all splits.
A made one depends on nothing else, so it stays as the dataset grows. Copies, tiles and mosaics have made ones.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import pyarrow as pa

from shardsmith.dataset.errors import StageError
from shardsmith.dataset.manifest import Annotation

_WHOLE = re.compile(r"0|[1-9][0-9]{0,17}")
Key = TypeVar("Key", bound=Hashable)
_HEX_DIGITS = 13  # 52 bits: a float holds them exactly, as JavaScript reads numbers


def image_ids(table: pa.Table) -> dict[str, int]:
    """image_id -> its number, of the images of a manifest.

    Raises:
        StageError: two images come to one id.
    """
    names = table["image_id"].to_pylist()
    said = zip(table["source_id"].to_pylist(), table["parent_id"].to_pylist(), strict=True)
    ids = np.fromiter((-1 if parent_id else _whole(text) for text, parent_id in said), np.int64, len(names))
    again, counts = np.unique(ids, return_counts=True)
    made = (ids < 0) | np.isin(ids, again[counts > 1])
    ids[made] = [_made(names[row]) for row in np.flatnonzero(made)]
    order = np.lexsort([made, ids])
    for row in np.flatnonzero(np.diff(ids[order]) == 0).tolist()[:1]:
        raise _both("image", names[order[row]], names[order[row + 1]], int(ids[order[row]]))
    return dict(zip(names, ids.tolist(), strict=True))


def _whole(text: str | None) -> int:
    return int(text) if text and _WHOLE.fullmatch(text) else -1


def annotation_ids(annotations: Sequence[Annotation]) -> list[int]:
    """The id of each.

    An id of 0 is replaced by a new one: pycocotools counts an object of that id as never found.

    Raises:
        StageError: two annotations come to one id.
    """
    known = {
        number: row.source_key
        for number, row in enumerate(annotations)
        if row.source_image in (None, row.image_id)
    }  # fmt: skip
    ids: dict[int, int] = _kept(known, least=1)
    seen: Counter[tuple] = Counter()
    for number, row in enumerate(annotations):
        key = (row.image_id, row.source_image, row.source_key)
        seen[key] += 1
        if number not in ids:
            ids[number] = _made(*key, seen[key])
    names = {number: f"{number + 1} ({row.label} of {row.image_id})" for number, row in enumerate(annotations)}
    _check({names[number]: id_ for number, id_ in ids.items()}, "annotation")
    return [ids[number] for number in range(len(annotations))]


def caption_id(image_id: str, number: int) -> int:
    """Of one of an image's captions, counted from 1."""
    return _made(image_id, "caption", number)


def _kept(known: Mapping[Key, str | None], least: int) -> dict[Key, int]:
    whole = {key: int(text) for key, text in known.items() if text and _WHOLE.fullmatch(text) and int(text) >= least}
    counts = Counter(whole.values())
    return {key: id_ for key, id_ in whole.items() if counts[id_] == 1}


def _made(*parts: object) -> int:
    text = "\0".join("" if part is None else str(part) for part in parts)
    return int(hashlib.sha256(text.encode()).hexdigest()[:_HEX_DIGITS], 16)


def _check(ids: Mapping[str, int], what: str) -> None:
    owners: dict[int, str] = {}
    for name, id_ in ids.items():
        if id_ in owners:
            raise _both(what, owners[id_], name, id_)
        owners[id_] = name


def _both(what: str, one: str, other: str, id_: int) -> StageError:
    return StageError(
        f"{what} {one} and {what} {other} both come to the id {id_}; give one of them another id in the source"
    )
