"""The workspace's label map: as the next build starts from it, and how it is started anew."""

from __future__ import annotations

from shardsmith.dataset.errors import VersionError
from shardsmith.dataset.label_map import LabelMap, parse_label_map
from shardsmith.versions.version import list_versions, own_dataset
from shardsmith.workspace.log import Log
from shardsmith.workspace.paths import LABEL_MAP
from shardsmith.workspace.workspace import Workspace

RESTART = "shardsmith labels --restart"


def recorded_map(workspace: Workspace) -> LabelMap | None:
    """The label map at HEAD, which a build extends; None before the first version."""
    if not workspace.git_ok("rev-parse", "--verify", "-q", "HEAD"):
        return None
    text = workspace.file_at("HEAD", LABEL_MAP)
    return None if text is None else parse_label_map(text, LABEL_MAP)


def is_restarted(workspace: Workspace) -> bool:
    """Whether the label map was started anew since the last version: then the next one may contradict it."""
    recorded = recorded_map(workspace)
    return recorded is not None and not recorded.ids


def what_breaks(workspace: Workspace, label_map: LabelMap) -> str:
    """For the question before it is done."""
    listed = ", ".join(f"{label_map.ids[name]} {name}" for name in label_map.names)
    tags = [version.tag for version in list_versions(workspace)]
    return (
        f"The next build gives the classes new ids, from 1; these are forgotten: {listed}.\n"
        f"Models and programs that were made with {', '.join(tags[-3:]) or 'the versions so far'} read ids by the old\n"
        "map: train them again, or keep them with the versions they belong to. Versions that are recorded keep their\n"
        "own label map, and stay as they are."
    )


def restart(workspace: Workspace, log: Log) -> None:
    """Commit a label map without classes: the next build fills it anew.

    Raises:
        VersionError: there is none to start anew, or git refuses.
    """
    with workspace.lock(log):
        recorded = recorded_map(workspace)
        if recorded is None or not recorded.ids:
            raise VersionError(f"{LABEL_MAP}: no class has an id yet; the next build gives them")
        (workspace.root / LABEL_MAP).write_text(LabelMap(own_dataset(workspace)).format(), encoding="utf-8")
        message = "Label map started anew\n\nForgotten: " + ", ".join(f"{recorded.ids[n]} {n}" for n in recorded.names)
        workspace.git("add", "--", LABEL_MAP)
        workspace.git("commit", "--quiet", "--no-verify", "--only", "-m", message, "--", LABEL_MAP)
