"""Other people's tools, each in an environment of its own, write a drawn set: every shape is read right, or named.

tests/tools/with_NAME.py is run by the tool's own Python; tests/tools/drawn_set.py is what it is given.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from shardsmith.dataset.errors import ShardsmithError
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import Manifest
from shardsmith.pipeline.ingest import read_raw, take_in
from shardsmith.pipeline.params import IngestParams

pytestmark = pytest.mark.long
TOOLS = Path(__file__).parent / "tools"
REQUIREMENTS = {
    "darwin": ["darwin-py==3.6.3"],
    "datumaro": ["datumaro==1.13.12"],
    "fiftyone": ["fiftyone==1.22.1"],
    "globox": ["globox==2.9.0", "numpy", "pillow"],
    "label_studio": ["label-studio-sdk==2.1.2"],
    "labelformat": ["labelformat==0.1.17"],
    "labelimg": ["labelImg==1.8.6", "lxml", "numpy", "pillow"],
    "labelme": ["labelme==6.3.1"],
    "pylabel": ["pylabel==0.1.55", "pandas<3"],
    "sahi": ["sahi==0.12.8"],
    "supervisely": ["supervisely==6.74.51", "lxml"],
    "supervision": ["supervision==0.31.2"],
}
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "shardsmith" / "tools"
_WITHIN_PX = 1.01  # masks and VOC count whole pixels, some from 1
_NAMED = (": it is ", "are masks, and no class list", "[not-carried]")
_OF_SHAPES = ("masks", "words in the column")  # a count of shapes, and not of tags about a file
RENAMED = {"traffic_light": "traffic light"}  # by FiftyOne, whose KITTI has no blanks


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


drawn_set = _load(TOOLS / "drawn_set.py")


def python_of(tool: str) -> Path:
    """The Python of a tool's environment, made by uv the first time and kept by its requirements."""
    wanted = REQUIREMENTS[tool]
    place = CACHE / f"{tool}-{hashlib.sha256(repr([sys.version_info[:2], wanted]).encode()).hexdigest()[:12]}"
    if not (place / "ready").exists():
        uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
        assert uv, "no uv: pip install uv"
        found = os.environ.get("PIP_FIND_LINKS", "")  # where a machine has files of its own: PyTorch without CUDA
        env = {**os.environ, "UV_FIND_LINKS": found.replace(" ", ",")}
        for command in (
            ["venv", "--clear", "--python", sys.executable, str(place)],
            ["pip", "install", "--python", str(place / "bin/python"), *wanted],
        ):
            done = subprocess.run([uv, "--quiet", *command], env=env, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
        (place / "ready").touch()
    return place / "bin/python"


def run(tool: str, images: str, out: str, home: Path) -> dict[str, Any]:
    """What a tool's program says that it wrote."""
    variables = {key: os.environ[key] for key in ("PATH", "LANG", "TMPDIR") if key in os.environ}
    variables |= {
        "HOME": str(home),
        "PYTHONDONTWRITEBYTECODE": "1",
        "MPLBACKEND": "Agg",
        "QT_QPA_PLATFORM": "offscreen",
    }
    command = [str(python_of(tool)), str(TOOLS / f"with_{tool}.py"), images, out]
    done = subprocess.run(command, cwd=home, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@dataclass
class Judged:
    """How many shapes of one export came out right, were named, or neither; wrong: what, for people."""

    right: int = 0
    named: int = 0
    wrong: list[str] = field(default_factory=list)


def judge(folder: Path, work: Path, kinds: list[str]) -> Judged:
    """Read an export of the shapes of some kinds."""
    wanted = list(drawn_set.shapes(kinds))
    try:
        raw, source, _ = read_raw(folder, IngestParams(), work)
        manifest, _, findings = take_in(raw, source, IngestParams(), LabelMap("d"))
    except ShardsmithError as error:
        named = any(words in str(error) for words in _NAMED)
        return Judged(named=len(wanted) * named, wrong=[] if named else [str(error)])
    lost = defaultdict(int)
    for finding in findings:
        if finding.code == "not-carried" and any(words in finding.reason for words in _OF_SHAPES):
            lost[""] += int(str(finding.value).replace(",", "") or 1)
        elif finding.code in ("annotation-unreadable", "shape-not-carried"):
            lost[finding.image_id] += 1
    return compare(manifest, wanted, lost)


def compare(manifest: Manifest, wanted: list[Any], lost: dict[str, int]) -> Judged:
    """Images are told by their sizes, which differ; each row is of one shape at most."""
    sizes = {(row.width, row.height): row.image_id for row in manifest.image_rows()}
    images = {name: sizes.get(size, "") for name, size in drawn_set.SIZES.items()}
    rows = defaultdict(list)
    for row in manifest.annotation_rows():
        rows[row.image_id].append(row)
    done = Judged()
    for shape in wanted:
        image = images[shape.image]
        same = next((row for row in rows[image] if _is_same(row, shape)), None)
        if same is not None:
            rows[image].remove(same)
            done.right += 1
        elif lost[image] or lost[""]:
            lost[image if lost[image] else ""] -= 1
            done.named += 1
        else:
            done.wrong.append(f"missing: {shape.image} {shape.kind} {shape.label} {shape.points}")
    for row in [row for of_image in rows.values() for row in of_image]:
        done.wrong.append(f"made up: {row.image_id} {row.label} {row.xmin} {row.ymin} {row.xmax} {row.ymax}")
    return done


def _is_same(row: Any, shape: Any) -> bool:
    if RENAMED.get(row.label, row.label) != shape.label or (row.xmin is None) != (shape.kind == "label"):
        return False
    if row.xmin is None:
        return True
    corners = (row.xmin, row.ymin, row.xmax, row.ymax)
    return all(abs(at - wanted) <= _WITHIN_PX for at, wanted in zip(corners, shape.box, strict=True))


@pytest.mark.parametrize("tool", REQUIREMENTS)
def test_every_shape_is_right_or_named(
    tool: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    monkeypatch.setenv("SHARDSMITH_WORKERS", "1")
    drawn_set.draw(tmp_path / "images")
    report = run(tool, "images", "out", tmp_path)
    assert report["failed"] == []
    judged = {
        f"{form}/{kinds}": judge(tmp_path / "out" / form / kinds, tmp_path / "work", kinds.split("+"))
        for form, folders in report["written"].items()
        for kinds in folders
    }
    record_property("tool", {
        "tool": tool, "version": report["version"], "formats": len(report["written"]),
        **{what: sum(getattr(one, what) for one in judged.values()) for what in ("right", "named")},
        "wrong": sum(len(one.wrong) for one in judged.values()),
    })  # fmt: skip
    assert {name: one.wrong for name, one in judged.items() if one.wrong} == {}
