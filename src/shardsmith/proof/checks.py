"""What `shardsmith verify` compares: pure functions from what was recorded and what was found to what is wrong."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from shardsmith.proof.contents import ShardContents
from shardsmith.store.objects import Seen
from shardsmith.store.pulled import tree_hash
from shardsmith.versions.lineage import parse_message
from shardsmith.workspace.lock_file import built_with, content, lock_hash, raw_hash, read_leniently, value_at
from shardsmith.workspace.paths import CODE, LOCK, METRICS, PARAMS, RAW

_SHARD = re.compile(r".*-(?P<split>train|valid|test)\.tfrecord-\d{5}-of-\d{5}")
_NO_BUILD = "no build records that; build it again under another name, and trust this one no more"
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
        stages = self.lock.get("stages", {}).values()
        return {entry["path"]: entry.get("md5", "") for stage in stages for entry in stage.get(kind, [])}


def check_tag(recorded: Recorded) -> Check:
    """The tag's message names the hashes that stand at its commit."""
    said = parse_message(recorded.message)
    stands = content(recorded.lock)
    later = {RAW: raw_hash(recorded.lock), LOCK: lock_hash(recorded.files.get(LOCK, b"").decode())}
    stands |= {key: value for key, value in later.items() if key in said}  # a tag of the first builds has it not
    damage = [
        Damage(
            f"tag {recorded.tag}", f"its message says {path} is {said.get(path)}, its commit {md5 or None}", _NO_BUILD
        )
        for path, md5 in stands.items()
        if not md5 or said.get(path) != md5
    ]
    return Check("tag", f"annotated, and its message names the hashes of {', '.join(stands)}", damage)


def check_committed(recorded: Recorded, raw: str) -> Check:
    """The code, label map, metrics and plots at the tag, and the raw data's pointer, have the hashes of dvc.lock."""
    outs, deps = recorded.hashes("outs"), recorded.hashes("deps")
    damage, count = [], 0
    for path, md5 in sorted({**deps, **outs}.items()):
        found = raw if path == RAW else committed_hash(recorded.files, path)
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


def is_shard(file: str) -> bool:
    return _SHARD.fullmatch(file) is not None


def check_records(
    contents: Mapping[str, ShardContents],
    shard_lengths: Mapping[str, int],
    counts: Mapping[str, Any],
    prefix: str,
    remedy: str,
) -> list[Damage]:
    """Each record reads, agrees with the label map, and there are as many as were counted.

    Args:
        contents: file -> what was read.
        shard_lengths: file -> how many records TFDS's metadata says it has.
        counts: metrics.json; of a pulled folder, as much of it as VERSION.json has.
        prefix: of the files, for messages.
    """
    damage = [
        Damage(prefix + file, problem, remedy) for file, of_file in contents.items() for problem in of_file.problems
    ]
    for file, length in shard_lengths.items():
        if file in contents and contents[file].records != length:
            why = f"{contents[file].records} records, and dataset_info.json says {length}"
            damage.append(Damage(prefix + file, why, remedy))
    whole = all(file in contents for file in shard_lengths)
    for key, counted, read in compare_counts(contents, counts) if whole and not damage else ():
        damage.append(Damage(METRICS, f"{key}: {counted} counted, {read} in the records", remedy))
    return damage


def compare_counts(contents: Mapping[str, ShardContents], counts: Mapping[str, Any]) -> Iterator[tuple[str, int, int]]:
    """(what, counted, read) for each count that is not that of the records; what was not counted is not compared."""
    images: Counter[str] = Counter()
    boxes: Counter[tuple[str, str]] = Counter()  # class, split
    for file, of_file in contents.items():
        match = _SHARD.fullmatch(file)
        split = match["split"] if match else ""
        images[split] += of_file.records
        for name, number in of_file.boxes.items():
            boxes[name, split] += number
    read = {"images": images.total(), "boxes": boxes.total()}
    counted = {key: counts[key] for key in read if key in counts}
    for split, of_split in counts.get("splits", {}).items():
        in_split = {"images": images[split], "boxes": sum(boxes[cell] for cell in boxes if cell[1] == split)}
        read |= {f"{key} of {split}": value for key, value in in_split.items()}
        counted |= {f"{key} of {split}": of_split[key] for key in in_split}
    if "classes" in counts:
        cells = {(name, split): number for name, per in counts["classes"].items() for split, number in per.items()}
        for cell in sorted({*cells, *boxes}):
            key = f"boxes of {cell[0]!r} in {cell[1]}"
            counted[key], read[key] = cells.get(cell, 0), boxes[cell]
    for key, number in counted.items():
        if number != read[key]:
            yield key, number, read[key]


def shard_lengths(info: Mapping[str, Any], folder: str) -> dict[str, int]:
    """File -> how many records it has, from TFDS's dataset_info.json in `folder` ("tfrecord/")."""
    lengths = {}
    for split in info["splits"]:
        of_split = [int(length) for length in split["shardLengths"]]
        for number, length in enumerate(of_split):
            lengths[f"{folder}{info['name']}-{split['name']}.tfrecord-{number:05d}-of-{len(of_split):05d}"] = length
    return lengths
