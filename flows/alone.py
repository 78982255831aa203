"""A DVC remote without its repository: a version's manifest, and the objects that it names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec

from flows.addresses import clean, without_secrets
from flows.patience import patiently
from flows.publish import VERSIONS, parse_manifest
from flows.stored import Seen, explain, read_object
from stages.dataset.errors import VersionError


def read_remote(name: str, address: str) -> tuple[dict[str, Any], Callable[[str, Path], Seen]]:
    """A version's manifest, and what fetches an object by its MD5 into a file.

    Args:
        name: DATASET@NAME, or NAME where one dataset alone has it.
        address: as DVC has it: a folder, s3://bucket/path, ...; credentials and AWS_ENDPOINT_URL as its library finds
            them.

    Raises:
        VersionError: the remote cannot be read, or no such version is published in it.
    """
    shown = without_secrets(address)
    fs, root = _ask(address, lambda: fsspec.core.url_to_fs(address, **_options(address)))
    listed = _ask(address, lambda: [Path(path).name.removesuffix(".json") for path in _list(fs, f"{root}/{VERSIONS}")])
    tags = [tag for tag in sorted(listed) if name in (tag, tag.partition("@")[2])]
    if len(tags) != 1:
        known = ", ".join(sorted(listed)[-8:]) or "none: no build has published here"
        raise VersionError(f"{name}: {'more than one' if tags else 'no such'} version in {shown}; there are: {known}")
    place = f"{root}/{VERSIONS}/{tags[0]}.json"
    manifest = parse_manifest(
        _ask(address, lambda: fs.cat_file(place)), f"{without_secrets(address)}/{VERSIONS}/{tags[0]}.json"
    )

    def fetch(md5: str, into: Path) -> Seen:
        return read_object(fs, f"{root}/files/md5/{md5[:2]}/{md5[2:]}", into)

    return manifest, fetch


def _ask(address: str, work: Callable[[], Any]) -> Any:
    """
    Raises:
        VersionError: for whatever the file system raises, again and again.
    """

    def explained() -> Any:
        try:
            return work()
        except Exception as error:  # each kind of remote has errors of its own
            shown = without_secrets(address)
            reason = clean(explain(error), address)
            raise VersionError(f"--remote {shown}: cannot be read ({reason}); check it and your access") from error

    return patiently(explained, address)


def _options(address: str) -> dict[str, Any]:
    return {"skip_instance_cache": True} if "://" in address else {}


def _list(fs: Any, folder: str) -> list[str]:
    try:
        return fs.ls(folder, detail=False)
    except FileNotFoundError:
        return []
