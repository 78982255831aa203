"""A build where no server of Prefect's runs: the same flow and steps as plain calls, unless it uses more of Prefect."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import ROOT
from workspaces import make_workspace

from shardsmith.flow.engine import needs_prefect
from shardsmith.flow.server import is_there

FLOW = (ROOT / "flows/build.py").read_text()
OLD = FLOW.replace("from shardsmith.flow.engine import flow", "from prefect import flow")
HERE = "    # what else should"


def added(line: str) -> str:
    return FLOW.replace(HERE, f"    {line}\n{HERE}")


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        (FLOW, False),
        (OLD, False),
        (added("import urllib.request"), False),
        (f"import smtplib\n{FLOW}", False),
        (OLD.replace("import flow\n", "import flow, task\n", 1), True),
        (OLD.replace("import flow\n", "import flow as made\n", 1).replace("@flow", "@made"), True),
        (FLOW.replace("engine import flow\n", "engine import flow as made\n", 1).replace("@flow", "@made"), True),
        (FLOW.replace("engine import flow\n", "engine import *\n", 1), True),
        (FLOW.replace("import form, steps", "import engine, form, steps").replace("@flow(", "@engine.flow("), True),
        (FLOW.replace("persist_result=False", "retries=2"), True),
        (FLOW.replace("persist_result=False", "**OPTIONS"), True),
        (f"{FLOW}\n\nbuild = build.with_options(retries=2)\n", True),
        (f"{FLOW}\n\n@flow\ndef train() -> None: ...\n", True),
        (f"{FLOW}\n\n@flow(name='x')\nasync def train() -> None: ...\n", True),
        (added("from prefect import get_run_logger"), True),
        (added("import my_tasks"), True),
        (added("from . import my_tasks"), True),
        (added("import importlib; importlib.import_module('my_tasks')"), True),
        ("def (", True),
    ],
)
def test_a_flow_that_may_use_more_of_prefect_gets_it(text: str, needed: bool, tmp_path: Path) -> None:
    (tmp_path / "build.py").write_text(text)
    assert needs_prefect(tmp_path / "build.py") is needed


@pytest.mark.parametrize(
    ("file", "text", "there"),
    [
        ("", "", False),
        (".env", "PREFECT_API_URL=http://127.0.0.1:1/api\n", True),
        (".env", "prefect_api_url=http://127.0.0.1:1/api\n", True),
        ("prefect.toml", "[api]\nurl = 'http://127.0.0.1:1/api'\n", True),
        ("pyproject.toml", "[tool.prefect.api]\nurl = 'http://127.0.0.1:1/api'\n", True),
        ("pyproject.toml", "tool.prefect.api.url = 'http://127.0.0.1:1/api'\n", True),
        ("pyproject.toml", "[tool]\nprefect.api.url = 'http://127.0.0.1:1/api'\n", True),
        ("pyproject.toml", "[project]\nname = 'x'\ndependencies = ['prefect']\n", False),
        ("home/profiles.toml", "active='a'\n[profiles.a]\nPREFECT_API_URL = 'http://127.0.0.1:1/api'\n", True),
        ("home/profiles.toml", "active='a'\n[profiles.a]\n", False),
    ],
)
def test_a_server_that_settings_name(
    file: str, text: str, there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PREFECT_API_URL", "PREFECT_PROFILE", "PREFECT_PROFILES_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home").mkdir()
    if file:
        (tmp_path / file).write_text(text)
    assert is_there(tmp_path) is there


def leads_to(link: Path, folder: Path) -> bool:
    try:
        return link.readlink() == folder
    except OSError:  # another user's, or it has ended
        return False


@pytest.mark.slow
def test_a_build_without_a_server(tmp_path: Path) -> None:
    place = make_workspace(tmp_path / "work", tmp_path / "home")
    place.write("flows/build.py", added("print('made', steps.sys.modules.get('prefect')), 1 / 0"))
    place.commit("a line that fails")
    assert "90 missing" in place.build("-S", "export.require.min_images=100", ok=False).stderr
    assert not [one for one in Path("/proc").glob("[0-9]*/cwd") if leads_to(one, place.root)]  # TensorFlow's process
    failed = place.build("--name", "one", ok=False)
    assert failed.returncode == 1
    assert "read back: TensorFlow reads and decodes all 10 images" in failed.stderr
    assert "error: flows/build.py: ZeroDivisionError: division by zero" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert failed.stdout == "made None\n"
    assert "flow-run: none" in place.git("cat-file", "-p", "sample@one")
    assert not list((tmp_path / "home").rglob("prefect.db"))
