"""A build that records nothing leaves the files that git tracks as they were: params.yaml (settings.py), and these.

Metrics and plots are kept aside: DVC takes their stage for done, and the next build need not run it again.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shardsmith.workspace.git import file_at
from shardsmith.workspace.paths import CODE, KEPT_OUTS, LABEL_MAP, METRICS, PLOTS, REQUIREMENTS
from shardsmith.workspace.workspace import Workspace


class Tree:
    """recorded: set it where a version was recorded, so that the files stay as the build wrote them."""

    def __init__(self, workspace: Workspace) -> None:
        self._root = workspace.root
        self._before = {file: _read(self._root / file) for file in self._files()}
        self.recorded = False

    def put_back(self) -> None:
        """The files as they were, except those that are committed as they are now."""
        for file in {*self._before, *self._files()}:
            path, before = self._root / file, self._before.get(file)
            now = _read(path)
            if now == before or (now is not None and file_at(self._root, "HEAD", file) == now.decode(errors="replace")):
                continue
            if now is not None and file not in (CODE, REQUIREMENTS, LABEL_MAP):
                _write(self._root / KEPT_OUTS / file, now)
            if before is None:
                path.unlink(missing_ok=True)
            else:
                _write(path, before)

    def _files(self) -> list[str]:
        plots = sorted(path.name for path in (self._root / PLOTS).glob("*") if path.is_file())
        return [CODE, REQUIREMENTS, LABEL_MAP, METRICS, *(f"{PLOTS}/{name}" for name in plots)]


@contextmanager
def kept_tree(workspace: Workspace) -> Iterator[Tree]:
    """Put the files back at the end, unless a version was recorded."""
    tree = Tree(workspace)
    try:
        yield tree
    except BaseException:
        tree.recorded = False
        raise
    finally:
        if not tree.recorded:
            tree.put_back()


def bring_outs(workspace: Workspace) -> None:
    """What the last build computed and did not record, where dvc.lock still says so."""
    kept = workspace.root / KEPT_OUTS
    metrics = _read(kept / METRICS)
    outs = [out for stage in workspace.lock_file().get("stages", {}).values() for out in stage.get("outs", [])]
    said = next((out.get("md5") for out in outs if out["path"] == METRICS), None)
    if metrics is not None and hashlib.md5(metrics, usedforsecurity=False).hexdigest() == said:
        for path in (path for path in kept.rglob("*") if path.is_file()):
            _write(workspace.root / path.relative_to(kept), path.read_bytes())
    shutil.rmtree(kept, ignore_errors=True)


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
