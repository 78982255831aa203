"""SHA256SUMS beside the files of a stage: who writes one says its digest there, who reads it compares."""

from __future__ import annotations

import hashlib
from pathlib import Path

from shardsmith.dataset.errors import StageError

SUMS = "SHA256SUMS"


def write_sums(folder: Path, *names: str) -> None:
    """Say the digests of files in SHA256SUMS; those of other files that are still there stay."""
    sums = {name: digest for name, digest in _read_sums(folder).items() if (folder / name).is_file()}
    sums |= {name: _digest(folder / name) for name in names}
    text = "".join(f"{sums[name]}  {name}\n" for name in sorted(sums))
    (folder / SUMS).write_text(text, encoding="utf-8")


def check_sums(folder: Path, *names: str) -> None:
    """Files are as they were written, where SHA256SUMS has them: older versions have none.

    Raises:
        StageError: one is not.
    """
    sums = _read_sums(folder)
    for name in names:
        path = folder / name
        if name in sums and not (path.is_file() and _digest(path) == sums[name]):
            raise StageError(
                f"{path}: {'damaged' if path.is_file() else 'missing'}: not the bytes that its stage wrote, as {SUMS} "
                f"beside it says; run `shardsmith repair`, or make it again: `dvc repro --force`"
            )


def _read_sums(folder: Path) -> dict[str, str]:
    try:
        text = (folder / SUMS).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return {}
    return {name: digest for digest, _, name in (line.partition("  ") for line in text.split("\n")) if name}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
