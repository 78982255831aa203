"""The environment of `verify NAME --rebuild`: the one that runs, or one made from the tag's requirements.lock."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from shardsmith.dataset.errors import VersionError
from shardsmith.pipeline.code import digests
from shardsmith.pipeline.params import Params
from shardsmith.proof.checks import Recorded, check_code
from shardsmith.proof.environment import environment_of, is_here, made, other_packages, why_not

PINS = f"pytest=={pytest.__version__}\n"


def recorded(**files: str) -> Recorded:
    return Recorded("a@1", "", {}, {}, {name.replace("__", "/"): text.encode() for name, text in files.items()})


def code(**changed: str) -> str:
    stages = digests(Params()) | changed
    return "stages:\n" + "".join(f'  {name}: "{value}"\n' for name, value in stages.items())


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"code.yaml": code(), "requirements.lock": "numpy==0\n"}, True),
        ({"code.yaml": code(split="0"), "requirements.lock": PINS}, False),
        ({"code.yaml": code(), "params.yaml": "no_such_block: {}"}, False),
        ({"code.yaml": code(split="0"), "src/shardsmith/x.py": "", "requirements.lock": PINS}, True),
        ({"code.yaml": code(split="0"), "src/shardsmith/x.py": "", "requirements.lock": "numpy==0"}, False),
        ({"stages/ingest.py": "", "requirements.lock": PINS}, True),
        ({"stages/ingest.py": "", "requirements.lock": "numpy==0\n"}, False),
    ],
    ids=["same code", "other code", "params of another version", "own repository", "other packages", "old", "older"],
)
def test_whether_what_is_installed_gives_the_version(files: dict[str, str], expected: bool) -> None:
    assert is_here(recorded(**files), Path()) is expected


def test_packages_that_differ_are_named() -> None:
    here = {"numpy": "2.4.6", "dvc": "3.0"}
    assert other_packages("dvc==3.67.1\nnumpy==2.4.6\npyarrow==26.0.1\n", here.get) == [
        "dvc 3.67.1 (here: 3.0)",
        "pyarrow 26.0.1 (here: none)",
    ]


def test_the_environment_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "theirs")
    own = environment_of(recorded(**{"code.yaml": code(), "src/shardsmith/x.py": ""}), tmp_path, print)
    assert (own.python, own.variables["PYTHONPATH"]) == (Path(sys.executable), str(tmp_path / "src"))
    assert environment_of(recorded(**{"code.yaml": code()}), tmp_path, print).variables["PYTHONPATH"] == "theirs"


def wheel(folder: Path) -> str:
    """The line of requirements.lock for a package `tiny`."""
    path = folder / "tiny-1.0-py3-none-any.whl"
    with ZipFile(path, "w") as archive:
        archive.writestr("tiny.py", "VALUE = 7\n")
        archive.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        archive.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("tiny-1.0.dist-info/RECORD", "")
    return f"# what it needs\ntiny @ file://{path}\n"


@pytest.mark.slow
@pytest.mark.parametrize("by", ["uv", "pip"])
def test_an_environment_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    if by == "pip":
        monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    elif not shutil.which("uv") and not Path(sys.executable).with_name("uv").exists():
        pytest.skip("uv is not installed")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", "theirs")
    said: list[str] = []
    version = recorded(**{"code.yaml": code(split="0"), "requirements.lock": wheel(tmp_path)})
    for _ in range(2):
        environment = environment_of(version, tmp_path, said.append)
    assert said[0] == "making the environment of a@1: 1 packages"
    assert len(said) == 2
    (place,) = (tmp_path / "cache/shardsmith/environments").iterdir()
    assert environment.python == place / "bin/python"
    ran = [str(environment.python), "-c", "import tiny, shutil; print(tiny.VALUE, shutil.which('python'))"]
    done = subprocess.run(ran, env=environment.variables, capture_output=True, text=True, check=True)
    assert done.stdout == f"7 {place}/bin/python\n"
    environment.python.unlink()  # as when the Python that made it was removed
    assert made("a@1", wheel(tmp_path), print).exists()


@pytest.mark.parametrize("by", ["uv", "pip"])
def test_a_package_that_cannot_be_had_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    if by == "pip":
        monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(VersionError) as error:
        made("a@1", "gone @ file:///nowhere/gone-1.0-py3-none-any.whl\n", print)
    assert str(error.value).startswith(
        "a@1: its environment cannot be made: gone @ file:///nowhere/gone-1.0-py3-none-any.whl: "
    )
    assert "\n" not in str(error.value)
    assert not list((tmp_path / "shardsmith/environments").iterdir())


def test_other_code_without_a_lock() -> None:
    with pytest.raises(VersionError, match=r"a@1: other code made it than runs here, and it has no requirements\.lock"):
        made("a@1", "", print)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("error: No solution\n  cause: Because there is no version of six==9 and you", "six==9: Because there is no"),
        ("ERROR: (from versions: 1)\nERROR: No matching distribution found for six==9", "six==9: No matching"),
        (
            "error: Failed: shardsmith @ git+ssh://x/y@abc\n fatal: not our ref\n and more",
            "shardsmith @ git+ssh://x/y@",
        ),
        ("something else", "something else"),
    ],
)
def test_what_the_installer_says_in_one_line(said: str, expected: str) -> None:
    assert why_not("numpy==1\nsix==9\nshardsmith @ git+ssh://x/y@abc\n", said).startswith(expected)


def test_code_yaml_is_what_the_stages_ran_with() -> None:
    stages = {name: {"params": {"code.yaml": {f"stages.{name}": value}}} for name, value in digests(Params()).items()}
    version = Recorded("a@1", "", {"stages": stages}, {}, {"code.yaml": code().encode()})
    check = check_code(version)
    assert check
    assert not check.damage
    edited = check_code(Recorded("a@1", "", {"stages": stages}, {}, {"code.yaml": code(split="0").encode()}))
    assert edited
    assert "stages.split is '0', and a@1 was built with" in str(edited.damage[0])
    assert check_code(Recorded("a@1", "", {"stages": stages}, {}, {})) is None
