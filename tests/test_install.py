"""The wheel in clean environments, away from any clone: the core, its oldest and newest packages, and [build]."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import RACCOON, ROOT
from packaging.requirements import Requirement
from workspaces import Place

from shardsmith import installation
from shardsmith.dataset.errors import run

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
UV = Path(sys.executable).with_name("uv")
# the tests of what the core does; none of them needs an extra
OF_CORE = (
    "test_checks", "test_coco", "test_findings_boxes", "test_findings_images", "test_formats", "test_images",
    "test_ingest", "test_label_map", "test_labelbox", "test_params", "test_retinanet_csv", "test_sample", "test_tools",
    "test_voc", "test_workers", "test_yaml_text", "test_yolo", "test_yolo_written",
)  # fmt: skip
TOOLS = ("pytest==9.1.*", "pytest-xdist", "hypothesis")


def environment(folder: Path) -> dict[str, str]:
    """As a stranger has it: nothing of this clone, no activated environment."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV", "GIT_"))}
    return kept | {"HOME": str(folder), "UV_PYTHON_DOWNLOADS": "never", "UV_CACHE_DIR": _CACHE}


_CACHE = (
    subprocess.run([UV, "cache", "dir"], capture_output=True, text=True, check=False).stdout.strip()
    if UV.exists()
    else ""
)
needs_uv = pytest.mark.skipif(not _CACHE, reason="uv is not in this environment")


def interpreter(version: str) -> str:
    """The path of a Python, pyenv's too, whose `python3.12` on the PATH may be a shim that only complains."""
    for place in (shutil.which(f"python{version}"), *Path.home().glob(f".pyenv/versions/{version}.*/bin/python")):
        if place and subprocess.run([place, "-V"], capture_output=True, check=False).returncode == 0:
            return str(place)
    pytest.skip(f"Python {version} is not on this machine")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def install(folder: Path, wheel: Path, *more: str, extra: str = "", python: str = sys.executable) -> Place:
    """A clean environment in folder/venv with the wheel; commands run in the empty folder/here."""
    uv = [str(UV), "--quiet", "--no-config"]
    own = f"shardsmith{extra} @ {wheel.as_uri()}"
    binary = [] if extra else ["--only-binary", ":all:"]  # nothing of the core needs a compiler
    (folder / "here").mkdir()
    for command in (
        [*uv, "venv", "--python", python, str(folder / "venv")],
        [*uv, "pip", "install", "--python", str(folder / "venv/bin/python"), *binary, *more, own],
    ):
        done = subprocess.run(command, env=environment(folder), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return Place(folder / "here", environment(folder))


@pytest.fixture(scope="session")
def core(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Place:
    return install(tmp_path_factory.mktemp("core"), wheel)


def shardsmith(place: Place, *arguments: str, ok: bool = True) -> subprocess.CompletedProcess[str]:
    return place.run(str(place.root.parent / "venv/bin/shardsmith"), *arguments, ok=ok)


@needs_uv
@pytest.mark.slow
def test_the_core_converts_and_checks(core: Place) -> None:
    raw = RACCOON if RACCOON.is_dir() else pytest.skip("the raccoon set is not there")
    for name in ("JPEGImages", "Annotations"):
        shutil.copytree(raw / name, core.root / "voc" / name)
    for format_name, found in (("tfrecord", "records/dataset_info.json"), ("coco", "coco/annotations/instances.json")):
        shardsmith(core, "convert", "voc", "--to", format_name, "--out", found.split("/")[0])
        assert (core.root / found).is_file()
    assert "200 images and 217 annotations" in shardsmith(core, "check", "voc").stdout
    assert "raccoon" in shardsmith(core, "inspect", "coco").stdout


@needs_uv
@pytest.mark.slow
@pytest.mark.parametrize("command", ["formats", "steps", "findings", "--help"])
def test_the_core_lists_what_there_is(core: Place, command: str) -> None:
    assert len(shardsmith(core, command).stdout.splitlines()) > 10


@needs_uv
@pytest.mark.slow
def test_the_core_pulls_and_verifies(core: Place, built: Place) -> None:
    shardsmith(core, "pull", "sample@one", "--out", "one", "--remote", str(built.root.parent / "store"))
    assert "as recorded" in shardsmith(core, "verify", "one").stdout


@needs_uv
@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "module", "extra"),
    [
        ("init birds", "dvc", "build"),
        ("steps --albumentations", "albumentations", "augment"),
        ("pull sample@one --out x --remote s3://bucket/path", "s3fs", "s3"),
        ("pull sample@one --out x --remote https://example.org/path", "aiohttp", "s3"),
    ],
)
def test_a_command_says_which_extra_it_needs(core: Place, command: str, module: str, extra: str) -> None:
    done = shardsmith(core, *command.split(), ok=False)
    assert done.returncode == 1
    assert f"error: {module} is not installed; run: pip install 'shardsmith[{extra}] @ file:///" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["build", "pin", "upgrade", "serve"])
def test_nothing_is_written_before_the_extra_is_missed(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a digest in code.yaml, or half a requirements.lock, would be worse than none."""
    from shardsmith.flow.build import build
    from shardsmith.flow.serve import serve
    from shardsmith.workspace.template.pin import pin_code
    from shardsmith.workspace.template.upgrade import upgrade

    monkeypatch.setattr(installation, "find_spec", lambda module: None)
    place = SimpleNamespace(root=None, is_own_repository=lambda: False)
    called = {"build": lambda: build(place), "pin": lambda: pin_code(place)}
    called |= {"upgrade": lambda: upgrade(place, print), "serve": lambda: serve(place, None, "UTC", 0)}
    with pytest.raises(ModuleNotFoundError):
        called[command]()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({}, "shardsmith[build]"),
        (
            {"url": "https://example.org/x.git", "vcs_info": {"commit_id": "1a2b"}},
            "shardsmith[build] @ git+https://example.org/x.git@1a2b",
        ),
        ({"url": "file:///x", "dir_info": {}}, "shardsmith[build] @ file:///x"),
    ],
    ids=["index", "git", "folder"],
)
def test_what_to_install_comes_from_where_this_came_from(
    source: dict, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(installation, "direct_url", lambda: source)

    def command() -> None:
        raise ModuleNotFoundError(name="cv2.aruco")

    with pytest.raises(SystemExit, match="1"):
        run(command)
    assert f"pip install '{said}'" in capsys.readouterr().err


def test_every_extra_is_known() -> None:
    assert set(installation.EXTRAS.values()) == PROJECT["optional-dependencies"].keys() - {"all", "dev"}
    heavy = {"albumentations", "dvc", "opencv-python-headless", "prefect", "scipy", "tensorflow", "vl-convert-python"}
    assert heavy.isdisjoint(Requirement(line).name for line in PROJECT["dependencies"])
    assert all(find_spec(module) for module in installation.EXTRAS)


@needs_uv
@pytest.mark.long
@pytest.mark.parametrize(
    ("version", "resolution"), [("3.11", "lowest-direct"), ("3.12", "highest"), ("3.13", "highest")]
)
def test_the_core_with_its_oldest_and_newest_packages(
    tmp_path: Path, wheel: Path, version: str, resolution: str
) -> None:
    """Its unit tests, on each Python; the lower bounds in pyproject.toml are those that pass."""
    tools = [f"{Requirement(tool).name}=={_here(tool)}" for tool in TOOLS]
    bounds = [*PROJECT["dependencies"], "--resolution", resolution]
    place = install(tmp_path, wheel, *tools, *bounds, python=interpreter(version))
    python = str(tmp_path / "venv/bin/python")
    tests = [str(ROOT / "tests" / f"{name}.py") for name in OF_CORE]
    options = (
        "-q",
        "-n",
        "2",
        "-p",
        "no:cacheprovider",
        "-m",
        "not slow and not long",
        "-c",
        str(ROOT / "pyproject.toml"),
    )
    command = [python, "-m", "pytest", *options, *tests]
    done = subprocess.run(command, cwd=ROOT, env=place.env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:]


def _here(tool: str) -> str:
    from importlib.metadata import version

    return version(Requirement(tool).name)


@needs_uv
@pytest.mark.long
def test_a_version_is_built_by_the_wheel(tmp_path: Path, wheel: Path) -> None:
    place = install(tmp_path, wheel, "--constraint", str(ROOT / "requirements.lock"), extra="[build]")
    shardsmith(place, "init", "birds")
    shardsmith(place, "sample", "birds/data/raw")
    birds = Place(place.root / "birds", place.env)
    birds.run(str(tmp_path / "venv/bin/shardsmith"), "build", "--name", "v1")
    assert birds.tags() == ["birds@v1"]
