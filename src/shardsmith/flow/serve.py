"""`shardsmith serve`: Prefect's server, the deployments of prefect.yaml and a worker, kept running by one command."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from shardsmith.dataset.errors import ShardsmithError
from shardsmith.installation import need
from shardsmith.workspace.paths import PREFECT_HOME
from shardsmith.workspace.workspace import Workspace

POOL = "shardsmith"
NIGHTLY = "build/nightly"
_START_S, _STOP_S, _LOOK_S = 120, 20, 1
_SHORT_S, _SHORT_LIVES = 30, 3  # a process that ends this soon, this often, is not started again
# with the default, a server that starts anew believes that a build from before still has its deployment's one place
_SERVER_ENV = {"PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem"}


def serve(workspace: Workspace, cron: str | None, port: int) -> None:
    """Run until Ctrl-C: builds start from Prefect's page, and by the schedule if there is one.

    Args:
        cron: five fields, UTC, for example "0 3 * * *"; None: as prefect.yaml says.
        port: of the page and the API, on 127.0.0.1.

    Raises:
        ShardsmithError: the schedule is not one, the port is taken, or something does not start.
    """
    need("prefect")
    os.environ["PWD"] = str(workspace.root)  # of which prefect.yaml speaks
    address = f"http://127.0.0.1:{port}"
    # before Prefect is imported; the page calls the API by itself, from the browser, so it is told the address too
    os.environ.update(_SERVER_ENV, PREFECT_API_URL=f"{address}/api", PREFECT_UI_API_URL=f"{address}/api")
    _check_cron(cron)
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise ShardsmithError(f"--port {port}: something listens there already; choose another port")
    root, logs = workspace.root, workspace.root / PREFECT_HOME
    server = _Kept("server", ["server", "start", "--host", "127.0.0.1", "--port", str(port)], root, logs)
    worker = _Kept("worker", ["worker", "start", "--pool", POOL, "--type", "process"], root, logs)
    with server.running():
        server.wait_for(lambda: _answers(port))
        deploy(root, cron)
        with worker.running():
            print(f"Prefect's page: {address}/deployments\nBuilds are made in .builds/; Ctrl-C ends it.", flush=True)
            print(
                f"Schedule: {cron} (UTC)" if cron else "Schedule: as prefect.yaml says; --cron '0 3 * * *' for another",
                flush=True,
            )
            while True:
                time.sleep(_LOOK_S)
                server.keep()
                worker.keep()


def deploy(root: Path, cron: str | None) -> None:
    """Make the work pool and the deployments of prefect.yaml, and end what a killed worker left as running.

    Args:
        cron: the nightly deployment's schedule; None: as prefect.yaml says.

    Raises:
        ShardsmithError: Prefect refuses.
    """
    import anyio

    print("Making the deployments ...", flush=True)
    anyio.run(_make_pool)
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ShardsmithError(f"prefect deploy --all: {done.stdout}\n{done.stderr}\nsee prefect.yaml")
    anyio.run(_end_lost_runs)
    if cron:
        anyio.run(_set_schedule, cron)


async def _make_pool() -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate

    async with get_client() as client:
        await client.create_work_pool(WorkPoolCreate(name=POOL, type="process"), overwrite=True)


async def _end_lost_runs() -> None:
    """Runs that count as running when no worker does: their place in their deployment is given free."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId, FlowRunFilterState
    from prefect.client.schemas.filters import FlowRunFilterStateType as OfType
    from prefect.client.schemas.objects import StateType
    from prefect.states import Crashed

    under_way = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]
    lost = FlowRunFilter(
        state=FlowRunFilterState(type=OfType(any_=under_way)), deployment_id=FlowRunFilterDeploymentId(is_null_=False)
    )
    crashed: Any = Crashed(message="the worker that ran it is gone; the next build finishes its work")
    async with get_client() as client:
        for run in await client.read_flow_runs(flow_run_filter=lost):
            await client.set_flow_run_state(run.id, crashed, force=True)


async def _set_schedule(cron: str) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.schedules import CronSchedule

    nightly = DeploymentScheduleCreate(schedule=CronSchedule(cron=cron, timezone="UTC"), active=True)
    async with get_client() as client:
        deployment = await client.read_deployment_by_name(NIGHTLY)
        for schedule in deployment.schedules:
            await client.delete_deployment_schedule(deployment.id, schedule.id)
        await client.create_deployment_schedules(deployment.id, [nightly])


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


class _Kept:
    """A process of Prefect's that is started again when it ends; its log goes to .prefect/NAME.log."""

    def __init__(self, name: str, command: list[str], root: Path, logs: Path) -> None:
        self._root = root
        self._name, self._command, self._log = name, [sys.executable, "-m", "prefect", *command], logs / f"{name}.log"
        self._short_lives = 0

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._log.write_text("")
        self._start()
        try:
            yield
        finally:
            self._process.terminate()
            try:
                self._process.wait(timeout=_STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()

    def wait_for(self, is_ready: Callable[[], bool]) -> None:
        """
        Raises:
            ShardsmithError: it ended, or is not ready in time.
        """
        end = time.monotonic() + _START_S
        while not is_ready():
            if time.monotonic() > end or self._process.poll() is not None:
                raise ShardsmithError(f"Prefect's {self._name} did not start; see {self._log}")
            time.sleep(0.3)

    def keep(self) -> None:
        """
        Raises:
            ShardsmithError: it ends again and again.
        """
        if self._process.poll() is None:
            return
        self._short_lives = self._short_lives + 1 if time.monotonic() - self._started < _SHORT_S else 0
        if self._short_lives >= _SHORT_LIVES:
            raise ShardsmithError(f"Prefect's {self._name} ends again and again; see {self._log}")
        print(f"Prefect's {self._name} ended, and is started again", file=sys.stderr, flush=True)
        self._start()

    def _start(self) -> None:
        self._started = time.monotonic()
        with self._log.open("a") as file:
            self._process = subprocess.Popen(self._command, cwd=self._root, stdout=file, stderr=subprocess.STDOUT)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/api/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()
