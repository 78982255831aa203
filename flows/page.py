"""A version's page, data/report/index.html: the one that stands here, or an older one from DVC's cache or remote."""

from __future__ import annotations

import tempfile
from pathlib import Path

from flows.repository import Workspace
from flows.stored import Stores, open_stores
from flows.versions import REPORT, Version, find_version
from stages.dataset.errors import VersionError

PAGE = "index.html"
_KEPT = ".dvc/tmp/shardsmith-pages"


def find_page(workspace: Workspace, name: str | None) -> Path:
    """The page's file: that of the workspace, or a version's, brought below .dvc/tmp.

    Raises:
        VersionError: there is no page yet, no such version, or the version's page is nowhere as it was recorded.
    """
    if name is None:
        page = workspace.root / REPORT / PAGE
        if not page.is_file():
            raise VersionError(f"{page}: no page yet; `shardsmith build` or `dvc repro report` makes it")
        return page
    version = find_version(workspace, name)
    page = workspace.root / _KEPT / f"{version.tag}.html"
    data = read_page(workspace, version)
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_bytes(data)
    return page


def read_page(workspace: Workspace, version: Version) -> bytes:
    """A version's page from the cache, else the remote, checked against what dvc.lock recorded.

    Raises:
        VersionError: it was recorded without one, or neither has it unharmed.
    """
    folder = _recorded(workspace, version)
    with open_stores(workspace) as stores:
        listing = stores.listing(folder)
        if listing is None or PAGE not in listing:
            raise _nowhere(version, stores)
        with tempfile.TemporaryDirectory(prefix="shardsmith-") as temporary:
            file = Path(temporary) / PAGE
            if stores.fetch(listing[PAGE], file).md5 != listing[PAGE]:
                raise _nowhere(version, stores)
            return file.read_bytes()


def _recorded(workspace: Workspace, version: Version) -> str:
    """The hash of data/report as the version's dvc.lock has it."""
    stages = workspace.lock_file(version.tag).get("stages", {}).values()
    hashes = [out["md5"] for stage in stages for out in stage.get("outs", []) if out["path"] == REPORT]
    if not hashes:
        raise VersionError(
            f"{version.tag}: was recorded before versions had a page; `git checkout {version.tag}` and "
            f"`shardsmith show {version.name}` tell what is in it"
        )
    return hashes[0]


def _nowhere(version: Version, stores: Stores) -> VersionError:
    where = f"in {stores.remote.name}" if stores.remote else "in a DVC remote, for none is configured"
    return VersionError(
        f"{version.tag}: its page is neither in the cache nor {where} as it was recorded; `shardsmith verify --remote` "
        "where the version was built says how to repair it"
    )
