"""What `shardsmith verify` compares: pure functions from what was recorded and what was found to what is wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from shardsmith.store.objects import Seen
from shardsmith.store.pulled import tree_hash
from shardsmith.versions.lineage import check_message
from shardsmith.workspace.lock_file import built_with, hashes, read_leniently, value_at
from shardsmith.workspace.paths import CODE, LOCK, PARAMS, POINTER, RAW

_NO_BUILD = "no build records that; build it again under another name, and trust this one no more"
_MOVED = "it was moved, or made by hand: fetch it from where it was built"
_SHOWN = 20


@dataclass(frozen=True)
class Damage:
    """One thing that is wrong: where, why, and what to do."""

    file: str
    why: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}: {self.why}: {self.remedy}"


@dataclass(frozen=True)
class Check:
    """One kind of check: what was looked at, what was found, and what is wrong.

    here: False where there was nothing to look at, and nothing has to be.
    """

    title: str
    found: str
    damage: list[Damage] = field(default_factory=list)
    here: bool = True

    @property
    def state(self) -> str:
        return "DAMAGED" if self.damage else "ok" if self.here else "not here"

    def lines(self) -> list[str]:
        """As the terminal shows it."""
        if not self.damage:
            return [f"{self.state}: {self.title}: {self.found}"]
        more = len(self.damage) - _SHOWN
        lines = [f"DAMAGED: {damage}" for damage in self.damage[:_SHOWN]]
        return lines + ([f"DAMAGED: {self.title}: and {more:,} more; --json lists all"] if more > 0 else [])

    def as_dict(self) -> dict[str, Any]:
        return {
            "check": self.title,
            "state": self.state.lower(),
            "found": self.found,
            "damage": [vars(damage) for damage in self.damage],
        }


@dataclass(frozen=True)
class Recorded:
    """What git holds of a version at its tag: the tag's message, dvc.lock, params.yaml, and each file's bytes."""

    tag: str
    message: str
    lock: dict[str, Any]
    params: dict[str, Any]
    files: dict[str, bytes]

    def hashes(self, kind: str) -> dict[str, str]:
        """Path -> MD5 of every stage's `outs` or `deps`, as dvc.lock has them."""
        return hashes(self.lock, kind)

    @property
    def raw(self) -> str:
        """The hash of the raw data, as data/raw.dvc has it at the tag; "" for none."""
        pointer = read_leniently(self.files.get(POINTER, b"").decode(errors="replace"))
        return str((pointer.get("outs") or [{}])[0].get("md5", ""))

    def folders(self, lock: Mapping[str, Any]) -> dict[str, str]:
        """Each folder that DVC, not git, keeps of the stages in a dvc.lock -> the object with the list of its files."""
        outs = [out for stage in lock.get("stages", {}).values() for out in stage.get("outs", [])]
        return {
            out["path"]: out["md5"]
            for out in outs
            if out.get("md5", "").endswith(".dir") and committed_hash(self.files, out["path"]) is None
        }


def check_tag(recorded: Recorded) -> Check:
    """The tag's message names the hashes that stand at its commit."""
    text = recorded.files.get(LOCK, b"").decode(errors="replace")
    problems = check_message(recorded.tag, recorded.message, recorded.lock, text)
    damage = [Damage(f"tag {recorded.tag}", problem, _MOVED) for problem in problems]
    return Check("tag", "annotated, and its message names the hashes that stand at its commit", damage)


def check_committed(recorded: Recorded) -> Check:
    """The code, label map, metrics and plots at the tag, and the raw data's pointer, have the hashes of dvc.lock; and a
    stage took what another one made.
    """
    outs, deps = recorded.hashes("outs"), recorded.hashes("deps")
    damage, count = [], 0
    for path in sorted(deps.keys() & outs.keys()):
        if deps[path] != outs[path]:
            why = f"dvc.lock says that a stage made {outs[path]} of it, and another took {deps[path]}"
            damage.append(Damage(path, why, _NO_BUILD))
    for path, md5 in sorted({**deps, **outs}.items()):
        found = recorded.raw if path == RAW else committed_hash(recorded.files, path)
        if found is None and (path.startswith("data/") or path in outs):
            continue  # DVC's, not git's
        count += 1
        if found != md5:
            why = f"at {recorded.tag} it has {found or 'no content'}, and dvc.lock says {md5}"
            damage.append(Damage(path, why, _NO_BUILD))
    return Check("commit", f"code, label map, splits, metrics and plots: {count} paths as dvc.lock has them", damage)


def committed_hash(files: Mapping[str, bytes], path: str) -> str | None:
    """The hash that DVC gives a file or folder of these files; None where there is none."""
    if path in files:
        return _md5(files[path])
    below = {name.removeprefix(f"{path}/"): _md5(data) for name, data in files.items() if name.startswith(f"{path}/")}
    return tree_hash(below) if below else None


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def check_params(recorded: Recorded, params: Mapping[str, Any], remedy: str = _NO_BUILD) -> list[Damage]:
    """params.yaml, at the tag or in the workspace, has the values with which dvc.lock says each stage ran."""
    differences = {}
    for key, was in built_with(recorded.lock).items():
        for place, one, other in differing(was, value_at(params, key), key):
            differences[place] = f"{place} is {other!r}, and {recorded.tag} was built with {one!r}"
    return [Damage(PARAMS, why, remedy) for _, why in sorted(differences.items())]


def check_code(recorded: Recorded) -> Check | None:
    """code.yaml at the tag names the code with which dvc.lock says each stage ran; None in versions without it."""
    if CODE not in recorded.files:
        return None
    named = read_leniently(recorded.files[CODE].decode(errors="replace"))
    ran = built_with(recorded.lock, CODE)
    damage = [
        Damage(CODE, f"{key} is {value_at(named, key)!r}, and {recorded.tag} was built with {digest!r}", _NO_BUILD)
        for key, digest in sorted(ran.items())
        if value_at(named, key) != digest
    ]
    return Check("code", f"code.yaml names the code with which each of {len(ran)} stages ran", damage)


def differing(was: Any, now: Any, key: str) -> Iterator[tuple[str, Any, Any]]:
    """(key, was, now) of each value that differs."""
    if isinstance(was, dict) and isinstance(now, dict):
        for name in sorted({*was, *now}, key=str):
            yield from differing(was.get(name), now.get(name), f"{key}.{name}")
    elif was != now:
        yield key, was, now


def check_bytes(
    expected: Mapping[str, str], seen: Mapping[str, Seen], remedy: Callable[[str], str], where: str = ""
) -> list[Damage]:
    """Each file has the MD5 that was recorded.

    Args:
        expected: file -> MD5.
        seen: file -> what was found; a file that is not in it is missing.
        remedy: file -> what to do.
        where: " in the cache", for messages.
    """
    damage = []
    for file, md5 in expected.items():
        found = seen.get(file, Seen())
        if found.md5 != md5:
            damage.append(Damage(file, _why(found, md5) + where, remedy(file)))
    return damage


def _why(found: Seen, md5: str) -> str:
    if found.problem:
        return f"cannot be read ({found.problem})"
    return "missing" if found.missing else f"not the bytes that were recorded (MD5 {found.md5}, recorded {md5})"


def check_folder(expected: Mapping[str, str], seen: Mapping[str, Seen], prefix: str, remedy: str) -> list[Damage]:
    """A folder holds the files that were recorded, with the MD5s that were recorded, and nothing else."""
    damage = check_bytes(expected, seen, lambda _: remedy)
    damage += [Damage(file, "no file of this version", "remove it") for file in seen if file not in expected]
    return [replace(one, file=prefix + one.file) for one in damage]
