"""Bytes that are read to their end and hashed: files, and streams of a store; several at once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from shardsmith.dataset.workers import progress, worker_count

BLOCK = 4 << 20
Result = TypeVar("Result")


@dataclass(frozen=True)
class Seen:
    """What was found where an object or a file should be: its MD5 and size, or why there is none."""

    md5: str = ""
    size: int = 0
    problem: str = ""

    @property
    def missing(self) -> bool:
        return not self.md5 and not self.problem


def hash_folder(folder: Path, label: str) -> dict[str, Seen]:
    """Path below the folder -> what its file holds."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    seen = run_parallel(hash_file, paths, worker_count(), label, "file")
    return {path.relative_to(folder).as_posix(): found for path, found in zip(paths, seen, strict=True)}


def hash_file(path: Path) -> Seen:
    try:
        with path.open("rb") as stream:
            return hash_stream(stream)
    except OSError as error:
        return Seen(problem=explain(error))


def hash_stream(source: BinaryIO, target: BinaryIO | None = None) -> Seen:
    """Read to the end; memory does not grow with the file."""
    digest, size = hashlib.md5(usedforsecurity=False), 0
    while block := source.read(BLOCK):
        digest.update(block)
        size += len(block)
        if target:
            target.write(block)
    return Seen(digest.hexdigest(), size)


def run_parallel(work: Callable[[Any], Result], items: list[Any], jobs: int, label: str, unit: str) -> list[Result]:
    """work(item) for each item in threads, in order: hashing and waiting let other threads run.

    What one raises is raised here at once, and what has not begun is not begun.
    """
    pool = ThreadPoolExecutor(max(1, min(jobs, len(items))))
    try:
        with progress(len(items), label, unit) as bar:
            results = []
            for result in pool.map(work, items):
                results.append(result)
                bar.update()
            return results
    finally:
        pool.shutdown(wait=True, cancel_futures=True)  # after Ctrl-C what waits is not begun


def explain(error: BaseException) -> str:
    """What an error says, in one line; its name where it says nothing."""
    return " ".join(str(error).split())[:200] or type(error).__name__
