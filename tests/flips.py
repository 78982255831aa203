"""One flipped bit in each stored file of a version, as a disk that rots leaves it: same size, same time.

    python tests/flips.py WORKSPACE [SHARE]

A flip is found where `shardsmith verify --remote` names damage or stops with an error of ours.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import utime
from pathlib import Path

from shardsmith.dataset.errors import ShardsmithError
from shardsmith.proof.verify import verify_version
from shardsmith.versions.version import choose_version
from shardsmith.workspace.workspace import Workspace

STAGES = ("ingest", "validate", "split", "preprocess", "augment")
# kind -> where its files are, relative to the workspace
KINDS: dict[str, tuple[str, ...]] = {
    "what git tracks, here": ("*.yaml", "*.lock", "stages/*", "flows/*", "data/*.*", "data/plots/*", ".dvc/config"),
    "data/raw": ("data/raw/*",),
    "export": ("data/export/**/*",),
    "page": ("data/report/*",),
    "what stages hand on": tuple(f"data/{stage}/**/*" for stage in STAGES),
    "cache": (".dvc/cache/files/**/*",),
    "run cache": (".dvc/cache/runs/**/*",),
    "remote": ("../store/files/**/*",),
    "release record": ("../store/versions/*",),
    "git's refs": (".git/refs/tags/*", ".git/HEAD"),
}  # fmt: skip

REMOTE = ("remote", "release record")  # what `--remote` reads; it opens DVC's repository, which takes a second


@dataclass(frozen=True)
class Flip:
    """kind: of KINDS. found: what verify said first; "" for nothing."""

    kind: str
    path: Path
    bit: int
    found: str


def stored_files(workspace: Workspace, tag: str) -> list[tuple[str, Path]]:
    """(kind, file) of all that stores the version, in a workspace that has no other."""
    root = workspace.root
    files = [
        (kind, path)
        for kind, patterns in KINDS.items()
        for path in sorted({path for pattern in patterns for path in root.glob(pattern)})
    ]
    listed = [*workspace.git("rev-list", "--objects", "--no-walk", tag).splitlines(), workspace.git("rev-parse", tag)]
    names = sorted({line.split()[0] for line in listed})
    files += [("git's objects", root / ".git/objects" / name[:2] / name[2:]) for name in names]
    return [(kind, path) for kind, path in files if path.is_file() and path.stat().st_size]


@contextmanager
def flipped(path: Path, bit: int) -> Iterator[None]:
    whole, before = path.read_bytes(), path.stat()
    data = bytearray(whole)
    data[bit // 8] ^= 1 << bit % 8
    path.chmod(0o644)
    try:
        path.write_bytes(data)
        utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        yield
    finally:
        path.write_bytes(whole)
        utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        path.chmod(before.st_mode)


def flip_each(workspace: Workspace, files: Sequence[tuple[str, Path]], seed: int = 0) -> list[Flip]:
    chance, flips = random.Random(seed), []
    for kind, path in files:
        bit = chance.randrange(8 * path.stat().st_size)
        with flipped(path, bit):
            flips.append(Flip(kind, path, bit, _verify(workspace, remote=kind in REMOTE)))
    return flips


def _verify(workspace: Workspace, remote: bool) -> str:
    try:
        checks = verify_version(workspace, choose_version(workspace, "v1.0.0"), remote)
    except (ShardsmithError, UnicodeDecodeError) as error:
        return str(error)
    return next((str(damage) for check in checks for damage in check.damage), "")


def table(flips: Sequence[Flip]) -> list[str]:
    done, found = Counter(flip.kind for flip in flips), Counter(flip.kind for flip in flips if flip.found)
    lines = [f"{kind:24} {found[kind]:4} of {count:4} found" for kind, count in done.items()]
    return [*lines, f"{'all':24} {found.total():4} of {done.total():4} found"]


if __name__ == "__main__":
    here = Workspace(Path(sys.argv[1]).resolve())
    every = stored_files(here, "sample@v1.0.0")
    made = flip_each(here, every[:: int(sys.argv[2]) if len(sys.argv) > 2 else 1])
    print("\n".join(table(made)))
    for one in made:
        print(f"{one.kind}: {one.path}, bit {one.bit}: {one.found or 'NOT FOUND'}")
