"""Look at an upload: unpack what is packed, and leave what a build would see.

python -m shardsmith.app.uploads.look FOLDER [WORKSPACE]
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from shardsmith.app.taken import take
from shardsmith.app.uploads.store import Upload
from shardsmith.dataset.archive import path_of, unpack
from shardsmith.dataset.errors import RawDataError, printable, run
from shardsmith.dataset.workers import progress
from shardsmith.installation import do_without_pandas
from shardsmith.raw.fetch import ARCHIVES, bring, clashes
from shardsmith.raw.known import known_images
from shardsmith.workspace.paths import RAW
from shardsmith.workspace.workspace import Workspace


def look(upload: Upload, workspace: Workspace | None) -> None:
    """
    Raises:
        ShardsmithError: nothing of it can be read as a dataset; what stands in the way of one file costs that alone.
    """
    shutil.rmtree(upload.source.parent, ignore_errors=True)
    problems: list[str] = []
    if upload.about.address:
        upload.source.parent.mkdir()
        bring(upload.about.address, upload.source.parent, _log)
    else:
        problems = gather(upload)
    try:
        take(upload.source, upload.taken.folder, workspace)
    except RawDataError as error:
        raise RawDataError("\n".join([*problems, str(error).replace(f"{upload.source}/", "")])) from None
    raw = workspace.root / RAW if workspace else None
    other = [str(path) for path in clashes(upload.source, raw)] if raw else []
    known = known_images(upload.taken.manifest(), raw) if raw else set()
    seen = {"problems": problems, "clashes": other, "known": len(known)}
    (upload.folder / "seen.json").write_text(json.dumps(seen), encoding="utf-8")


def gather(upload: Upload) -> list[str]:
    """Lay the files out as they were dropped, archives unpacked; returns what is wrong with single ones.

    A folder that holds all of them, and an archive that comes alone, are left out of the names, as `fetch` does it.
    """
    paths = [path_of(sent.name) for sent in upload.about.files]
    shared = {path.parts[0] for path in paths if len(path.parts) > 1}
    top = 1 if len(shared) == 1 and all(len(path.parts) > 1 for path in paths) else 0
    upload.source.mkdir(parents=True)
    problems: list[str] = []
    with progress(len(paths), "unpacking", "file") as bar:
        for number, path in enumerate(paths):
            target = upload.source.joinpath(*path.parts[top:])
            if path.name.lower().endswith(ARCHIVES):
                folder = upload.source if len(paths) == 1 else target.with_name(_stem(path))
                problems += _unpacked(upload.part(number), folder, path)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                _link(upload.part(number), target)
            bar.update()
    return problems


def _unpacked(part: Path, folder: Path, path: PurePosixPath) -> Iterable[str]:
    name = printable(str(path))
    if part.stat().st_size == 0:
        return [f"{name}: empty (0 bytes); get it again"]
    fresh = part.with_name(f"{part.name}.unpacked")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    try:
        unpack(part, fresh)
    except RawDataError as error:
        shutil.rmtree(fresh)
        return [str(error).replace(str(part), name)]
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.exists():  # another archive, or a folder dropped, of the same name
        shutil.copytree(fresh, folder, dirs_exist_ok=True)
        shutil.rmtree(fresh)
    else:
        fresh.rename(folder)
    return []


def _stem(path: PurePosixPath) -> str:
    end = next(end for end in ARCHIVES if path.name.lower().endswith(end))
    return path.name[: -len(end)] or "archive"


def _link(file: Path, target: Path) -> None:
    try:
        os.link(file, target)
    except OSError:  # no links on this disk
        shutil.copyfile(file, target)


def _log(line: str) -> None:
    print(line, file=sys.stderr)


def main() -> None:
    do_without_pandas()
    folder, *rest = map(Path, sys.argv[1:])
    look(Upload(folder), Workspace(rest[0]) if rest else None)


if __name__ == "__main__":
    run(main)
