"""What made a version: kept in its tag's message as lines of `key: value`, because no content may depend on it."""

from __future__ import annotations

import platform
import re
from importlib import metadata
from typing import Any

from shardsmith.dataset.errors import VersionError
from shardsmith.workspace.lock_file import content, lock_hash, raw_hash
from shardsmith.workspace.paths import LOCK, RAW
from shardsmith.workspace.workspace import Workspace

_TAG = re.compile(r"[a-z][a-z0-9_]*@\S+")
# those whose version may change a byte of a version, and those that ran and stored it
_PACKAGES = (
    "albumentations", "google-crc32c", "numpy", "opencv-python-headless", "panlabel", "pillow", "protobuf", "pyarrow",
    "pycocotools", "simplejpeg", "dvc", "prefect",
)  # fmt: skip


def message_lines(workspace: Workspace, flow_run: str | None) -> list[str]:
    """For the tag of what stands in the workspace now.

    Args:
        flow_run: id of the Prefect flow run that builds it; None outside of one.
    """
    lock = workspace.read(LOCK)
    here = {one.name.lower(): one.version for one in metadata.distributions()}
    packages = ", ".join(f"{name} {here[name]}" for name in _PACKAGES if name in here)
    return [
        f"{RAW}: {raw_hash(workspace.lock_file())}",
        f"{LOCK}: {lock_hash(lock)}",
        f"flow-run: {flow_run or 'none'}",
        f"python: {platform.python_version()}",
        f"platform: {platform.platform()}",
        f"machine: {platform.machine()}",
        f"packages: {packages}",
    ]


def lineage_of(workspace: Workspace, tag: str) -> dict[str, Any]:
    """What a version was made of and by; what an older tag's message does not say is None.

    `raw` is DVC's hash of data/raw, `lock` the SHA-256 of dvc.lock: both as the tag's commit has them.
    """
    said = parse_message(tag_message(workspace, tag))
    flow_run = said.get("flow-run")
    packages = [entry.rpartition(" ") for entry in said.get("packages", "").split(", ") if entry]
    return {
        "commit": workspace.git("rev-parse", f"refs/tags/{tag}^{{commit}}").strip(),
        "raw": raw_hash(workspace.lock_file(tag)),
        "lock": lock_hash(workspace.file_at(tag, LOCK) or ""),
        "flow_run": None if flow_run == "none" else flow_run,
        **{key: said.get(key) for key in ("python", "platform", "machine")},
        "packages": {name: version for name, _, version in packages} or None,
    }


def tag_message(workspace: Workspace, tag: str) -> str:
    """An annotated tag's message; "" where there is none."""
    return workspace.git("for-each-ref", "--format=%(contents)", f"refs/tags/{tag}")


def parse_message(message: str) -> dict[str, str]:
    """The lines of `key: value` below the first."""
    pairs = (line.partition(": ") for line in message.splitlines()[1:])
    return {key: value.strip() for key, colon, value in pairs if colon}


def check_message(tag: str, message: str, lock: dict[str, Any], lock_text: str) -> list[str]:
    """What a tag's message says otherwise than its commit, in words: a tag that was moved or edited shows so.

    Args:
        lock, lock_text: dvc.lock at the commit.
    """
    said = parse_message(message)
    stands = content(lock)
    later = {RAW: raw_hash(lock), LOCK: lock_hash(lock_text)}
    stands |= {key: value for key, value in later.items() if key in said}  # a tag of the first builds has it not
    differing = [(path, md5) for path, md5 in stands.items() if not md5 or said.get(path) != md5]
    problems = [f"its message says {path} is {said.get(path)}, its commit {md5 or None}" for path, md5 in differing]
    first = message.partition(":")[0]
    return [f"its message is that of {first}"] * (_TAG.fullmatch(first) is not None and first != tag) + problems


def check_unmoved(workspace: Workspace, tag: str) -> None:
    """
    Raises:
        VersionError: the tag stands at another commit than the build gave it.
    """
    problems = check_message(
        tag, tag_message(workspace, tag), workspace.lock_file(tag), workspace.file_at(tag, LOCK) or ""
    )
    if problems:
        raise VersionError(
            f"{tag}: the tag was moved, or made by hand: {problems[0]}; fetch it from where it was built "
            f"(`git fetch --force REMOTE refs/tags/{tag}:refs/tags/{tag}`), or pull with --remote"
        )


def as_text(lineage: dict[str, Any]) -> list[str]:
    """For a person, a line each; what is not known is left out."""
    packages = [f"{name} {version}" for name, version in (lineage["packages"] or {}).items()]
    rows = {
        "Commit": lineage["commit"],
        "Raw data": f"{lineage['raw']}  {RAW}",
        "Lock": f"{lineage['lock']}  {LOCK} (SHA-256)",
        "Flow run": lineage["flow_run"],
        "Platform": lineage["platform"],
        "Packages": ", ".join([f"python {lineage['python']}", *packages]) if lineage["python"] else None,
    }
    return [f"{name + ':':10}{value}" for name, value in rows.items() if value]
