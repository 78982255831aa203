"""Home: a dataset, its versions, and what needs attention."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from shardsmith.app.opened import Open
from shardsmith.app.render import page
from shardsmith.versions.listing import listed

router = APIRouter()


@router.get("/d/{key}/", include_in_schema=False)
def home(request: Request, dataset: Open) -> Response:
    return page(request, "home.html.jinja", dataset=dataset, versions=listed(dataset.workspace)[::-1])


@router.get("/api/d/{key}/versions")
def versions(dataset: Open) -> list[dict[str, Any]]:
    """Every version, oldest first, as `shardsmith versions --json` lists them."""
    return listed(dataset.workspace)
