"""`shardsmith serve`: Prefect's server, a worker and the schedule, with one command."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from flows.repository import Workspace
from stages.dataset.errors import ShardsmithError

_START_SECONDS = 120


def serve(cron: str | None, port: int) -> None:
    """Run until Ctrl-C: builds start from Prefect's page, and by the schedule if there is one.

    Args:
        cron: five fields, UTC, for example "0 3 * * *"; None for no schedule.
        port: of the page and the API, on 127.0.0.1.

    Raises:
        ShardsmithError: the schedule is not one, the port is taken, or the server does not start.
    """
    workspace = Workspace.find()
    os.chdir(workspace.root)
    address = f"http://127.0.0.1:{port}"
    # before Prefect is imported; the page calls the API by itself, from the browser, so it is told the address too
    os.environ.update(PREFECT_API_URL=f"{address}/api", PREFECT_UI_API_URL=f"{address}/api")
    _check_cron(cron)
    with _server(port, workspace.root / ".prefect"):
        print(f"Prefect's page: {address}\nBuilds run in {workspace.root}; Ctrl-C ends it.", flush=True)
        print(f"Schedule: {cron} (UTC)" if cron else "No schedule; --cron '0 3 * * *' builds every night.", flush=True)
        from flows.build import build

        build.serve(name="on-schedule" if cron else "on-demand", cron=cron, limit=1, print_starting_message=False)


def _check_cron(cron: str | None) -> None:
    if cron is None:
        return
    from prefect.client.schemas.schedules import CronSchedule

    try:
        CronSchedule(cron=cron)
    except ValueError:
        raise ShardsmithError(
            f"--cron {cron!r}: not a schedule; five fields, for example '0 3 * * *' for 3:00 UTC"
        ) from None


@contextlib.contextmanager
def _server(port: int, home: Path) -> Iterator[None]:
    """Prefect's server, until the block ends; its log goes to .prefect/server.log."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise ShardsmithError(f"--port {port}: something listens there already; choose another port")
    home.mkdir(parents=True, exist_ok=True)
    log = home / "server.log"
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with log.open("w") as file:
        server = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
    try:
        _await_health(server, port, log)
        yield
    finally:
        server.terminate()
        try:
            server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            server.kill()


def _await_health(server: subprocess.Popen, port: int, log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        if _answers(port):
            return
        time.sleep(0.3)
    raise ShardsmithError(f"Prefect's server did not start; see {log}")


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/api/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()
