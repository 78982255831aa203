"""A workspace with `shardsmith serve` running in it, for tests."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from workspaces import BIN, Place

from shardsmith.flow.name import name_of
from shardsmith.workspace.workspace import Workspace

PATIENCE_S = 180


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Served:
    """A workspace with `shardsmith serve` running in it.

    home: of its user; secret: what opens the server; printed: its lines so far.
    """

    def __init__(self, place: Place, *arguments: str, port: int | None = None) -> None:
        """
        Args:
            port: of the server, where another one runs it.
        """
        self.place, self.arguments = place, arguments if port else ("--port", str(free_port()), *arguments)
        self.port = port or int(self.arguments[1])
        self.name = name_of(Workspace(place.root))
        self.start()

    def start(self) -> None:
        command = [str(BIN / "shardsmith"), "serve", *self.arguments]
        self.process = subprocess.Popen(
            command, cwd=self.place.root, env=self.place.env, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self.process.stdout
        self.printed: list[str] = []
        for line in self.process.stdout:
            self.printed.append(line)
            if "Schedule" in line:
                break
        else:
            raise AssertionError("serve ended")
        self.home = Path(self.place.env["HOME"]) / ".local/state/shardsmith"
        self.secret = (self.home / "secret").read_text()

    def request(
        self, path: str, body: Any = None, secret: str | None = None, host: str = "", csrf: bool = True
    ) -> urllib.request.Request:
        """One to the API, as a client of Prefect's sends it."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/api/{path}", method="POST" if body else "GET")
        request.add_header("Content-Type", "application/json")
        token = base64.b64encode((self.secret if secret is None else secret).encode()).decode()
        if token:
            request.add_header("Authorization", f"Basic {token}")
        if host:
            request.add_header("Host", host)
        if body:
            request.data = json.dumps(body).encode()
            if csrf:
                request.add_header("Prefect-Csrf-Client", "test")
                request.add_header("Prefect-Csrf-Token", self.ask("csrf-token?client=test")["token"])
        return request

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        with urllib.request.urlopen(self.request(path, body), timeout=30) as answer:
            return json.load(answer)

    def run(self, **parameters: Any) -> str:
        """Press the button of the deployment on demand; returns the run's id."""
        deployment = self.ask(f"deployments/name/{self.name}/{self.name}-on-demand")["id"]
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

    def events(self, name: str) -> list[dict[str, Any]]:
        """Those of this name that the server has."""
        since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
        wanted = {"event": {"name": [name]}, "occurred": {"since": since}}
        return self.ask("events/filter", {"filter": wanted, "limit": 50})["events"]

    def is_up(self) -> bool:
        try:
            return bool(self.ask("admin/version"))
        except OSError:
            return False

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
        if self.process.poll() is None:
            os.killpg(self.process.pid, with_)
            self.process.wait(60)


def await_(what: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE_S
    while not (found := what()):
        assert time.monotonic() < end
        time.sleep(0.2)
    return found
