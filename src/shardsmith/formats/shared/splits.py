"""The split that a path or a file's name says."""

from __future__ import annotations

from pathlib import PurePosixPath

_SPLIT_WORDS = {
    "train": "train", "training": "train", "valid": "valid", "validation": "valid", "val": "valid", "dev": "valid",
    "test": "test", "testing": "test",
}  # fmt: skip


def split_in_path(*paths: str) -> str | None:
    """The split that a path's folders say ("valid/cat/1.jpg"), else None; the first path that says one counts."""
    for path in paths:
        for part in reversed(PurePosixPath(path).parts[:-1]):
            split = _SPLIT_WORDS.get(part.lower().rstrip("0123456789"))
            if split:
                return split
    return None


def split_in_name(file: str) -> str | None:
    """The split that a file's own name says ("train_labels.csv", "instances_val2017.json"), else None."""
    words = PurePosixPath(file).stem.lower().replace("-", "_").replace(".", "_").split("_")
    return next((split for word in words if (split := _SPLIT_WORDS.get(word.rstrip("0123456789")))), None)
