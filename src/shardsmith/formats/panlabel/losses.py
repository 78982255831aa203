"""What panlabel left out of a file: as many findings as objects are missing, each with its image."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.findings import found
from shardsmith.formats.panlabel.counts import COUNTED, count
from shardsmith.formats.panlabel.mend import Item
from shardsmith.formats.shared.raw_folder import SHOWN, ImageEntry, RawFolder, Source
from shardsmith.formats.shared.splits import split_in_name, split_in_path

_REFUSED = "panlabel refuses the whole file for it; it was taken out"


def add_uncarried(
    folder: RawFolder, form: str, files: Iterable[str], came: Mapping[str, int], removed: Iterable[Item], source: Source
) -> None:
    """Compare the objects in the files with what came back of them.

    Args:
        came: image_id -> how many annotations.
        removed: the items that were taken out first.
    """
    if form not in COUNTED:
        return
    there: Counter[str] = Counter()
    of_file: dict[str, str] = {}
    for file in files:
        for image_id, number in _by_image(folder, form, file).items():
            there[image_id] += number
            of_file.setdefault(image_id, file)
            entry = ImageEntry(split_in_name(file) or split_in_path(image_id, file))
            source.entries.setdefault(image_id, entry)
    gone = Counter(came)
    for file, name, item in removed:
        image_id = _located(folder, name, file)
        gone[image_id] += 1
        value = json.dumps(item, ensure_ascii=False)[:60]
        source.findings.append(found("annotation-unreadable", file, name[:SHOWN], value, _REFUSED, image_id))
    source.shapes = (source.shapes or 0) + sum(max(there[image_id], gone[image_id]) for image_id in there | gone)
    for image_id, number in there.items():
        left_out = number - gone[image_id]
        reason = f"panlabel leaves {left_out:,} of its {number:,} objects out, as {form}"
        source.findings += [
            found("annotation-unreadable", of_file[image_id], f"{image_id}, {one} of {left_out}", "", reason, image_id)
            for one in range(1, left_out + 1)
        ]


def _by_image(folder: RawFolder, form: str, file: str) -> Counter[str]:
    """image_id -> how many objects the file says it has; an image that is not there is named already."""
    by_image: Counter[str] = Counter()
    try:
        counted = count(form, folder.text(file), file)
    except RawDataError:
        counted = None
    for group in counted.groups if counted else []:
        if image_id := _located(folder, group.name, file):
            by_image[image_id] += group.count
    return by_image


def _located(folder: RawFolder, name: str, file: str) -> str:
    """The image of a name, with or without its extension; "" where it is not there."""
    image_id = folder.locate(name, file) if name else ""
    if isinstance(image_id, str):
        return image_id
    return folder.locate_stem(str(PurePosixPath(file).parent / f"{PurePosixPath(name).name}.x")) or ""
