"""Start: the datasets that are open, and the way to a first one."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from shardsmith.app.render import page
from shardsmith.app.screens.add import waiting

router = APIRouter()


@router.get("/", include_in_schema=False)
def start(request: Request) -> Response:
    opened = request.app.state.opened
    datasets = list(opened.datasets.values())
    if len(datasets) == 1:
        return RedirectResponse(f"{datasets[0].url}/", 303)
    return page(request, "start.html.jinja", datasets=datasets, folder=opened.folder, **waiting(opened, None))
