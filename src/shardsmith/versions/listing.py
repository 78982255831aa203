"""The versions as `shardsmith versions` lists them: with size, params in a few words, and which one is current."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache
from typing import Any

from shardsmith.store.stores import open_stores
from shardsmith.versions.summary import table
from shardsmith.versions.version import Version, last_tag, list_versions, same_inputs
from shardsmith.workspace.lock_file import read_leniently
from shardsmith.workspace.paths import PARAMS
from shardsmith.workspace.workspace import Workspace

_NAMED_STEPS = 2


def listed(workspace: Workspace, sizes: bool = False) -> list[dict[str, Any]]:
    """Every version, oldest first: its fields, `parameters` in a few words, and whether it is the `current` one.

    Args:
        sizes: also `added_bytes`, what it needs in a store that no version before it does; None where that is nowhere.
    """
    versions = list_versions(workspace)
    added: dict[str, int | None] = {}
    if sizes:
        from shardsmith.versions.recorded.objects import added_bytes  # slow

        with open_stores(workspace) as stores:
            added = added_bytes(workspace, stores, versions)
    current = _current(workspace, versions)
    in_words = cache(lambda text: in_short(read_leniently(text)))  # many versions have the same params.yaml
    return [
        {
            "tag": version.tag,
            **asdict(version),
            "parameters": in_words(workspace.file_at(version.tag, PARAMS) or ""),
            "current": version.tag in current,
            **({"added_bytes": added[version.tag]} if sizes else {}),
        }
        for version in versions
    ]


def as_table(rows: list[dict[str, Any]]) -> list[str]:
    """Names alone where all are of one dataset; the current ones with a `*`."""
    key = "name" if len({row["dataset"] for row in rows}) == 1 else "tag"
    sizes = bool(rows) and "added_bytes" in rows[0]
    header = ["", "name", "date (UTC)", "parameters", "images", "boxes", "classes", "MB", *["MB added"] * sizes]
    body = [
        [
            "*" if row["current"] else "",
            row[key],
            row["created"][:16].replace("T", " "),
            row["parameters"],
            *(f"{row[count]:,}" for count in ("images", "boxes", "classes")),
            f"{row['bytes'] / 1e6:,.1f}",
            *[_megabytes(row.get("added_bytes"))] * sizes,
        ]
        for row in rows
    ]
    return table([header, *body], left=4)


def _megabytes(size: int | None) -> str:
    return "not here" if size is None else f"{size / 1e6:,.1f}"


def in_short(params: dict[str, Any]) -> str:
    """`raw`, or `resize 640x640 fit; 2 copies`: of params.yaml of any age, so nothing is taken for granted."""
    preprocess, augment = (params.get(block) or {} for block in ("preprocess", "augment"))
    parts = []
    if _on(preprocess):
        given = preprocess.get("steps")
        steps = [_step(step) for step in given] if isinstance(given, list) else []
        more = [f"{len(steps) - _NAMED_STEPS} more"] if len(steps) > _NAMED_STEPS else []
        parts.append(", ".join([*steps[:_NAMED_STEPS], *more]) or "no steps")
    if _on(augment):
        copies = augment.get("copies", 2)
        parts.append(f"{copies} {'copy' if copies == 1 else 'copies'}")
    return "; ".join(parts) or "raw"


def _on(block: Any) -> bool:
    return isinstance(block, dict) and block.get("enabled") is True


def _step(step: Any) -> str:
    if not isinstance(step, dict) or len(step) != 1:
        return str(step)
    ((name, values),) = step.items()
    if name != "resize" or not isinstance(values, dict):
        return str(name)
    return f"resize {values.get('width', '?')}x{values.get('height', '?')} {values.get('mode', 'fit')}"


def _current(workspace: Workspace, versions: list[Version]) -> set[str]:
    """The last version below HEAD, if dvc.lock is as it was there, and what else names its commit."""
    own = {version.dataset for version in versions}
    tags = [tag for dataset in own if (tag := last_tag(workspace, dataset)) and same_inputs(workspace, tag)]
    commits = {version.commit for version in versions if version.tag in tags}
    return {version.tag for version in versions if version.commit in commits}
