"""dvc.lock and other files of DVC: what they record, in versions of any age."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shardsmith.dataset.yaml import YamlError, load_yaml
from shardsmith.workspace.paths import EXPORT, LABEL_MAP, PARAMS, RAW, REPORT


def hashes(lock: Mapping[str, Any], kind: str = "outs") -> dict[str, str]:
    """Path -> MD5 of every stage's `outs` or `deps`."""
    stages = lock.get("stages", {}).values()
    return {entry["path"]: entry.get("md5", "") for stage in stages for entry in stage.get(kind, [])}


def content(lock: dict[str, Any]) -> dict[str, str]:
    """What a name stands for: the hashes of the export and of the label map."""
    outs = hashes(lock)
    return {path: outs.get(path, "") for path in (EXPORT, LABEL_MAP)}


def page_hash(lock: dict[str, Any]) -> str | None:
    """The hash of the folder with the version's page; None in a version from before there were pages."""
    return hashes(lock).get(REPORT)


def built_with(lock: dict[str, Any], file: str = PARAMS) -> dict[str, Any]:
    """The keys of params.yaml, or of code.yaml, that dvc.lock records, `split.seed`, each with the value that its stage
    ran with.
    """
    stages = lock.get("stages", {}).values()
    return {key: value for stage in stages for key, value in stage.get("params", {}).get(file, {}).items()}


def value_at(params: Any, key: str) -> Any:
    """The value of a dotted key; None where it is not there."""
    for name in key.split("."):
        params = params.get(name) if isinstance(params, dict) else None
    return params


def read_leniently(text: str) -> dict[str, Any]:
    """params.yaml of any age as plain values, allowed today or not; {} for what is no mapping."""
    try:
        values = load_yaml(text)
    except YamlError:
        return {}
    return values if isinstance(values, dict) else {}


def raw_hash(lock: dict[str, Any]) -> str:
    deps = [dep for stage in lock.get("stages", {}).values() for dep in stage.get("deps", [])]
    return next((dep.get("md5", "") for dep in deps if dep["path"] == RAW), "")


def lock_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def is_readable(path: Path) -> bool:
    """Whether DVC can read its own dvc.lock or .dvc file: it does not write one in one step."""
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA, COMPILED_SINGLE_STAGE_SCHEMA
    from voluptuous import Invalid

    try:
        content = load_yaml(path.read_text(encoding="utf-8"))
        if path.suffix == ".dvc":  # its schema does without the path, which comes last; what reads it does not
            return COMPILED_SINGLE_STAGE_SCHEMA(content)["outs"][0]["path"] == path.stem
        return bool(COMPILED_LOCKFILE_SCHEMA(content))
    except (YamlError, Invalid, UnicodeDecodeError, KeyError, TypeError, IndexError):
        return False
