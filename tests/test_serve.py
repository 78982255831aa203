"""`shardsmith serve` for real: server, deployments, worker; what is killed is started again, the next run goes on."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from staged import STAGES
from workspaces import BIN, Place, make_workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flows")]
PATIENCE_S = 180


class Served:
    """A workspace with `shardsmith serve` running in it."""

    def __init__(self, place: Place, *arguments: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.place, self.arguments = place, arguments
        self.start()

    def start(self) -> None:
        command = [str(BIN / "shardsmith"), "serve", "--port", str(self.port), *self.arguments]
        self.process = subprocess.Popen(
            command, cwd=self.place.root, env=self.place.env, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self.process.stdout
        assert any("Schedule" in line for line in self.process.stdout), "serve ended"

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/{path}", method="POST" if body is not None else "GET"
        )
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, None if body is None else json.dumps(body).encode(), 30) as answer:
            return json.load(answer)

    def run(self, **parameters: Any) -> str:
        """Press the button of the deployment on demand; returns the run's id."""
        deployment = self.ask("deployments/name/build/on-demand")["id"]
        return self.ask(f"deployments/{deployment}/create_flow_run", {"parameters": parameters})["id"]

    def ended(self, run: str) -> tuple[str, str]:
        """Name and message of the state in which a run ends."""
        states = ("Completed", "Failed", "Crashed", "Cancelled")
        return await_(lambda: found if (found := self.state(run))[0] in states else None)

    def state(self, run: str) -> tuple[str, str]:
        try:
            state = self.ask(f"flow_runs/{run}")["state"]
        except OSError:  # the server is away
            return "", ""
        return state["name"], state["message"] or ""

    def said(self, run: str) -> dict[str, str]:
        """Task -> what it logged; in the order in which they began."""
        of_run = {"flow_runs": {"id": {"any_": [run]}}, "sort": "EXPECTED_START_TIME_ASC"}
        tasks = {one["id"]: one["name"] for one in self.ask("task_runs/filter", of_run)}
        lines = self.ask("logs/filter", {"logs": {"flow_run_id": {"any_": [run]}}, "sort": "TIMESTAMP_ASC"})
        return {
            name: "\n".join(line["message"] for line in lines if line["task_run_id"] == number)
            for number, name in tasks.items()
            if name != "refresh"
        }

    def artifact(self, key: str) -> str:
        return self.ask(f"artifacts/{key}/latest")["data"]

    def process_of(self, words: str) -> int:
        """The id of a process that works for this server and has the words in its command line; 0 for none."""
        ours = f"PREFECT_API_URL=http://127.0.0.1:{self.port}/api".encode()
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if words in line and ours in (process / "environ").read_bytes().split(b"\0"):
                    return int(process.name)
        return 0

    def stop(self, with_: signal.Signals = signal.SIGINT) -> None:
        os.killpg(self.process.pid, with_)
        self.process.wait(60)


def await_(what: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE_S
    while not (found := what()):
        assert time.monotonic() < end
        time.sleep(0.2)
    return found


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    served = Served(make_workspace(folder / "work space", folder / "home"))
    yield served
    served.stop()


def test_a_press_of_the_button_makes_a_version_with_what_was_chosen(served: Served) -> None:
    run = served.run(name="v1", augment={"copies": 1, "flip": {"horizontal": 1}}, formats=["tfrecord", "coco"])
    state, message = served.ended(run)
    assert (state, message.partition(" at ")[0]) == ("Completed", "recorded sample@v1")
    assert served.place.tags() == ["sample@v1"]
    assert served.place.git("status", "--porcelain") == ""
    params = served.place.git("show", "sample@v1:params.yaml")
    assert "formats: [tfrecord, coco]" in params
    assert list(served.said(run)) == [*STAGES, "report", "read back", "record"]
    for stage in [*STAGES, "report"]:
        await_(lambda stage=stage: f"{stage}: " in served.said(run)[stage])  # Prefect sends lines when it comes to it
    shown = served.artifact("version")
    assert all(
        words in shown for words in ("# sample@v1", "## Class balance", "data:image/jpeg;base64,", "shardsmith pull")
    )


@pytest.mark.long
def test_new_data_is_seen_and_compared(served: Served) -> None:
    if "sample@v1" not in served.place.tags():
        served.ended(served.run(name="v1"))
    served.place.add_image("10", "bird", 10)
    assert served.ended(served.run(name="v2"))[0] == "Completed"
    assert "## Since sample@v1" in served.artifact("version")
    assert "bird" in served.artifact("version")
    state, message = served.ended(served.run())
    assert (state, message) == ("Completed", "nothing changed since sample@v2")


def test_a_failed_build_says_what_to_do(served: Served) -> None:
    state, message = served.ended(served.run(name="bad name?"))
    assert state == "Failed"
    assert "not a version's name" in message
    assert "## What to do" in served.artifact("failure")


def test_the_page_refuses_what_params_would_refuse(served: Served) -> None:
    with pytest.raises(urllib.error.HTTPError, match=r"409|422"):
        served.run(augment={"copies": "many"})


@pytest.mark.long
@pytest.mark.parametrize("victim", ["prefect.engine", "worker start", "server start", "everything"])
def test_what_is_killed_mid_run_is_made_good(served: Served, victim: str) -> None:
    served.place.add_image(f"killed {victim}", "cat", len(victim))
    run = served.run(name=f"first-{victim.split()[0]}")
    await_(lambda: served.process_of("dvc repro"))
    if victim == "everything":
        served.stop(signal.SIGKILL)
        served.start()
    else:
        os.kill(served.process_of(victim), signal.SIGKILL)
    state, _ = served.ended(run)
    assert state == ("Completed" if victim == "server start" else "Crashed")
    name = f"again-{victim.split()[0]}"
    assert served.ended(served.run(name=name))[0] == "Completed"
    assert served.place.shardsmith("verify", name).returncode == 0
    print(f"{victim} killed mid-run: {state}; the next run recorded sample@{name}")


@pytest.mark.long
def test_a_schedule_of_a_minute(tmp_path: Path) -> None:
    served = Served(make_workspace(tmp_path / "work", tmp_path / "home"), "--cron", "* * * * *")
    try:

        def messages() -> list[str]:
            done = {"flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}, "sort": "EXPECTED_START_TIME_ASC"}
            return [run["state"]["message"] for run in served.ask("flow_runs/filter", done)]

        for runs in (1, 2):
            await_(lambda runs=runs: len(messages()) >= runs)
        served.place.add_image("10", "bird", 10)
        await_(lambda: len(served.place.tags()) == 2)
        await_(lambda: messages()[-1].startswith("nothing changed since"))
        assert sum(message.startswith("recorded") for message in messages()) == 2
    finally:
        served.stop()


def test_a_wrong_schedule_and_a_taken_port_are_refused(tmp_path: Path) -> None:
    place = make_workspace(tmp_path / "work", tmp_path / "home")
    assert "five fields" in place.shardsmith("serve", "--cron", "daily", ok=False).stderr
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert "choose another port" in place.shardsmith("serve", "--port", port, ok=False).stderr
