"""The stores of a workspace: DVC's cache, and its default remote. The only module that imports dvc."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from shardsmith.dataset.errors import VersionError
from shardsmith.store.confirm import Known
from shardsmith.store.objects import Seen
from shardsmith.store.store import Store
from shardsmith.workspace.paths import KNOWN
from shardsmith.workspace.workspace import Workspace


class Stores:
    """The cache of a workspace, and its default remote if it has one.

    DVC, whose import takes a second, is asked only where the cache lacks something; it never reads .dvc/config itself.
    """

    def __init__(self, workspace: Workspace, is_clone: bool) -> None:
        self._workspace, self._is_clone = workspace, is_clone
        # of a clone not even the cache, which git may have brought
        self.cache = Store.cache(workspace.root / ".git" / "cache" if is_clone else workspace.cache_folder())
        self.scratch = workspace.root / ".dvc" / "tmp"  # for what is on its way

    @property
    def jobs(self) -> int:
        return self.remote.jobs if self.remote else self.cache.jobs

    @cached_property
    def known(self) -> Known:
        """What was read in them before."""
        return Known(self._workspace.root / KNOWN)

    @cached_property
    def remote(self) -> Store | None:
        """Opened when it is asked for: who only looks into the cache needs no credentials.

        Raises:
            VersionError: it is configured in a way that DVC cannot read.
        """
        name = self._config["core"].get("remote")
        return self._open(name) if name else None

    @cached_property
    def others(self) -> list[Store]:
        """The remotes that are configured beside the default one.

        Raises:
            VersionError: one is configured in a way that DVC cannot read.
        """
        default = self._config["core"].get("remote")
        return [self._open(name) for name in sorted(self._config["remote"]) if name != default]

    @property
    def remotes(self) -> list[Store]:
        """The default remote first."""
        return [*([self.remote] if self.remote else []), *self.others]

    @cached_property
    def _config(self) -> dict[str, Any]:
        """DVC's settings of the remotes, as far as they are believed."""
        if not self._workspace.mentions_remote():
            return {"core": {}, "remote": {}}
        return self._workspace.remote_config(self._is_clone)

    def _open(self, name: str) -> Store:
        from dvc.exceptions import DvcException
        from dvc.fs import get_cloud_fs

        try:
            file_system, options, path = get_cloud_fs(self._config, name=name)
            if options.get("version_aware") or options.get("worktree"):
                raise VersionError(f"the DVC remote {name!r}: is cloud versioned, which cannot be read; choose another")
            fs = file_system(**options)
        except (DvcException, RecursionError, ImportError) as error:
            raise VersionError(f"the DVC remote {name!r}: {error}; see `dvc remote list`") from None
        return Store.remote(name, fs, fs.join(path, "files", "md5"))

    def listing(self, md5: str, here: bool = False) -> dict[str, str] | None:
        """The files of a folder, from the cache, else the remote; None where neither has the listing unharmed.

        Args:
            here: the cache alone.
        """
        listed = self.cache.load(md5) if here else self.load(md5)
        return {entry["relpath"]: entry["md5"] for entry in json.loads(listed)} if listed else None

    def load(self, md5: str) -> bytes | None:
        """A small object's bytes, from the cache, else the remote; None where neither has it unharmed."""
        data = self.cache.load(md5)
        return self.remote.load(md5) if data is None and self.remote else data

    def fetch(self, md5: str, into: Path) -> Seen:
        """Write an object, from the cache, else the remote; what was found is that of the last one tried."""
        seen = self.cache.read(md5, into)
        if seen.md5 != md5 and self.remote:
            seen = self.remote.fetch(md5, into)
        return seen


@contextmanager
def open_stores(workspace: Workspace, is_clone: bool = False) -> Iterator[Stores]:
    """The stores of a workspace, for as long as they are needed.

    Args:
        is_clone: it is a clone of anyone's repository, of which the remote's address alone is believed.
    """
    yield Stores(workspace, is_clone)
