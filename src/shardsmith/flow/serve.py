"""`shardsmith serve`: Prefect's server, the deployments of prefect.yaml and a worker, kept running by one command."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from shardsmith.dataset.errors import ShardsmithError
from shardsmith.flow import server
from shardsmith.flow.deploy import deploy, read_deployments
from shardsmith.flow.name import name_of
from shardsmith.flow.process import KeptProcess
from shardsmith.installation import need
from shardsmith.workspace.workspace import Workspace

_PORT = 4200
_LOOK_S = 1


def serve(workspace: Workspace, cron: str | None, timezone: str, port: int | None) -> None:
    """Run until Ctrl-C: builds start from Prefect's page, and by the schedule if there is one.

    On the server that PREFECT_API_URL names; else on this user's own, which the first `serve` starts and others join.

    Args:
        cron: as check_schedule lets pass; None: what was set before stays.
        timezone: of the schedule, for example "Europe/Berlin".
        port: of the page and the API; None: 4200, or where the server is.

    Raises:
        ShardsmithError: the port is taken, or something does not start.
    """
    need("prefect")
    server.secret()  # and with it Prefect's home
    root, name = workspace.root, name_of(workspace)
    deployments = read_deployments(root, name)
    os.environ["PWD"] = str(root)  # of which prefect.yaml speaks
    with contextlib.ExitStack() as stack:
        stack.enter_context(server.alone(name, "`shardsmith serve` runs in this workspace already; end that first"))
        is_own = not os.environ.get("PREFECT_API_URL")
        keep_server = stack.enter_context(_own_server(root, port)) if is_own else lambda: None
        server.connect()
        schedules = deploy(root, deployments, name, cron, timezone)
        worker = KeptProcess(f"worker-{name}", ["-m", "prefect", "worker", "start", "--pool", name], root)
        stack.enter_context(worker.ended())
        worker.keep()
        page = os.environ["PREFECT_API_URL"].removesuffix("/api")
        password = f"; it asks for what `cat {server.secret_path()}` prints" if is_own else ""
        print(f"Prefect's page: {page}/deployments{password}\nBuilds are made in .builds/; Ctrl-C ends it.")
        print(f"Schedule: {', '.join(schedules) or 'none; --cron sets one'}", flush=True)
        while True:
            time.sleep(_LOOK_S)
            keep_server()
            worker.keep()


@contextlib.contextmanager
def _own_server(root: Path, port: int | None) -> Iterator[Callable[[], None]]:
    """This user's server: joined where another `serve` runs it, started where none does. Yields what keeps it running.

    Raises:
        ShardsmithError: the port is taken, or the server does not start.
    """
    running = server.running_port()
    if running and port not in (None, running):
        raise ShardsmithError(
            f"--port {port}: your server on this machine is at {running} already; leave --port out to join it"
        )
    port = running or port or _PORT
    os.environ |= server.server_settings(port) | {"PREFECT_API_URL": server.api(port)}
    command = ["-P", "-m", "uvicorn", "--factory", "shardsmith.flow.server:app", "--log-level", "warning"]
    process = KeptProcess("server", [*command, "--host", server.HOST, "--port", str(port)], root)

    def keep() -> None:
        if process.is_running:
            return
        with server.alone("server"):
            if not server.running_port():
                _check_free(port)
                process.keep()
                server.write_running(port, process.wait_for(lambda: server.answers(port)))

    with process.ended():
        keep()
        yield keep


def _check_free(port: int) -> None:
    """
    Raises:
        ShardsmithError: something listens on the port.
    """
    with socket.socket() as probe:
        if probe.connect_ex((server.HOST, port)) == 0:
            raise ShardsmithError(f"--port {port}: something listens there already; choose another port")
