"""requirements.lock: exact versions of Shardsmith and of all that it needs, from the environment that runs."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from packaging.requirements import Requirement

from shardsmith.dataset.errors import VersionError
from shardsmith.installation import direct_url, requirement
from shardsmith.workspace.git import git

_HEAD = (
    "# What this version is built with; `shardsmith pin` writes it anew. Install: pip install -r requirements.lock\n"
)
_NOT_OURS = {"dev", "all"}


def requirements() -> tuple[str, str]:
    """The text of requirements.lock, and why others cannot install its line for Shardsmith ("" where they can)."""
    own, warning = own_line()
    pins = {name: f"{name}=={version}" for name, version in needed().items()}
    return _HEAD + "".join(f"{line}\n" for line in [own, *(pins[name] for name in sorted(pins))]), warning


def needed() -> dict[str, str]:
    """Name -> version of each installed distribution that Shardsmith, or an extra of it, needs."""
    found: dict[str, str] = {}
    asked: set[tuple[str, str]] = set()
    extras = metadata.metadata("shardsmith").get_all("Provides-Extra") or []
    todo = [("shardsmith", extra) for extra in ("", *extras) if extra not in _NOT_OURS]
    while todo:
        name, extra = todo.pop()
        if (name, extra) in asked:
            continue
        asked.add((name, extra))
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        if name != "shardsmith":
            found[_normal(name)] = distribution.version
        for text in distribution.requires or ():
            one = Requirement(text)
            if one.marker is None or one.marker.evaluate({"extra": extra}):
                todo += [(_normal(one.name), each) for each in ("", *one.extras)]
    return found


def own_line() -> tuple[str, str]:
    """The line for Shardsmith itself, and why others cannot install it ("" where they can)."""
    source = direct_url()
    url = str(source.get("url", ""))
    local = f"shardsmith was installed from {url}" if url and urlsplit(url).scheme in ("", "file") else ""
    if "dir_info" in source:
        folder = Path(url2pathname(urlsplit(url).path))
        try:
            commit = git(folder, "rev-parse", "HEAD").strip()
            changed = git(folder, "status", "--porcelain", "--untracked-files=no").strip()
        except (VersionError, OSError):
            return requirement(), local
        more = ", with changes that are in no commit" if changed else ""
        return f"shardsmith @ git+{url}@{commit}", local + more
    return requirement(), local


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
