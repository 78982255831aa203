"""Templates and texts: what the screens are drawn with. Every English word of the page stands in texts.yaml."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from shardsmith.dataset.yaml import load_yaml

_HERE = Path(__file__).parent
STATIC = _HERE / "static"


@cache
def texts() -> dict[str, Any]:
    """Screen -> what it says."""
    return load_yaml((_HERE / "texts.yaml").read_text(encoding="utf-8"))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _number, "megabytes": _megabytes, "json": _json}
    environment.globals |= {"t": texts(), "asset": asset}
    return environment


@cache
def asset(name: str) -> str:
    """The address of a file of ours, which changes with its content: browsers may keep it for ever."""
    import hashlib

    return f"/static/{name}?v={hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]}"


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A screen, or with a template that begins with `_` a part of one.

    Args:
        values: `dataset` is the open dataset that the screen is about, where it is about one.
    """
    return HTMLResponse(render(template, path=request.url.path, **values), status)


def render(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(**{"dataset": None, "path": ""} | values)


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count < 1e9 else f"{count / 1e9:,.2f} GB"


def _json(value: Any) -> Markup:
    """For a <script type="application/json">: nothing in it ends that."""
    text = json.dumps(value, ensure_ascii=True).replace("<", "\\u003c").replace("&", "\\u0026")
    return Markup(text)  # noqa: S704
