"""show --code: every text that it prints is run as it is printed, where none of our packages can be imported."""

from __future__ import annotations

import functools
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import image_bytes
from docs_commands import commands_in
from moto.server import ThreadedMotoServer
from workspaces import ROOT, XML, Place, make_workspace

from shardsmith.cli.main import make_parser
from shardsmith.snippets.code import VersionShape, code_for, contents, without_secrets
from shardsmith.workspace.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("code")]

TF_KINDS = ("tfds", "tf.data", "keras")
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
    place.dvc("remote", "add", "-q", "-d", "store", str(folder / "store"))
    params = place.read("params.yaml")
    place.write("params.yaml", params.replace("formats: [tfrecord]", "formats: [tfrecord, ultralytics]"))
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
    place.write("params.yaml", params.replace("formats: [tfrecord]", "formats: [tfrecord, class_folders]"))
    build(place, "labels")
    rows = [f"{name}/{number}.jpg,{number % 2},{number % 3 % 2},1\n" for number in range(12)
            for name in [("cat", "dog", "emu")[number % 3]]]  # fmt: skip
    place.write("data/raw/_classes.csv", "".join(["filename,cat,dog,emu\n", *rows]))
    place.write("params.yaml", params)
    build(place, "several")
    return place


def build(place: Place, name: str) -> None:
    place.commit(f"for {name}")
    place.quick_build(name)


@pytest.fixture
def place(shared: Place, tmp_path: Path) -> Place:
    """A copy of `shared`, with its remotes, to be changed."""
    shutil.copytree(shared.root.parent, tmp_path / "all", symlinks=True)
    copy = Place(tmp_path / "all/work", shared.env | {"HOME": str(tmp_path / "all/home")})
    copy.git("remote", "set-url", "origin", str(tmp_path / "all/origin"))
    copy.dvc("remote", "modify", "-q", "--local", "store", "url", str(tmp_path / "all/store"))
    return copy


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
    env = {**env, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    command = [python, str(folder / "runner.py"), str(folder / "jobs.json"), str(folder / "results.json")]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr
    results = json.loads((folder / "results.json").read_text())
    assert not ok or not [result["error"] for result in results.values() if "error" in result]
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
        for kind in TF_KINDS
        for way in WAYS
    }
    return run(folder, jobs, shared.env)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", TF_KINDS)
@pytest.mark.parametrize("version", VERSIONS)
def test_tensorflow_loads_it(shared: Place, results: dict, version: str, kind: str, way: str) -> None:
    result = results[f"{version} {kind} {way}"]
    check_value(shared, version, kind, result["value"])
    assert result["times"][0] == result["times"][-1]  # nothing is downloaded twice
    assert re.fullmatch(SAID[version, kind], result["said"])


def test_the_command_prints_nothing_else(shared: Place) -> None:
    printed = shared.shardsmith("show", "boxes", "--code", "tf.data")
    assert printed.stdout == code(shared, "boxes", "tf.data", "git")
    assert printed.stderr == ""
    assert (
        json.loads(shared.shardsmith("show", "boxes", "--code", "tf.data", "--json").stdout)["code"] == printed.stdout
    )


# --- damage


def hold(place: Place, way: str, name: str) -> Path:
    """The file that code of a way reads an object from: DVC's cache where there is no origin."""
    place.git("remote", "remove", "origin")
    objects = place.root / ".dvc/cache/files/md5" if way == "git" else place.root.parent / "store/files/md5"
    path = objects / name[:2] / name[2:]
    path.chmod(0o644)
    return path


@pytest.mark.parametrize("way", WAYS)
def test_a_damaged_file_is_named(place: Place, tmp_path: Path, way: str) -> None:
    manifest = json.loads((place.root.parent / "store/versions/sample@boxes.json").read_text())
    shard = "tfrecord/sample-train.tfrecord-00000-of-00001"
    path = hold(place, way, manifest["files"][shard]["md5"])
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    error = failure(place, tmp_path, way)
    assert f"OSError: not as they were recorded, run it again: ['{shard}']" in error


@pytest.mark.parametrize("way", WAYS)
def test_a_damaged_list_of_files_is_found(place: Place, tmp_path: Path, way: str) -> None:
    """A shard whose name was damaged would be missed by the code that looks for shards, without a word."""
    path = place.root.parent / "store/versions/sample@boxes.json"
    if way == "git":
        path = hold(place, way, json.loads(path.read_text())["hashes"]["data/export"])
    text = code(place, "boxes", "tf.data", way)
    path.write_text(path.read_text().replace("sample-train.", "sample-trbin."))
    error = failure(place, tmp_path, way, text)
    assert "OSError: the list of files is not the one that was recorded" in error


def failure(place: Place, tmp_path: Path, way: str, text: str = "") -> str:
    text = text or code(place, "boxes", "tf.data", way)
    return run(tmp_path / "run", {"it": job(tmp_path / "run", text, "boxes", "tf.data")}, place.env, ok=False)["it"][
        "error"
    ]


# --- addresses


@pytest.fixture
def s3(place: Place) -> Iterator[Place]:
    """The copy, with its data in an S3 bucket, as its repository and origin say; the keys are in config.local."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    keys = {"AWS_ACCESS_KEY_ID": "akey", "AWS_SECRET_ACCESS_KEY": "a-secret", "AWS_DEFAULT_REGION": "us-east-1"}
    client = boto3.client(
        "s3", endpoint_url=address, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    client.create_bucket(Bucket="bucket")
    store = place.root.parent / "store"
    for path in store.rglob("*"):
        if path.is_file():
            client.upload_file(str(path), "bucket", f"path/{path.relative_to(store)}")
    place.write(
        ".dvc/config",
        f"[core]\n    remote = far\n['remote \"far\"']\n    url = s3://bucket/path\n    endpointurl = {address}\n",
    )
    place.write(".dvc/config.local", "['remote \"far\"']\n    access_key_id = akey\n    secret_access_key = a-secret\n")
    place.commit("to S3")
    place.git("-c", "user.name=A", "-c", "user.email=a@b", "tag", "-f", "-am", "moved", "sample@several")
    place.git("push", "-q", "-f", "origin", "HEAD", "sample@several")
    yield Place(place.root, place.env | keys)
    server.stop()


def test_from_s3(s3: Place, tmp_path: Path) -> None:
    texts = {way: code(s3, "several", "tf.data", way) for way in WAYS}
    shutil.rmtree(s3.root / ".dvc/cache")
    assert 's3://bucket/path", endpoint_url="http://127.0.0.1:' in texts["remote"]
    assert texts["remote"].startswith("# pip install fsspec s3fs tensorflow\n")
    assert texts["git"].startswith('# pip install "dvc[s3]" tensorflow\n')
    assert not re.search("akey|a-secret", "".join(texts.values()))
    jobs = {way: job(tmp_path / way, texts[way], "several", "tf.data", 2) for way in WAYS}
    for result in run(tmp_path / "run", jobs, s3.env).values():
        check_value(s3, "several", "tf.data", result["value"])


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("/a folder/x.git", "/a folder/x.git"),
        ("git@example.org:team/x.git", "git@example.org:team/x.git"),
        ("ssh://git@example.org:22/x.git", "ssh://git@example.org:22/x.git"),
        ("ssh://git:pass@example.org/x.git", "ssh://git@example.org/x.git"),
        ("https://user:pass@example.org:8/x.git", "https://example.org:8/x.git"),
        ("https://token@example.org/@team/x.git", "https://example.org/@team/x.git"),
        ("https://example.org/x?sig=abc#d", "https://example.org/x"),
        ("https://example.org?sig=abc", "https://example.org"),
        ("s3://bucket/a path?#", "s3://bucket/a path?#"),
        ("s3://key:secret@bucket/path", "s3://bucket/path"),
    ],
)
def test_addresses_without_secrets(address: str, shown: str) -> None:
    assert without_secrets(address) == shown


def test_no_secret_of_git_or_dvc_is_printed(place: Place) -> None:
    place.git("remote", "set-url", "origin", "https://me:hush1@example.org/x.git?token=hush2")
    for key, value in {"url": "https://me:hush3@example.org/store", "user": "me", "password": "hush4"}.items():
        place.dvc("remote", "modify", "-q", "--local", "store", key, value)
    texts = [code(place, "boxes", kind, way) for kind in ("keras", "yolo") for way in WAYS]
    assert "hush" not in "".join(texts)
    assert 'DVCFileSystem("https://example.org/x.git", rev="sample@boxes")  # the credentials are left out' in texts[0]
    assert 'url_to_fs("https://example.org/store")  # the credentials are left out' in texts[1]


@pytest.mark.parametrize("without", ["origin", "remote"])
def test_without_origin_or_remote_it_is_the_workspace(place: Place, without: str) -> None:
    if without == "origin":
        place.git("remote", "remove", "origin")
    else:
        place.dvc("remote", "remove", "-q", "store")
    assert f'DVCFileSystem("{place.root}", rev=' in code(place, "boxes", "tfds", "git")


# --- what cannot be had


def test_errors_say_the_remedy(place: Place) -> None:
    def refused(*arguments: str) -> str:
        done = place.shardsmith("show", *arguments, ok=False)
        assert (done.returncode, done.stdout) == (1, "")
        return done.stderr

    missing = refused("several", "--code", "yolo")
    assert "sample@several: is not stored as class_folders" in missing
    assert "`shardsmith pull several --format class_folders --out DIR`, then YOLO(" in missing
    assert "no such version" in refused("nine", "--code", "yolo")
    alone = place.shardsmith("show", "boxes", "--remote", ok=False)
    assert (alone.returncode, alone.stderr) == (2, "error: show: --remote goes with --code\n")
    place.dvc("remote", "modify", "-q", "--local", "store", "url", "azure://container/path")
    assert "is at azure://, which cannot be read alone; leave it out" in refused("boxes", "--code", "tfds", "--remote")
    place.dvc("remote", "remove", "-q", "store")
    assert "there is no DVC remote; leave it out" in refused("boxes", "--code", "tfds", "--remote")


def tables(images: list[tuple], annotations: list[tuple]) -> tuple[bytes, bytes]:
    """(split, width, height) of images, (image_id, xmin) of annotations, as the two tables."""
    files = []
    for names, rows in ((("split", "width", "height"), images), (("image_id", "xmin"), annotations)):
        stream = io.BytesIO()
        pq.write_table(pa.table({name: [row[n] for row in rows] for n, name in enumerate(names)}), stream)
        files.append(stream.getvalue())
    return files[0], files[1]


@pytest.mark.parametrize(
    ("images", "annotations", "expected"),
    [
        ([("train", 4, 3)], [("a", 1.0)], VersionShape("none", "train", (3, 4))),
        ([("train", 4, 3)], [], VersionShape("none", "train", (3, 4))),  # nothing but negatives
        ([("valid", 4, 3), ("test", 3, 4)], [("a", 1.0), ("a", None)], VersionShape("none", "valid", None)),
        ([("test", 4, 3), ("test", 4, 3)], [("a", None), ("b", None)], VersionShape("one", "test", (3, 4))),
        ([("train", 4, 3), ("test", 4, 3)], [("a", None)], VersionShape("many", "train", (3, 4))),
        ([(None, 4, 3)], [("a", None), ("a", None)], VersionShape("many", "train", (3, 4))),
    ],
)
def test_what_a_version_holds(images: list, annotations: list, expected: VersionShape) -> None:
    assert contents(*tables(images, annotations)) == expected


# --- PyTorch and Ultralytics, which are in environments of their own

# reads data.yaml, or class folders, where Ultralytics would: beside the file, and the splits as folders
STAND_IN = """
import pathlib, re
class YOLO:
    def __init__(self, weights):
        self.weights = weights
    def train(self, data, epochs, imgsz=640):
        data = pathlib.Path(data)
        assert data.is_absolute()
        text = data.read_text() if data.is_file() else "train: train\\nval: valid\\n"
        root = data.parent if data.is_file() else data
        self.results_dict = {split: len(list((root / place).rglob("*.jpg")))
                             for split, place in re.findall(r"^(train|val): (.*)$", text, re.MULTILINE)}
        return self
"""


@pytest.mark.parametrize("version", ["boxes", "labels"])
def test_ultralytics_finds_the_images(shared: Place, tmp_path: Path, version: str) -> None:
    """Its own reading is in test_ultralytics_trains, which is long; here stands another in its place."""
    (tmp_path / "ultralytics.py").write_text(STAND_IN)
    jobs = {way: job(tmp_path / way, code(shared, version, "yolo", way), version, "yolo", 2) for way in WAYS}
    for result in run(tmp_path / "run", jobs, shared.env | {"PYTHONPATH": str(tmp_path)}).values():
        metrics = json.loads(shared.git("show", f"sample@{version}:data/metrics.json"))["splits"]
        assert result["said"] == str({"train": metrics["train"]["images"], "val": metrics["valid"]["images"]})
        assert result["times"][0] == result["times"][1]


def environment(folder: Path, text: str) -> Path:
    """The Python of a fresh environment with what a text's first line asks for."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    (folder / "constraints.txt").write_text("\n".join(CONSTRAINTS.split()))
    pip = [str(folder / "bin/pip"), "--disable-pip-version-check", "-q"]
    probe = subprocess.run([*pip, "download", "--no-deps", "-d", str(folder / "probe"), "tfrecord"], check=False)
    if probe.returncode:
        pytest.skip("the package registry cannot be reached")
    wanted = shlex.split(text.partition("\n")[0].removeprefix("# pip install "))
    subprocess.run([*pip, "install", "-c", str(folder / "constraints.txt"), *wanted], check=True)
    return folder / "bin/python"


@pytest.mark.long
@pytest.mark.parametrize("way", WAYS)
def test_torch_loads_it(shared: Place, tmp_path: Path, way: str) -> None:
    texts = {version: code(shared, version, "torch", way) for version in VERSIONS}
    python = environment(tmp_path / "venv", texts["boxes"])
    jobs = {version: job(tmp_path / version, text, version, "torch", 2) for version, text in texts.items()}
    for version, result in run(tmp_path / "run", jobs, shared.env, str(python)).items():
        check_value(shared, version, "torch", result["value"])
        assert re.fullmatch(SAID[version, "torch"], result["said"])
        assert result["times"][0] == result["times"][1]


# PyPI's torchvision cannot load its compiled part beside a torch without CUDA; Ultralytics needs this of it
NMS = """
import torch
library = torch.library.Library("torchvision", "DEF")
for name in ("nms", "qnms"):
    library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
def nms(boxes, scores, iou_threshold):
    order, kept = scores.argsort(descending=True), []
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    while len(order):
        best, order = order[0], order[1:]
        kept.append(best)
        low, high = torch.maximum(boxes[best, :2], boxes[order, :2]), torch.minimum(boxes[best, 2:], boxes[order, 2:])
        shared = (high - low).clamp(0).prod(1)
        order = order[shared / (area[best] + area[order] - shared) <= iou_threshold]
    return torch.stack(kept) if kept else torch.zeros(0, dtype=torch.int64)
library.impl("nms", nms, "CPU")
import torchvision
torchvision.extension._has_ops = lambda: True
"""


@pytest.mark.long
def test_ultralytics_trains(shared: Place, tmp_path: Path) -> None:
    """From weights of our own under the name that the text has: those it would download are not trained either."""
    versions = {"boxes": "yolo11n", "labels": "yolo11n-cls"}
    texts = {version: code(shared, version, "yolo", "git") for version in versions}
    python = environment(tmp_path / "venv", texts["boxes"])
    env = shared.env | {"YOLO_CONFIG_DIR": str(tmp_path / "settings"), "YOLO_OFFLINE": "true"}
    if subprocess.run([str(python), "-c", "import torchvision"], capture_output=True, check=False).returncode:
        (tmp_path / "nms").mkdir()
        (tmp_path / "nms/sitecustomize.py").write_text(NMS)
        env["PYTHONPATH"] = str(tmp_path / "nms")
    for version, model in versions.items():
        (tmp_path / version).mkdir()
        make = f"from ultralytics import YOLO; YOLO('{model}.yaml').save('{model}.pt')"
        subprocess.run([str(python), "-c", make], cwd=tmp_path / version, env=env, check=True, capture_output=True)
    jobs = {version: job(tmp_path / version, text, version, "yolo") for version, text in texts.items()}
    results = run(tmp_path / "run", jobs, env, str(python))
    assert results["boxes"]["said"].startswith("{'metrics/precision(B)': ")
    assert results["labels"]["said"].startswith("{'metrics/accuracy_top1': ")


# --- docs/train.md and examples/train.py


def test_the_commands_of_the_docs_are_those_of_the_cli() -> None:
    commands = commands_in("docs/train.md")
    assert len(commands) > 4
    for command in commands:
        make_parser().parse_args(shlex.split(command.partition(">")[0])[1:])


def train(place: Place, folder: Path, *arguments: str, ok: bool = True) -> subprocess.CompletedProcess[str]:
    folder.mkdir(exist_ok=True)
    return Place(folder, place.env).run(sys.executable, str(ROOT / "examples/train.py"), *arguments, ok=ok)


@pytest.mark.parametrize(
    ("version", "source", "shape"),
    [("boxes", "--repo", (8, 8, 8)), pytest.param("several", "--remote", (4,), marks=pytest.mark.long)],
)
def test_a_model_says_what_it_was_trained_on(
    shared: Place, tmp_path: Path, version: str, source: str, shape: tuple
) -> None:
    address = str(shared.root.parent / ("store" if source == "--remote" else "work"))
    done = train(shared, tmp_path, f"sample@{version}", source, address, "--epochs", "2", "--out", "models/m.keras")
    losses = re.findall(r"epoch \d: loss ([\d.]+), valid [\d.]+\n", done.stdout)
    assert len(losses) == 2
    assert float(losses[1]) < float(losses[0])
    about = json.loads(train(shared, tmp_path, "--about", "models/m.keras").stdout)
    record = json.loads((tmp_path / f"data/sample@{version}/VERSION.json").read_text())
    labels = {"cat": 1, "dog": 2} | ({"emu": 3} if version == "several" else {})
    expected = {"version": f"sample@{version}", "commit": record["commit"], "data": record["hashes"]["data/export"]}
    assert about == expected | {"labels": labels}
    load = "import keras; print(keras.saving.load_model('models/m.keras').output_shape)"
    loaded = Place(tmp_path, shared.env).run(sys.executable, "-c", load)
    assert loaded.stdout.splitlines()[-1] == str((None, *shape))


def test_train_says_what_is_wrong(shared: Place, tmp_path: Path) -> None:
    (tmp_path / "other.keras").write_text("no archive")
    about = train(shared, tmp_path, "--about", "other.keras", ok=False)
    assert "other.keras: does not say what it was trained on" in about.stderr
    pulled = train(shared, tmp_path, "sample@nine", "--repo", str(shared.root), ok=False)
    assert (pulled.returncode, "no such version" in pulled.stderr) == (1, True)
    assert "Traceback" not in about.stderr + pulled.stderr
