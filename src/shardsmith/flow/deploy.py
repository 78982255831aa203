"""The deployments of a workspace's prefect.yaml, on a server that other workspaces may use as well."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import zoneinfo
from pathlib import Path
from typing import Any

from shardsmith.dataset.errors import ShardsmithError
from shardsmith.dataset.yaml import YamlError, load_yaml
from shardsmith.flow import server
from shardsmith.installation import need

_FILE = "prefect.yaml"
_POOL = "shardsmith"  # there: of whoever deploys by hand
_NAMED = "{{ workspace.name }}"


def check_schedule(cron: str, timezone: str) -> None:
    """
    Raises:
        ShardsmithError: it is none.
    """
    if timezone != "UTC" and timezone not in zoneinfo.available_timezones():
        raise ShardsmithError(f"--timezone {timezone}: no time zone; for example Europe/Berlin, or UTC")
    need("prefect")
    server.secret()  # and with it Prefect's home
    from prefect.client.schemas.schedules import CronSchedule

    try:
        CronSchedule(cron=cron)
    except ValueError:
        raise ShardsmithError(
            f"--cron {cron!r}: not a schedule; five fields, for example '0 3 * * *' for 3:00"
        ) from None


def read_deployments(root: Path, name: str) -> dict[str, Any]:
    """prefect.yaml, with the workspace's own work pool where it has the common one.

    Raises:
        ShardsmithError: it is none, or its deployments have names that another workspace's have too.
    """
    try:
        config: Any = load_yaml((root / _FILE).read_text(encoding="utf-8"))
        for one in config["deployments"]:
            if _NAMED not in one["name"]:
                raise ShardsmithError(
                    f"{_FILE}: the name of {one['name']!r} could be another workspace's; `shardsmith upgrade` brings a "
                    f"file that names each by its workspace, or write {_NAMED}-{one['name']} as in that"
                )
            if (pool := one.setdefault("work_pool", {})).get("name", _POOL) == _POOL:
                pool["name"] = name
    except (YamlError, OSError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ShardsmithError(
            f"{_FILE}: no list of deployments ({error!r}); restore it: git checkout {_FILE}"
        ) from None
    return config


def deploy(root: Path, config: dict[str, Any], name: str, cron: str | None, timezone: str) -> list[str]:
    """Make the work pool and the deployments, and end what a killed worker left as running.

    Args:
        name: the workspace's.
        cron: the nightly deployment's schedule; None: as it is on the server, else as prefect.yaml says.

    Returns:
        the schedules that are on.

    Raises:
        ShardsmithError: Prefect refuses.
    """
    import anyio

    print("Making the deployments ...", flush=True)
    anyio.run(_make_pool, name)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        json.dump(config, file)
        file.flush()
        command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", file.name]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ShardsmithError(f"prefect deploy --all: {done.stdout}\n{done.stderr}\nsee {_FILE}")
    anyio.run(_end_lost_runs, name)
    return anyio.run(_schedule, f"{name}-nightly", cron, timezone)


async def _make_pool(name: str) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate

    async with get_client() as client:
        await client.create_work_pool(WorkPoolCreate(name=name, type="process"), overwrite=True)


async def _end_lost_runs(pool: str) -> None:
    """Runs of ours that count as running when no worker does: their place in their deployment is given free."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas import filters
    from prefect.client.schemas.objects import StateType
    from prefect.states import Crashed

    under_way = filters.FlowRunFilterStateType(any_=[StateType.RUNNING, StateType.PENDING, StateType.CANCELLING])
    lost = filters.FlowRunFilter(state=filters.FlowRunFilterState(type=under_way))
    ours = filters.WorkPoolFilter(name=filters.WorkPoolFilterName(any_=[pool]))
    crashed: Any = Crashed(message="the worker that ran it is gone; the next build finishes its work")
    async with get_client() as client:
        for run in await client.read_flow_runs(flow_run_filter=lost, work_pool_filter=ours):
            await client.set_flow_run_state(run.id, crashed, force=True)


async def _schedule(name: str, cron: str | None, timezone: str) -> list[str]:
    """Set a deployment's schedule, if one is given; returns those that are on."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas import filters
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.schedules import CronSchedule

    named = filters.DeploymentFilter(name=filters.DeploymentFilterName(any_=[name]))
    async with get_client() as client:
        found = await client.read_deployments(deployment_filter=named)
        if not found:
            if cron:
                raise ShardsmithError(f"--cron: {_FILE} has no deployment {_NAMED}-nightly; restore it")
            return []
        (deployment,) = found
        if cron:
            for old in deployment.schedules:
                await client.delete_deployment_schedule(deployment.id, old.id)
            new = DeploymentScheduleCreate(schedule=CronSchedule(cron=cron, timezone=timezone), active=True)
            await client.create_deployment_schedules(deployment.id, [new])
            (deployment,) = await client.read_deployments(deployment_filter=named)
        return [_in_words(each.schedule) for each in deployment.schedules if each.active]


def _in_words(schedule: Any) -> str:
    rule = getattr(schedule, "cron", None) or getattr(schedule, "rrule", None) or f"every {schedule.interval}"
    return f"{rule} ({schedule.timezone or 'UTC'})"
