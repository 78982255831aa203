"""Which way annotations of turned (EXIF) images are meant that do not say so: as displayed, or as stored.

A viewer that applies EXIF shows the image turned, and one that does not shows it as it is stored; a tool is one or the
other for all images, so the whole source votes. An image votes by the size that its annotation declares, or by boxes
that would lie outside the image one way only. Source: EXIF 2.32, tag 0x0112.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from shardsmith.dataset.findings import Finding, found
from shardsmith.formats.shared.raw_folder import RawFolder

_MAJORITY = 0.9


def set_orientation(folder: RawFolder, way: str) -> None:
    """Say of each turned image what its annotations were drawn on, where they do not say it; "" for nobody knows."""
    for image_id, info in folder.images.items():
        if info.orientation != 1:
            folder.images[image_id] = replace(info, drawn_on=way, votes=[])


def count_votes(folder: RawFolder) -> tuple[Counter[str], int]:
    """(how many images vote for "stored" and for "displayed", how many do not say by a declared size)."""
    votes: Counter[str] = Counter()
    unsaid = 0
    for info in folder.images.values():
        said = set(info.votes)
        unsaid += "" in said
        if len(ways := said - {""}) == 1:
            votes[ways.pop()] += 1
    return votes, unsaid


def decide(votes: Counter[str]) -> str:
    """The way that at least nine of ten votes say, else ""."""
    ways = votes.most_common(1)
    return ways[0][0] if ways and ways[0][1] >= _MAJORITY * votes.total() else ""


def name_decision(votes: Counter[str], unsaid: int, way: str) -> Finding:
    reason = f"{unsaid:,} turned images do not say whether their boxes are as displayed or as stored; taken as {way}"
    value = f"{votes[way]:,} of {votes.total():,} images that can tell say {way}"
    return found("orientation-decided", "", value=value, reason=reason)
