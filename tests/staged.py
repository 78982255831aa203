"""The stages one after the other in one process, as dvc.yaml runs them, and raw data that costs rows on the way."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import CODE, ROOT, image_bytes
from test_formats import OBJECT, XML

from shardsmith.dataset.manifest import Manifest
from shardsmith.workspace.template.pin import pin_code
from shardsmith.workspace.workspace import Workspace

FLOWN = [
    ("ingest", "data/raw data/ingest data/label_map.pbtxt"),
    ("validate", "data/ingest data/decisions.csv data/validate"),
    ("split", "data/validate data/decisions.csv data/splits.csv data/split"),
    ("preprocess", "data/split data/preprocess"),
    ("augment", "data/preprocess data/augment"),
    (
        "export",
        "data/augment data/ingest/source.json data/label_map.pbtxt data/export data/metrics.json data/plots "
        "data/shards.csv",
    ),
]
STAGES = [stage for stage, _ in FLOWN]
Change = Callable[[Manifest], Manifest]


def run_stages(params: str = "", stages: list[str] = STAGES) -> None:
    """Those of the stages that are named, with this params.yaml."""
    Path("params.yaml").write_text(params)
    for stage, arguments in FLOWN:
        if stage in stages:
            run_stage(stage, arguments)


def start_stage(folder: Path, stage: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """One program of the workspace as DVC runs it, in `folder` with its params.yaml."""
    pin_code(Workspace(folder))
    return subprocess.run(
        [sys.executable, str(ROOT / "stages" / f"{stage}.py"), *arguments],
        cwd=folder, env={"PATH": "", "PYTHONPATH": CODE, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def run_stage(stage: str, arguments: str) -> None:
    """One program of the workspace, in this process; the arguments are paths."""
    importlib.import_module(f"stages.{stage}").main(*map(Path, arguments.split()))


def enter(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`root` as the current folder, with an empty data/raw."""
    monkeypatch.chdir(root)
    monkeypatch.setenv("SHARDSMITH_WORKERS", "1")
    Path("data/raw").mkdir(parents=True)
    return root


def prepare(root: Path, stages: list[str]) -> Path:
    """A workspace with the data of `draw_raw`, and those stages run."""
    with pytest.MonkeyPatch.context() as patch:
        enter(root, patch)
        draw_raw(Path("data/raw"))
        run_stages(stages=stages)
    return root


def draw_raw(folder: Path) -> None:
    """Twelve images of 64 x 48 with three boxes each, and one of everything that costs a row."""
    boxes = [("cat", 2, 3, 30, 30), ("dog", 20, 10, 62, 46), ("tiny", 40, 2, 46, 8)]
    files: dict[str, str | bytes] = {}
    for number in range(12):
        files[f"{number:02}.jpg"] = image_bytes(64, 48, number)
        files[f"{number:02}.xml"] = XML.format("".join(OBJECT.format(*one) for one in boxes))
    odd = [("cat", -1, 2, 20, 20), ("cat", 30, 30, 10, 10), ("dog", 50, 2, 90, 20), ("dog", 5, 5, 5, 9)]
    twice = [("cat", 1, 2, 20, 20)] * 2
    for name, own in {"odd": odd, "twice": twice, "none": [], "junk": [("junk", 1, 2, 9, 9), ("", 1, 2, 9, 9)]}.items():
        files[f"{name}.jpg"] = image_bytes(64, 48, len(files))
        files[f"{name}.xml"] = XML.format("".join(OBJECT.format(*one) for one in own))
    files |= {"torn.jpg": image_bytes(64, 48, 77)[:700], "torn.xml": XML.format(OBJECT.format("cat", 2, 3, 30, 30))}
    files |= {"same.jpg": files["00.jpg"], "same.xml": files["00.xml"]}
    files |= {"unlabelled.jpg": image_bytes(64, 48, 78), "bad.jpg": image_bytes(64, 48, 79), "bad.xml": "<no"}
    for name, content in files.items():
        text = content.replace("<filename>a.jpg", f"<filename>{Path(name).stem}.jpg") if isinstance(content, str) else 0
        (folder / name).write_bytes(text.encode() if isinstance(text, str) else content)  # type: ignore[arg-type]


def without(what: str, row: int) -> Change:
    def change(manifest: Manifest) -> Manifest:
        table = getattr(manifest, what)
        keep = [number for number in range(table.num_rows) if number != row % table.num_rows]
        return Manifest(**{"images": manifest.images, "annotations": manifest.annotations, what: table.take(keep)})

    return change


def twice(what: str, row: int) -> Change:
    def change(manifest: Manifest) -> Manifest:
        table = getattr(manifest, what)
        rows = sorted([*range(table.num_rows), row % table.num_rows])
        return Manifest(**{"images": manifest.images, "annotations": manifest.annotations, what: table.take(rows)})

    return change
