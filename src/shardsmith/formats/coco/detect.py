"""Which JSON files are COCO: by the keys of their lists, and by what the first element of each list has."""

from __future__ import annotations

import re

from shardsmith.formats.masks.panoptic import is_panoptic
from shardsmith.formats.shared.raw_folder import RawFolder

_HEAD = 1 << 16
_LISTS = ("images", "annotations", "categories")
_ANY_LIST = re.compile(r'"(images|annotations|categories)"\s*:\s*\[')
_DARWIN = re.compile(r'"(slots|source_files)"\s*:\s*\[')  # V7's JSON has file_name, height and annotations, too
_TOKEN = re.compile(r'"(?:[^"\\]|\\.|\\\Z)*(?:"|\Z)|[\[\]{}:,]', re.DOTALL)
_SIGNS = {
    "images": (({"id", "file_name"}), ({"id", "coco_url"}), ({"id", "height", "width"})),
    "annotations": (({"image_id", "category_id"}), ({"image_id", "caption"}), ({"image_id", "segments_info"})),
    "categories": (({"id", "name"}),),
}
_NO_LIST: set[str] = set()
_IN_TAIL = (("annotations", ('"image_id"', '"category_id"')), ("images", ('"file_name"', '"height"')))


def detect(folder: RawFolder) -> list[str]:
    """JSON objects with at least two of COCO's lists, or with one and cut short."""
    return [file for file in folder.with_suffix(".json") if _is_coco(folder, file) and not is_panoptic(folder, file)]


def _is_coco(folder: RawFolder, file: str) -> bool:
    head = folder.head(file, _HEAD)
    if not head.lstrip().startswith("{") or _DARWIN.search(head):
        return False
    path = folder.root / file
    with path.open("rb") as stream:
        stream.seek(max(_HEAD, path.stat().st_size - _HEAD))
        tail = stream.read().decode("utf-8", errors="replace")
    if not _ANY_LIST.search(head) and not _ANY_LIST.search(tail):
        return False
    told = lists_at_top(head)
    known = {key for key in _LISTS if key in told and _is_like(key, told[key])}
    if not known:
        return False
    misspelt = {"annotations" for keys in told.values() if keys and _is_like("annotations", keys)}
    of_tail = {match[1] for match in _ANY_LIST.finditer(tail)} if not told.keys() & set(_LISTS) - known else set()
    signs = {key for key, every in _IN_TAIL if all(sign in tail for sign in every)}
    return len(known | misspelt | of_tail | signs) >= 2 or (
        "images" in known and not (tail or head).rstrip().endswith("}")
    )


def _is_like(key: str, keys: set[str] | None) -> bool:
    """Whether the first element of a list has what COCO's has; an empty list may be one."""
    return keys is None or any(signs <= keys for signs in _SIGNS[key])


def lists_at_top(text: str) -> dict[str, set[str] | None]:
    """Key of a JSON object -> the keys of the first element of its list; None for an empty list.

    Args:
        text: it, or its beginning.
    """
    lists: dict[str, set[str] | None] = {}
    depth, key, word, firsts = 0, "", "", 0
    for mark in (match[0] for match in _TOKEN.finditer(text)):
        if depth == 2 and mark[0] in '",' and lists.get(key, _NO_LIST) is None:
            lists[key] = set()  # its elements are no objects
        if mark[0] == '"':
            word = mark[1:-1]
        elif mark == ":":
            if depth == 1:
                key, firsts = word, 0
            elif depth == 3 and firsts == 1 and lists.get(key) is not None:
                lists[key].add(word)  # type: ignore[union-attr]
        elif mark in "[{":
            if depth == 1 and mark == "[":
                lists.setdefault(key, None)
            if depth == 2 and key in lists:
                firsts += 1
                if firsts == 1:
                    lists[key] = set()
            depth += 1
        elif mark in "]}":
            depth -= 1
    return lists
