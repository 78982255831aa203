"""Version: one version, its pictures, page, code to paste, and what can be done with it."""

from __future__ import annotations

import sys
from typing import Any, Literal

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from shardsmith.app.job import Job
from shardsmith.app.looked import Looked, picture_in, stored
from shardsmith.app.opened import Dataset, Open
from shardsmith.app.pictures import Picture
from shardsmith.app.posted import Posted
from shardsmith.app.render import page, texts
from shardsmith.app.screens.download import choices
from shardsmith.compare.bump import bump_of
from shardsmith.compare.changes import changed_in_place
from shardsmith.compare.report import counts, proposal, sections
from shardsmith.compare.versions import diff
from shardsmith.dataset.errors import UsageError, VersionError
from shardsmith.snippets import KINDS
from shardsmith.snippets.code import code_for
from shardsmith.versions.files import read_words
from shardsmith.versions.listing import listed
from shardsmith.versions.page import find_page
from shardsmith.versions.recorded.consequences import what_ends, what_stays
from shardsmith.versions.recorded.withdraw import plan
from shardsmith.versions.summary import count_rows, how_it_was_made, severities
from shardsmith.versions.version import find_version, show

router = APIRouter()
Action = Literal["verify", "publish", "withdraw"]
_BESIDE = 12  # images shown as both versions have them
# the version's page brings its own policy, by the hashes of its style and script; it is no part of ours
_OF_REPORT = {"content-security-policy": "sandbox allow-scripts allow-popups; frame-ancestors 'none'"}


@router.get("/d/{key}/versions/{name}", include_in_schema=False)
def screen(request: Request, dataset: Open, name: str) -> Response:
    workspace = dataset.workspace
    record = show(workspace, name)
    version = find_version(workspace, name)
    facts, _ = read_words(workspace, version)
    return page(
        request,
        "version.html.jinja",
        dataset=dataset,
        record=record,
        made=[line.removeprefix("- ") for line in how_it_was_made(facts)] if facts else [],
        rows=count_rows(record["metrics"]),
        severities=severities(record["metrics"]),
        others=[row["name"] for row in listed(workspace)[::-1] if row["tag"] != version.tag],
        has_remote=workspace.has_remote(),
        kinds=KINDS,
        **choices(dataset, name),
    )


@router.get("/d/{key}/versions/{name}/report", include_in_schema=False)
def report(dataset: Open, name: str) -> Response:
    return HTMLResponse(find_page(dataset.workspace, name).read_text(encoding="utf-8"), headers=_OF_REPORT)


@router.get("/d/{key}/versions/{name}/code", include_in_schema=False)
def code(request: Request, dataset: Open, name: str, kind: str = "tfds") -> Response:
    try:
        text, error = code_for(dataset.workspace, name, kind, alone=False), ""
    except VersionError as why:  # it is not stored as this reads it
        text, error = "", str(why)
    return page(request, "_code.html.jinja", dataset=dataset, text=text, error=error, kind=kind)


@router.get("/d/{key}/versions/{name}/compare", include_in_schema=False)
def compare(request: Request, dataset: Open, name: str, other: str) -> Response:
    found = diff(dataset.workspace, other, name, lambda _: None)
    changed = changed_in_place(found)
    both = [stored(dataset, other), stored(dataset, name)]
    return page(
        request,
        "compare.html.jinja",
        changed=len(changed),
        beside={image_id: [_in_version(dataset, one, image_id) for one in both] for image_id in changed[:_BESIDE]},
        dataset=dataset,
        name=name,
        other=other,
        counts=counts(found, other, name),
        proposal=list(proposal(found)),
        sections=sections(found),
    )


def _in_version(dataset: Dataset, looked: Looked | None, image_id: str) -> Picture | None:
    """An image as a version has it; None where that is in no store."""
    row = looked.tables.row_of(image_id) if looked else None
    if looked is None or row is None:
        return None
    ((image, own),) = looked.tables.rows([row])
    return picture_in(dataset, looked, image, own)


@router.get("/api/d/{key}/versions/{name}")
def read_version(dataset: Open, name: str) -> dict[str, Any]:
    """A version's record, as `shardsmith show --json` gives it."""
    return show(dataset.workspace, name)


@router.get("/api/d/{key}/versions/{name}/compare")
def compare_versions(dataset: Open, name: str, other: str) -> dict[str, Any]:
    """What `name` differs in from `other`, as `shardsmith diff --json` gives it."""
    from dataclasses import asdict

    found = diff(dataset.workspace, other, name, lambda _: None)
    return {**asdict(found), "bump": asdict(bump_of(found))}


def action_job(dataset: Dataset, name: str, action: Action) -> Job:
    return Job(dataset.kept("actions") / f"{action} {name}")


def begin(dataset: Dataset, name: str, action: Action, why: str = "") -> Job:
    """Verify, publish or withdraw a version, in a process of its own.

    Raises:
        ShardsmithError: no such version.
    """
    version = find_version(dataset.workspace, name)
    job = action_job(dataset, version.name, action)
    more = ["--yes", "--why", why] if action == "withdraw" else []
    job.start([sys.executable, "-P", "-m", "shardsmith.cli.main", action, version.tag, *more], dataset.root)
    return job


@router.get("/d/{key}/versions/{name}/withdraw", include_in_schema=False)
def ask(request: Request, dataset: Open, name: str) -> Response:
    """What would end, before it is done."""
    planned = plan(dataset.workspace, [name], [])
    words: dict[str, Any] = {"ends": what_ends(planned), "stays": what_stays(planned)}
    return page(request, "withdraw.html.jinja", dataset=dataset, name=name, **words)


@router.post("/d/{key}/versions/{name}/do/{action}", include_in_schema=False)
def act(request: Request, dataset: Open, name: str, action: Action, posted: Posted) -> Response:
    if action == "withdraw" and posted.get("confirm", "").strip() != name:
        raise UsageError(texts()["version"]["confirm_wrong"])
    begin(dataset, name, action, posted.get("why", "").strip() or texts()["version"]["no_reason"])
    if request.headers.get("hx-request") != "true":
        return RedirectResponse(f"{dataset.url}/versions/{name}", 303)
    return act_state(request, dataset, name, action)


@router.get("/d/{key}/versions/{name}/do/{action}", include_in_schema=False)
def act_state(request: Request, dataset: Open, name: str, action: Action) -> Response:
    job = action_job(dataset, name, action)
    again = f"{dataset.url}/versions/{name}/do/{action}"
    return page(request, "_action.html.jinja", dataset=dataset, job=job, action=action, again=again)


@router.post("/api/d/{key}/versions/{name}/{action}", status_code=202)
def start_action(dataset: Open, name: str, action: Action, confirm: str = "", why: str = "") -> dict[str, Any]:
    """Verify, publish or withdraw; GET says what came of it. To withdraw, `confirm` is the version's name."""
    if action == "withdraw" and confirm != name:
        raise UsageError(texts()["version"]["confirm_wrong"])
    return _said(begin(dataset, name, action, why or texts()["version"]["no_reason"]))


@router.get("/api/d/{key}/versions/{name}/{action}")
def read_action(dataset: Open, name: str, action: Action) -> dict[str, Any]:
    """The last one of its kind: state, and its lines."""
    return _said(action_job(dataset, name, action))


def _said(job: Job) -> dict[str, Any]:
    return {"state": job.state, "lines": [*job.lines, *job.result.splitlines()]}
