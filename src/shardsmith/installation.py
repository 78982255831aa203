"""Where this package was installed from, and what to install for a command that needs an extra."""

from __future__ import annotations

import json
import sys
from importlib import metadata
from importlib.util import find_spec
from typing import Any

# module -> the extra in pyproject.toml that brings it
EXTRAS = {
    "anyio": "build",
    "cv2": "build",
    "dvc": "build",
    "fastapi": "app",
    "jinja2": "build",
    "prefect": "build",
    "tensorflow": "build",
    "uvicorn": "app",
    "vl_convert": "build",
    "albumentations": "augment",
    "simsimd": "augment",
    "array_record": "array-record",
    "aiohttp": "s3",
    "s3fs": "s3",
}


class _NoPandas:
    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name, name=name)


def do_without_pandas() -> None:
    """For a process of ours: pyarrow imports pandas (0.4 s, 40 MB) to ask whether a list is a Series, which none is."""
    sys.meta_path.insert(0, _NoPandas())


def need(*modules: str) -> None:
    """Stop before any work where one of the modules is missing.

    Raises:
        ModuleNotFoundError: naming it.
    """
    for module in modules:
        if not find_spec(module):
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)


def remedy(error: ModuleNotFoundError) -> str:
    """What to install where a module of an extra is missing; "" where no extra brings it."""
    module = (error.name or "").partition(".")[0]
    extra = EXTRAS.get(module)
    return f"{module} is not installed; run: pip install '{requirement(extra)}'" if extra else ""


def requirement(extra: str = "") -> str:
    """The package as pip takes it, from where this one was installed: an index, a git address, a folder or a file."""
    source = direct_url()
    name, url = f"shardsmith[{extra}]" if extra else "shardsmith", source.get("url", "")
    if not url:
        return name if extra else f"{name}=={metadata.version('shardsmith')}"
    if commit := source.get("vcs_info", {}).get("commit_id"):
        return f"{name} @ git+{url}@{commit}"
    return f"{name} @ {url}"


def is_editable() -> bool:
    """Whether this package is installed from a folder that can change under it."""
    return bool(direct_url().get("dir_info", {}).get("editable"))


def direct_url() -> dict[str, Any]:
    """Where this package was installed from (PEP 610); {} for a package index."""
    text = metadata.distribution("shardsmith").read_text("direct_url.json")
    return json.loads(text) if text else {}
