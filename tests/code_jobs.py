"""What the tests of test_code share."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from conftest import image_bytes
from workspaces import XML, Place, copied, make_workspace

from shardsmith.snippets.code import code_for
from shardsmith.workspace.workspace import Workspace

TF_KINDS = ("tfds", "tf.data", "keras")


TRAINING_KINDS = ("hf", "webdataset", "grain")
TRAINING = "huggingface, webdataset, array_record"


VERSIONS = ("boxes", "labels", "several")


WAYS = ("git", "remote")


# of torch, where the newest is not what a test should download; other constraints of pip by the variable
CONSTRAINTS = os.environ.get("SHARDSMITH_TEST_CONSTRAINTS", "torch==2.13.0")


# runs each job's text, once or twice as a cell would be, in its own folder; then asks for a value of what it left
RUNNER = """
import contextlib, io, json, os, sys, traceback
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "shardsmith":
            raise ImportError(f"{name}: blocked in this test")
sys.meta_path.insert(0, Blocked())
results = {}
for name, job in json.loads(open(sys.argv[1]).read()).items():
    os.makedirs(job["cwd"], exist_ok=True)
    os.chdir(job["cwd"])
    try:
        times = []
        for turn in range(job["turns"]):
            cell, said = {"__name__": "__main__"}, io.StringIO()
            with contextlib.redirect_stdout(said):
                exec(compile(job["text"], name, "exec"), cell)
            times.append([path.stat().st_mtime_ns for path in sorted(cell["folder"].rglob("*.*"))])
        results[name] = {"said": said.getvalue().splitlines()[-1], "value": eval(job["ask"], cell), "times": times}
    except BaseException:
        results[name] = {"error": traceback.format_exc()}
open(sys.argv[2], "w").write(json.dumps(results))
"""


# expressions over what the code leaves: [label, xmin, ymin, xmax, ymax in pixels] of every box, or labels of images
ASK = {
    ("boxes", "tfds"): """[[int(label), *(float(share) * side for share, side in zip(sides, [w, h, w, h]))]
        for e in dataset for w, h in [(int(e["image"]["width"]), int(e["image"]["height"]))]
        for label, *sides in zip(e["image"]["object"]["class"]["label"],
            *(e["image"]["object"]["bbox"][side] for side in ("xmin", "ymin", "xmax", "ymax")))]""",
    ("boxes", "tf.data"): """[[int(label), *(float(share) * side for share, side in zip(box, [w, h, w, h]))]
        for image, boxes, labels in dataset for h, w in [image.shape[:2]] for box, label in zip(boxes, labels)]""",
    ("boxes", "keras"): """[[int(label), *map(float, box)] for images, targets in dataset
        for boxes, labels in zip(targets["boxes"], targets["labels"]) for box, label in zip(boxes, labels)
        if label != -1]""",
    ("boxes", "torch"): """[[int(label), *box.tolist()] for image, target in (dataset[i] for i in range(len(dataset)))
        for box, label in zip(target["boxes"], target["labels"], strict=True)]""",
    ("boxes", "hf"): """[[label, x, y, x + w, y + h] for objects in dataset["objects"]
        for label, (x, y, w, h) in zip(objects["category"], objects["bbox"])]""",
    ("boxes", "webdataset"): """[[one["label_id"], *one["box"]] for sample in dataset
        for one in sample["json"]["annotations"]]""",
    ("boxes", "grain"): """[[int(label), *map(float, box)] for example in dataset
        for label, box in zip(example["labels"], example["boxes"])]""",
    ("labels", "hf"): "dataset['label'][:]",
    ("labels", "webdataset"): "[sample['cls'] for sample in dataset]",
    ("labels", "grain"): "[int(example['label']) for example in dataset]",
    ("several", "hf"): "[sorted(labels) for labels in dataset['labels']]",
    ("several", "webdataset"): "[[one['label_id'] for one in sample['json']['annotations']] for sample in dataset]",
    ("several", "grain"): "[example['label'].tolist() for example in dataset]",
    ("labels", "tfds"): "[int(label) for _, label in dataset]",
    ("labels", "tf.data"): "[int(label) for _, label in dataset]",
    ("labels", "keras"): "[int(label) for _, labels in dataset for label in labels]",
    ("labels", "torch"): "[int(dataset[i][1]) for i in range(len(dataset))]",
    ("several", "tfds"): "[label.numpy().tolist() for _, label in dataset]",
    ("several", "tf.data"): "[label.numpy().tolist() for _, label in dataset]",
    ("several", "keras"): "[label.numpy().nonzero()[0].tolist() for _, labels in dataset for label in labels]",
    ("several", "torch"): "[dataset[i][1].nonzero().flatten().tolist() for i in range(len(dataset))]",
}


SAID = {
    ("boxes", "tfds"): r"\(\d+, \d+, 3\) \(\d+,\) \['background', 'cat', 'dog'\]",
    ("boxes", "tf.data"): r"\(\d+, \d+, 3\) \((\d+), 4\) \(\1,\)",
    ("boxes", "keras"): r"\(8, 640, 640, 3\) \(8, (\d+), 4\) \(8, \1\)",
    ("boxes", "torch"): r"\d+ torch.Size\(\[3, \d+, \d+\]\) torch.Size\(\[(\d), 4\]\) torch.Size\(\[\1\]\)",
    ("boxes", "hf"): r"\(\d+, \d+\) \d+ \['background', 'cat', 'dog'\]",
    ("boxes", "webdataset"): r".*\.jpg \[.*\]",
    ("boxes", "grain"): r"\(\d+, \d+, 3\) \((\d+), 4\) \(\1,\)",
    ("labels", "hf"): r"\(48, 40\) \d \['background', 'cat', 'dog', 'emu'\]",
    ("labels", "webdataset"): r".*\.jpg \[\d\]",
    ("labels", "grain"): r"\(40, 48, 3\) \d",
    ("several", "hf"): r"\(48, 40\) \[\d.*\] \['background', 'cat', 'dog', 'emu'\]",
    ("several", "webdataset"): r".*\.jpg \[.*\]",
    ("several", "grain"): r"\(40, 48, 3\) \[.*\]",
    ("labels", "tfds"): r"\(40, 48, 3\) \(\) \['background', 'cat', 'dog', 'emu'\]",
    ("labels", "tf.data"): r"\(40, 48, 3\) \(\)",
    ("labels", "keras"): r"\((\d+), 40, 48, 3\) \(\1,\)",
    ("labels", "torch"): r"\d+ torch.Size\(\[3, 40, 48\]\) tensor\(\d\)",
    ("several", "tfds"): r"\(40, 48, 3\) \(\d,\) \['background', 'cat', 'dog', 'emu'\]",
    ("several", "tf.data"): r"\(40, 48, 3\) \(\d,\)",
    ("several", "keras"): r"\((\d+), 40, 48, 3\) \(\1, 4\)",
    ("several", "torch"): r"\d+ torch.Size\(\[3, 40, 48\]\) tensor\(\[0\.(, [01]\.){3}\]\)",
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A workspace with three versions in a bare repository and a DVC remote: of boxes, of one label or several each."""
    folder = tmp_path_factory.mktemp("code") / "all"
    place = make_workspace(folder / "work", folder / "home")
    subprocess.run(["git", "init", "-q", "--bare", str(folder / "origin")], check=True)
    place.git("remote", "add", "origin", str(folder / "origin"))
    place.add_store(folder / "store")
    params = place.read("params.yaml")
    place.write("params.yaml", params.replace("formats: [tfrecord]", f"formats: [tfrecord, ultralytics, {TRAINING}]"))
    place.add_image("wide", "dog", 3)
    (place.root / "data/raw/wide.jpg").write_bytes(image_bytes(64, 30, 99))
    for number in range(4):
        name = f"negative-{number}"
        place.write(f"data/raw/{name}.xml", re.sub("<object>.*</object>", "", XML.format(name=name, label="", at=0)))
        (place.root / f"data/raw/{name}.jpg").write_bytes(image_bytes(48, 40, 100 + number))
    build(place, "boxes")
    shutil.rmtree(place.root / "data/raw")
    for number in range(12):
        path = place.root / "data/raw" / ("cat", "dog", "emu")[number % 3] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image_bytes(48, 40, number))
    place.write("params.yaml", params.replace("formats: [tfrecord]", f"formats: [tfrecord, class_folders, {TRAINING}]"))
    build(place, "labels")
    rows = [f"{name}/{number}.jpg,{number % 2},{number % 3 % 2},1\n" for number in range(12)
            for name in [("cat", "dog", "emu")[number % 3]]]  # fmt: skip
    place.write("data/raw/_classes.csv", "".join(["filename,cat,dog,emu\n", *rows]))
    place.write("params.yaml", params.replace("formats: [tfrecord]", f"formats: [tfrecord, {TRAINING}]"))
    build(place, "several")
    return place


def build(place: Place, name: str) -> None:
    place.commit(f"for {name}")
    place.quick_build(name)


@pytest.fixture
def place(shared: Place, tmp_path: Path) -> Place:
    """A copy of `shared`, with its remotes, to be changed."""
    return copied(shared, tmp_path / "all")


class Remembered(Workspace):
    """Asks DVC for its configuration once."""

    dvc = functools.cache(Workspace.dvc)  # type: ignore[assignment]


def code(place: Place, version: str, kind: str, way: str) -> str:
    return code_for(Remembered(place.root), version, kind, way == "remote")


def job(folder: Path, text: str, version: str, kind: str, turns: int = 1) -> dict[str, Any]:
    return {"cwd": str(folder), "text": text, "ask": ASK.get((version, kind), "None"), "turns": turns}


def run(
    folder: Path, jobs: dict[str, dict], env: dict[str, str], python: str = sys.executable, ok: bool = True
) -> dict[str, dict]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "jobs.json").write_text(json.dumps(jobs))
    (folder / "runner.py").write_text(RUNNER)
    env = {**env, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "HF_HUB_OFFLINE": "1"}
    command = [python, str(folder / "runner.py"), str(folder / "jobs.json"), str(folder / "results.json")]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr
    results = json.loads((folder / "results.json").read_text())
    errors = [result["error"] for result in results.values() if "error" in result]
    assert not (ok and errors), errors[0]
    return results


def truth(place: Place, version: str) -> list:
    """What ASK asks for, of the train split, from the version's own tables and label map."""
    export = place.root.parent / f"export of {version}"
    if not export.exists():
        place.shardsmith("pull", version, "--out", str(export))
    labels = dict(
        re.findall(r'name: "(\w+)"\s+id: (\d+)', (export / "tfrecord/label_map.pbtxt").read_text(encoding="utf-8"))
    )
    images = {row["image_id"]: row for row in pq.read_table(export / "images.parquet").to_pylist()}
    rows = [
        row
        for row in pq.read_table(export / "annotations.parquet").to_pylist()
        if images[row["image_id"]]["split"] == "train"
    ]
    if version == "boxes":
        return sorted(
            [int(labels[r["label"]]), r["xmin"], r["ymin"], r["xmax"], r["ymax"], images[r["image_id"]]["width"]]
            for r in rows
        )
    if version == "labels":
        return sorted(int(labels[row["label"]]) for row in rows)
    train = [image_id for image_id, image in images.items() if image["split"] == "train"]
    return sorted(sorted(int(labels[row["label"]]) for row in rows if row["image_id"] == id_) for id_ in train)


def boxes_in(kind: str, rows: list) -> list:
    """The truth as the code of a kind has it: Keras' images are stretched to 640 x 640."""
    sizes = {48: (48, 40), 64: (64, 30)}
    scaled = [
        (row[0], *(value * 640 / side for value, side in zip(row[1:5], sizes[row[5]] * 2, strict=True))) for row in rows
    ]
    return sorted(scaled) if kind == "keras" else sorted(tuple(row[:5]) for row in rows)


def check_value(place: Place, version: str, kind: str, value: list) -> None:
    expected = truth(place, version)
    if version != "boxes":
        assert sorted(value) == expected
        return
    assert len(value) > 5
    found = sorted(tuple(round(number, 3) for number in row) for row in value)
    wanted = sorted(tuple(round(number, 3) for number in row) for row in boxes_in(kind, expected))
    assert [row for pair in found for row in pair] == pytest.approx([row for pair in wanted for row in pair], abs=0.01)


@pytest.fixture(scope="module")
def results(shared: Place, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    """All that TensorFlow loads, in one process: it takes seconds to import."""
    folder = tmp_path_factory.mktemp("elsewhere")
    jobs = {
        f"{version} {kind} {way}": job(
            folder / version / kind / way, code(shared, version, kind, way), version, kind, 1 + (kind == "tf.data")
        )
        for version in VERSIONS
        for kind, ways in {**dict.fromkeys(TF_KINDS, WAYS), **dict.fromkeys(TRAINING_KINDS, ("git",))}.items()
        for way in ways
    }
    return run(folder, jobs, shared.env)
