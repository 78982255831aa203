"""docs/your-own.md: its check, its message and its format are put where it says, and work."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from conftest import CODE, ROOT, image_bytes
from workspaces import make_workspace

BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs/your-own.md").read_text(), re.DOTALL)
CHECK_HERE, MESSAGE_HERE = "    # a check of your own goes here: docs/your-own.md has one\n", "    # what else should"


@pytest.mark.slow
@pytest.mark.xdist_group("flows")
def test_a_check_and_a_message_of_ones_own(tmp_path: Path, prefect_api: str) -> None:
    place = make_workspace(tmp_path / "work", tmp_path / "home", prefect_api)
    check, message = BLOCKS[:2]
    place.write("stages/validate.py", place.read("stages/validate.py").replace(CHECK_HERE, check.replace("0.9", "0.2")))
    told = re.sub(r"urllib.*", "print('told of', outcome.tag, file=open('told.txt', 'w'))", message)
    place.write("flows/build.py", place.read("flows/build.py").replace(MESSAGE_HERE, f"{told}{MESSAGE_HERE}"))
    assert check.replace("0.9", "0.2") in place.read("stages/validate.py")
    place.commit("our own")
    place.build("--name", "one")
    assert place.read("told.txt") == "told of sample@one\n"
    with (place.root / "data/validate/findings.csv").open(newline="") as file:
        assert [row["code"] for row in csv.DictReader(file)].count("own-tall-box") == 10
    assert json.loads(place.read("data/metrics.json"))["findings"]["own-tall-box"] == 10
    assert "own-tall-box" in place.read("data/report/index.html")


def test_a_format_of_a_package_beside(tmp_path: Path) -> None:
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--target"]
    subprocess.run([*install, str(tmp_path / "site"), str(ROOT / "examples/format")], check=True)
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/a.jpg").write_bytes(image_bytes(40, 30))
    (tmp_path / "raw/boxes.txt").write_text("a.jpg cat 1 2 11 12\nb.jpg cat 1 2 3 4\n")

    def shardsmith(*arguments: str) -> str:
        command = [sys.executable, "-m", "shardsmith.cli.main", *arguments]
        env = {"PATH": "", "PYTHONPATH": f"{tmp_path / 'site'}:{CODE}"}
        both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return subprocess.run(command, cwd=tmp_path, env=env, check=True, text=True, **both).stdout

    assert "box_lines" in [row["name"] for row in json.loads(shardsmith("formats", "--json"))]
    assert "image-missing" in shardsmith("convert", "raw", "--to", "coco", "--out", "coco")
    (file,) = (tmp_path / "coco").rglob("*.json")
    assert [one["bbox"] for one in json.loads(file.read_text())["annotations"]] == [[1.0, 2.0, 10.0, 10.0]]


def test_the_example_is_dedented_as_the_files_are() -> None:
    assert all(block == textwrap.indent(textwrap.dedent(block), "    ") for block in BLOCKS)
