"""Shardsmith installed from a wheel or a git address, in an environment of its own that borrows all other packages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from workspaces import BIN, ROOT, Place


def copy_of_repository(folder: Path) -> Path:
    """A clone of this repository, with what is changed here and not committed yet as its last commit."""

    def git(*arguments: str, root: Path = folder) -> str:
        return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True).stdout

    git("clone", "-q", str(ROOT), str(folder), root=ROOT)
    for file in git("ls-files", "-z", "-d", root=ROOT).split("\0")[:-1]:
        (folder / file).unlink()
    for file in git("ls-files", "-z", "-mo", "--exclude-standard", root=ROOT).split("\0")[:-1]:
        if (ROOT / file).is_file():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / file, folder / file)
    commit_all(folder)
    return folder


def commit_all(repository: Path) -> None:
    """Commit what is changed, if anything is."""
    named = ["git", "-c", "user.name=A", "-c", "user.email=a@b"]
    subprocess.run(["git", "add", "-A"], cwd=repository, check=True)
    subprocess.run([*named, "commit", "-qm", "as it is"], cwd=repository, capture_output=True, check=False)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{path}: {old}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def build(source: Path, out: Path, target: str = "wheel") -> Path:
    """The wheel, or sdist, of a source folder."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(out)]
    subprocess.run(command, cwd=source, env=own_variables(), capture_output=True, check=True)
    (built,) = out.iterdir()
    return built


def make_environment(folder: Path) -> None:
    """Without Shardsmith: what is installed there comes first, then the packages of the environment that runs."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    library = next(folder.glob("lib/python*/site-packages"))
    # a path in a .pth file is not searched for .pth files: what is editable there is not here
    (library / "zz_borrowed.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")


def install(environment: Path, what: str | Path) -> None:
    """A wheel, or an address that pip takes, and nothing that it needs."""
    command = [sys.executable, "-m", "pip", "--python", str(environment / "bin/python"), "install", "--quiet"]
    command += ["--no-deps", "--no-build-isolation", "--disable-pip-version-check", str(what)]
    subprocess.run(command, env=own_variables(), check=True, capture_output=True)


def outside(folder: Path, environment: Path) -> Place:
    """An empty folder of a user who has activated an environment."""
    home = folder / "home"
    home.mkdir(parents=True)
    env = {key: value for key, value in own_variables().items() if not key.startswith(("GIT_", "PREFECT_", "DVC_"))}
    env |= {"HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1", "SHARDSMITH_WORKERS": "1"}
    env["PATH"] = os.pathsep.join([str(environment / "bin"), str(BIN), env["PATH"]])  # git's hooks run `dvc`
    (folder / "empty").mkdir()
    return Place(folder / "empty", env)


def own_variables() -> dict[str, str]:
    """Those of this process, without what would bring this checkout's code in."""
    return {key: value for key, value in os.environ.items() if key != "PYTHONPATH" and not key.startswith("PYTEST")}
