"""Git's merge driver of .dvc files: two lists of a folder's files become one.

DVC's own takes the lists from the cache alone, where a clone has nothing of what others pushed, and looks for the
workspace in the current folder, which git makes the top of the repository.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from shardsmith.dataset.errors import ShardsmithError, VersionError
from shardsmith.store.pulled import listing_bytes, tree_hash
from shardsmith.store.stores import Stores, open_stores
from shardsmith.workspace.workspace import Workspace

_OF_FILES = ("md5", "size", "nfiles")


def merge_lists(base: Mapping[str, str], ours: Mapping[str, str], theirs: Mapping[str, str]) -> dict[str, str]:
    """Path -> MD5 with what each side added, changed or deleted since `base`.

    Raises:
        VersionError: both changed a file, each in another way.
    """
    merged, both = {}, []
    for path in sorted({*ours, *theirs}):
        was, here, there = base.get(path), ours.get(path), theirs.get(path)
        if here != there and was not in (here, there):
            both.append(path)
        elif md5 := there if here == was else here:
            merged[path] = md5
    if both:
        more = f" and {len(both) - 3:,} more" if len(both) > 3 else ""
        raise VersionError(f"{', '.join(both[:3])}{more}: each side has another file of this name; rename one of them")
    return merged


def merge_pointers(stores: Stores, base: str, ours: str, theirs: str) -> str:
    """The text of a .dvc file whose folder has the files of both sides; their list is put into the cache.

    Args:
        base: the text that both began with; "" where each made the file anew.

    Raises:
        VersionError: the texts differ in more than files, a list is in no store, or both changed a file.
    """
    yaml = YAML(pure=True)
    try:
        mine, other = yaml.load(ours), yaml.load(theirs)
        hashes = [yaml.load(base)["outs"][0]["md5"] if base else "", mine["outs"][0]["md5"], other["outs"][0]["md5"]]
        alike = _without_files(mine) == _without_files(other) and all(md5.endswith(".dir") for md5 in hashes[1:])
    except (YAMLError, LookupError, TypeError, AttributeError):
        alike = False
    if not alike:
        raise VersionError("the two sides differ in more than the files of a folder; choose one")
    merged = merge_lists(*(_files(stores, md5) for md5 in hashes))
    out = mine["outs"][0]
    out.pop("size", None)  # of files that may not be here
    out.update(md5=tree_hash(merged), nfiles=len(merged))
    with tempfile.TemporaryDirectory(prefix="shardsmith-") as folder:
        (listing := Path(folder) / "listing").write_bytes(listing_bytes(merged))
        stores.cache.write(out["md5"], listing)
    yaml.dump(mine, text := io.StringIO())
    return text.getvalue()


def _without_files(pointer: dict[str, Any]) -> list[Any]:
    outs = [{key: value for key, value in out.items() if key not in _OF_FILES} for out in pointer["outs"]]
    return [{**pointer, "outs": outs}, len(outs) == 1]


def _files(stores: Stores, md5: str) -> dict[str, str]:
    if not md5:
        return {}
    if (files := stores.listing(md5)) is None:
        raise VersionError(
            f"the list of its files, {md5}, is neither in the cache nor in the DVC remote; whoever has it runs "
            "`dvc push data/raw.dvc`; here `git merge --abort`, then merge again"
        )
    return files


def main(base: str, ours: str, theirs: str, path: str) -> int:
    """Merge three files as git hands them over, into the second; 1 leaves a conflict.

    Args:
        path: of the file in the repository, whose top is the current folder.
    """
    try:
        with open_stores(Workspace.find(Path(path).resolve().parent)) as stores:
            texts = [Path(file).read_text(encoding="utf-8") for file in (base, ours, theirs)]
            Path(ours).write_text(merge_pointers(stores, *texts), encoding="utf-8")
    except (ShardsmithError, UnicodeDecodeError) as error:
        print(f"{path}: not merged: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
