"""What a version may be called by, beside its own name: `latest`, or a pattern."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase


def is_wide(name: str) -> bool:
    """Whether it may mean one of several: `latest`, or a pattern; no tag of git's can have these characters."""
    return name.rpartition("@")[2] == "latest" or any(each in name for each in "*?[")


def newest(name: str, tags: Sequence[str]) -> str | None:
    """The last of the tags that `latest` or a pattern means.

    Args:
        name: DATASET@latest or DATASET@PATTERN.
        tags: the oldest first.
    """
    if not is_wide(name):
        return None
    dataset, _, wanted = name.rpartition("@")
    pattern = f"{dataset or '*'}@{'*' if wanted == 'latest' else wanted}"
    return next((tag for tag in reversed(tags) if fnmatchcase(tag, pattern)), None)
