"""A version's page, data/report/index.html: the one that stands here, or an older one from DVC's cache or remote.

As it is stored it names no version: the same content has the same page, to the byte. Name, date and commit come on it
when it is opened or pulled.
"""

from __future__ import annotations

import html
import tempfile
from pathlib import Path

from shardsmith.dataset.errors import VersionError
from shardsmith.store.stores import Stores, open_stores
from shardsmith.versions.version import Version, find_version, last_tag, own_dataset
from shardsmith.workspace.lock_file import page_hash
from shardsmith.workspace.paths import KEPT_PAGES, PAGE, REPORT
from shardsmith.workspace.workspace import Workspace


def find_page(workspace: Workspace, name: str | None) -> Path:
    """The page's file: that of the workspace, or a version's, brought below .dvc/tmp with the version's name on it.

    Raises:
        VersionError: there is no page yet, no such version, or the version's page is nowhere as it was recorded.
    """
    if name is None:
        page = workspace.root / REPORT / PAGE
        if not page.is_file():
            raise VersionError(f"{page}: no page yet; `shardsmith build` or `dvc repro report` makes it")
        tag = last_tag(workspace, own_dataset(workspace))
        if tag is None or page_hash(workspace.lock_file(tag)) != page_hash(workspace.lock_file()):
            return page  # of what is not recorded
        version, data = find_version(workspace, tag), page.read_bytes()
    else:
        version = find_version(workspace, name)
        data = read_page(workspace, version)
    page = workspace.root / KEPT_PAGES / f"{version.tag}.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_bytes(stamped(data, version.tag, version.created, version.commit))
    return page


def stamped(page: bytes, tag: str, created: str, commit: str) -> bytes:
    """The page with the version's name, date and commit on it, and its commands ready to be copied.

    Args:
        created: as ISO 8601 has it.
    """
    dataset, _, name = (html.escape(part) for part in tag.partition("@"))
    full, folder = f"{dataset}@{name}", f"{dataset}-{name}"
    when = f"recorded {html.escape(created[:16].replace('T', ' '))} at commit <code>{html.escape(commit[:9])}</code>"
    text = page.decode("utf-8")
    for old, new in (
        (f"<title>{dataset}: dataset version</title>", f"<title>{full}</title>"),
        ('<p class="eyebrow">Dataset version</p>', f'<p class="eyebrow">Dataset version, {when}</p>'),
        (f"<h1><bdi>{dataset}</bdi></h1>", f"<h1><bdi>{full}</bdi></h1>"),
    ):
        text = text.replace(old, new, 1)
    before, mark, load = text.partition('<section id="load"')
    load = load.replace(f"pull {dataset}@NAME", f"pull {full}").replace("FOLDER", folder)
    return f"{before}{mark}{load}".encode()


def read_page(workspace: Workspace, version: Version) -> bytes:
    """A version's page from the cache, else the remote, checked against what dvc.lock recorded.

    Raises:
        VersionError: it was recorded without one, or neither has it unharmed.
    """
    if page_hash(workspace.lock_file(version.tag)) is None:
        raise VersionError(
            f"{version.tag}: was recorded before versions had a page; `git checkout {version.tag}` and "
            f"`shardsmith show {version.name}` tell what is in it"
        )
    with open_stores(workspace) as stores, tempfile.TemporaryDirectory(prefix="shardsmith-") as temporary:
        md5, file = page_of(workspace, stores, version.tag), Path(temporary) / PAGE
        if md5 is None or stores.fetch(md5, file).md5 != md5:
            raise _nowhere(version, stores)
        return file.read_bytes()


def page_of(workspace: Workspace, stores: Stores, revision: str) -> str | None:
    """The MD5 of the page of what a commit or tag holds; None where it has none."""
    folder = page_hash(workspace.lock_file(revision))
    return ((stores.listing(folder) if folder else None) or {}).get(PAGE)


def _nowhere(version: Version, stores: Stores) -> VersionError:
    where = f"in {stores.remote.name}" if stores.remote else "in a DVC remote, for none is configured"
    return VersionError(
        f"{version.tag}: its page is neither in the cache nor {where} as it was recorded; `shardsmith repair` where "
        "the version was built brings it back"
    )
