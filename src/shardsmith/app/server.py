"""The page as an application, and the command that runs it: one address on this machine, Prefect behind it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from starlette.responses import JSONResponse

from shardsmith.app.access import Access
from shardsmith.app.opened import Opened
from shardsmith.app.render import STATIC, page, texts
from shardsmith.dataset.errors import ShardsmithError, explain

# each a module of `screens` with a `router`
SCREENS = ("start", "home", "add", "new", "build", "download", "version", "look", "schedule")
_FOR_EVER = "private, max-age=31536000, immutable"


def create_app(opened: Opened, token: str, host: str, port: int) -> Any:
    """The ASGI application, guarded.

    Args:
        token: who asks must know it.
        host, port: where it listens.
    """
    app = FastAPI(title=texts()["frame"]["product"], docs_url=None, redoc_url=None, openapi_url="/api/openapi.json")
    app.state.opened = opened
    app.mount("/static", _Static(directory=STATIC))
    for name in SCREENS:
        app.include_router(import_module(f"shardsmith.app.screens.{name}").router)
    app.add_exception_handler(ShardsmithError, lambda request, error: _failure(request, 400, str(error)))
    app.add_exception_handler(OSError, lambda request, error: _failure(request, 500, _of_disk(error)))
    app.add_exception_handler(HTTPException, lambda request, error: _failure(request, *_of_http(error)))
    app.add_exception_handler(404, lambda request, error: _failure(request, *_of_http(error)))
    app.add_exception_handler(RequestValidationError, lambda request, error: _failure(request, 422, _of_values(error)))
    app.add_exception_handler(Exception, lambda request, error: _failure(request, 500, texts()["errors"]["ours"]))
    return Access(app, token, host, port)


class _Static(StaticFiles):
    """Our own files: their addresses change with their content."""

    def file_response(self, *arguments: Any, **named: Any) -> Response:
        answer = super().file_response(*arguments, **named)
        answer.headers["cache-control"] = _FOR_EVER
        return answer


def _failure(request: Request, status: int, message: str) -> Response:
    """What went wrong: as JSON for a script, as a part of the screen for htmx, as a screen of its own else."""
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": message}, status)
    is_part = request.headers.get("hx-request") == "true"
    return page(request, "_error.html.jinja" if is_part else "error.html.jinja", status, message=message)


def _of_disk(error: Exception) -> str:
    assert isinstance(error, OSError)
    return explain(error)


def _of_http(error: Exception) -> tuple[int, str]:
    assert isinstance(error, HTTPException) or hasattr(error, "status_code")
    return error.status_code, str(error.detail)  # type: ignore[attr-defined]


def _of_values(error: Exception) -> str:
    assert isinstance(error, RequestValidationError)
    return "; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors())
