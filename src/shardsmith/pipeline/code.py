"""The digest of the code that each stage's bytes depend on: what code.yaml records, and dvc.yaml lists as params.

A digest covers the source of the modules in STAGES, names and bytes; the versions of the libraries that make bytes, an
extra's only where the stage's steps use it; and the formats that other packages add. The same code has the same digest
on every machine and Python.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from shardsmith.dataset.errors import StageError
from shardsmith.dataset.yaml import YamlError, load_yaml
from shardsmith.formats.registry import ADDED
from shardsmith.installation import is_editable
from shardsmith.pipeline.params import Params, StepsParams

CODE_FILE = "code.yaml"
PACKAGE = Path(__file__).parents[1]
_GROUND = ("dataset", "ledger", "pipeline/stage.py")
_DECISIONS = tuple(f"pipeline/splits/{name}.py" for name in ("decisions", "links", "rows"))
# stage -> the folders and files of this package that its bytes depend on. Not params.py, which only says yes or no to
# what dvc.lock records.
STAGES: dict[str, tuple[str, ...]] = {
    "ingest": (*_GROUND, "formats", "pipeline/ingest.py", "pipeline/intake"),
    "validate": (*_GROUND, "pipeline/validate.py", "pipeline/checks", "transforms/geometry/polygons.py", *_DECISIONS),
    "split": (*_GROUND, "pipeline/splits"),
    "preprocess": (*_GROUND, "transforms", "pipeline/preprocess.py", "pipeline/code.py"),
    "augment": (*_GROUND, "transforms", "pipeline/augment.py", "pipeline/code.py"),
    "export": (
        *(*_GROUND, "formats", "transforms"),
        *("pipeline/export.py", "pipeline/gates.py", "pipeline/description.py", "pipeline/splits/rows.py"),
    ),
    "report": (*_GROUND, "formats", "transforms", "report", "pipeline/report.py", "pipeline/description.py"),
}
_IMAGES = ("numpy", "pillow", "pyarrow", "simplejpeg")
_LIBRARIES: dict[str, tuple[str, ...]] = {
    "ingest": (*_IMAGES, "defusedxml", "panlabel", "protobuf", "pycocotools", "ruamel.yaml"),
    "validate": _IMAGES,
    "split": ("numpy", "pyarrow"),
    "preprocess": (*_IMAGES, "opencv-python-headless", "pycocotools"),
    "augment": (*_IMAGES, "opencv-python-headless", "pycocotools"),
    "export": (*_IMAGES, "google-crc32c", "protobuf", "pycocotools"),
    "report": (*_IMAGES, "jinja2", "vl-convert-python"),
}
# name of a step or of a format that is written -> what it runs through, of an extra
_EXTRAS = {
    "albumentations": ("albucore", "albumentations", "scipy", "simsimd", "stringzilla"),
    "array_record": ("array-record",),
}
_WITH_FORMATS = ("ingest", "export")


def digests(params: Params) -> dict[str, str]:
    """Stage -> its digest, 32 hex digits."""
    steps: dict[str, StepsParams] = {"preprocess": params.preprocess, "augment": params.augment}
    formats = {"export": params.export.formats}
    return {
        stage: digest(stage, steps[stage].steps if stage in steps else (), formats.get(stage, ())) for stage in STAGES
    }


def digest(stage: str, steps: Sequence[Mapping[str, Any]] = (), formats: Sequence[str] = ()) -> str:
    """One stage's digest.

    Args:
        steps: of preprocess or augment, as params.yaml lists them.
        formats: those that export writes.
    """
    used = [*(key for step in steps for key in step), *formats]
    names = [*_LIBRARIES[stage], *(name for one in used for name in _EXTRAS.get(one, ()))]
    parts: list[object] = [source_digest(stage), {name: _version(name) for name in sorted(set(names))}]
    parts += [_added_formats()] if stage in _WITH_FORMATS else []
    return _hash(json.dumps(parts, sort_keys=True).encode())


@cache
def source_digest(stage: str) -> str:
    """The digest of the stage's modules alone."""
    return _hash("".join(f"{name} {_hash((PACKAGE / name).read_bytes())}\n" for name in modules_of(stage)).encode())


def modules_of(stage: str) -> list[str]:
    """The files that a stage's digest covers, relative to the package."""
    found: set[str] = set()
    for place in STAGES[stage]:
        path = PACKAGE / place
        found |= {one.relative_to(PACKAGE).as_posix() for one in (path.rglob("*") if path.is_dir() else [path])}
    return sorted(name for name in found if name.endswith((".py", ".css", ".jinja", ".js")) and "__init__" not in name)


def changed_stages(recorded: Mapping[str, Any], params: Params) -> list[str]:
    """The stages whose digest in code.yaml is not that of the code that runs."""
    said = recorded.get("stages")
    listed = said if isinstance(said, dict) else {}
    return [stage for stage, here in digests(params).items() if listed.get(stage) != here]


def check_code(root: Path, params: Params) -> None:
    """Stop a stage whose code is not the code that code.yaml names: DVC would store its result under a wrong name.

    Raises:
        StageError: with what to install, or to run.
    """
    path = root / CODE_FILE
    try:
        recorded = load_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StageError(f"{CODE_FILE}: no such file; run `shardsmith pin`, which writes it") from None
    except (UnicodeDecodeError, YamlError) as error:
        raise StageError(f"{CODE_FILE}: cannot be read ({error}); run `shardsmith pin`, which writes it") from None
    recorded = recorded if isinstance(recorded, dict) else {}
    if changed := changed_stages(recorded, params):
        raise StageError(
            f"{CODE_FILE}: {', '.join(changed)}: made with other code (shardsmith {recorded.get('shardsmith')}) than "
            f"runs here ({metadata.version('shardsmith')}), so nothing was rebuilt. {_remedy(root)}; then "
            "`dvc checkout`, which brings back what DVC has just cleared, and try again"
        )


def _remedy(root: Path) -> str:
    upgrade = "`shardsmith upgrade` moves the workspace to the code that is here"
    if is_editable():
        return f"After a change of the code or of a library, run `shardsmith pin`; {upgrade}"
    lines = (
        (root / "requirements.lock").read_text(encoding="utf-8").splitlines()
        if root.joinpath("requirements.lock").is_file()
        else []
    )
    own = next((line for line in lines if line.startswith("shardsmith")), "")
    wanted = f" (`pip install '{own}'` for shardsmith itself)" if own else ""
    return f"Install what requirements.lock lists{wanted}, or {upgrade}"


def _added_formats() -> list[list[str]]:
    return sorted([one.name, entry.dist.name, entry.dist.version] for entry, one in ADDED.items() if entry.dist)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _hash(data: bytes | Iterable[int]) -> str:
    return hashlib.sha256(bytes(data)).hexdigest()[:32]
