"""Real workspaces for the tests of flows: git, DVC and Prefect as a user has them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import warm
from conftest import image_bytes

from shardsmith.workspace.template.files import OF_PACKAGE, OF_ROOT
from shardsmith.workspace.template.pin import pin_code
from shardsmith.workspace.workspace import Workspace

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
FORKED = str(Path(__file__).with_name("forked.py"))
QUICK = (sys.executable, str(Path(__file__).with_name("quick_build.py")))
XML = (
    "<annotation><filename>{name}.jpg</filename><object><name>{label}</name><bndbox><xmin>{at}</xmin><ymin>3</ymin>"
    "<xmax>20</xmax><ymax>13</ymax></bndbox></object></annotation>"
)


@dataclass(frozen=True)
class Place:
    """A folder and the environment to run commands in it."""

    root: Path
    env: dict[str, str]

    def run(self, *command: str, ok: bool = True, timeout: float = 300, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command; with `ok`, its failure is the test's."""
        done = subprocess.run(
            command,
            cwd=self.root,
            env={**self.env, **env},
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )
        assert not ok or done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
        return done

    def at_once(self, *command: str, ok: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        """Run one of `warm.PROGRAMS`, in a fork where that is as good as a process."""
        variables = {**self.env, **env}
        if not warm.fits(variables):
            return self.run(*warm.command(*command), ok=ok, **env)
        done = warm.run(command, self.root, variables)
        assert not ok or done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
        return done

    def shardsmith(self, *arguments: str, ok: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        return self.at_once("shardsmith", *arguments, ok=ok, **env)

    def build(self, *arguments: str, ok: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        return self.at_once("shardsmith", "build", *arguments, ok=ok, **env)

    def quick_build(self, *arguments: str, ok: bool = True) -> subprocess.CompletedProcess[str]:
        return self.at_once("quick_build", *arguments, ok=ok)

    def quick_repro(self, *arguments: str) -> None:
        self.at_once("dvc", "repro", "-q", *arguments)

    def dvc(self, *arguments: str, ok: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        return self.at_once("dvc", *arguments, ok=ok, **env)

    def git(self, *arguments: str) -> str:
        return self.run("git", *arguments).stdout.strip()

    def commit(self, message: str = "change") -> None:
        self.git("add", "-A")
        self.git("-c", "user.name=A", "-c", "user.email=a@b", "commit", "-qm", message)

    def add_store(self, folder: Path) -> None:
        """`dvc remote add -d store FOLDER`, without DVC's start."""
        config = self.read(".dvc/config").replace("[core]\n", "[core]\n    remote = store\n", 1)
        self.write(".dvc/config", f"{config}['remote \"store\"']\n    url = {folder}\n")

    def tags(self) -> list[str]:
        return self.git("tag").split()

    def read(self, path: str) -> str:
        return (self.root / path).read_text(encoding="utf-8")

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")

    def add_image(self, name: str, label: str = "cat", seed: int = 0) -> None:
        (self.root / "data/raw").mkdir(parents=True, exist_ok=True)
        (self.root / f"data/raw/{name}.jpg").write_bytes(image_bytes(48, 40, seed))
        self.write(f"data/raw/{name}.xml", XML.format(name=name, label=label, at=seed % 10))

    def edit_xml(self, image: str, old: str, new: str) -> None:
        path = f"data/raw/{image}.xml"
        self.write(path, self.read(path).replace(old, new))

    def clone(self, to: Path) -> Place:
        subprocess.run(["git", "clone", "-q", str(self.root), str(to)], check=True, capture_output=True)
        return Place(to, self.env)


def copied(place: Place, to: Path) -> Place:
    """The folder that the place is in, with its `home`, and its remotes `store` and `origin` if it has them."""
    shutil.copytree(place.root.parent, to, symlinks=True)
    copy = Place(to / place.root.name, place.env | {"HOME": str(to / "home")})
    if (to / "store").is_dir():
        copy.write(".dvc/config.local", f"['remote \"store\"']\n    url = {to / 'store'}\n")
    if (to / "origin").is_dir():
        copy.git("remote", "set-url", "origin", str(to / "origin"))
    return copy


def make_workspace(root: Path, home: Path, api: str = "") -> Place:
    """A user's workspace with ten small images in data/raw: what `shardsmith init` gives it, as it is here.

    Its HOME is empty: no git identity, no settings of the machine's user.
    """
    own = ROOT / "src/shardsmith/workspace/template/own"
    sources = {file: ROOT / file for file in (*OF_ROOT, ".dvc/config", ".dvc/.gitignore", "requirements.lock")}
    for file, source in (sources | {file: own / name for file, name in OF_PACKAGE.items()}).items():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, root / file)
    pin_code(Workspace(root))
    home.mkdir(exist_ok=True)
    env = {
        key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "PREFECT_", "DVC_", "PYTEST"))
    }
    env |= {"HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1", "PYTHONPATH": str(ROOT / "src"), "SHARDSMITH_WORKERS": "1"}
    env["PATH"] = os.pathsep.join([str(BIN), env["PATH"]])  # as in an activated environment
    if api:
        env["PREFECT_API_URL"] = api
    place = Place(root, env)
    place.git("init", "-q")
    place.commit("start")
    for number in range(10):
        place.add_image(f"{number:02}", ("cat", "dog")[number % 2], number)
    return place
