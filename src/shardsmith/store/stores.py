"""The stores of a workspace: DVC's cache, and its default remote. The only module that imports dvc."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from shardsmith.dataset.errors import VersionError
from shardsmith.store.objects import Seen
from shardsmith.store.store import Store
from shardsmith.workspace.workspace import Workspace


class Stores:
    """The cache of a workspace, and its default remote if it has one.

    DVC, whose import takes a second, is asked only where the cache lacks something.
    """

    def __init__(self, workspace: Workspace, stack: ExitStack) -> None:
        self._workspace, self._stack = workspace, stack
        self.cache = Store.cache(workspace.cache_folder())

    @property
    def jobs(self) -> int:
        return self.remote.jobs if self.remote else self.cache.jobs

    @cached_property
    def remote(self) -> Store | None:
        """Opened when it is asked for: who only looks into the cache needs no credentials.

        Raises:
            VersionError: it is configured in a way that DVC cannot read.
        """
        if not self._workspace.mentions_remote():
            return None
        from dvc.exceptions import DvcException
        from dvc.repo import Repo

        name = "the default one"
        try:
            repo: Any = self._stack.enter_context(Repo(str(self._workspace.root)))
            if not (name := repo.config["core"].get("remote")):
                return None
            return Store.remote(name, repo.cloud.get_remote_odb(name, "verify"))
        except DvcException as error:
            raise VersionError(f"the DVC remote {name!r}: {error}; see `dvc remote list`") from None

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
def open_stores(workspace: Workspace) -> Iterator[Stores]:
    """The stores of a workspace, for as long as they are needed."""
    with ExitStack() as stack:
        yield Stores(workspace, stack)
