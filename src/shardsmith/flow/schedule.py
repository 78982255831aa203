"""The schedule of a workspace, and its last runs, as the Prefect server has them: by its API alone, without Prefect."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from shardsmith.dataset.errors import ShardsmithError
from shardsmith.flow import server
from shardsmith.flow.name import name_of
from shardsmith.workspace.workspace import Workspace

_CLIENT = "shardsmith"
_PATIENCE_S = 10


@dataclass(frozen=True)
class Schedule:
    """When the nightly deployment builds: cron has five fields."""

    cron: str
    timezone: str
    active: bool


@dataclass(frozen=True)
class PastRun:
    """One run of a workspace's flow: state as Prefect names it; message: what it came to."""

    id: str
    started: str
    seconds: float
    state: str
    message: str
    by_schedule: bool


def read_schedule(workspace: Workspace) -> Schedule | None:
    """None where none is set.

    Raises:
        ShardsmithError: no server answers, or it does not know this workspace yet.
    """
    with _client() as client:
        found = _nightly(client, name_of(workspace))["schedules"]
        if not found:
            return None
        rule = found[0]["schedule"]
        return Schedule(rule.get("cron") or str(rule), rule.get("timezone") or "UTC", found[0]["active"])


def write_schedule(workspace: Workspace, schedule: Schedule) -> None:
    """Set it in place of what is set.

    Raises:
        ShardsmithError: no server answers, or it refuses the schedule.
    """
    rule = {"cron": schedule.cron, "timezone": schedule.timezone, "day_or": True}
    with _client() as client:
        deployment = _nightly(client, name_of(workspace))
        made = client.post(
            f"/deployments/{deployment['id']}/schedules", json=[{"schedule": rule, "active": schedule.active}]
        )
        if made.status_code == 422:
            raise ShardsmithError(f"{schedule.cron!r} in {schedule.timezone}: no schedule; for example 0 3 * * *")
        made.raise_for_status()
        for old in deployment["schedules"]:
            client.delete(f"/deployments/{deployment['id']}/schedules/{old['id']}").raise_for_status()


def last_runs(workspace: Workspace, count: int) -> list[PastRun]:
    """The newest first; those to come are left out.

    Raises:
        ShardsmithError: no server answers.
    """
    wanted = {
        "sort": "START_TIME_DESC",
        "limit": count,
        "flows": {"name": {"any_": [name_of(workspace)]}},
        "flow_runs": {"state": {"type": {"not_any_": ["SCHEDULED"]}}},
    }
    with _client() as client:
        answer = client.post("/flow_runs/filter", json=wanted)
        answer.raise_for_status()
        return [_run(one) for one in answer.json()]


def _run(row: dict[str, Any]) -> PastRun:
    state = row.get("state") or {}
    return PastRun(
        row["id"],
        row.get("start_time") or "",
        row.get("total_run_time") or 0.0,
        state.get("name") or "",
        state.get("message") or "",
        bool(row.get("auto_scheduled")),
    )


def _nightly(client: Any, name: str) -> dict[str, Any]:
    """
    Raises:
        ShardsmithError: there is no such deployment.
    """
    answer = client.post("/deployments/filter", json={"deployments": {"name": {"any_": [f"{name}-nightly"]}}})
    answer.raise_for_status()
    if not answer.json():
        raise ShardsmithError(f"{name}-nightly: the server has no such deployment yet; try again in a few seconds")
    return answer.json()[0]


@contextmanager
def _client() -> Iterator[Any]:
    """
    Raises:
        ShardsmithError: no server answers, or it refuses us.
    """
    import httpx

    named, port = os.environ.get("PREFECT_API_URL"), server.running_port()
    if not named and port is None:
        raise ShardsmithError("Prefect's server does not answer yet; try again in a few seconds")
    user, _, password = os.environ.get("PREFECT_API_AUTH_STRING", "" if named else server.secret()).partition(":")
    try:
        with httpx.Client(
            base_url=named or server.api(port or 0), timeout=_PATIENCE_S, auth=(user, password)
        ) as client:
            token = client.get("/csrf-token", params={"client": _CLIENT})
            if token.is_success:
                client.headers.update({"Prefect-Csrf-Client": _CLIENT, "Prefect-Csrf-Token": token.json()["token"]})
            yield client
    except httpx.HTTPError as error:
        raise ShardsmithError(server.explain(error, named or f"http://{server.HOST}:{port}/api")) from None
