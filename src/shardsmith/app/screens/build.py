"""Generate: a build at work, what it came to, and the way to end it."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from shardsmith.app.job import Job
from shardsmith.app.opened import Dataset, Open
from shardsmith.app.posted import Posted
from shardsmith.app.render import page, texts
from shardsmith.app.screens.download import choices
from shardsmith.dataset.errors import UsageError
from shardsmith.versions.record import check_name
from shardsmith.workspace.settings import with_settings

router = APIRouter()
_AFTER = ("read back", "record")  # of a build, after the stages of dvc.yaml
_LAST = 30  # lines, among which a failure is explained
_FRESH_S = 20  # what is older is of a stage that has ended


class Wanted(BaseModel):
    """A build as it is asked for: settings are params.yaml's keys, {"augment.copies": 3}."""

    name: str = ""
    settings: dict[str, Any] = {}


def build_job(dataset: Dataset) -> Job:
    return Job(dataset.kept("build"))


def begin(dataset: Dataset, wanted: Wanted) -> Job:
    """Start `shardsmith build`, in a process of its own.

    Raises:
        ShardsmithError: a value is not allowed, or a build is at work.
    """
    workspace, job = dataset.workspace, build_job(dataset)
    with_settings(workspace.params_text(), wanted.settings, workspace.root)
    if wanted.name:
        check_name(workspace, dataset.name, wanted.name)
    command = [sys.executable, "-P", "-m", "shardsmith.cli.main", "build", "--json"]
    command += ["--name", wanted.name] if wanted.name else []
    for key, value in wanted.settings.items():
        command += ["-S", f"{key}={json.dumps(value)}"]
    if not job.start(command, dataset.root, wanted.model_dump()):
        raise UsageError(texts()["build"]["busy"])
    return job


def status(dataset: Dataset) -> dict[str, Any]:
    """state; share of all that is done, 0 to 1; stage; done, total, unit, rate of that stage and left_s; what went
    wrong; and the version that was made."""
    job = build_job(dataset)
    now = job.progress
    stages = [*dataset.workspace.stage_names(), *_AFTER]
    stage = now.get("stage", "")
    at = stages.index(stage) if stage in stages else 0
    is_fresh = now.get("total") and now["at"] > max(now.get("begun", 0), time.time() - _FRESH_S)
    part = now["done"] / now["total"] if is_fresh else 0
    said = {
        "state": job.state,
        "seconds": round(job.seconds),
        "stage": stage,
        "share": 1.0 if job.state == "done" else min((at + part) / len(stages), 1.0) if stage else 0.0,
        "error": _error(job) if job.state in ("failed", "lost") else "",
        **job.about,
        **_made(job),
    }
    if is_fresh and job.state == "running":
        left_s = (now["total"] - now["done"]) / max(now["rate"], 1e-6)
        said |= {key: now[key] for key in ("done", "total", "unit")} | {"rate": now["rate"], "left_s": round(left_s)}
    return said


def _made(job: Job) -> dict[str, Any]:
    if job.state != "done":
        return {}
    made = json.loads(job.result)
    return {"tag": made["tag"], "made": made["made"], "version": made["tag"].partition("@")[2]}


def _error(job: Job) -> str:
    """What was said last, from the first word of an error on: a stage's own comes before that of the build."""
    lines = job.lines[-_LAST:]
    starts = [number for number, line in enumerate(lines) if "error:" in line.lower()]
    said = "\n".join(lines[starts[0] :] if starts else lines[-8:]).removeprefix("error:").strip()
    return said or texts()["build"]["lost"]


@router.get("/d/{key}/build", include_in_schema=False)
def screen(request: Request, dataset: Open) -> Response:
    return page(request, "build.html.jinja", lines=build_job(dataset).lines, **_shown(dataset))


@router.get("/d/{key}/build/now", include_in_schema=False)
def now(request: Request, dataset: Open) -> Response:
    return page(request, "_build.html.jinja", **_shown(dataset))


@router.get("/d/{key}/build/log", include_in_schema=False)
def log(dataset: Open) -> Response:
    return PlainTextResponse("\n".join(build_job(dataset).lines))


def _shown(dataset: Dataset) -> dict[str, Any]:
    now = status(dataset)
    return {"dataset": dataset, "now": now} | (choices(dataset, now["version"]) if "version" in now else {})


@router.post("/d/{key}/build", include_in_schema=False)
def generate(dataset: Open, posted: Posted) -> Response:
    settings = json.loads(posted.get("settings") or "{}")
    begin(dataset, Wanted(name=posted.get("name", "").strip(), settings=settings))
    return RedirectResponse(f"{dataset.url}/build", 303)


@router.post("/d/{key}/build/cancel", include_in_schema=False)
def end(dataset: Open) -> Response:
    build_job(dataset).cancel(patience_s=10)
    return RedirectResponse(f"{dataset.url}/build", 303)


@router.post("/api/d/{key}/build", status_code=202)
def start_build(dataset: Open, wanted: Wanted) -> dict[str, Any]:
    """Build a version, as `shardsmith build --name NAME --set ...` does; GET says how far it is."""
    begin(dataset, wanted)
    return status(dataset)


@router.get("/api/d/{key}/build")
def read_build(dataset: Open) -> dict[str, Any]:
    """The build at work, or the last one."""
    return status(dataset)


@router.delete("/api/d/{key}/build")
def cancel_build(dataset: Open) -> dict[str, Any]:
    """End the build at work; nothing half-made is kept."""
    build_job(dataset).cancel(patience_s=20)
    return status(dataset)
