"""show --code: every text that it prints is run as it is printed, where none of our packages can be imported."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path

import odd_sets
import pytest
from code_jobs import (  # noqa: F401 (fixtures)
    CONSTRAINTS,
    SAID,
    VERSIONS,
    WAYS,
    build,
    check_value,
    code,
    job,
    place,
    results,
    run,
    shared,
)
from docs_commands import commands_in
from workspaces import ROOT, Place, copied

from shardsmith.cli.main import make_parser
from shardsmith.formats.registry import WRITERS
from shardsmith.formats.shared.job import ExportJob

# each builds what test_code has, too
pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.xdist_group("code")]


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


TASKS = (("outlined", "seg"), ("posed", "pose"), ("turned", "obb"))


def with_shapes(place: Place) -> Place:
    """With a version more for each kind of shapes, called as in odd_sets."""
    formats = {"outlined": "ultralytics", "posed": "ultralytics_pose", "turned": "ultralytics_obb"}
    place.dvc("remote", "modify", "-q", "store", "url", str(place.root.parent / "store"))
    params = re.sub(r"formats: \[.*\]", "formats: [FORMAT]", place.read("params.yaml"))
    params = params.replace("strategy: stable", "strategy: source")
    for shapes, form in formats.items():
        shutil.rmtree(place.root / "data/raw")
        manifest = getattr(odd_sets, shapes)(place.root.parent / shapes)
        WRITERS["coco"].write(ExportJob(manifest, odd_sets.LABELS), place.root / "data/raw")
        place.write("params.yaml", params.replace("FORMAT", form))
        build(place, shapes)
    return place


@pytest.mark.long
def test_ultralytics_trains(shared: Place, tmp_path: Path) -> None:
    """From weights of our own under the name that the text has: those it would download are not trained either."""
    place = with_shapes(copied(shared, tmp_path / "all"))
    versions = {"boxes": "yolo11n", "labels": "yolo11n-cls", **{shapes: f"yolo11n-{task}" for shapes, task in TASKS}}
    kinds = {"boxes": "yolo", "labels": "yolo", **{shapes: f"yolo-{task}" for shapes, task in TASKS}}
    texts = {version: code(place, version, kind, "git") for version, kind in kinds.items()}
    python = environment(tmp_path / "venv", texts["boxes"])
    env = shared.env | {"YOLO_CONFIG_DIR": str(tmp_path / "settings"), "YOLO_OFFLINE": "true"}
    if subprocess.run([str(python), "-c", "import torchvision"], capture_output=True, check=False).returncode:
        (tmp_path / "nms").mkdir()
        shutil.copy(ROOT / "tests/readers/torchvision_ops.py", tmp_path / "nms/sitecustomize.py")
        env["PYTHONPATH"] = str(tmp_path / "nms")
    for version, model in versions.items():
        (tmp_path / version).mkdir()
        make = f"from ultralytics import YOLO; YOLO('{model}.yaml').save('{model}.pt')"
        subprocess.run([str(python), "-c", make], cwd=tmp_path / version, env=env, check=True, capture_output=True)
    jobs = {version: job(tmp_path / version, text, version, "yolo") for version, text in texts.items()}
    results = run(tmp_path / "run", jobs, env, str(python))
    assert results["boxes"]["said"].startswith("{'metrics/precision(B)': ")
    assert "'metrics/precision(M)': " in results["outlined"]["said"]
    assert "'metrics/precision(P)': " in results["posed"]["said"]
    assert results["turned"]["said"].startswith("{'metrics/precision(B)': ")
    assert results["labels"]["said"].startswith("{'metrics/accuracy_top1': ")


def test_trackers_know_the_version(shared: Place, tmp_path: Path) -> None:
    python = environment(tmp_path / "venv", "# pip install mlflow-skinny pandas fsspec wandb\n")
    record = json.loads((shared.root.parent / "store/versions/sample@boxes.json").read_text())
    env = shared.env | {
        "MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_TRACKING_URI": (tmp_path / "runs").as_uri(), "WANDB_MODE": "offline",
    }  # fmt: skip
    said = {}
    for kind, way in product(("mlflow", "wandb"), WAYS):
        text = f"{code(shared, 'boxes', kind, way)}\nfrom pathlib import Path; folder = Path('none')\n"
        jobs = {kind: job(tmp_path / f"{kind} {way}", text, "boxes", kind)}
        said[kind, way] = run(tmp_path / "run", jobs, env, str(python))[kind]["said"].split(" ")
    for way in WAYS:
        assert said["mlflow", way][1:] == ["sample@boxes", record["hashes"]["data/export"]]
        assert said["wandb", way][-1] == str(len(record["files"]))


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
