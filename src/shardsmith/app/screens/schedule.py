"""Schedule: on or off, when, and what the last runs came to."""

from __future__ import annotations

import zoneinfo
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import RedirectResponse, Response

from shardsmith.app.opened import Open
from shardsmith.app.posted import Posted
from shardsmith.app.render import page
from shardsmith.dataset.errors import ShardsmithError, UsageError
from shardsmith.flow.schedule import Schedule, last_runs, read_schedule, write_schedule

router = APIRouter()
_RUNS = 20
_NONE = Schedule("0 3 * * *", "UTC", False)


class Wanted(BaseModel):
    """When to build: cron has five fields."""

    cron: str
    timezone: str = "UTC"
    active: bool = True


@router.get("/d/{key}/schedule", include_in_schema=False)
def screen(request: Request, dataset: Open) -> Response:
    try:
        now, runs, error = read_schedule(dataset.workspace) or _NONE, last_runs(dataset.workspace, _RUNS), ""
    except ShardsmithError as why:  # the page does without the server
        now, runs, error = _NONE, [], str(why)
    minute, hour = now.cron.split()[:2] if len(now.cron.split()) == 5 else ("", "")
    daily = f"{int(hour):02}:{int(minute):02}" if hour.isdecimal() and minute.isdecimal() else ""
    return page(
        request,
        "schedule.html.jinja",
        dataset=dataset,
        now=now,
        time=daily if now.cron.endswith(" * * *") else "",
        runs=runs,
        error=error,
        zones=sorted(zoneinfo.available_timezones()),
    )


@router.post("/d/{key}/schedule", include_in_schema=False)
def change(dataset: Open, posted: Posted) -> Response:
    hour, _, minute = posted.get("time", "").partition(":")
    cron = posted.get("cron", "").strip() or (f"{int(minute)} {int(hour)} * * *" if minute.isdecimal() else "")
    set_schedule(dataset, Wanted(cron=cron, timezone=posted.get("timezone", "UTC"), active="active" in posted))
    return RedirectResponse(f"{dataset.url}/schedule", 303)


@router.get("/api/d/{key}/schedule")
def get_schedule(dataset: Open) -> dict[str, Any]:
    """When the dataset is built, and its last runs."""
    now = read_schedule(dataset.workspace)
    runs = [asdict(run) for run in last_runs(dataset.workspace, _RUNS)]
    return {"schedule": asdict(now) if now else None, "runs": runs}


@router.put("/api/d/{key}/schedule")
def set_schedule(dataset: Open, wanted: Wanted) -> dict[str, Any]:
    """Set when the dataset is built."""
    if len(wanted.cron.split()) != 5:
        raise UsageError(f"{wanted.cron!r}: not a schedule; five fields, for example 0 3 * * * for 3:00")
    if wanted.timezone not in zoneinfo.available_timezones():
        raise UsageError(f"{wanted.timezone}: no time zone; for example Europe/Berlin, or UTC")
    write_schedule(dataset.workspace, Schedule(wanted.cron, wanted.timezone, wanted.active))
    return wanted.model_dump()
