"""Tags of images in a CSV beside the annotations: `image,tag`, a row a tag or several in one.

Tags of one cell are parted by `;` or `|`; further columns `tag...` hold more.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.findings import Finding, found
from shardsmith.formats.csv.lines import head_lines, numbered
from shardsmith.formats.shared.raw_folder import RawFolder, Source

_IMAGE = ("image", "image_id", "filename", "file_name", "file")
_TAG = re.compile(r"tags?[ _]?\d*")
_BETWEEN = re.compile(r"[;|]")


def add_tags_beside(folder: RawFolder, source: Source, claimed: Collection[str]) -> None:
    """Give the images that have annotations their tags; those of others are counted in a finding.

    Args:
        claimed: files that a format reads.
    """
    for file in folder.with_suffix(".csv"):
        if file not in claimed and _is_tags(head_lines(folder, file)):
            try:
                _add(folder, source, file)
            except RawDataError as error:
                source.findings.append(found("file-not-read", file, reason=str(error)))


def _is_tags(lines: list[list[str]]) -> bool:
    first, *others = [cell.lower() for cell in lines[0]] if lines else [""]
    return first in _IMAGE and bool(others) and all(map(_TAG.fullmatch, others))


def _add(folder: RawFolder, source: Source, file: str) -> None:
    lost = 0
    for place, (name, *cells) in list(numbered(folder.text(file)))[1:]:
        tags = [tag.strip() for cell in cells for tag in _BETWEEN.split(cell) if tag.strip()]
        image_id = folder.locate(name, file, place)
        entry = None if isinstance(image_id, Finding) else source.entries.get(image_id)
        if entry:
            entry.add(tags, {})
            source.findings += [one for (of, said), one in folder.matched.items() if (of, said) == (file, name)]
        else:
            lost += len(tags)
    if lost:
        reason = "tags of images that are not there, or have no annotation"
        source.findings.append(found("metadata-not-carried", file, value=f"{lost:,}", reason=reason))
