"""Shardsmith: labelled images in; named, reproducible dataset versions out.

    import shardsmith

    shardsmith.convert("my_voc", "tfrecord", "records")
    version = shardsmith.open("raccoon@v1")
    print(version.images.head(), version.label_map)
    train = version.tf_dataset("train")

Each function is imported when it is first used: `import shardsmith` alone loads nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shardsmith.conversion.check import check_source as check
    from shardsmith.conversion.convert import convert
    from shardsmith.dataset.errors import ShardsmithError
    from shardsmith.download.pull import pull_version as pull
    from shardsmith.download.reader import OpenVersion
    from shardsmith.download.reader import open_version as open
    from shardsmith.flow.build import build_version as build
    from shardsmith.formats.format import Format
    from shardsmith.proof.proof import verify

_FACE = {
    "Format": ("shardsmith.formats.format", "Format"),
    "OpenVersion": ("shardsmith.download.reader", "OpenVersion"),
    "ShardsmithError": ("shardsmith.dataset.errors", "ShardsmithError"),
    "build": ("shardsmith.flow.build", "build_version"),
    "check": ("shardsmith.conversion.check", "check_source"),
    "convert": ("shardsmith.conversion.convert", "convert"),
    "open": ("shardsmith.download.reader", "open_version"),
    "pull": ("shardsmith.download.pull", "pull_version"),
    "verify": ("shardsmith.proof.proof", "verify"),
}
__all__ = [
    "Format", "OpenVersion", "ShardsmithError", "__version__", "build", "check", "convert", "open", "pull", "verify",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("shardsmith")
    if name not in _FACE:
        raise AttributeError(f"module 'shardsmith' has no attribute {name!r}; it has {', '.join(__all__)}")
    module, attribute = _FACE[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return __all__
