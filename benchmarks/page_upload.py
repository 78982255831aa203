"""Time from the last byte of a zip to "what it is" with pictures, as a ratio to the plain functions.

    python benchmarks/page_upload.py [-n 200] [--runs 3]

The page's way: the upload is taken for finished, a process of its own looks at it, the screen is drawn, and the small
pictures on it are made. The plain work is to unpack the zip and to look into it, in this process, without a picture.
"""

from __future__ import annotations

import hashlib
import re
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paged import median, workspace_of
from starlette.requests import Request

from shardsmith.app.opened import open_folders
from shardsmith.app.screens.add import new_screen, picture
from shardsmith.app.taken import take
from shardsmith.app.uploads import store
from shardsmith.dataset.archive import unpack

GOAL_S = 5.0
_PICTURE = re.compile(r'src="/uploads/[^/]+/pictures/(\d+)/(\w+)"')


def main() -> None:
    with workspace_of(__doc__, 200, 3) as (given, root):
        folder = root.parent
        data = _packed(root / "data/raw", folder / "images.zip").read_bytes()
        numbers = iter(range(given.runs))

        def plainly() -> None:
            with tempfile.TemporaryDirectory() as into:
                (Path(into) / "raw").mkdir()
                unpack(folder / "images.zip", Path(into) / "raw")
                take(Path(into) / "raw", Path(into) / "taken", None)

        uploads = [_sent(folder, f"{number}.zip", data) for number in range(given.runs)]
        page = median(lambda: _look(*uploads[next(numbers)]), given.runs)
        plain = median(plainly, given.runs)
        verdict = "within" if page <= GOAL_S else "OVER"
        print(f"{given.n:,} images; median of {given.runs}; ratio to unpacking and looking in one process")
        print(f"what it is, with pictures {page:8.2f} s{page / plain:8.1f} x   {verdict} {GOAL_S:g} s")


def _packed(raw: Path, to: Path) -> Path:
    with zipfile.ZipFile(to, "w") as archive:
        for path in sorted(raw.rglob("*")):
            archive.write(path, path.relative_to(raw))
    return to


def _sent(folder: Path, name: str, data: bytes) -> tuple[Request, store.Upload]:
    """An upload whose last byte has come."""
    (folder / "page").mkdir(exist_ok=True)
    opened = open_folders(folder / "page", [])
    file = {"name": name, "bytes": len(data), "modified": 0}
    upload = store.begin(opened, store.Wanted.model_validate({"files": [file], "address": "", "dataset": None}))
    for offset in range(0, len(data), store.SLICE_BYTES):
        part = data[offset : offset + store.SLICE_BYTES]
        upload.put(0, offset, part, hashlib.sha256(part).hexdigest())
    app = SimpleNamespace(state=SimpleNamespace(opened=opened))
    return Request({"type": "http", "path": "/add", "query_string": b"", "headers": [], "app": app}), upload


def _look(request: Request, upload: store.Upload) -> None:
    upload.finish(None)
    while upload.state == "looking":
        time.sleep(0.05)
    screen = new_screen(request, request.app.state.opened, upload.id).body.decode()
    for size, sha256 in dict.fromkeys(_PICTURE.findall(screen)):
        picture(upload, int(size), sha256)


if __name__ == "__main__":
    main()
