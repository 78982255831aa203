"""Images that data/raw has already, byte for byte, under whatever name."""

from __future__ import annotations

import hashlib
from pathlib import Path

from shardsmith.dataset.manifest import Manifest


def known_images(manifest: Manifest, raw: Path) -> set[str]:
    """The image_ids of the manifest whose bytes a file of data/raw has; only files of the same size are read."""
    rows = [(row["image_id"], row["sha256"], Path(row["path"]).stat().st_size) for row in _columns(manifest)]
    sizes = {size for _, _, size in rows}
    there = {
        hashlib.sha256(path.read_bytes()).hexdigest()
        for path in raw.rglob("*")
        if path.is_file() and path.stat().st_size in sizes
    }
    return {image_id for image_id, sha256, _ in rows if sha256 in there}


def _columns(manifest: Manifest) -> list[dict[str, str]]:
    return manifest.images.select(["image_id", "sha256", "path"]).to_pylist()
