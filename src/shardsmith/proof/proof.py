"""`shardsmith verify`: a version in a workspace, or a pulled folder or zip, against what was recorded."""

from __future__ import annotations

from pathlib import Path

from shardsmith.dataset.errors import VersionError
from shardsmith.proof.checks import Check
from shardsmith.proof.folder import is_pulled, verify_pulled
from shardsmith.proof.rebuild import rebuild as build_again
from shardsmith.proof.verify import verify_version
from shardsmith.versions.version import choose_version
from shardsmith.workspace.environment import prepare_environment
from shardsmith.workspace.log import Log
from shardsmith.workspace.workspace import Workspace


def verify(
    name: str | Path | None = None,
    *,
    workspace: str | Path | None = None,
    remote: bool = False,
    rebuild: bool = False,
    strict: bool = False,
    log: Log = lambda _: None,
) -> tuple[str, list[Check]]:
    """Check a version, or what was pulled of it.

    Args:
        name: NAME, DATASET@NAME, or a folder or zip that `shardsmith pull` made; the last version by default.
        workspace: the workspace that has it; the one here by default.
        remote: read every object in the DVC remote, too.
        rebuild: build it again in a clean clone, by its own code, and compare.
        strict: of a pulled folder: a file that is not of the version is damage, whatever it is.
        log: of a rebuild.

    Returns:
        what was verified, and the checks: `check.damage` lists what is wrong.

    Raises:
        ShardsmithError: there is no such version or folder, or git or DVC cannot be read.
    """
    place = Path(name) if name else None
    pulled = place is not None and is_pulled(place)
    start = Path(workspace) if workspace else None
    try:
        here = Workspace.find(start)
    except VersionError as error:
        if place and pulled and not (remote or rebuild):
            return _named(place, verify_pulled(place, None, strict))
        raise _unlike(place, pulled, error) from None
    if place and pulled and not (remote or rebuild):
        return _named(place, verify_pulled(place, here, strict))
    prepare_environment()
    try:
        version = choose_version(here, str(name) if name else None)
    except VersionError as error:
        raise _unlike(place, pulled, error) from None
    checks = verify_version(here, version, remote)
    if rebuild:
        checks.append(build_again(here, version, log))
    return version.tag, checks


def _named(place: Path, verified: tuple[str, list[Check]]) -> tuple[str, list[Check]]:
    return f"{place} ({verified[0]})", verified[1]


def _unlike(place: Path | None, pulled: bool, error: VersionError) -> VersionError:
    """The error, which says more where a folder was named that cannot be what is asked for."""
    if place is None or not place.is_dir():
        return error
    what = "a pulled folder takes no --remote or --rebuild" if pulled else "no VERSION.json in it"
    return VersionError(f"{place}: {what}; and as the name of a version: {error}")
