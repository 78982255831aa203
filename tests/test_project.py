"""What the repository says of itself: hooks, workflows, the picture of its imports."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from conftest import ROOT
from ruamel.yaml import YAML

from docs.architecture import draw, read_imports

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def load(path: Path) -> dict:
    return YAML(typ="safe", pure=True).load(path.read_text())


def test_the_picture_is_that_of_the_imports() -> None:
    drawn = (ROOT / "docs/architecture.svg").read_text()
    assert drawn == draw(read_imports()), "run python -m docs.architecture"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_step_of_a_workflow_is_a_make_target(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for job in load(path)["jobs"].values():
        matrix = job.get("strategy", {}).get("matrix", {})
        for command in (step["run"] for step in job["steps"] if "run" in step):
            made = [command.replace("${{ matrix.target }}", target) for target in matrix.get("target", [""])]
            assert {line.removeprefix("make ") for line in made} <= targets
            assert all(line.startswith("make ") for line in made)


def test_ci_runs_what_the_workflows_run() -> None:
    run = set(re.findall(r"^make (\S+)", (ROOT / ".ci/run").read_text(), re.MULTILINE))
    assert run | {"wheel"} == set(
        load(ROOT / ".github/workflows/ci.yml")["jobs"]["check"]["strategy"]["matrix"]["target"]
    )


def test_the_action_and_the_hook_run_check() -> None:
    assert load(ROOT / ".pre-commit-hooks.yaml")[0]["entry"] == "shardsmith check"
    action = load(ROOT / "action.yml")
    used = set(re.findall(r"inputs\.([a-z-]+)", (ROOT / "action.yml").read_text()))
    assert used == action["inputs"].keys()


def test_the_version_is_said_once_or_alike() -> None:
    base = re.findall(r'^BASE = "(.+)"', (ROOT / "hatch_build.py").read_text(), re.MULTILINE)
    assert base == [load(ROOT / "CITATION.cff")["version"]]
    assert f"## {base[0]}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_lock_holds_every_package_and_no_address() -> None:
    text = (ROOT / "requirements.lock").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    names = {re.split(r"[^A-Za-z0-9.-]", line)[0].replace(".", "-") for lines in lists for line in lines}
    assert names - {"shardsmith"} <= set(re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE))
    assert "://" not in text


@pytest.mark.slow
def test_the_hooks_pass(tmp_path: Path) -> None:
    """In a clone of what is committed and changed here: pre-commit looks at the files that git knows."""
    copy = tmp_path / "clone"
    listed = subprocess.check_output(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, text=True)
    for name in filter(None, listed.split("\0")):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_file():
            shutil.copy2(ROOT / name, copy / name)
    env = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    env |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}",
        "PRE_COMMIT_HOME": str(tmp_path / "home"),
    }
    env |= {"PYTHONPATH": str(copy / "src")}
    for command in ("git init -q", "git add -A", "pre-commit run --all-files"):
        done = subprocess.run(command.split(), cwd=copy, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
