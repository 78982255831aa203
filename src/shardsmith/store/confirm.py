"""Whether a store has objects as their names say, by hash: read once, and again when they were written anew.

What an S3 store says of an object (its ETag) is the MD5 of its bytes, or of a large one the MD5 of the MD5s of the
parts that it came in; where it is neither, as with the keys of KMS, the object is read.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from shardsmith.store.objects import Seen
from shardsmith.store.store import Entry, Store

_PART = 50 << 20  # bytes; in which s3fs puts what is larger than two of them


class Known:
    """The objects of the last version that were right when they were read, by store, with their marks of then.

    In a file of the workspace: what is lost with it is read again.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            self._stores: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            assert isinstance(self._stores, dict)
        except (OSError, ValueError, AssertionError):
            self._stores = {}

    def marks(self, store: Store) -> dict[str, str]:
        """Object -> its mark."""
        return dict(self._stores.get(store.place(""), {}).get("marks", {}))

    def age_s(self, store: Store) -> float:
        """Seconds since all of a version was read there."""
        return time.time() - float(self._stores.get(store.place(""), {}).get("all_read", 0))

    def keep(self, store: Store, marks: dict[str, str], all_read: bool) -> None:
        """Remember these and no others; what a full disk forgets is read again."""
        when = time.time() if all_read else time.time() - self.age_s(store)
        self._stores[store.place("")] = {"marks": marks, "all_read": when}
        part = self._file.with_name(f"{self._file.name}.part")
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(self._stores), encoding="utf-8")
            part.replace(self._file)


def harmed(
    store: Store,
    objects: set[str],
    known: Known | None = None,
    everything: bool = False,
    etags: Callable[[str], Path | None] | None = None,
) -> dict[str, Seen]:
    """The objects that the store lacks, or has with other bytes than their names say: with what was found.

    Args:
        known: those that need not be read; brought up to date. None: all are to be read.
        everything: believe none of them.
        etags: believe those of an S3 store; gives the file of a whole object here, or None.
    """
    entries = store.entries(sorted(objects))
    marks = known.marks(store) if known and not everything else {}
    there = {md5: entry for md5, entry in entries.items() if entry}
    by_etag = {md5 for md5, entry in there.items() if etags and _is_of_etag(md5, entry, etags)}
    unread = {md5 for md5, entry in there.items() if md5 not in by_etag and marks.get(md5) != entry.mark}
    seen = store.read_many(unread) if unread else {}
    bad = {md5: Seen() for md5 in objects - there.keys()} | {md5: one for md5, one in seen.items() if one.md5 != md5}
    right = {md5: entry.mark for md5, entry in there.items() if md5 not in bad}
    if known:
        known.keep(store, right, all_read=len(unread | by_etag) == len(objects))
    return bad


def _is_of_etag(md5: str, entry: Entry, here: Callable[[str], Path | None]) -> bool:
    if entry.etag == md5.removesuffix(".dir"):
        return True
    parts = entry.etag.partition("-")[2]
    if not parts.isdecimal() or int(parts) != -(-entry.size // _PART) or (path := here(md5)) is None:
        return False
    return entry.size == path.stat().st_size and entry.etag == etag_of_parts(path)


def etag_of_parts(path: Path) -> str:
    """The ETag that S3 gives a file that s3fs puts in parts."""
    digests = b""
    with path.open("rb") as stream:
        while part := stream.read(_PART):
            digests += hashlib.md5(part, usedforsecurity=False).digest()
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(digests) // 16}"
