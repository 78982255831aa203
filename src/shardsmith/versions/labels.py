"""The workspace's label map: what a build starts from, what it may not contradict, and how it is started anew."""

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


def check_labels(workspace: Workspace, dataset: str) -> None:
    """The label map contradicts no version below HEAD, but those that a version after them has contradicted already.

    Raises:
        VersionError: it would break their readers; the message names each version, and those that the map agrees with.
    """
    now = (workspace.root / LABEL_MAP).read_text(encoding="utf-8")
    maps = _maps_below(workspace, dataset)
    broken = {tag: said for tag, text in maps.items() if (said := broken_labels(text, now))}
    for tag in list(broken):
        after = workspace.git("tag", "--merged", "HEAD", "--contains", tag, "--list", f"{dataset}@*").split()
        if any(broken_labels(maps[tag], maps[later]) for later in after if later != tag):
            del broken[tag]
    if not broken:
        return
    agrees = [tag for tag in maps if tag not in broken][-3:]
    as_in = f" (the map is as in {', '.join(agrees)})" if agrees else ""
    each = " and ".join(f"readers of {tag} would misread it: {'; '.join(said)}" for tag, said in broken.items())
    raise VersionError(
        f"{LABEL_MAP}: {each}{as_in}; undo that in ingest.classes, build with --allow-label-change, "
        f"or start the label map anew: {RESTART}"
    )


def broken_labels(before: str, after: str) -> list[str]:
    """What a reader of the label map before would misread in the one after, each in words."""
    old, new = parse_label_map(before, "before"), parse_label_map(after, "after")
    names = {number: name for name, number in new.ids.items()}
    return [
        f"id {number} was {name!r}, is {names[number]!r}" if number in names else f"{name!r} ({number}) is gone"
        for name, number in old.ids.items()
        if names.get(number) != name
    ]


def _maps_below(workspace: Workspace, dataset: str) -> dict[str, str]:
    """Tag -> label map of each version below HEAD, oldest first; each text is read once."""
    tags = workspace.git("tag", "--merged", "HEAD", "--sort=creatordate", "--list", f"{dataset}@*").split()
    blobs = workspace.git("rev-parse", *(f"{tag}:./{LABEL_MAP}" for tag in tags)).split() if tags else []
    texts = {blob: workspace.git("cat-file", "blob", blob) for blob in dict.fromkeys(blobs)}
    return {tag: texts[blob] for tag, blob in zip(tags, blobs, strict=True)}


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
