"""Publish versions that are recorded: those made before there was a remote, or for a new one."""

from __future__ import annotations

from collections.abc import Sequence

from shardsmith.dataset.errors import VersionError
from shardsmith.store.stores import open_stores
from shardsmith.versions.publish import check_name_is_free, is_published, publish_name
from shardsmith.versions.push import confirm, needed
from shardsmith.versions.recorded.objects import all_objects
from shardsmith.versions.version import Version, find_version, list_versions, own_dataset
from shardsmith.workspace.log import Log
from shardsmith.workspace.workspace import Workspace


def publish(workspace: Workspace, names: Sequence[str], every: bool, log: Log) -> tuple[list[str], list[str]]:
    """Bring versions into the DVC remote and their names to the git remote; what is there is confirmed again.

    Args:
        names: by default those of the workspace's dataset that this clone has not published to this remote.
        every: all of the dataset, those too that it has.

    Returns:
        the tags that are published now, and a line for each that could not be.

    Raises:
        VersionError: no such version, or there is no DVC remote.
    """
    with workspace.lock(log):
        if not workspace.has_remote():
            raise VersionError("no DVC remote is configured; `dvc remote add -d NAME URL` names one")
        done: list[str] = []
        failed: list[str] = []
        seen: set[str] = set()
        for version in _chosen(workspace, names, every):
            log(f"publishing {version.tag}")
            try:
                seen |= _push(workspace, version, seen, log)
                publish_name(workspace, version.tag, log, is_new=False)
                done.append(version.tag)
            except VersionError as error:
                failed.append(str(error) if str(error).startswith(version.tag) else f"{version.tag}: {error}")
        return done, failed


def _chosen(workspace: Workspace, names: Sequence[str], every: bool) -> list[Version]:
    if names:
        return [find_version(workspace, name) for name in names]
    dataset = own_dataset(workspace)
    versions = [version for version in list_versions(workspace) if version.dataset == dataset]
    return versions if every else [version for version in versions if not is_published(workspace, version.tag)]


def _push(workspace: Workspace, version: Version, seen: set[str], log: Log) -> set[str]:
    """Bring what the version needs into the remote; returns its objects.

    Args:
        seen: objects that are there, and need not be looked at.

    Raises:
        VersionError: the remote has other content under this name, or an object is nowhere.
    """
    check_name_is_free(workspace, version.tag, version.tag)
    with open_stores(workspace) as stores:
        assert stores.remote
        objects = needed(workspace, stores, version.tag)
        left = all_objects(stores, workspace.lock_file(version.tag)) - objects  # by stages, which `dvc pull` asks for
        objects |= stores.cache.holds(left)
        try:
            confirm(stores, stores.remote, objects - seen, log)
        except VersionError as error:
            raise VersionError(
                f"{version.tag}: {str(error).partition(';')[0]}; where another remote has it, "
                "`dvc fetch --all-tags --remote NAME` brings it first"
            ) from None
    return objects
